import { reason } from '../core/reason.ts';
import { clientUrl } from '../core/urls.ts';
import { whyOthersDoNotFollow } from './follows.ts';
import { look } from './look.ts';
import type { Held, UpgradeActionOf } from './upgrade-acts.ts';
import { LOCK_LOST, nameAgain, nameSelf, NOT_RECORDED, stepNow, writePart } from './upgrade-acts.ts';
import type { Came } from './upgrade-run.ts';
import { isLeaving, regain, runAs } from './upgrade-run.ts';
import { conclude, recordTakenBack } from './upgrade-way-back.ts';

/** Snapshots of the log are taken after so few entries while requests of the old API are to leave it. */
const CLEARING_SNAPSHOT_COUNT = 3;

/** Writes that bring about a snapshot at that count, and one more. */
const CLEARING_WRITES = 8;

/**
 * Steps the own member to another binary (design.md, "Upgrade"): out of DNS, leadership handed over, etcd stopped and
 * started as the other version, and back when it has been well for the settle time. One that does not come up is taken
 * back, where etcd allows it, and that stops the upgrade. Gives why it was given up before that stop; null: it was not.
 */
export async function stepSelf(held: Held, action: UpgradeActionOf<'step'>): Promise<string | null> {
  const { context, signal } = held;
  const { from, to } = action;
  const obstacle = await context.ports.inspect.binary(to, signal);
  if (obstacle !== null) {
    await recordTakenBack(held, { from, to }, obstacle.why);
    return null;
  }
  return await away(held, action, async () => {
    const step = { from, to, why: null };
    await conclude(held, step, await runAs(held, { version: to, snapshotCount: null, step }));
  });
}

/**
 * Lets what the next minor dies of leave the log: with snapshots after a few entries, some writes, and the usual start again.
 * Where it does not, that stops the upgrade: it would be tried for ever. Gives why it was given up before the first stop; null:
 * it was not.
 */
export async function clearRequests(held: Held, action: UpgradeActionOf<'clear'>): Promise<string | null> {
  const { context } = held;
  const { from, to } = action;
  return await away(held, action, async () => {
    const came = await runAs(held, { version: from, snapshotCount: CLEARING_SNAPSHOT_COUNT, step: null });
    if (came.kind === 'left') return;
    const cleared = came.kind === 'failed' ? { left: came.why } : await clearByWrites(held, from);
    const back = await runAsUsual(held, from);
    if (back?.kind === 'left') return;
    const why = back?.kind === 'failed' ? back.why : (cleared?.left ?? null);
    if (why !== null) return await recordTakenBack(held, { from, to }, why);
    if (back === null || cleared === null) return;
    context.chronicle.event(
      'upgrade',
      reason('upgrade-cleared', 'what the next minor dies of has left the log'),
    );
  });
}

/** The usual start that an earlier clearing of the log did not come to. Gives why it was given up before the stop; null: it was not. */
export async function endClear(held: Held, action: UpgradeActionOf<'end-clear'>): Promise<string | null> {
  return await away(held, action, async () => void (await runAsUsual(held, action.from)));
}

/**
 * Runs etcd as usual again. What the first stop rested on is long ago: another may have gone meanwhile, or hold the lock. Null:
 * then nothing is stopped. The data say how etcd runs, and whoever plans next starts it as usual; until then the lock is free,
 * so that who is gone can be evicted.
 */
async function runAsUsual(held: Held, version: string): Promise<Came | null> {
  const { context } = held;
  const { state } = context;
  // It has ended by itself since, and was started again.
  if (state.etcd !== null && (state.identity?.snapshotCount ?? null) === null) return { kind: 'well' };
  const why = state.etcd === null ? null : await whyNotStopped(held);
  if (why !== null) {
    const later = `etcd ${version} restarts as usual later, as ${why}`;
    context.chronicle.trouble('upgrade', reason('upgrade-clear', later));
    return null;
  }
  return await runAs(held, { version, snapshotCount: null, step: null });
}

/** Writes until the log has been cut; `left`: what is left in it. Null: that is not known, since the writes were not all taken. */
async function clearByWrites(held: Held, version: string): Promise<{ readonly left: string | null } | null> {
  const { context } = held;
  for (let write = 0; write < CLEARING_WRITES; write += 1)
    if (!(await writePart(held, 'step', stepNow(context, version, version)))) return null;
  return { left: await whatIsLeft(held) };
}

