import { known, unknown } from '../core/known.js';
import { createClientPool } from './admin-client.js';
import { decimalId, hexId } from './ids.js';
import { keepLeaseAlive } from './keep-alive.js';
import { isDisconnected, refusalOf } from './refusals.js';
/** Talks to members by their client URLs. Dispose it to close its connections. */
export function createAdmin({ deadlineMs } = { deadlineMs: 2_000 }) {
  const pool = createClientPool();
  /** One call: within the deadline, ended by the signal, and its connection dropped where it failed. */
  const call = async (endpoint, signal, act) => {
    signal.throwIfAborted();
    try {
      return await untilAborted(act(pool.get(endpoint), { deadline: Date.now() + deadlineMs }), signal);
    } catch (error) {
      if (isDisconnected(error)) pool.drop(endpoint);
      throw error;
    }
  };
  const ask = async (endpoint, signal, act) => {
    try {
      return known(await call(endpoint, signal, act));
    } catch (error) {
      signal.throwIfAborted();
      return unknown(`${endpoint} failed: ${refusalOf(error).message}`);
    }
  };
  const change = async (endpoint, signal, act) => {
    try {
      return { ok: true, value: await call(endpoint, signal, act) };
    } catch (error) {
      signal.throwIfAborted();
      return { ok: false, ...refusalOf(error) };
    }
  };
  const caller = { ask, change };
  return {
    ...membership(caller),
    ...keys(caller),
    ...leases(caller),
    [Symbol.dispose]: () => pool[Symbol.dispose](),
  };
}
function membership({ ask, change }) {
  return {
    memberList: async (endpoint, { linearizable }, signal) =>
      ask(endpoint, signal, async (client, options) => {
        // 3.4 does not know the field and answers from what it has. A linearizable read through the same member, just
        // before, waits until it has all that was committed: the same promise, on every version.
        if (linearizable) await client.kv.range(LINEARIZABLE_READ, options);
        const { header, members } = await client.cluster.memberList({ linearizable }, options);
        return listOf(header, members);
      }),
    status: async (endpoint, signal) =>
      ask(endpoint, signal, async (client, options) => {
        const status = await client.maintenance.status(options);
        return {
          clusterId: hexId(status.header.cluster_id),
          memberId: hexId(status.header.member_id),
          version: status.version,
          leader: status.leader === '0' ? null : hexId(status.leader),
          raftIndex: Number(status.raftIndex),
          raftAppliedIndex: Number(status.raftAppliedIndex),
          raftTerm: Number(status.raftTerm),
          learner: status.isLearner,
          dbSizeBytes: Number(status.dbSize),
          errors: status.errors,
        };
      }),
    addLearner: async (endpoint, peerUrl, signal) =>
      change(endpoint, signal, async (client, options) => {
        const added = await client.cluster.memberAdd({ peerURLs: [peerUrl], isLearner: true }, options);
        return { memberId: hexId(added.member.ID), list: listOf(added.header, added.members) };
      }),
    removeMember: async (endpoint, memberId, signal) =>
      change(endpoint, signal, async (client, options) =>
        client.cluster.memberRemove({ ID: decimalId(memberId) }, options),
      ),
    promote: async (endpoint, memberId, signal) =>
      change(endpoint, signal, async (client, options) =>
        client.cluster.memberPromote({ ID: decimalId(memberId) }, options),
      ),
    moveLeader: async (endpoint, targetId, signal) =>
      change(endpoint, signal, async (client, options) =>
        client.maintenance.moveLeader({ targetID: decimalId(targetId) }, options),
      ),
  };
}
/** Counts at most one key: the cheapest read that goes through the leader. */
const LINEARIZABLE_READ = { key: Buffer.from('_'), limit: 1, count_only: true, serializable: false };
function listOf(header, members) {
  return {
    clusterId: hexId(header.cluster_id),
    answeredBy: hexId(header.member_id),
    members: members.map((member) => ({
      id: hexId(member.ID),
      name: member.name,
      peerUrls: member.peerURLs,
      clientUrls: member.clientURLs,
      learner: member.isLearner,
    })),
  };
}
function keys({ ask }) {
  return {
    read: async (endpoint, key, { serializable }, signal) =>
      ask(endpoint, signal, async (client, options) => {
        const { kvs } = await client.kv.range({ key: Buffer.from(key), serializable }, options);
        const first = kvs[0];
        return first === undefined ? null : keyValue(first);
      }),
    readPrefix: async (endpoint, prefix, signal) =>
      ask(endpoint, signal, async (client, options) => {
        const key = Buffer.from(prefix);
        const { kvs } = await client.kv.range({ key, range_end: endOfPrefix(key) }, options);
        return kvs.map(keyValue);
      }),
    createKey: async (endpoint, key, value, leaseId, signal) =>
      ask(endpoint, signal, async (client, options) => {
        const request = { key: Buffer.from(key), value: Buffer.from(value), lease: decimalId(leaseId) };
        const { succeeded, header } = await client.kv.txn(
          { compare: [createdAt(key, '0')], success: [{ request_put: request }] },
          options,
        );
        return succeeded ? { createRevision: header.revision } : null;
      }),
    put: async (endpoint, key, value, { leaseId, fence }, signal) =>
      ask(endpoint, signal, async (client, options) => {
        const lease = leaseId === undefined ? {} : { lease: decimalId(leaseId) };
        const request = { key: Buffer.from(key), value: Buffer.from(value), ...lease };
        const compare = fence === undefined ? [] : [createdAt(fence.key, fence.createRevision)];
        const { succeeded } = await client.kv.txn({ compare, success: [{ request_put: request }] }, options);
        return succeeded;
      }),
  };
}
/** Create revision 0: the key does not exist. */
function createdAt(key, revision) {
  return { target: 'Create', result: 'Equal', key: Buffer.from(key), create_revision: revision };
}
function keyValue(kv) {
  return {
    key: kv.key.toString('utf8'),
    value: kv.value.toString('utf8'),
    createRevision: kv.create_revision,
    modRevision: kv.mod_revision,
  };
}
/** The first key after all that begin with the prefix; a zero byte (no end) where there is none. */
function endOfPrefix(prefix) {
  const end = Buffer.from(prefix);
  for (let last = end.length - 1; last >= 0; last -= 1) {
    const byte = end[last] ?? 0;
    if (byte < 0xff) {
      end[last] = byte + 1;
      return end.subarray(0, last + 1);
    }
  }
  return Buffer.from([0]);
}
function leases({ ask }) {
  return {
    grantLease: async (endpoint, ttlSeconds, signal) =>
      ask(endpoint, signal, async (client, options) => {
        const { ID } = await client.leaseClient.leaseGrant({ TTL: ttlSeconds }, options);
        return hexId(ID);
      }),
    keepAlive: async (endpoint, leaseId, signal) =>
      ask(endpoint, signal, async (client, options) => keepLeaseAlive(client, decimalId(leaseId), options)),
    revokeLease: async (endpoint, leaseId, signal) =>
      ask(endpoint, signal, async (client, options) => {
        try {
          await client.leaseClient.leaseRevoke({ ID: decimalId(leaseId) }, options);
          return true;
        } catch (error) {
          if (/requested lease not found/i.test(String(error))) return false;
          throw error;
        }
      }),
  };
}
/** A call cannot be taken back, but its caller need not wait for it; its deadline ends it. */
async function untilAborted(work, signal) {
  const aborted = Promise.withResolvers();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
