import type { Claim, ClaimReading } from './claim.ts';
import { claimRecord, claimWithVoter, formedClaim } from './claim.ts';
import type { Fleet, Self } from './fleet.ts';
import type { Known, Unknown } from './known.ts';
import { isRefused } from './known.ts';
import type { DataIdentity } from './local-data.ts';
import type { MemberList, MemberStatus } from './members.ts';
import { isStarted, votersOf } from './members.ts';
import { namesOf } from './names.ts';
import { CLOSE_ENTRIES, FORMED_TURN_MS, FORMING_LIMIT_MS, PROMOTE_WITHOUT_CLAIM_MS } from './numbers.ts';
import { swap } from './records.ts';
import { claimedVoter, hasLostMost, livingClaim } from './plan-claim.ts';
import type { Reason } from './reason.ts';
import { reason } from './reason.ts';
import type { RecordChange } from './records.ts';

/** What an appliance knows while its own etcd runs. */
export interface MemberObservation {
  readonly self: Self;
  readonly cluster: string;
  readonly identity: DataIdentity;
  /** The own etcd, asked just now. */
  readonly status: Known<MemberStatus>;
  /** A linearizable member list: through the own etcd, or, for a learner, through a voter. */
  readonly list: Known<MemberList>;
  /** The leader's raft index, as far as it is known. */
  readonly leaderIndex: Known<number>;
  /** The last reading of the claim. */
  readonly claim: Known<ClaimReading>;
  readonly fleet: Known<Fleet>;
  /** The cluster id that the claim's token and founders give, while it forms; null where the data are of a formed epoch. */
  readonly formingClusterId: string | null;
  /** For how long the own etcd has answered linearizably while the claim was forming; ms. */
  readonly servedFormingMs: number;
  /** For how long the claim's record, or its absence, has been what it is; ms. */
  readonly claimStoodMs: number;
  /** For a claim that this appliance would write. */
  readonly freshToken: string;
  /** For how long Route 53 could not be read or written; ms. */
  readonly registerSilentMs: number;
  readonly leaving: boolean;
}

/** Why a running member does what it does. */
export type MemberCode =
  | 'member-steady'
  | 'member-no-answer'
  | 'member-no-quorum'
  | 'member-refused'
  | 'member-removed'
  | 'member-other-id'
  | 'foreign-claim'
  | 'unborn'
  | 'claim-silent'
  | 'claim-reseeding'
  | 'form'
  | 'form-unclaimed'
  | 'form-not-my-turn'
  | 'form-lost-majority'
  | 'form-other-cluster'
  | 'note-formed'
  | 'enter-claim'
  | 'promote'
  | 'promote-unclaimed'
  | 'learner-behind'
  | 'learner-leaving';

/** One step of a running member. */
export type MemberAction = { readonly reason: Reason<MemberCode> } & (
  | { readonly kind: 'none' }
  /** Stop etcd in order; the data stay, and a start judges them again. */
  | { readonly kind: 'stop' }
  /** Change the register. `formed`: this is the commit of a birth; the leader adds the DNS records to the batch. */
  | { readonly kind: 'register'; readonly changes: readonly RecordChange[]; readonly formed: boolean }
  /** Write down beside the data that their epoch was formed. */
  | { readonly kind: 'note-formed' }
  | { readonly kind: 'promote'; readonly memberId: string }
);

function none(code: MemberCode, sentence: string): MemberAction {
  return { kind: 'none', reason: reason(code, sentence) };
}

/** What an appliance does next whose etcd runs (design.md, "Formed" and "Join as new"). */
export function planMember(seen: MemberObservation): MemberAction {
  const { identity, status } = seen;
  if (seen.claim.known && seen.claim.value.kind === 'claim') {
    const outdated = planOutdated(seen, seen.claim.value.claim);
    if (outdated !== null) return outdated;
  }
  if (!status.known && wasRemoved(seen)) return removed(identity, 'before it served');
  // A linearizable list is refused only with a quorum; a learner's etcd lists nobody, with one or without.
  if (isRefused(status) && identity.voter && !seen.list.known) return unlisted(seen.list);
  if (isRefused(status)) return none('member-refused', `etcd runs, and is left alone: ${status.reason}`);
  if (!status.known) return none('member-no-answer', `the own etcd does not answer: ${status.reason}`);
  if (runsAsAnother(identity, status.value)) {
    return {
      kind: 'stop',
      reason: reason(
        'member-other-id',
        `etcd took the id of member ${status.value.memberId}, which was at this address before, for ${identity.memberId ?? ''}: it stops, and joins anew`,
      ),
    };
  }
  if (status.value.learner) return planPromotion(seen, status.value);
  if (!identity.formed) return planFormation(seen, status.value);
  if (!seen.list.known) return unlisted(seen.list);
  return none('member-steady', `member ${status.value.memberId} serves`);
}