/** What the next minor dies of is left in the log; null: nothing is. */
async function whatIsLeft({ context, signal }: Held): Promise<string | null> {
  context.upgradeWord.forget();
  const { v2, replay } = await context.upgradeWord.tell(signal);
  context.upgradeWord.forget();
  if (!v2.known || !replay.known) return v2.known ? 'the log cannot be read' : v2.reason;
  if (v2.value === 'store') return 'keys of the old API are left, which a person has to delete';
  if (v2.value === 'wal-requests') return 'requests of the old API stay in the log';
  return replay.value.lastV2Index === null ? null : 'entries of an older minor stay in the log';
}

/**
 * Does something with the own etcd while nobody counts on it: recorded, out of DNS, and without leadership. Gives why it was
 * not begun, as a clause; null: it was. What was prepared is taken back then.
 *
 * The record is a write that the own etcd has applied by the last look, which is linearizable, and that is in the database once
 * it has ended in order: 3.5 marks members as removed on data of a 3.4 in which nothing was written since they came, and 3.6
 * shuts them out (test/upgrade-lab/idle.test.ts).
 */
async function away(
  held: Held,
  { from, to, handOverTo }: Pick<UpgradeActionOf<'step'>, 'from' | 'to' | 'handOverTo'>,
  work: () => Promise<void>,
): Promise<string | null> {
  const { context } = held;
  if (!(await writePart(held, 'step', stepNow(context, from, to)))) return NOT_RECORDED;
  // Leadership first: where it is refused, nothing else has been done.
  const refused = await handOver(held, handOverTo);
  if (refused !== null) {
    await writePart(held, 'step', null);
    return refused;
  }
  await nameSelf(held, false);
  const why = await whyNotStopped(held);
  if (why === null) await work();
  if (!(await regain(held))) return why;
  // Who leaves meanwhile stays out of them.
  if (!isLeaving(context)) await nameAgain(held);
  await writePart(held, 'step', null);
  return why;
}

/** The last look of all before the own etcd is stopped: why it is not, as a clause; null: it may be. */
async function whyNotStopped(held: Held): Promise<string | null> {
  const why = await whyOthersAreUnwell(held);
  if (why !== null) return why;
  if (!(await held.lock.guard(held.signal))) return LOCK_LOST;
  // What it had applied need not be in the database: as the same version it reads that from its log.
  if (held.context.state.etcd === null) return 'the own etcd has ended';
  return isLeaving(held.context) ? 'this instance leaves' : null;
}

/**
 * Law 5: leadership and names may have taken long, and who was well when the step was planned need not be any more. Nor has
 * anybody asked who joined since whether its image has what is stepped to. Null: they are; else why not, as a clause.
 */
async function whyOthersAreUnwell({ context, members, signal }: Held): Promise<string | null> {
  const { self } = context.ports;
  const seen = await look(context, clientUrl(self.address), signal);
  if (!seen.known) return `the members are unknown: ${seen.reason}`;
  const planned = new Set(members.map((it) => it.id));
  for (const { id, name, learner, unhealthy } of seen.value.members) {
    if (name === self.id) continue;
    if (!planned.has(id)) return `${name || `member ${id}`} has joined meanwhile`;
    if (!learner && unhealthy !== null) return `${name} is not well: ${unhealthy}`;
  }
  // Who left makes way for another, which would come after the record.
  const gone = members.find(({ id }) => !seen.value.members.some((it) => it.id === id));
  if (gone !== undefined) return `${gone.name || `member ${gone.id}`} has left meanwhile`;
  return await whyOthersDoNotFollow(context, seen.value, signal);
}

/** Null: another leads by now, or led all along; else why none does, as a clause. */
async function handOver({ context, lock, signal }: Held, targetId: string | null): Promise<string | null> {
  if (targetId === null) return null;
  if (!(await lock.guard(signal))) return LOCK_LOST;
  const { admin, self } = context.ports;
  const outcome = await admin.moveLeader(clientUrl(self.address), targetId, signal);
  if (!outcome.ok) return `leadership is not handed over: ${outcome.message}`;
  context.chronicle.event('hand-over', reason('upgrade-hand-over', `hands leadership to ${targetId}`));
  return null;
}
