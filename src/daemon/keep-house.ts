import type { Fleet } from '../core/fleet.ts';
import type { Known } from '../core/known.ts';
import { unknown } from '../core/known.ts';
import { AWS_BACKOFF_MAX_MS, BUSY_AWS_INTERVAL_MS } from '../core/numbers.ts';
import { hostName, hostOfService, namesOf } from '../core/names.ts';
import type { Reason } from '../core/reason.ts';
import { reason } from '../core/reason.ts';
import type { ChangeOutcome } from '../core/records.ts';
import { UPGRADE_LOCK_KEY } from '../core/upgrade-record.ts';
import { clientUrl } from '../core/urls.ts';
import { changeClaimAndNames } from './change-names.ts';
import type { Context } from './context.ts';
import type { HousePlan } from './house.ts';
import { planHouse } from './house.ts';
import type { Look } from './look.ts';
import { look } from './look.ts';
import { whileNobodySteps } from './nobody-steps.ts';
import { mayBecomeVoter, removeMember } from './remove-member.ts';
import type { HouseRight } from './unlocked.ts';
import { readLeaving } from './leaving-word.ts';
import { encodePublished, PUBLISHED_KEY } from './published.ts';

/** After a batch that was not taken; doubling. */
const WRITE_PAUSE_MS = 2_000;

/** Where that stops doubling. */
const WRITE_PAUSE_MAX_MS = 30_000;

/** What is remembered from tick to tick; safety rests on none of it. */
export interface HouseMemory {
  /** Learners: their applied index, and since when it stands still. */
  readonly progress: Map<string, { readonly index: number; readonly since: number }>;
  /** Ids of members that were healthy in the last look. */
  healthy: ReadonlySet<string>;
  /** Learners whose removal is held off, because they may be promoted: since when. */
  readonly heldSince: Map<string, number>;
  /** Who was a member at the last tick that asked AWS. */
  membersKey: string;
  /** The last tick left something to do. */
  unfinished: boolean;
  /** While AWS does not answer, it is asked less and less often. */
  awsBackoffMs: number;
  /** Batches in a row that did not make the records right. */
  writeFailures: number;
  /** Monotonic time before which no batch is sent; ms. */
  writeAfter: number;
  /** Looks at the security groups in a row that left something open. */
  rulesFailures: number;
  /** Whom clients are sent to, as read since the house is kept; null: not read since. */
  named: readonly string[] | null;
  /** Monotonic time from which the house is kept without a break; ms. */
  keptSince: number;
  published: string;
  /** Monotonic time at which a follower last looked at what it shows; ms. */
  shownAt: number;
}

/** What a housekeeper knows before its first turn. */
export function freshMemory(): HouseMemory {
  return {
    progress: new Map(),
    healthy: new Set(),
    heldSince: new Map(),
    membersKey: '',
    unfinished: true,
    awsBackoffMs: BUSY_AWS_INTERVAL_MS,
    writeFailures: 0,
    writeAfter: Number.NEGATIVE_INFINITY,
    rulesFailures: 0,
    named: null,
    keptSince: Number.NEGATIVE_INFINITY,
    published: '',
    shownAt: Number.NEGATIVE_INFINITY,
  };
}

/** Before the house is kept again, from `now` on: the next turn asks for fleet and records, which another may have changed since. */
export function lookAnew(memory: HouseMemory, now: number): void {
  memory.keptSince = now;
  memory.named = null;
  memory.unfinished = true;
  memory.rulesFailures = 0;
  memory.membersKey = '';
  memory.healthy = new Set();
}

