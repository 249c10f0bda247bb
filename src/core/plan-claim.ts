import type { Claim, ClaimReading, ClaimedVoter } from './claim.ts';
import { claimRecord, foundingClaim, formedClaim, regionOfGroup, sortedVoters } from './claim.ts';
import type { Fleet, Instance, InstanceEvidence } from './fleet.ts';
import { isTerminatedForCertain } from './fleet.ts';
import type { Known } from './known.ts';
import { known } from './known.ts';
import { allMarks } from './mark.ts';
import type { Member, MemberList } from './members.ts';
import { addressOf, isStarted, quorumOf, votersOf } from './members.ts';
import { namesOf } from './names.ts';
import { swap } from './records.ts';
import type { Reason } from './reason.ts';
import { reason } from './reason.ts';
import type { RecordChange, RecordSet } from './records.ts';

/** What the upkeep of a formed claim is planned from. */
export interface ClaimObservation {
  readonly stack: string;
  readonly cluster: string;
  readonly reading: ClaimReading;
  readonly records: readonly RecordSet[];
  /** The linearizable member list of the cluster that the housekeeper leads. */
  readonly list: MemberList;
  readonly fleet: Known<Fleet>;
  /** AWS's answer in this tick; unknown where it was not asked: an older one may lack a group that came since. */
  readonly fleetNow: Known<Fleet>;
  readonly evidence: ReadonlyMap<string, InstanceEvidence>;
  readonly freshToken: string;
}

/** Why the claim is changed, or is not. */
export type ClaimCode =
  | 'claim-right'
  | 'claim-voters'
  | 'claim-groups'
  | 'claim-founders-done'
  | 'claim-restored'
  | 'claim-not-ours'
  | 'claim-fleet-unknown'
  | 'mark-done';

/** Changes of claim and marks, with their reasons. */
export interface ClaimPlan {
  readonly changes: readonly RecordChange[];
  readonly reasons: readonly Reason<ClaimCode>[];
}

/**
 * Keeps a formed claim true: its voters are never fewer than the member list's, removed ones are struck out, its groups are
 * those that the members are in, founders go when each has started or was removed, marks go with their terminated instances;
 * a claim that somebody deleted under a living cluster is written again, before a newcomer could take the name for free.
 */
export function planClaimUpkeep(seen: ClaimObservation): ClaimPlan {
  const { reading } = seen;
  if (reading.kind === 'none') return restoreClaim(seen);
  if (reading.kind === 'unreadable' || !isOurs(seen, reading.claim)) {
    return {
      changes: [],
      reasons: [reason('claim-not-ours', 'the claim is not of this cluster: it is left alone')],
    };
  }
  const wanted = upkeep(reading.claim, seen);
  const record = claimRecord(namesOf(seen.cluster).claim, wanted);
  const reasons: Reason<ClaimCode>[] = [];
  const changes: RecordChange[] = [];
  if (record.values[0] !== reading.record.values[0]) {
    changes.push(...swap(reading.record, record));
    reasons.push(...whyChanged(reading.claim, wanted));
  }
  for (const mark of allMarks(seen.cluster, seen.records)) {
    const evidence = seen.evidence.get(mark.instanceId);
    if (evidence === undefined || !isTerminatedForCertain(evidence)) continue;
    changes.push({ action: 'DELETE', record: mark.record });
    reasons.push(reason('mark-done', `the mark of ${mark.instanceId} goes with its instance`));
  }
  if (reasons.length === 0)
    reasons.push(reason('claim-right', `epoch ${reading.claim.epoch} is as the claim says`));
  return { changes, reasons };
}

function whyChanged(before: Claim, wanted: Claim): readonly Reason<ClaimCode>[] {
  const reasons: Reason<ClaimCode>[] = [];
  if (JSON.stringify(sortedVoters(before.voters)) !== JSON.stringify(wanted.voters)) {
    const ids = wanted.voters.map((it) => it.instanceId);
    reasons.push(reason('claim-voters', `the claim lists ${ids.length} voters: ${ids.join(', ')}`));
  }
  if (before.groups.join() !== wanted.groups.join()) {
    const { groups } = wanted;
    reasons.push(reason('claim-groups', `the claim names ${groups.length} groups: ${groups.join(', ')}`));
  }
  return reasons.length > 0
    ? reasons
    : [reason('claim-founders-done', 'every founder has started or was removed')];
}

