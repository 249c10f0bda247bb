import { quorumOf } from '../../../src/core/members.ts';
import { minorOf } from '../../../src/core/versions.ts';
import type {
  Member,
  MemberAlarm,
  MemberList,
  MemberStatus,
  MemberVersions,
} from '../../../src/core/members.ts';
import type { AdminRefusal, DowngradeAction, Fence, KeyValue } from '../../../src/daemon/ports.ts';
import { handOver } from './election.ts';
import { termAt } from './files.ts';
import { SMALL_BYTES } from './large.ts';
import { renew } from './leases.ts';
import { isLinked, isOlder, linkedVoters, sends } from './links.ts';
import { whyNoLearner, whyNotPromoted, whyNotRemoved } from './membership.ts';
import type { EtcdNode, Etcds } from './node.ts';
import { append } from './replication.ts';
import type { Change, Refusal, Result } from './state.ts';
import { prefixed } from './state.ts';
import { versionsOf, whyNotLowered } from './versions.ts';

/** What a call comes to. */
export type Answer<T> = { readonly value: T } | { readonly failed: Refusal };

/**
 * A call as a member takes it. It answers, now or later, through `settle`, and gives whether it is under way: false means
 * that it waits for a leader, or for what is not applied yet, and is tried again when something has changed.
 */
export type Attempt<T> = (node: EtcdNode, settle: (answer: Answer<T>) => void) => boolean;

/** The calls of etcd's client API, as members answer them. */
export interface Calls {
  readonly status: Attempt<MemberStatus>;
  memberList(linearizable: boolean): Attempt<MemberList>;
  read(key: string, serializable: boolean): Attempt<KeyValue | null>;
  readPrefix(prefix: string): Attempt<readonly KeyValue[]>;
  readonly alarms: Attempt<readonly MemberAlarm[]>;
  put(
    key: string,
    value: string,
    leaseId: string | null,
    compare: Fence | null,
  ): Attempt<{ readonly held: boolean; readonly createRevision: string }>;
  grant(ttlSeconds: number): Attempt<string>;
  keepAlive(leaseId: string): Attempt<boolean>;
  revoke(leaseId: string): Attempt<boolean>;
  add(member: Member): Attempt<{ readonly memberId: string; readonly list: MemberList }>;
  remove(memberId: string): Attempt<unknown>;
  promote(memberId: string): Attempt<unknown>;
  moveLeader(targetId: string): Attempt<unknown>;
  readonly versions: Attempt<MemberVersions>;
  downgrade(action: DowngradeAction, version: string): Attempt<unknown>;
}

/** The shortest lease that etcd grants: one and a half election timeouts, in whole seconds. */
const LEAST_TTL_S = 2;
const MOVE_MS = [15, 110] as const;