/** The house itself: look at etcd, ask AWS where there is reason to, then at most one destructive act. */
export async function keepHouse(
  context: Context,
  lock: HouseRight,
  memory: HouseMemory,
  signal: AbortSignal,
): Promise<boolean> {
  const { ports, state } = context;
  const right = whileNobodySteps(lock, ports);
  const endpoint = clientUrl(ports.self.address);
  // The lock was read right before, in this turn.
  const seen = await look(context, endpoint, signal, { confirmed: true });
  if (!seen.known) {
    context.chronicle.plan('housekeeping', [
      reason('members-unknown', `the members are unknown: ${seen.reason}`),
    ]);
    return false;
  }
  state.members = seen.value.members;
  state.lookedAt = ports.clock.wallTime();
  state.publishedBy = null;
  state.publishedEpoch = null;
  // While an upgrade's lock exists, housekeeping keeps its hands off (design.md, "Upgrade").
  const upgrade = await ports.admin.read(endpoint, UPGRADE_LOCK_KEY, { serializable: true }, signal);
  if (!upgrade.known || upgrade.value !== null) {
    const why = upgrade.known
      ? 'an upgrade step runs'
      : `whether an upgrade runs is unknown: ${upgrade.reason}`;
    context.chronicle.plan('housekeeping', [
      reason('upgrade-runs', `${why}: housekeeping keeps its hands off`),
    ]);
    return false;
  }
  context.chronicle.plan('housekeeping', [reason('house-kept', 'looks after members and names')]);
  const leavers = await readLeaving(context, 'going', endpoint, signal);
  if (!leavers.known) return false;
  const leaving = leavers.value;
  const fleet = await askAws(context, seen.value, memory, signal);
  state.fleet = context.fleetView.last();
  // A list older than the records would strike a learner out of the claim that has entered it since.
  const latest = fleet === null ? seen : await look(context, endpoint, signal);
  if (!latest.known) return false;
  const doubtful = memory.healthy.difference(latest.value.healthy);
  memory.healthy = latest.value.healthy;
  const plan = await planHouse(
    context,
    latest.value,
    {
      fleet: fleet ?? unknown('AWS was not asked in this tick'),
      learnersStalledMs: stalledLearners(context, latest.value, memory),
      doubtful,
      leaving,
    },
    signal,
  );

  const { action, held } = plan.membership;
  context.chronicle.plan('membership', action === null ? held : [action.reason, ...held]);
  context.chronicle.plan('records', plan.recordReasons);
  if (action !== null && !(await mayBecomeVoter(context, latest.value, action, memory.heldSince, signal))) {
    memory.unfinished = true;
    return await removeMember(context, right, endpoint, action, signal);
  }
  const written = await writeRecords(context, right, plan, memory, signal);
  memory.named = namedIn(context, latest.value, memory.keptSince) ?? memory.named;
  const names = new Set(latest.value.list.members.map((it) => it.name));
  if (fleet?.known === true) {
    const letIn = await context.firewall.tend(fleet.value, names, right, signal);
    memory.rulesFailures = letIn ? 0 : memory.rulesFailures + 1;
  }
  // Where Route 53 refuses for longer, or a region does not say what its group lets in, the fleet has no answer to it.
  const hurries = (!written && memory.writeFailures < 2) || memory.rulesFailures === 1;
  memory.unfinished = hurries || isUnfinished(latest.value);
  await publish(context, right, endpoint, { memory, leaving }, signal);
  return false;
}

/** For how long each learner has made no progress. One that stands close to the leader moves with every entry. */
function stalledLearners(context: Context, seen: Look, memory: HouseMemory): ReadonlyMap<string, number> {
  const now = context.ports.clock.now();
  const stalled = new Map<string, number>();
  const before = new Map(memory.progress);
  memory.progress.clear();
  for (const { id, learner, status } of seen.members) {
    if (!learner) continue;
    const index = status.known && status.value.memberId === id ? status.value.raftAppliedIndex : 0;
    const last = before.get(id);
    const since = last === undefined || index > last.index ? now : last.since;
    memory.progress.set(id, { index, since });
    stalled.set(id, now - since);
  }
  return stalled;
}

/** A silent member, or a learner, is work that AWS may have the answer to. */
function isUnfinished(seen: Look): boolean {
  return seen.list.members.some((it) => it.learner || !seen.answering.has(it.id));
}

/**
 * AWS is asked when a member is silent, the member list changed, a learner waits or work was left over, and else at the
 * housekeeping interval, to see drift; while it does not answer, less and less often. Null: it was not asked.
 */
async function askAws(
  context: Context,
  seen: Look,
  memory: HouseMemory,
  signal: AbortSignal,
): Promise<Known<Fleet> | null> {
  const { fleetView, register, options } = context;
  const key = seen.list.members.map((it) => `${it.id}${it.learner ? '?' : ''}`).join();
  const drift = fleetView.ageMs() >= options.housekeepingIntervalMs;
  const changed = key !== memory.membersKey;
  const busy = (isUnfinished(seen) || memory.unfinished) && fleetView.ageMs() >= memory.awsBackoffMs;
  if (!drift && !changed && !busy) return null;
  memory.membersKey = key;
  const [fleet] = await Promise.all([
    fleetView.fleet(0, signal),
    register.read(drift || changed ? 0 : options.housekeepingIntervalMs, signal),
  ]);
  backOff(memory, fleet);
  return fleet;
}

