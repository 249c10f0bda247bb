import type { Fleet, Instance, InstanceEvidence } from './fleet.ts';
import { isJoinable, isTerminatedForCertain, UNLISTED_IS_LEFT_MS } from './fleet.ts';
import type { Known } from './known.ts';
import { valueOr } from './known.ts';
import type { Member } from './members.ts';
import { isStarted, quorumOf } from './members.ts';
import {
  CLOSE_ENTRIES,
  JOIN_LIMIT_MS,
  PROMOTE_WITHOUT_CLAIM_MS,
  SNAPSHOT_BYTES_PER_MS,
  UNLISTED_LEARNER_MS,
} from './numbers.ts';
import { hostOf } from './urls.ts';
import type { Reason } from './reason.ts';
import { reason } from './reason.ts';

/** One member, as the housekeeper sees it in this tick. */
export interface MemberView {
  readonly member: Member;
  /** Whether it answered under its own id just now; an answer as another member is none. */
  readonly answers: boolean;
  /** Whether it is a voter that serves: answers, follows the leader, reports no error. */
  readonly healthy: boolean;
  /** For a learner: for how long it has made no progress; ms. */
  readonly stalledMs: number;
  /** For a learner: how long that may be (`joinLimitMs`). */
  readonly joinLimitMs: number;
}

/** What membership is planned from. */
export interface MembershipObservation {
  readonly self: { readonly id: string };
  readonly members: readonly MemberView[];
  readonly fleet: Known<Fleet>;
  /** Of every instance that is a member and does not answer. */
  readonly evidence: ReadonlyMap<string, InstanceEvidence>;
}

/** Why a member is removed, or is not. */
export type MembershipCode =
  | 'members-right'
  | 'evict-terminated'
  | 'evict-stopped'
  | 'learner-stalled'
  | 'learner-of-nobody'
  | 'learner-joining'
  | 'member-silent-unknown'
  | 'member-silent-lives'
  | 'member-of-no-instance'
  | 'quorum-short';

/** A member to remove. Removal names an id, and its evidence cannot become untrue: harmless late (law 8). */
export interface Removal {
  readonly kind: 'remove-member';
  readonly memberId: string;
  readonly instanceId: string;
  readonly voter: boolean;
  readonly reason: Reason<MembershipCode>;
}

/** At most one removal a tick, and why other members stay. */
export interface MembershipPlan {
  readonly action: Removal | null;
  readonly held: readonly Reason<MembershipCode>[];
}

/**
 * Keeps the members equal to the group's instances (laws 5 and 6): voters that are provably gone are evicted, one a tick,
 * while the healthy ones stay a majority; learners that hold the slot for nobody are removed.
 */
export function planMembership(seen: MembershipObservation): MembershipPlan {
  const held: Reason<MembershipCode>[] = [];
  const wanted: Removal[] = [];
  for (const view of seen.members) {
    if (view.member.name === seen.self.id) continue;
    const step = view.member.learner ? planLearner(seen, view) : planVoter(seen, view);
    if (step === null) continue;
    if ('kind' in step) wanted.push(step);
    else held.push(step);
  }
  const voters = wanted.filter((it) => it.voter);
  const action = voters[0] ?? wanted[0] ?? null;
  if (action === null && held.length === 0) held.push(reason('members-right', 'the members are the fleet'));
  return { action, held };
}

function planVoter(seen: MembershipObservation, view: MemberView): Removal | Reason<MembershipCode> | null {
  if (view.answers) return null;
  const { member } = view;
  const instanceId = instanceIdOf(seen, member);
  // At the own address, and not the own member: a predecessor's, and nothing that AWS says of this instance is about it.
  if (instanceId === null || instanceId === seen.self.id) {
    return reason(
      'member-of-no-instance',
      `member ${member.id} does not answer and is on no instance that is known: an operator must judge it`,
    );
  }
  const evidence = seen.evidence.get(instanceId);
  const gone = evidence === undefined ? null : evidenceOfEnd(seen, instanceId, evidence);
  if (gone === null) return silent(instanceId, evidence);
  const others = seen.members.filter((it) => !it.member.learner && it.member.id !== member.id);
  const short = whyShort(instanceId, others.filter((it) => it.healthy).length, others.length);
  return short ?? { kind: 'remove-member', memberId: member.id, instanceId, voter: true, reason: gone };
}

/**
 * Law 5: why a voter on this instance is not removed, though it is gone: the others that are healthy, of so many, would be no
 * majority. Null: they would.
 */
export function whyShort(instanceId: string, healthy: number, others: number): Reason<'quorum-short'> | null {
  return healthy >= quorumOf(others)
    ? null
    : reason(
        'quorum-short',
        `${instanceId} is gone, and stays a member while only ${healthy} of ${others} others are healthy`,
      );
}

