import type { Member } from '../../../src/core/members.ts';
import { quorumOf } from '../../../src/core/members.ts';
import type { KeyValue } from '../../../src/daemon/ports.ts';
import { campaign } from './election.ts';
import type { EtcdFiles } from './files.ts';
import { isLinked, linkedVoters } from './links.ts';
import { whyNoLearner } from './membership.ts';
import type { EtcdNode, Etcds } from './node.ts';
import { isAwake } from './node.ts';
import { append, replicate } from './replication.ts';
import type { Change, Refusal, Result, State } from './state.ts';
import { prefixed } from './state.ts';

/** A cluster as somebody sees it who sees everything. What it says, no member need know. */
export interface EtcdCluster {
  readonly id: string;
  /** The furthest that any member has ever applied its log. */
  readonly state: State;
  readonly members: readonly Member[];
  readonly revision: number;
  /** The member that leads and has a quorum behind it now. */
  readonly leader: string | null;
  voters(): readonly Member[];
  /** Voters that run now. */
  upVoters(): readonly Member[];
  /** How many voters could serve together: the most that run and are linked, both ways, with one of them. `without`: as if that one was none. */
  together(without?: string): number;
  hasQuorum(): boolean;
  find(memberId: string): Member | undefined;
  list(): readonly Member[];
  read(key: string): KeyValue | null;
  readPrefix(prefix: string): readonly KeyValue[];
  /** Each of these is done at once, whoever may object, but a put where the leader is busy. Throws where there is no leader. */
  lead(memberId: string): void;
  put(key: string, value: string, leaseId: string | null): void;
  addLearner(peerUrl: string): Member | Refusal;
  removeMember(memberId: string): void;
  promote(memberId: string): void;
  /** Clients write so many entries, in one go; nothing where nobody leads. */
  load(entries: number): void;
  /** Clients write so much that its database is of this size; nothing where nobody leads. */
  fill(bytes: number): void;
  /** The alarm that it is out of space is raised, or disarmed; false: nobody leads. */
  alarm(raised: boolean): boolean;
  /** Some member has got this far. */
  sees(files: EtcdFiles): void;
}

/** The view of one cluster. `newId` makes the id of a member that is added. */
export function createCluster(
  etcds: Etcds,
  first: EtcdFiles,
  newId: (peerUrl: string) => string,
): EtcdCluster {
  const id = first.clusterId;
  let furthest = first;
  const members = (): readonly Member[] => [...furthest.state.members.values()];
  const voters = (): readonly Member[] => members().filter((it) => !it.learner);
  const upVoters = (): readonly Member[] => {
    const up = new Set(etcds.nodesOf(id).flatMap((it) => (isAwake(it) ? [it.files.memberId] : [])));
    return voters().filter((it) => up.has(it.id));
  };
  const together = (without: string | null = null): number => {
    const ids = new Set(voters().flatMap((it) => (it.id === without ? [] : [it.id])));
    const nodes = etcds.nodesOf(id).filter((it) => ids.has(it.files.memberId));
    return Math.max(0, ...nodes.map((one) => nodes.filter((it) => isLinked(etcds, one, it)).length));
  };
  const leading = (): EtcdNode | null => {
    let best: EtcdNode | null = null;
    for (const it of etcds.nodesOf(id))
      if (it.role === 'leader' && isAwake(it) && it.files.term > (best?.files.term ?? -1)) best = it;
    if (best === null) return null;
    return linkedVoters(etcds, best).length >= quorumOf(best.files.state.voters.length) ? best : null;
  };
  const mustLead = (): EtcdNode => {
    const leader = leading();
    if (leader === null) throw new Error(`the cluster ${id} has no leader`);
    return leader;
  };
  const commit = (change: Change): Result => {
    const leader = mustLead();
    const request = etcds.nextRequest();
    let result: Result | null = null;
    leader.waiters.set(request, (it) => (result = it));
    append(etcds, leader, change, request, 'test');
    for (const it of etcds.nodesOf(id)) it.lagsUntil = 0;
    // Who is late in one round is not in the next.
    for (let rounds = 0; result === null && rounds < 100; rounds += 1) {
      for (const it of etcds.nodesOf(id)) it.lagsUntil = Math.min(it.lagsUntil, etcds.clock.now());
      replicate(etcds, leader);
    }
    if (result === null) throw new Error(`${change.kind} was not committed`);
    etcds.stir(id);
    return result;
  };

  return {
    id,
    get state() {
      return furthest.state;
    },
    get members() {
      return members();
    },
    get revision() {
      return furthest.state.revision;
    },
    get leader() {
      return leading()?.files.memberId ?? null;
    },
    voters,
    upVoters,
    together,
    hasQuorum: () => together() >= quorumOf(voters().length),
    find: (memberId) => furthest.state.members.get(memberId),
    list: members,
    read: (key) => furthest.state.keys.get(key) ?? null,
    readPrefix: (prefix) => prefixed(furthest.state, prefix),
    lead(memberId) {
      const leader = mustLead();
      const target = etcds.nodesOf(id).find((it) => it.files.memberId === memberId);
      if (target === leader) return;
      if (target !== undefined) {
        target.lagsUntil = 0;
        replicate(etcds, leader);
        for (const it of etcds.nodesOf(id)) it.lagsUntil = Math.min(it.lagsUntil, etcds.clock.now());
        replicate(etcds, leader);
        campaign(etcds, target, true);
      }
      if (target?.role !== 'leader') throw new Error(`${memberId} cannot lead`);
    },
    put: (key, value, leaseId) => {
      const change = { kind: 'put', key, value, leaseId, compare: null } as const;
      const leader = mustLead();
      if (leader.process.busy === null) commit(change);
      else append(etcds, leader, change, 0, 'test');
    },
    addLearner(peerUrl) {
      const refusal = whyNoLearner(etcds, mustLead());
      if (refusal !== null) return refusal;
      const member = { id: newId(peerUrl), name: '', peerUrls: [peerUrl], clientUrls: [], learner: true };
      return commit({ kind: 'add', member }).refusal ?? member;
    },
    removeMember: (memberId) => {
      commit({ kind: 'remove', memberId });
    },
    promote: (memberId) => {
      commit({ kind: 'promote', memberId });
    },
    load(entries) {
      const leader = leading();
      if (leader === null) return;
      for (let count = 0; count < entries; count += 1) append(etcds, leader, { kind: 'noop' }, 0, '');
    },
    fill(bytes) {
      const leader = leading();
      if (leader !== null) append(etcds, leader, { kind: 'fill', bytes }, 0, '');
    },
    alarm(raised) {
      const leader = leading();
      if (leader !== null) append(etcds, leader, { kind: 'alarm', raised }, 0, '');
      return leader !== null;
    },
    sees(files) {
      if (files.state.index >= furthest.state.index) furthest = files;
    },
  };
}