/** 3.4, and some patches of others, tell their status to everybody, and nothing else. */
function unlisted(list: Unknown): MemberAction {
  return isRefused(list)
    ? none('member-refused', `etcd runs, and is left alone: ${list.reason}`)
    : none('member-no-quorum', `no linearizable answer: ${list.reason}`);
}

/** A joiner's etcd takes its id from the first peer that it reaches, which may not know yet that a predecessor is gone (law 3). */
function runsAsAnother(identity: DataIdentity, status: MemberStatus): boolean {
  return (
    identity.memberId !== null &&
    identity.clusterId === status.clusterId &&
    identity.memberId !== status.memberId
  );
}

function removed({ memberId }: DataIdentity, when: string): MemberAction {
  const sentence = `member ${memberId ?? ''} was removed ${when}: it stops, and joins anew`;
  return { kind: 'stop', reason: reason('member-removed', sentence) };
}

/** Whether the voters of its own cluster no longer have this member. */
function wasRemoved({ identity, list }: MemberObservation): boolean {
  return (
    list.known &&
    identity.memberId !== null &&
    list.value.clusterId === identity.clusterId &&
    !list.value.members.some((it) => it.id === identity.memberId)
  );
}

/** The claim says that this etcd is not of the cluster that lives, or never was born: it stops, and its data stay. */
function planOutdated(seen: MemberObservation, claim: Claim): MemberAction | null {
  const { identity } = seen;
  const stop = (code: MemberCode, sentence: string): MemberAction => ({
    kind: 'stop',
    reason: reason(code, sentence),
  });
  const ours = claim.stack === seen.self.stack;
  if (ours && claim.state === 'reseeding')
    return none('claim-reseeding', `epoch ${claim.epoch} is being seeded anew`);
  const ownCluster = seen.status.known ? seen.status.value.clusterId : identity.clusterId;
  // A claim that was written again, or for a cluster older than it, has a token of its own: the cluster id decides.
  const lives = claim.state === 'formed' && claim.clusterId === ownCluster;
  if (ours && !identity.formed && !lives && claim.epoch > identity.epoch) {
    return stop(
      'unborn',
      `epoch ${identity.epoch} was never formed, and the claim is at epoch ${claim.epoch}`,
    );
  }
  // Whoever's it is: two clusters never serve under one name (law 1).
  if (claim.state === 'formed' && ownCluster !== null && claim.clusterId !== ownCluster) {
    return stop(
      'foreign-claim',
      `this etcd is of cluster ${ownCluster}, and ${claim.clusterId ?? 'another'} lives under ${seen.cluster}`,
    );
  }
  return null;
}

/** A founder until its epoch is formed: the leader commits it, or, where it does not, another voter. */
function planFormation(seen: MemberObservation, status: MemberStatus): MemberAction {
  if (!seen.claim.known)
    return none('claim-silent', `whether the epoch is formed is unknown: ${seen.claim.reason}`);
  if (seen.claim.value.kind === 'unreadable')
    return none('claim-silent', `the claim cannot be read: ${seen.claim.value.why}`);
  if (seen.claim.value.kind === 'none') return planUnclaimed(seen, status);
  const { claim, record } = seen.claim.value;
  const itself = claim.token === seen.identity.token || claim.clusterId === status.clusterId;
  if (claim.stack !== seen.self.stack || !itself) {
    return none('claim-silent', `the claim is at epoch ${claim.epoch}, not at that of these data`);
  }
  if (claim.state === 'formed') {
    return { kind: 'note-formed', reason: reason('note-formed', `epoch ${claim.epoch} is formed`) };
  }
  if (!seen.list.known) return unlisted(seen.list);
  const { list } = seen;
  if (list.value.clusterId !== seen.formingClusterId) {
    return none(
      'form-other-cluster',
      `cluster ${list.value.clusterId} is not the one that the claim's token and founders give`,
    );
  }
  if (hasLostMost(claim)) {
    return none(
      'form-lost-majority',
      `${claim.lost.length} of ${claim.founders.length} founders lost their data`,
    );
  }
  if (status.leader !== status.memberId && seen.servedFormingMs < FORMED_TURN_MS) {
    return none('form-not-my-turn', `the leader marks epoch ${claim.epoch} as formed`);
  }
  const voters = votersOf(list.value.members).map((it) => {
    const founder = claim.founders.find((one) => one.instanceId === it.name);
    return founder === undefined ? claimedVoter(it, seen.fleet) : { memberId: it.id, ...founder };
  });
  const formed = formedClaim(claim, list.value.clusterId, voters);
  return {
    kind: 'register',
    formed: true,
    changes: swap(record, claimRecord(namesOf(seen.cluster).claim, formed)),
    reason: reason('form', `cluster ${list.value.clusterId} serves: epoch ${claim.epoch} is formed`),
  };
}