/** Law 6: the instance is terminated for certain, or EC2 says stopped and its group has not listed it for a while. */
function evidenceOfEnd(
  seen: MembershipObservation,
  instanceId: string,
  evidence: InstanceEvidence,
): Reason<MembershipCode> | null {
  if (isTerminatedForCertain(evidence)) {
    return reason('evict-terminated', `${instanceId} does not answer, and EC2 says that it is gone for good`);
  }
  const stopped = valueOr(evidence.ec2, null) === 'stopped';
  const unlisted =
    seen.fleet.known &&
    !seen.fleet.value.instances.some((it) => it.id === instanceId) &&
    evidence.unlistedForMs >= UNLISTED_IS_LEFT_MS;
  if (stopped && unlisted) {
    return reason('evict-stopped', `${instanceId} is stopped, and its group no longer lists it`);
  }
  return null;
}

function silent(instanceId: string, evidence: InstanceEvidence | undefined): Reason<MembershipCode> {
  if (evidence === undefined || !evidence.ec2.known) {
    const why = evidence === undefined || evidence.ec2.known ? 'EC2 was not asked' : evidence.ec2.reason;
    return reason(
      'member-silent-unknown',
      `${instanceId} does not answer, and nothing is known of its instance: ${why}`,
    );
  }
  return reason(
    'member-silent-lives',
    `${instanceId} does not answer, and EC2 says ${evidence.ec2.value}: it stays a member`,
  );
}

/**
 * How long a learner may make no progress; ms. Until its snapshot is applied a large database shows none, so it is given
 * time for its size (`dbSizeBytes` of the largest member). One that has caught up (`behindEntries`) waits for its promotion,
 * which waits for Route 53 for its own limit: an idle cluster shows no progress either.
 */
export function joinLimitMs(learner: {
  readonly behindEntries: number;
  readonly dbSizeBytes: number;
}): number {
  if (learner.behindEntries <= CLOSE_ENTRIES) return JOIN_LIMIT_MS + PROMOTE_WITHOUT_CLAIM_MS;
  return JOIN_LIMIT_MS + Math.round(learner.dbSizeBytes / SNAPSHOT_BYTES_PER_MS);
}

/** Learners are no part of quorum: no evidence of AWS is needed to free the slot that others wait for. */
function planLearner(seen: MembershipObservation, view: MemberView): Removal | Reason<MembershipCode> {
  const { member } = view;
  const instanceId = instanceIdOf(seen, member) ?? '';
  const removal = (why: Reason<MembershipCode>): Removal => ({
    kind: 'remove-member',
    memberId: member.id,
    instanceId,
    voter: false,
    reason: why,
  });
  if (seen.fleet.known) {
    const { instances } = seen.fleet.value;
    const owner = ownerOf(instances, member);
    // Without a name its address tells whose it is, which EC2 may not show yet; or it is the other one of its instance's two,
    // by which an appliance of another configuration knows it.
    const unplaced =
      member.name === '' &&
      instances.some((it) => isJoinable(it) && (it.address === null || isAtOther(it, member)));
    // One that answers is on some instance, and one that was just added may be: an answer may show less than there is.
    const isMute = !view.answers && view.stalledMs >= UNLISTED_LEARNER_MS;
    if (owner === undefined ? isMute && !unplaced : !isJoinable(owner)) {
      return removal(reason('learner-of-nobody', `learner ${member.id} is on no joinable instance`));
    }
  }
  if (view.stalledMs >= view.joinLimitMs) {
    return removal(
      reason(
        'learner-stalled',
        `learner ${member.id} made no progress for ${Math.round(view.stalledMs / 1000)} s`,
      ),
    );
  }
  const how = isStarted(member) ? 'catches up' : 'has not started yet';
  return reason('learner-joining', `learner ${instanceId || member.id} ${how}`);
}

/** The instance that a member runs on: its name, or, where that is blank, the owner of its peer address. */
export function instanceIdOf(seen: { readonly fleet: Known<Fleet> }, member: Member): string | null {
  if (member.name !== '') return member.name.startsWith('i-') ? member.name : null;
  if (!seen.fleet.known) return null;
  return ownerOf(seen.fleet.value.instances, member)?.id ?? null;
}

/** Another instance in another network may have the same private address: no removal rests on it. */
function isAtOther({ otherAddress }: Instance, member: Member): boolean {
  return member.peerUrls.some((url) => hostOf(url) === otherAddress);
}

/** An address may be shown with the instance that ends and had it, too: it is of the one that is to carry a member. */
function ownerOf(instances: readonly Instance[], member: Member): Instance | undefined {
  const owners = instances.filter((it) => isMembersInstance(it, member));
  return owners.find(isJoinable) ?? owners[0];
}

function isMembersInstance(instance: Instance, member: Member): boolean {
  if (member.name !== '') return instance.id === member.name;
  return member.peerUrls.some((url) => hostOf(url) === instance.address);
}