/** The calls of `caller`, an instance or a client. */
export function createCalls(etcds: Etcds, caller: string): Calls {
  const { clock, random } = etcds;
  const propose = <T>(
    node: EtcdNode,
    change: Change,
    settle: (answer: Answer<T>) => void,
    value: (result: Result & { readonly refusal: null }) => T,
  ): boolean => {
    const leader = leaderOf(etcds, node);
    if (leader === null) return false;
    const request = etcds.nextRequest();
    node.waiters.set(request, (result) =>
      settle(result.refusal === null ? { value: value(result) } : { failed: result.refusal }),
    );
    append(etcds, leader, change, request, caller);
    return true;
  };
  const linearizably =
    <T>(answer: (node: EtcdNode) => T): Attempt<T> =>
    (node, settle) => {
      if (isLearner(node)) return settled(settle, { failed: LEARNER });
      return canRead(etcds, node) && settled(settle, { value: answer(node) });
    };
  const locally =
    <T>(answer: (node: EtcdNode) => T): Attempt<T> =>
    (node, settle) =>
      settled(settle, { value: answer(node) });
  /** What learners refuse. */
  const asVoter =
    <T>(attempt: Attempt<T>): Attempt<T> =>
    (node, settle) =>
      isLearner(node) ? settled(settle, { failed: LEARNER }) : attempt(node, settle);

  /**
   * All but the members is asked of the database, be it for the revision alone that stands over each answer: measured with 3.5
   * and 3.7, while they defragmented 900 MB.
   */
  const whenFree =
    <T>(attempt: Attempt<T>): Attempt<T> =>
    (node, settle) =>
      node.process.busy === null && attempt(node, settle);

  return {
    status: whenFree(locally(statusOf)),
    memberList: (linearizable) => {
      const told = linearizable ? linearizably(listOf) : asVoter(locally(listOf));
      return (node, settle) => node.process.busy?.kind !== 'restores' && told(node, settle);
    },
    read: (key, serializable) =>
      whenFree(
        (serializable ? locally<KeyValue | null> : linearizably<KeyValue | null>)((node) =>
          readOf(node, key),
        ),
      ),
    readPrefix: (prefix) => whenFree(linearizably((node) => prefixed(node.files.state, prefix).map(keyOf))),
    alarms: whenFree(
      linearizably(({ files: { memberId, state } }) =>
        state.outOfSpace ? [{ memberId, alarm: 'NOSPACE' }] : [],
      ),
    ),
    put: (key, value, leaseId, compare) =>
      asVoter((node, settle) =>
        propose(node, { kind: 'put', key, value, leaseId, compare }, settle, ({ held }) => ({
          held,
          createRevision: readOf(node, key)?.createRevision ?? '0',
        })),
      ),
    grant: (ttlSeconds) => {
      const leaseId = random.token().slice(0, 16);
      const ttlMs = Math.max(ttlSeconds, LEAST_TTL_S) * 1_000;
      return asVoter((node, settle) =>
        propose(node, { kind: 'grant', leaseId, ttlMs }, settle, () => leaseId),
      );
    },
    keepAlive: (leaseId) =>
      whenFree(
        asVoter((node, settle) => {
          const leader = leaderOf(etcds, node);
          if (leader === null || !sends(etcds, leader, node)) return false;
          const renewed = renew(etcds, leader, leaseId);
          return renewed !== null && settled(settle, { value: renewed });
        }),
      ),
    revoke: (leaseId) =>
      asVoter((node, settle) =>
        propose(
          node,
          { kind: 'revoke', leaseId },
          (answer) => settle('failed' in answer ? { value: false } : answer),
          () => true,
        ),
      ),
    add: (member) =>
      asVoter((node, settle) => {
        const refusal = whyNoLearner(etcds, node);
        if (refusal !== null) return settled(settle, { failed: refusal });
        const done = (): { readonly memberId: string; readonly list: MemberList } => ({
          memberId: member.id,
          list: listOf(node),
        });
        return propose(node, { kind: 'add', member }, settle, done);
      }),
    remove: (memberId) =>
      asVoter((node, settle) => {
        const refusal = whyNotRemoved(etcds, node, memberId);
        if (refusal !== null) return settled(settle, { failed: refusal });
        return propose(node, { kind: 'remove', memberId }, settle, () => true);
      }),
    promote: (memberId) =>
      asVoter((node, settle) => {
        const leader = leaderOf(etcds, node);
        if (leader === null || !isLinked(etcds, leader, node)) return false;
        // The leader waits for the change that it proposes.
        if (leader.process.busy !== null) return false;
        const refusal = whyNotPromoted(leader, memberId);
        if (refusal !== null) return settled(settle, { failed: refusal });
        return propose(node, { kind: 'promote', memberId }, settle, () => true);
      }),
    versions: (node, settle) => {
      // Since 3.6 it says what its data are, too.
      if (node.process.busy !== null && !isOlder(node.process.version, '3.6')) return false;
      const told = versionsOf(node);
      return settled(settle, told === null ? { failed: UNDECIDED } : { value: told });
    },
    downgrade: (action, version) =>
      asVoter((node, settle) => {
        if (!canRead(etcds, node)) return false;
        const refusal = whyNotLowered(node, action, version);
        if (refusal !== null) return settled(settle, { failed: refusal });
        if (action === 'validate') return settled(settle, { value: true });
        const target = action === 'cancel' ? null : `${minorOf(version)}.0`;
        return propose(node, { kind: 'downgrade', target }, settle, () => true);
      }),
    moveLeader: (targetId) => {
      let asked = false;
      return asVoter((node, settle) => {
        if (asked) return node.leader === targetId && settled(settle, { value: true });
        const { state, memberId } = node.files;
        if (node.leader !== memberId) return settled(settle, { failed: NOT_LEADER });
        if (!state.voters.includes(targetId)) return settled(settle, { failed: BAD_TRANSFEREE });
        if (targetId === memberId) return settled(settle, { value: true });
        asked = true;
        clock.after(random.int(...MOVE_MS), () => handOver(etcds, node, targetId));
        return false;
      });
    },
  };
}

