import type { BirthAnswer } from './birth.ts';
import type { Claim, StandingClaim } from './claim.ts';
import { claimWithGroup } from './claim.ts';
import type { Fleet, InstanceEvidence } from './fleet.ts';
import { isTerminatedForCertain } from './fleet.ts';
import type { Known } from './known.ts';
import { valueOr } from './known.ts';
import type { Member, MemberList } from './members.ts';
import { isStarted } from './members.ts';
import { GONE_GROUP_EVIDENCE_MS, PROMOTE_WITHOUT_CLAIM_MS } from './numbers.ts';
import { joinableFleet, planBirth } from './plan-birth.ts';
import { hostOf } from './urls.ts';
import { planFounding } from './plan-founding.ts';
import { planObstacle } from './plan-obstacle.ts';
import { reason } from './reason.ts';
import type { RecordSet } from './records.ts';
import { ask, wait, whyNotLetIn, writeClaim } from './start-actions.ts';
import type { QuorumAnswer, StartAction, StartObservation } from './start.ts';

/** The claim is formed, and no data are here: join the cluster, as a late founder or anew; never give birth to another. */
export function planJoin(
  seen: StartObservation,
  records: readonly RecordSet[],
  standing: StandingClaim,
): StartAction {
  const { claim } = standing;
  const { quorum } = seen;
  if (quorum === undefined) return ask(['quorum']);
  if (quorum.kind === 'nobody') return planSilence(seen, records, standing, quorum);
  if (quorum.list.clusterId !== claim.clusterId) {
    const foreign = [quorum.list.clusterId];
    return planSilence(seen, records, standing, { kind: 'nobody', foreign, refused: [] });
  }
  const own = ownMember(quorum.list, seen);
  if (own !== undefined) return planOwnEntry(seen, records, standing, quorum.endpoint, own);
  const fleet = joinableFleet(seen);
  if ('kind' in fleet) return fleet;
  const obstacle = planObstacle(seen, claim);
  if (obstacle !== null) return obstacle;
  const entry = planGroupEntry(seen, fleet, standing);
  if (entry !== null) return entry;
  return {
    kind: 'join',
    endpoint: quorum.endpoint,
    claim,
    reason: reason('join', `joins cluster ${quorum.list.clusterId} as a learner`),
  };
}

/**
 * Who joins from a group that the claim does not name enters it there first: were all members lost before anybody who keeps house
 * had seen it, the next instance would take the stack for deleted, and its data for gone. A zone that takes no changes costs no
 * redundancy for long, here as little as at a promotion. Null: nothing is to be entered.
 */
function planGroupEntry(
  seen: StartObservation,
  fleet: Fleet,
  { claim, record }: StandingClaim,
): StartAction | null {
  const group = fleet.instances.find((it) => it.id === seen.self.id)?.group;
  if (group === undefined || claim.groups.includes(group)) return null;
  if (seen.waitedMs >= PROMOTE_WITHOUT_CLAIM_MS) return null;
  return writeClaim(
    seen.cluster,
    record,
    claimWithGroup(claim, group),
    reason('enter-group', `enters its group ${group} into the claim, before it joins`),
  );
}

/**
 * The claim cannot be read, and no data are here: a zone that is away must not cost redundancy. Where the appliances of the
 * fleet that hold formed data all name one cluster, and that answers with a quorum, it is joined; nothing is born.
 */
export function planJoinUnread(seen: StartObservation, why: string): StartAction {
  const unread = wait('claim-unknown', `the claim cannot be read: ${why}`);
  const fleet = joinableFleet(seen);
  if ('kind' in fleet) return fleet;
  if (seen.births === undefined) return ask(['births']);
  const named = namedCluster(seen.births, seen.self.stack);
  if (named === null) return unread;
  const { quorum } = seen;
  if (quorum === undefined) return ask(['quorum']);
  const refusal = whyNotLetIn(quorum);
  if (refusal !== null)
    return wait(
      'start-refused',
      `the claim cannot be read (${why}), and the fleet's cluster refuses: ${refusal}`,
    );
  if (quorum.kind === 'nobody' || quorum.list.clusterId !== named.clusterId) return unread;
  const own = ownMember(quorum.list, seen);
  if (own !== undefined) {
    // A founder that never ran is to found yet: whether it may, the claim says, which may be read in a moment.
    const mayFound = !own.learner && !isStarted(own) && seen.waitedMs < PROMOTE_WITHOUT_CLAIM_MS;
    return mayFound ? unread : planRemoveOwn(seen, null, quorum.endpoint, own);
  }
  const obstacle = planObstacle(seen, null);
  if (obstacle !== null) return obstacle;
  return {
    kind: 'join',
    endpoint: quorum.endpoint,
    claim: named,
    reason: reason(
      'join-unread',
      `joins cluster ${named.clusterId}, which the fleet names: the claim cannot be read (${why})`,
    ),
  };
}

/** The one cluster that the appliances with formed data name; null where none does, or they disagree. */
export function namedCluster(
  births: ReadonlyMap<string, Known<BirthAnswer>>,
  stack: string,
): { readonly clusterId: string; readonly token: string; readonly epoch: number } | null {
  const named = [...births.values()].flatMap((answer) => {
    if (!answer.known || answer.value.stack !== stack) return [];
    const { data, epoch } = answer.value;
    return data?.formed === true && data.clusterId !== null && data.token !== null
      ? [{ clusterId: data.clusterId, token: data.token, epoch }]
      : [];
  });
  const [first] = named;
  return first !== undefined && named.every((it) => it.clusterId === first.clusterId) ? first : null;
}

