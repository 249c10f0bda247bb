import type { Fleet } from '../core/fleet.ts';
import type { Known } from '../core/known.ts';
import { unknown } from '../core/known.ts';
import { reason } from '../core/reason.ts';
import { UPGRADE_LOCK_KEY } from '../core/upgrade-record.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import type { HouseMemory } from './house-memory.ts';
import { backOff, lookAnew } from './house-memory.ts';
import { writeRecords } from './house-records.ts';
import { planHouse } from './house.ts';
import { readLeaving } from './leaving-word.ts';
import type { Look } from './look.ts';
import { look } from './look.ts';
import { whileNobodySteps } from './nobody-steps.ts';
import { publishHouse } from './publish-house.ts';
import { mayBecomeVoter, removeMember } from './remove-member.ts';
import { noteLook, showIfDue } from './show-members.ts';
import type { HouseRight } from './unlocked.ts';

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
    await showIfDue(context, memory, false, signal);
    return false;
  }
  noteLook(context, seen.value.members);
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
    // Who steps takes itself out of the records, and names itself again.
    lookAnew(memory, ports.clock.now());
    return false;
  }
  context.chronicle.plan('housekeeping', [reason('house-kept', 'looks after members and names')]);
  const leavers = await readLeaving(context, 'going', endpoint, signal);
  if (!leavers.known) return false;
  const leaving = leavers.value;
  const fleet = await askAws(context, seen.value, memory, signal);
  state.fleet = context.fleetView.last();
  state.fleetSeen = context.fleetView.seen();
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
    return await removeMember(context, right, latest.value, action, signal);
  }
  const written = await writeRecords(context, right, plan, memory, signal);
  const names = new Set(latest.value.list.members.map((it) => it.name));
  if (fleet?.known === true) {
    const letIn = await context.firewall.tend(fleet.value, names, right, signal);
    memory.rulesFailures = letIn ? 0 : memory.rulesFailures + 1;
  }
  // Where Route 53 refuses for longer, or a region does not say what its group lets in, the fleet has no answer to it.
  const hurries = (!written && memory.writeFailures < 2) || memory.rulesFailures === 1;
  memory.unfinished = hurries || isUnfinished(latest.value);
  await publishHouse(context, right, endpoint, { members: latest.value.members, memory, leaving }, signal);
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
 * AWS is asked when a member is silent, the member list changed, a learner waits, work was left over or its last answer was
 * none, and else at the housekeeping interval, to see drift; while it does not answer, less and less often. Null: it was not
 * asked. Route 53 is asked with it, and until it has answered: once since the house is kept, and the last question; and once
 * more where its answer may be from before what this one, or who kept house before, wrote last.
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
  const leftOver = isUnfinished(seen) || memory.unfinished || fleetView.blindForMs() > 0;
  const busy = leftOver && fleetView.ageMs() >= memory.awsBackoffMs;
  const unread =
    !register.lastSince(memory.keptSince).known ||
    register.isYoung(memory.keptSince) ||
    register.unread() !== null;
  const asks = drift || changed || busy;
  const [fleet] = await Promise.all([
    asks ? fleetView.fleet(0, signal) : null,
    asks || unread
      ? register.read(drift || changed || unread ? 0 : options.housekeepingIntervalMs, signal)
      : null,
  ]);
  if (fleet === null) return null;
  memory.membersKey = key;
  backOff(memory, fleet);
  return fleet;
}
