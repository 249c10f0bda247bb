import type { Etcd3, IKeyValue } from 'etcd3';
import { type Known, known, refused, unknown } from '../core/known.ts';
import type { MemberList, MemberStatus } from '../core/members.ts';
import type { Caller } from './admin-caller.ts';
import type { CallOptions, ClientPool } from './admin-client.ts';
import { type UpgradeCalls, upgradeCalls } from './admin-upgrade.ts';
import { listOf, signed } from './answers.ts';
import { decimalId, hexId } from './ids.ts';
import { keepLeaseAlive } from './keep-alive.ts';
import { type AdminOutcome, isDisconnected, isLate, isNotLetIn, refusalOf } from './refusals.ts';

/** A key as read. The shape of the daemon's KeyValue. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: string;
  readonly modRevision: string;
}

/** The lock's key still has this create revision (design.md, law 8). The shape of the daemon's Fence. */
export interface Fence {
  readonly key: string;
  readonly createRevision: string;
}

/** etcd's client API, one endpoint at a time, no retries. The shape of the daemon's AdminPort. */
export interface EtcdAdmin extends UpgradeCalls, Disposable {
  /** `confirmed`: the caller has just had a linearizable answer to a read through this member. */
  memberList(
    endpoint: string,
    options: { readonly linearizable: boolean; readonly confirmed?: boolean },
    signal: AbortSignal,
  ): Promise<Known<MemberList>>;
  status(endpoint: string, signal: AbortSignal): Promise<Known<MemberStatus>>;
  read(
    endpoint: string,
    key: string,
    options: { readonly serializable: boolean },
    signal: AbortSignal,
  ): Promise<Known<KeyValue | null>>;
  readPrefix(endpoint: string, prefix: string, signal: AbortSignal): Promise<Known<readonly KeyValue[]>>;
  addLearner(
    endpoint: string,
    peerUrl: string,
    signal: AbortSignal,
  ): Promise<AdminOutcome<{ readonly memberId: string; readonly list: MemberList }>>;
  removeMember(endpoint: string, memberId: string, signal: AbortSignal): Promise<AdminOutcome>;
  promote(endpoint: string, memberId: string, signal: AbortSignal): Promise<AdminOutcome>;
  moveLeader(endpoint: string, targetId: string, signal: AbortSignal): Promise<AdminOutcome>;
  grantLease(endpoint: string, ttlSeconds: number, signal: AbortSignal): Promise<Known<string>>;
  keepAlive(endpoint: string, leaseId: string, signal: AbortSignal): Promise<Known<boolean>>;
  revokeLease(endpoint: string, leaseId: string, signal: AbortSignal): Promise<Known<boolean>>;
  createKey(
    endpoint: string,
    key: string,
    value: string,
    leaseId: string,
    signal: AbortSignal,
  ): Promise<Known<{ readonly createRevision: string } | null>>;
  put(
    endpoint: string,
    key: string,
    value: string,
    options: {
      readonly leaseId?: string;
      readonly fence?: Fence;
      /** The key itself still stands as it was written then; else Known(false), and nothing was written. */
      readonly modRevision?: string;
    },
    signal: AbortSignal,
  ): Promise<Known<boolean>>;
}

/** Numbers of the client. */
export interface AdminOptions {
  /** Each call ends within this time, whatever the other side does; 2 s where it is left out. */
  readonly deadlineMs?: number;
  /** Where an endpoint is reached from here, if not under itself. */
  readonly dial?: (endpoint: string) => string;
}