/** While AWS does not answer, it is asked less and less often: throttling is shared by the whole account. */
export function backOff(memory: HouseMemory, fleet: Known<Fleet>): void {
  memory.awsBackoffMs = fleet.known
    ? BUSY_AWS_INTERVAL_MS
    : Math.min(AWS_BACKOFF_MAX_MS, memory.awsBackoffMs * 2);
}

/** True where the records are as planned. */
async function writeRecords(
  context: Context,
  right: HouseRight,
  plan: HousePlan,
  memory: HouseMemory,
  signal: AbortSignal,
): Promise<boolean> {
  const { claimChanges, nameChanges } = plan;
  const { ports, chronicle, register } = context;
  const count = claimChanges.length + nameChanges.length;
  if (count === 0) {
    memory.writeFailures = 0;
    return true;
  }
  if (ports.clock.now() < memory.writeAfter) return false;
  if (!(await right.guard(signal))) return false;
  const { claim, names } = await changeClaimAndNames(context, claimChanges, nameChanges, signal);
  ports.meter.dnsWritten(names.kind);
  if (claim.kind === 'done' && names.kind === 'done') {
    memory.writeFailures = 0;
    chronicle.event('records', reason('records-written', `${count} changes in one batch`));
    return true;
  }
  const failed = claim.kind === 'done' ? names : claim;
  memory.writeFailures += 1;
  memory.writeAfter = ports.clock.now() + writePauseMs(failed.kind, memory.writeFailures);
  // Where the claim went alone, that was said.
  const alone = claimChanges.length > 0 && claim.kind === 'done';
  if (failed.kind !== 'done' && !alone)
    chronicle.trouble('records', troubleOf(failed, claimChanges.length === 0, memory));
  await register.read(0, signal);
  return false;
}

/** A conflict is tried once more at once, with what is read then; all else less and less often. */
function writePauseMs(kind: ChangeOutcome['kind'], failures: number): number {
  const doublings = kind === 'conflict' ? failures - 2 : failures - 1;
  return doublings < 0 ? 0 : Math.min(WRITE_PAUSE_MAX_MS, WRITE_PAUSE_MS * 2 ** Math.min(doublings, 10));
}

/** Names that are refused again with what was read anew: what is in their way is not among the records. */
function troubleOf(
  failed: Exclude<ChangeOutcome, { kind: 'done' }>,
  onlyNames: boolean,
  memory: HouseMemory,
): Reason {
  return failed.kind === 'conflict' && onlyNames && memory.writeFailures > 1
    ? reason('names-refused', `Route 53 refuses the names: ${failed.message}`)
    : reason(failed.kind, failed.message);
}

/**
 * Members that clients are sent to, as the records stand; null: nobody read them since the house is kept, and another may have
 * named members before that. Who leaves waits until it is none of them.
 */
function namedIn({ register, options }: Context, seen: Look, keptSince: number): readonly string[] | null {
  const records = register.last();
  if (!records.known || register.readAt() < keptSince) return null;
  const [service] = namesOf(options.cluster).srvClient;
  const values = records.value
    .filter((it) => it.type === 'SRV' && it.name === service)
    .flatMap((it) => it.values);
  const hosts = new Set(values.map(hostOfService));
  return seen.list.members
    .map((it) => it.name)
    .filter((it) => hosts.has(hostName(options.cluster, it)))
    .sort();
}

/** Publishes what was seen, where it changed, or is as old as the interval at which AWS is looked at. */
async function publish(
  context: Context,
  right: HouseRight,
  endpoint: string,
  { memory, leaving }: { readonly memory: HouseMemory; readonly leaving: ReadonlySet<string> },
  signal: AbortSignal,
): Promise<void> {
  const { ports, register, fleetView } = context;
  const fence = right.fence();
  if (fence === null || memory.named === null) return;
  const claim = register.standing();
  const fleet = fleetView.last();
  const content = {
    format: 1 as const,
    by: ports.self.id,
    claim: claim?.state === 'formed' ? { token: claim.token, epoch: claim.epoch } : null,
    fleet: fleet.known ? fleet.value : null,
    named: memory.named,
    leaving: [...leaving].sort(),
  };
  const key = JSON.stringify([
    content,
    Math.floor(ports.clock.now() / context.options.housekeepingIntervalMs),
  ]);
  if (key === memory.published) return;
  const value = encodePublished({ ...content, at: ports.clock.wallTime() });
  const done = await ports.admin.put(endpoint, PUBLISHED_KEY, value, { fence }, signal);
  if (done.known && done.value) memory.published = key;
}