function isOurs(seen: ClaimObservation, claim: Claim): boolean {
  return claim.stack === seen.stack && claim.state === 'formed' && claim.clusterId === seen.list.clusterId;
}

function upkeep(claim: Claim, seen: ClaimObservation): Claim {
  const { members } = seen.list;
  const stillThere = claim.voters.filter((voter) => members.some((it) => it.id === voter.memberId));
  const missing = votersOf(members).filter((member) => !stillThere.some((it) => it.memberId === member.id));
  const open = claim.founders.some((founder) =>
    members.some((it) => it.name === founder.instanceId && !it.learner && !isStarted(it)),
  );
  return {
    ...claim,
    groups: groupsNow(claim, seen),
    founders: open ? claim.founders : [],
    lost: open ? claim.lost : [],
    voters: sortedVoters([
      ...stillThere.map((it) => ({
        ...it,
        region: instanceIn(seen.fleet, it.instanceId)?.region ?? it.region,
      })),
      ...missing.map((it) => claimedVoter(it, seen.fleet)),
    ]),
  };
}

/**
 * The groups of the claim, after AWS's word: whoever finds none of them in the fleet takes the stack for deleted, and its data
 * for gone. A group is entered wherever the fleet shows it, and struck out only where another of its region is shown and the
 * fleet shows all members, so that an answer that lacks a group, or an appliance that looks at fewer regions, strikes out none.
 */
function groupsNow(claim: Claim, { fleetNow, list }: ClaimObservation): readonly string[] {
  if (!fleetNow.known) return claim.groups;
  const { groups, instances } = fleetNow.value;
  const isWhole = list.members.every((member) => instances.some((it) => it.id === member.name));
  const regions = new Set(groups.map((it) => it.region));
  const kept = claim.groups.filter((arn) => !isWhole || !regions.has(regionOfGroup(arn)));
  const wanted = [...new Set([...kept, ...groups.map((it) => it.arn)])].sort();
  // Who wrote them in another order wrote the same.
  return wanted.join() === claim.groups.toSorted().join() ? claim.groups : wanted;
}

/**
 * Whether too few founders have their data for a quorum: nobody marks such an epoch as formed, whoever answers. Of two, or of
 * four, a half that is lost is too many: the others could never have a quorum again.
 */
export function hasLostMost({ founders, lost }: Claim): boolean {
  return founders.length - lost.length < quorumOf(founders.length);
}

/**
 * A voter as the claim lists it; where the fleet does not know it, its address is that of its peer URL, and nobody knows its
 * region: of one that is guessed, EC2 would say "not found" for as long as it takes for gone.
 */
export function claimedVoter(member: Member, fleet: Known<Fleet>): ClaimedVoter {
  const instance = instanceIn(fleet, member.name);
  return {
    memberId: member.id,
    instanceId: member.name === '' ? 'unnamed' : member.name,
    region: instance?.region ?? null,
    address: instance?.address ?? addressOf(member),
  };
}

/**
 * The claim of a cluster that lives and has none, from its linearizable member list: formed, under a token of its own.
 * `before`: the claim of an epoch that was never formed, whose place it takes; null: none stands.
 */
export function livingClaim(of: {
  readonly stack: string;
  readonly token: string;
  readonly list: MemberList;
  readonly fleet: Fleet;
  readonly before: Claim | null;
}): Claim {
  const { stack, token, list, fleet, before } = of;
  const groups = fleet.groups.map((it) => it.arn);
  return formedClaim(
    foundingClaim({ stack, token, groups, founders: [], before }),
    list.clusterId,
    votersOf(list.members).map((it) => claimedVoter(it, known(fleet))),
  );
}

function instanceIn(fleet: Known<Fleet>, id: string): Instance | undefined {
  return fleet.known ? fleet.value.instances.find((it) => it.id === id) : undefined;
}

function restoreClaim(seen: ClaimObservation): ClaimPlan {
  if (!seen.fleet.known) {
    return {
      changes: [],
      reasons: [
        reason('claim-fleet-unknown', 'the claim is gone, and is written again once the fleet is known'),
      ],
    };
  }
  const { stack, freshToken: token, list } = seen;
  const claim = livingClaim({ stack, token, list, fleet: seen.fleet.value, before: null });
  return {
    changes: swap(null, claimRecord(namesOf(seen.cluster).claim, claim)),
    reasons: [
      reason('claim-restored', `cluster ${seen.list.clusterId} lives and had no claim: it is written again`),
    ],
  };
}