/** Talks to members by their client URLs. Dispose it to close its connections. */
export function createAdmin({ deadlineMs = 2_000, dial = (it) => it }: AdminOptions = {}): EtcdAdmin {
  // etcd3 takes longer to load than all the rest: it is loaded beside what comes first, and the first call waits for it.
  const loading = import('./admin-client.ts').then((it) => it.createClientPool());
  // Each call hears of a failure itself.
  loading.catch(() => undefined);

  /** One call: within the deadline, ended by the signal, and its connection dropped where that failed. */
  const call = async <T>(
    endpoint: string,
    signal: AbortSignal,
    act: (client: Etcd3, options: CallOptions) => Promise<T>,
  ): Promise<T> => {
    signal.throwIfAborted();
    const beganMs = performance.now();
    const deadline = Date.now() + deadlineMs;
    const pool = await loading;
    const dialled = dial(endpoint);
    try {
      const answer = await untilAborted(act(pool.get(dialled), { deadline }), signal);
      pool.answered(dialled);
      return answer;
    } catch (error) {
      if (isLate(error)) pool.late(dialled, beganMs);
      else if (isDisconnected(error)) pool.drop(dialled);
      throw error;
    }
  };

  const ask: Caller['ask'] = async (endpoint, signal, act) => {
    try {
      return known(await call(endpoint, signal, act));
    } catch (error) {
      signal.throwIfAborted();
      const { message } = refusalOf(error);
      return isNotLetIn(error)
        ? refused(
            `authentication is on in etcd, and appliances have no user (${endpoint}: ${message}): switch it off with etcdctl auth disable`,
          )
        : unknown(`${endpoint} failed: ${message}`);
    }
  };

  const change: Caller['change'] = async (endpoint, signal, act) => {
    try {
      return { ok: true, value: await call(endpoint, signal, act) };
    } catch (error) {
      signal.throwIfAborted();
      return { ok: false, ...refusalOf(error) };
    }
  };

  const caller: Caller = { ask, change };
  return {
    ...membership(caller),
    ...keys(caller),
    ...leases(caller),
    ...upgradeCalls(caller, deadlineMs, dial),
    [Symbol.dispose]: () => void loading.then(close, () => undefined),
  };
}

function close(pool: ClientPool): void {
  pool[Symbol.dispose]();
}

type Membership = Pick<
  EtcdAdmin,
  'memberList' | 'status' | 'addLearner' | 'removeMember' | 'promote' | 'moveLeader'
>;

