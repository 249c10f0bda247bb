import type { Fleet, InstanceEvidence } from '../core/fleet.ts';
import type { Known } from '../core/known.ts';
import { allMarks } from '../core/mark.ts';
import { planClaimUpkeep } from '../core/plan-claim.ts';
import { planDns } from '../core/plan-dns.ts';
import type { MembershipPlan, MemberView } from '../core/plan-membership.ts';
import { instanceIdOf, joinLimitMs, planMembership } from '../core/plan-membership.ts';
import type { Reason } from '../core/reason.ts';
import { reason } from '../core/reason.ts';
import type { RecordChange } from '../core/records.ts';
import type { Context } from './context.ts';
import type { Look } from './look.ts';

/** A Route 53 that does not answer is asked again within half a minute: after this much, and the usual interval, it is said. */
const UNREAD_MS = 2 * 60_000;

/** What a plan of the house rests on besides the look at etcd. */
export interface HouseFacts {
  /** AWS's answer in this tick; unknown where it was not asked: an older one may lack who came since. */
  readonly fleet: Known<Fleet>;
  /** For how long each learner has made no progress, by member id; ms. */
  readonly learnersStalledMs: ReadonlyMap<string, number>;
  /** Ids of members that were healthy in the look before, and are not in this one. */
  readonly doubtful: ReadonlySet<string>;
  /** Instances that leave in order. */
  readonly leaving: ReadonlySet<string>;
}

/** What housekeeping would do now. */
export interface HousePlan {
  readonly views: readonly MemberView[];
  readonly membership: MembershipPlan;
  /** Changes of the claim and of marks. */
  readonly claimChanges: readonly RecordChange[];
  readonly nameChanges: readonly RecordChange[];
  readonly recordReasons: readonly Reason[];
}

/** Gathers the evidence that the look asks for, and plans members, claim and names. Acts on nothing. */
export async function planHouse(
  context: Context,
  seen: Look,
  facts: HouseFacts,
  signal: AbortSignal,
): Promise<HousePlan> {
  const views = viewsOf(seen, facts);
  const evidence = await gatherEvidence(context, views, facts.fleet, signal);
  const membership = planMembership({
    self: context.ports.self,
    members: views,
    fleet: facts.fleet,
    evidence,
  });
  return { views, membership, ...planRecords(context, seen, evidence, facts) };
}

function viewsOf(seen: Look, facts: HouseFacts): readonly MemberView[] {
  const statuses = seen.members.flatMap((it) => (it.status.known ? [it.status.value] : []));
  const dbSizeBytes = Math.max(0, ...statuses.map((it) => it.dbSizeBytes));
  return seen.list.members.map((member) => {
    const answers = seen.answering.has(member.id);
    const applied = answers ? statuses.find((it) => it.memberId === member.id)?.raftAppliedIndex : undefined;
    return {
      member,
      answers,
      healthy: seen.healthy.has(member.id),
      stalledMs: facts.learnersStalledMs.get(member.id) ?? 0,
      joinLimitMs: joinLimitMs({
        behindEntries: applied === undefined ? Number.POSITIVE_INFINITY : seen.highestIndex - applied,
        dbSizeBytes,
      }),
    };
  });
}

/** Evidence about the instances of silent members, and of those that left a mark and the group. */
async function gatherEvidence(
  context: Context,
  views: readonly MemberView[],
  fleet: Known<Fleet>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, InstanceEvidence>> {
  if (!fleet.known) return new Map();
  const { register, options, fleetView, ports } = context;
  const silent = views.filter((it) => !it.answers).flatMap((it) => instanceIdOf({ fleet }, it.member) ?? []);
  const records = register.last();
  const present = new Set(fleet.value.instances.map((it) => it.id));
  const marks = records.known ? allMarks(options.cluster, records.value).map((it) => it.instanceId) : [];
  const ids = new Set([...silent, ...marks.filter((it) => !present.has(it))]);
  ids.delete(ports.self.id);
  return await fleetView.evidence(
    [...ids].map((id) => ({ id, region: regionOf(context, id) })),
    signal,
  );
}

/**
 * EC2 is asked in the instance's own region: the claim remembers it when the group no longer lists the instance. Null where
 * nobody does: no other region's "not found" says anything of it.
 */
function regionOf(context: Context, instanceId: string): string | null {
  const claim = context.register.standing();
  const claimed = [...(claim?.voters ?? []), ...(claim?.founders ?? [])].find(
    (it) => it.instanceId === instanceId && it.region !== null,
  );
  const fleet = context.fleetView.last();
  const listed = fleet.known ? fleet.value.instances.find((it) => it.id === instanceId) : undefined;
  return listed?.region ?? claimed?.region ?? null;
}

function planRecords(
  context: Context,
  seen: Look,
  evidence: ReadonlyMap<string, InstanceEvidence>,
  { fleet, doubtful, leaving }: HouseFacts,
): Pick<HousePlan, 'claimChanges' | 'nameChanges' | 'recordReasons'> {
  const { register, ports, options, fleetView } = context;
  const records = register.last();
  const reading = register.claim();
  if (!records.known || !reading.known) {
    const why = records.known ? 'the claim cannot be read' : (register.unread()?.reason ?? records.reason);
    const unread = reason('records-unknown', `the records are unknown: ${why}`);
    return { claimChanges: [], nameChanges: [], recordReasons: [unread] };
  }
  const old = whyOld(context);
  const claim = planClaimUpkeep({
    stack: ports.self.stack,
    cluster: options.cluster,
    reading: reading.value,
    records: records.value,
    list: seen.list,
    fleet: fleetView.last(),
    fleetNow: fleet,
    evidence,
    freshToken: ports.random.token(),
  });
  if (claim.reasons.some((it) => it.code === 'claim-not-ours'))
    return { claimChanges: [], nameChanges: [], recordReasons: [...claim.reasons, ...old] };
  const latest = fleetView.latest();
  const dns = planDns({
    cluster: options.cluster,
    records: records.value,
    members: seen.list.members,
    healthy: seen.healthy,
    doubtful,
    leaving,
    // Whether the last answer was known, however old: while it is not, nothing that stands is taken away.
    fleetKnown: latest.known,
    ...(latest.known ? {} : { fleetFailure: latest.reason }),
  });
  return {
    claimChanges: claim.changes,
    nameChanges: dns.changes,
    recordReasons: [...claim.reasons, ...dns.reasons, ...old],
  };
}

/** Where Route 53 has not answered for longer than that: what is planned goes by what it last said. */
function whyOld({ register, options }: Context): readonly Reason[] {
  const unread = register.unread();
  if (unread === null || unread.forMs <= options.housekeepingIntervalMs + UNREAD_MS) return [];
  const minutes = Math.floor(unread.forMs / 60_000);
  const since = `the records are as they were read ${minutes} min ago`;
  return [reason('records-unknown', `${since}, since Route 53 has not answered: ${unread.reason}`)];
}
