import type { Known } from '../../../src/core/known.ts';
import { known, unknown } from '../../../src/core/known.ts';
import { hostOf } from '../../../src/core/urls.ts';
import type { AdminOutcome, AdminPort } from '../../../src/daemon/ports.ts';
import type { Wire } from '../wire.ts';
import type { Answer, Attempt } from './calls.ts';
import type { EtcdWorld } from './world.ts';

const LATENCY = [1, 12] as const;
const NO_KEY = '\u{0}';

/** The admin port as one appliance has it, over the etcds of a world. */
export function createEtcdAdmin(
  caller: { readonly id: string; readonly address: string },
  { etcd, wire }: { readonly etcd: EtcdWorld; readonly wire: Wire },
): AdminPort {
  const calls = etcd.calls(caller.id);
  // Most of a simulation's calls go through here: what is made of an answer is made where it is given.
  const call = <T, Made>(
    endpoint: string,
    signal: AbortSignal,
    attempt: Attempt<T>,
    make: (answer: Answer<T>) => Made,
  ): Promise<Made> =>
    wire.call(LATENCY, signal, () => {
      const answer = etcd.send(caller.address, hostOf(endpoint), attempt);
      return answer instanceof Promise ? answer.then(make) : make(answer);
    });
  const change = <T>(endpoint: string, signal: AbortSignal, attempt: Attempt<T>): Promise<AdminOutcome<T>> =>
    call(endpoint, signal, attempt, (answer) =>
      'value' in answer ? { ok: true, value: answer.value } : { ok: false, ...answer.failed },
    );
  const ask = <T>(endpoint: string, signal: AbortSignal, attempt: Attempt<T>): Promise<Known<T>> =>
    call(endpoint, signal, attempt, (answer) =>
      'value' in answer ? known(answer.value) : unknown(`${endpoint} failed: ${answer.failed.message}`),
    );

  return {
    memberList: (endpoint, { linearizable }, signal) => ask(endpoint, signal, calls.memberList(linearizable)),
    status: (endpoint, signal) => ask(endpoint, signal, calls.status),
    read: (endpoint, key, { serializable }, signal) => ask(endpoint, signal, calls.read(key, serializable)),
    readPrefix: (endpoint, prefix, signal) => ask(endpoint, signal, calls.readPrefix(prefix)),
    async addLearner(endpoint, peerUrl, signal) {
      const id = etcd.newMemberId(peerUrl);
      const member = { id, name: '', peerUrls: [peerUrl], clientUrls: [], learner: true };
      const added = await change(endpoint, signal, calls.add(member));
      // As the real client has it: within a second of its removal a URL makes the id that was removed.
      return !added.ok && added.code === 'not-found' ? { ...added, code: 'unhealthy-cluster' } : added;
    },
    removeMember: (endpoint, memberId, signal) => change(endpoint, signal, calls.remove(memberId)),
    promote: (endpoint, memberId, signal) => change(endpoint, signal, calls.promote(memberId)),
    moveLeader: (endpoint, targetId, signal) => change(endpoint, signal, calls.moveLeader(targetId)),
    grantLease: (endpoint, ttlSeconds, signal) => ask(endpoint, signal, calls.grant(ttlSeconds)),
    keepAlive: (endpoint, leaseId, signal) => ask(endpoint, signal, calls.keepAlive(leaseId)),
    revokeLease: (endpoint, leaseId, signal) => ask(endpoint, signal, calls.revoke(leaseId)),
    async createKey(endpoint, key, value, leaseId, signal) {
      const absent = { key, createRevision: '0' };
      const made = await ask(endpoint, signal, calls.put(key, value, leaseId, absent));
      if (!made.known) return made;
      const { held, createRevision } = made.value;
      return known(held ? { createRevision } : null);
    },
    async put(endpoint, key, value, { leaseId, fence }, signal) {
      const put = await ask(endpoint, signal, calls.put(key, value, leaseId ?? null, fence ?? null));
      return put.known ? known(put.value.held) : put;
    },
    versions: (endpoint, signal) => ask(endpoint, signal, calls.versions),
    alarms: (endpoint, signal) => ask(endpoint, signal, calls.alarms),
    // It needs a quorum, and no user is ever made.
    async authEnabled(endpoint, signal) {
      const answer = await ask(endpoint, signal, calls.readPrefix(NO_KEY));
      return answer.known ? known(false) : answer;
    },
    downgrade: (endpoint, action, version, signal) =>
      change(endpoint, signal, calls.downgrade(action, version)),
  };
}