/** Own entries are known by name or, where that is blank, by peer URL. */
export function ownMember(
  list: MemberList,
  seen: { readonly self: { readonly id: string; readonly address: string } },
): Member | undefined {
  return (
    list.members.find((it) => it.name === seen.self.id) ??
    list.members.find((it) => it.name === '' && it.peerUrls.some((url) => hostOf(url) === seen.self.address))
  );
}

/** The member list has this instance, and the disk does not: a late founder, or a member that lost its data. */
function planOwnEntry(
  seen: StartObservation,
  records: readonly RecordSet[],
  standing: StandingClaim,
  endpoint: string,
  own: Member,
): StartAction {
  const { claim } = standing;
  const founder =
    claim.founders.some((it) => it.instanceId === seen.self.id) && !claim.lost.includes(seen.self.id);
  if (
    founder &&
    !own.learner &&
    !isStarted(own) &&
    own.name === seen.self.id &&
    !foundedBefore(seen, claim)
  ) {
    return planFounding(seen, records, standing, 'late-founder');
  }
  return planRemoveOwn(seen, claim, endpoint, own);
}

/** A member of this instance without its data: it never comes back under its old id (law 3), so it is removed first. */
function planRemoveOwn(
  seen: StartObservation,
  claim: Claim | null,
  endpoint: string,
  own: Member,
): StartAction {
  if (seen.ownAddress === undefined) return ask(['own-address']);
  if (
    seen.ownAddress !== null &&
    (seen.ownAddress.memberId === null || seen.ownAddress.memberId === own.id)
  ) {
    return wait(
      'answers-as-me',
      `something answers at ${seen.self.address} that may be member ${own.id}; it is not removed while it does`,
    );
  }
  // It could not join again while the fleet is unknown, and then no member is removed (law 4).
  if (seen.fleet === undefined) return ask(['fleet']);
  if (!seen.fleet.known) return wait('fleet-unknown', `the fleet is unknown: ${seen.fleet.reason}`);
  const obstacle = planObstacle(seen, claim);
  // A downgrade ends only when every member answers: this one, which waits for its end, would hold it up.
  if (obstacle !== null && seen.preflight?.kind !== 'downgrade') return obstacle;
  return {
    kind: 'remove-own',
    endpoint,
    memberId: own.id,
    reason: reason(
      'member-without-data',
      `member ${own.id} is in the cluster and its data are gone: it is removed, then joins anew`,
    ),
  };
}

/** Whether this disk remembers that etcd was started under the claim's token: its data are lost then. */
function foundedBefore(seen: StartObservation, claim: Claim): boolean {
  return seen.local.mark?.token === claim.token && seen.local.mark.started;
}

/**
 * Nobody of the claim's cluster says who its members are. That is lost quorum, or authentication that somebody switched on,
 * unless the whole group went and took the data with it.
 */
function planSilence(
  seen: StartObservation,
  records: readonly RecordSet[],
  standing: StandingClaim,
  quorum: QuorumAnswer & { readonly kind: 'nobody' },
): StartAction {
  const { claim } = standing;
  const lost = nothingSaid(claim, quorum);
  if (seen.fleet === undefined) return ask(['fleet']);
  if (!seen.fleet.known) return lost;
  const { groups } = seen.fleet.value;
  if (groups.some((it) => claim.groups.includes(it.arn))) return lost;
  // Of a claim that names no group or no voter, nothing can be shown to be gone.
  if (claim.groups.length === 0 || claim.voters.length === 0) return lost;
  if (seen.evidence === undefined) return ask(['evidence']);
  const evidence = seen.evidence;
  if (!claim.voters.every((it) => wentWithItsGroup(evidence.get(it.instanceId)))) return lost;
  const birth = planBirth(seen, records, standing);
  if (birth.kind !== 'register') return birth;
  return {
    ...birth,
    reason: reason(
      'groups-gone',
      `the groups of epoch ${claim.epoch} exist no more and all its voters are terminated: its data went with them, and an empty epoch ${claim.epoch + 1} is born`,
    ),
  };
}

/** What a formed claim whose cluster gives no member list is waited for. */
function nothingSaid(claim: Claim, quorum: QuorumAnswer & { readonly kind: 'nobody' }): StartAction {
  const refusal = whyNotLetIn(quorum);
  if (refusal !== null)
    return wait('start-refused', `epoch ${claim.epoch} is formed, and no appliance is let in: ${refusal}`);
  const { foreign } = quorum;
  const stranger = foreign.length === 0 ? '' : ` (cluster ${foreign.join(', ')} does, and is foreign here)`;
  return wait(
    'quorum-lost',
    `epoch ${claim.epoch} is formed and none of its ${claim.voters.length} voters answers${stranger}: it lost its quorum or its network; nothing is born over it`,
  );
}

/** For a group that was deleted, five minutes of known answers suffice (design.md section 4). */
function wentWithItsGroup(evidence: InstanceEvidence | undefined): boolean {
  if (evidence === undefined) return false;
  if (isTerminatedForCertain(evidence)) return true;
  return valueOr(evidence.ec2, null) === 'not-found' && evidence.notFoundForMs >= GONE_GROUP_EVIDENCE_MS;
}