function membership({ ask, change }: Caller): Membership {
  return {
    memberList: async (endpoint, { linearizable, confirmed = false }, signal) =>
      ask(endpoint, signal, async (client, options) => {
        // 3.4 does not know the field and answers from what it has. A linearizable read through the same member, just
        // before, waits until it has all that was committed: the same promise, on every version.
        if (linearizable && !confirmed) signed(await client.kv.range(LINEARIZABLE_READ, options));
        return listOf(await client.cluster.memberList({ linearizable }, options));
      }),
    status: async (endpoint, signal) =>
      ask(endpoint, signal, async (client, options) => {
        const status = signed(await client.maintenance.status(options));
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
    addLearner: async (endpoint, peerUrl, signal) => {
      const outcome = await change(endpoint, signal, async (client, options) => {
        const added = await client.cluster.memberAdd({ peerURLs: [peerUrl], isLearner: true }, options);
        return { memberId: hexId(added.member?.ID ?? '0'), list: listOf(added) };
      });
      // Removed and added again within a second, a URL makes the id that was removed. A second later it makes another:
      // to the caller that is no more than "soon".
      return !outcome.ok && outcome.code === 'not-found'
        ? { ...outcome, code: 'unhealthy-cluster' }
        : outcome;
    },
    removeMember: async (endpoint, memberId, signal) =>
      change(endpoint, signal, async (client, options) =>
        signed(await client.cluster.memberRemove({ ID: decimalId(memberId) }, options)),
      ),
    promote: async (endpoint, memberId, signal) =>
      change(endpoint, signal, async (client, options) =>
        signed(await client.cluster.memberPromote({ ID: decimalId(memberId) }, options)),
      ),
    moveLeader: async (endpoint, targetId, signal) =>
      change(endpoint, signal, async (client, options) =>
        client.maintenance.moveLeader({ targetID: decimalId(targetId) }, options),
      ),
  };
}

/** Counts at most one key: the cheapest read that goes through the leader. */
const LINEARIZABLE_READ = { key: Buffer.from('_'), limit: 1, count_only: true, serializable: false };

function keys({ ask }: Caller): Pick<EtcdAdmin, 'read' | 'readPrefix' | 'createKey' | 'put'> {
  return {
    read: async (endpoint, key, { serializable }, signal) =>
      ask(endpoint, signal, async (client, options) => {
        const { kvs } = signed(await client.kv.range({ key: Buffer.from(key), serializable }, options));
        const first = kvs[0];
        return first === undefined ? null : keyValue(first);
      }),
    readPrefix: async (endpoint, prefix, signal) =>
      ask(endpoint, signal, async (client, options) => {
        const key = Buffer.from(prefix);
        const { kvs } = signed(await client.kv.range({ key, range_end: endOfPrefix(key) }, options));
        return kvs.map(keyValue);
      }),
    createKey: async (endpoint, key, value, leaseId, signal) =>
      ask(endpoint, signal, async (client, options) => {
        const request = { key: Buffer.from(key), value: Buffer.from(value), lease: decimalId(leaseId) };
        const compare = [createdAt(key, '0')];
        const answer = await client.kv.txn({ compare, success: [{ request_put: request }] }, options);
        const { succeeded } = signed(answer);
        return succeeded ? { createRevision: answer.header.revision } : null;
      }),
    put: async (endpoint, key, value, { leaseId, fence, modRevision }, signal) =>
      ask(endpoint, signal, async (client, options) => {
        const lease = leaseId === undefined ? {} : { lease: decimalId(leaseId) };
        const request = { key: Buffer.from(key), value: Buffer.from(value), ...lease };
        const compare = [
          ...(fence === undefined ? [] : [createdAt(fence.key, fence.createRevision)]),
          ...(modRevision === undefined ? [] : [writtenAt(key, modRevision)]),
        ];
        const answer = await client.kv.txn({ compare, success: [{ request_put: request }] }, options);
        return signed(answer).succeeded;
      }),
  };
}

/** Create revision 0: the key does not exist. */
function createdAt(key: string, revision: string) {
  return { target: 'Create', result: 'Equal', key: Buffer.from(key), create_revision: revision } as const;
}

function writtenAt(key: string, revision: string) {
  return { target: 'Mod', result: 'Equal', key: Buffer.from(key), mod_revision: revision } as const;
}

function keyValue(kv: IKeyValue): KeyValue {
  return {
    key: kv.key.toString('utf8'),
    value: kv.value.toString('utf8'),
    createRevision: kv.create_revision,
    modRevision: kv.mod_revision,
  };
}

/** The first key after all that begin with the prefix; a zero byte (no end) where there is none. */
function endOfPrefix(prefix: Buffer): Buffer {
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

function leases({ ask }: Caller): Pick<EtcdAdmin, 'grantLease' | 'keepAlive' | 'revokeLease'> {
  return {
    grantLease: async (endpoint, ttlSeconds, signal) =>
      ask(endpoint, signal, async (client, options) => {
        const { ID } = signed(await client.leaseClient.leaseGrant({ TTL: ttlSeconds }, options));
        return hexId(ID);
      }),
    keepAlive: async (endpoint, leaseId, signal) =>
      ask(endpoint, signal, async (client, options) => keepLeaseAlive(client, decimalId(leaseId), options)),
    revokeLease: async (endpoint, leaseId, signal) =>
      ask(endpoint, signal, async (client, options) => {
        try {
          signed(await client.leaseClient.leaseRevoke({ ID: decimalId(leaseId) }, options));
          return true;
        } catch (error) {
          if (/requested lease not found/i.test(String(error))) return false;
          throw error;
        }
      }),
  };
}

/** A call cannot be taken back, but its caller need not wait for it; its deadline ends it. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