function settled<T>(settle: (answer: Answer<T>) => void, answer: Answer<T>): true {
  settle(answer);
  return true;
}

/** The leader that the member's proposals reach. */
export function leaderOf(etcds: Etcds, node: EtcdNode): EtcdNode | null {
  if (node.role === 'leader') return node;
  if (node.leader === null) return null;
  for (const { node: leader } of etcds.processes.values()) {
    if (leader === null || leader.files.clusterId !== node.files.clusterId) continue;
    if (leader.files.memberId !== node.leader || leader.role !== 'leader') continue;
    return leader.files.term === node.files.term && sends(etcds, node, leader) ? leader : null;
  }
  return null;
}

/** A read index: the leader asks a quorum whether it still leads, and the member has all that was committed then. */
function canRead(etcds: Etcds, node: EtcdNode): boolean {
  const leader = leaderOf(etcds, node);
  if (leader === null || !sends(etcds, leader, node)) return false;
  const { files } = leader;
  if (termAt(files, files.commit) !== files.term) return false;
  if (node.files.state.index < files.commit) return false;
  let heard = 0;
  for (const it of linkedVoters(etcds, leader)) if (it.files.term <= files.term) heard += 1;
  return heard >= quorumOf(files.state.voters.length);
}

function isLearner(node: EtcdNode): boolean {
  return node.files.state.members.get(node.files.memberId)?.learner ?? true;
}

function readOf(node: EtcdNode, key: string): KeyValue | null {
  const found = node.files.state.keys.get(key);
  return found === undefined ? null : keyOf(found);
}

function keyOf({ key, value, createRevision, modRevision }: KeyValue): KeyValue {
  return { key, value, createRevision, modRevision };
}

function listOf({ files }: EtcdNode): MemberList {
  return {
    clusterId: files.clusterId,
    answeredBy: files.memberId,
    members: [...files.state.members.values()],
  };
}

function statusOf(node: EtcdNode): MemberStatus {
  const { files, process, leader } = node;
  return {
    clusterId: files.clusterId,
    memberId: files.memberId,
    version: process.version,
    leader,
    raftIndex: files.commit,
    raftAppliedIndex: files.state.index,
    raftTerm: files.term,
    learner: isLearner(node),
    dbSizeBytes: SMALL_BYTES + files.state.bytes,
    errors: [
      ...(leader === null ? ['etcdserver: no leader'] : []),
      ...(files.state.outOfSpace ? [`memberID:${BigInt(`0x${files.memberId}`)} alarm:NOSPACE `] : []),
    ],
  };
}

function refusal(code: AdminRefusal, words: string): Refusal {
  return { code, message: `etcdserver: ${words}` };
}

const UNDECIDED = refusal('no-answer', 'the cluster has not decided on a version yet');
const LEARNER = refusal('learner-refuses', 'rpc not supported for learner');
const NOT_LEADER = refusal('not-leader', 'not leader');
const BAD_TRANSFEREE = refusal('other', 'bad leader transferee');