/** Whether a founder's claim has been gone for so long that one is written, where its cluster serves. */
export function isUnclaimed({
  identity,
  claim,
  claimStoodMs,
}: Pick<MemberObservation, 'identity' | 'claim' | 'claimStoodMs'>): boolean {
  const isGone = claim.known && claim.value.kind === 'none';
  return !identity.formed && isGone && claimStoodMs >= FORMING_LIMIT_MS;
}

/**
 * A founder whose claim somebody deleted before it was marked as formed. Its cluster serves, and so it gets a claim, as one that
 * is older than the claim does; but not before the cluster of a later epoch, which this one may know nothing of, had its time
 * to write a claim again that was its own.
 */
function planUnclaimed(seen: MemberObservation, status: MemberStatus): MemberAction {
  const { list, fleet, claimStoodMs } = seen;
  if (!list.known) return unlisted(list);
  if (!isUnclaimed(seen))
    return none(
      'claim-silent',
      `the claim of epoch ${seen.identity.epoch} is gone: waits whether it comes back`,
    );
  if (!fleet.known)
    return none('claim-silent', `the claim is gone, and the fleet is unknown: ${fleet.reason}`);
  if (status.leader !== status.memberId && claimStoodMs < FORMING_LIMIT_MS + FORMED_TURN_MS)
    return none('form-not-my-turn', 'the leader writes the claim again');
  const claim = livingClaim({
    stack: seen.self.stack,
    token: seen.freshToken,
    list: list.value,
    fleet: fleet.value,
    before: null,
  });
  return {
    kind: 'register',
    formed: true,
    changes: swap(null, claimRecord(namesOf(seen.cluster).claim, claim)),
    reason: reason(
      'form-unclaimed',
      `cluster ${list.value.clusterId} serves, and somebody deleted the claim of its birth: it is written as formed`,
    ),
  };
}

/**
 * A learner writes itself into the claim before it is promoted, so that the claim's list is never smaller than the voter
 * set; it is promoted on its own word only, given in this tick: etcd's own check passes for a dead learner (law 5).
 */
function planPromotion(seen: MemberObservation, status: MemberStatus): MemberAction {
  if (seen.leaving) return none('learner-leaving', 'this instance leaves: it is not promoted');
  // Its last peers may have left while it was cut off: then its etcd hears of its removal from nobody.
  if (wasRemoved(seen)) return removed(seen.identity, 'while it was away');
  if (!seen.list.known) return none('member-no-quorum', `no voter answers: ${seen.list.reason}`);
  if (!seen.leaderIndex.known)
    return none('learner-behind', `the leader's index is unknown: ${seen.leaderIndex.reason}`);
  const own = seen.list.value.members.find((it) => it.id === status.memberId);
  const behind = seen.leaderIndex.value - status.raftAppliedIndex;
  // A voter without a name could never be evicted: nothing would say which instance it is on.
  if (own !== undefined && !isStarted(own)) return none('learner-behind', 'it has not published itself yet');
  if (own === undefined || behind > CLOSE_ENTRIES) {
    return none('learner-behind', `applied index ${status.raftAppliedIndex} of ${seen.leaderIndex.value}`);
  }
  if (seen.registerSilentMs >= PROMOTE_WITHOUT_CLAIM_MS) {
    const seconds = Math.round(seen.registerSilentMs / 1000);
    return promote(
      'promote-unclaimed',
      status.memberId,
      `the claim could not be written for ${seconds} s: redundancy goes first`,
    );
  }
  if (!seen.claim.known) return none('claim-silent', `the claim is unknown: ${seen.claim.reason}`);
  if (seen.claim.value.kind !== 'claim' || seen.claim.value.claim.clusterId !== status.clusterId) {
    return none('claim-silent', 'the claim is not formed for this cluster');
  }
  const { claim, record } = seen.claim.value;
  if (claim.voters.some((it) => it.memberId === status.memberId)) {
    return promote('promote', status.memberId, `caught up: ${Math.max(0, behind)} entries behind`);
  }
  const voter = {
    memberId: status.memberId,
    instanceId: seen.self.id,
    region: seen.self.region,
    address: seen.self.address,
  };
  return {
    kind: 'register',
    formed: false,
    changes: swap(record, claimRecord(namesOf(seen.cluster).claim, claimWithVoter(claim, voter))),
    reason: reason('enter-claim', 'enters the claim as a voter, before it is promoted'),
  };
}

function promote(code: MemberCode, memberId: string, sentence: string): MemberAction {
  return { kind: 'promote', memberId, reason: reason(code, sentence) };
}
