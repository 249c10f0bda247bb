import { reason } from '../core/reason.ts';
import { clientUrl } from '../core/urls.ts';
import { doOthersFollow } from './follows.ts';
import { look } from './look.ts';
import type { Held, UpgradeActionOf } from './upgrade-acts.ts';
import { nameAgain, nameSelf, stepNow, writePart } from './upgrade-acts.ts';
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
 * back, where etcd allows it, and that stops the upgrade.
 */
export async function stepSelf(held: Held, action: UpgradeActionOf<'step'>): Promise<void> {
  const { context, signal } = held;
  const { from, to } = action;
  const obstacle = await context.ports.inspect.binary(to, signal);
  if (obstacle !== null) return await recordTakenBack(held, { from, to }, obstacle.why);
  await away(held, action, async () => {
    const step = { from, to, why: null };
    await conclude(held, step, await runAs(held, { version: to, snapshotCount: null, step }));
  });
}

/**
 * Lets what the next minor dies of leave the log: with snapshots after a few entries, some writes, and the usual start again.
 * Where it does not, that stops the upgrade: it would be tried for ever.
 */
export async function clearRequests(held: Held, action: UpgradeActionOf<'clear'>): Promise<void> {
  const { context } = held;
  const { from, to } = action;
  await away(held, action, async () => {
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

/** The usual start that an earlier clearing of the log did not come to. */
export async function endClear(held: Held, action: UpgradeActionOf<'end-clear'>): Promise<void> {
  await away(held, action, async () => void (await runAsUsual(held, action.from)));
}

/**
 * Runs etcd as usual again. What the first stop rested on is long ago: another may have gone meanwhile, or hold the lock. Null:
 * then nothing is stopped. The data say how etcd runs, and whoever plans next starts it as usual; until then the lock is free,
 * so that who is gone can be evicted.
 */
async function runAsUsual(held: Held, version: string): Promise<Came | null> {
  const { context, lock, signal } = held;
  const { state } = context;
  // It has ended by itself since, and was started again.
  if (state.etcd !== null && (state.identity?.snapshotCount ?? null) === null) return { kind: 'well' };
  const mayStop = async (): Promise<boolean> =>
    (await areOthersWell(held)) && (await lock.guard(signal)) && !isLeaving(context);
  if (state.etcd !== null && !(await mayStop())) {
    const why = `etcd ${version} restarts as usual later: not all others serve, or the lock is lost`;
    context.chronicle.trouble('upgrade', reason('upgrade-clear', why));
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

/** Does something with the own etcd while nobody counts on it: recorded, out of DNS, and without leadership. */
async function away(
  held: Held,
  { from, to, handOverTo }: Pick<UpgradeActionOf<'step'>, 'from' | 'to' | 'handOverTo'>,
  work: () => Promise<void>,
): Promise<void> {
  const { context, lock, signal } = held;
  if (!(await writePart(held, 'step', stepNow(context, from, to)))) return;
  // Leadership first: where it is refused, nothing else has been done.
  if (!(await handOver(held, handOverTo))) return void (await writePart(held, 'step', null));
  await nameSelf(held, false);
  if ((await areOthersWell(held)) && (await lock.guard(signal)) && !isLeaving(context)) await work();
  if (!(await regain(held))) return;
  // Who leaves meanwhile stays out of them.
  if (!isLeaving(context)) await nameAgain(held);
  await writePart(held, 'step', null);
}

/**
 * Law 5: leadership and names may have taken long, and who was well when the step was planned need not be any more. Nor has
 * anybody asked who joined since whether its image has what is stepped to.
 */
async function areOthersWell({ context, members, signal }: Held): Promise<boolean> {
  const { self } = context.ports;
  const seen = await look(context, clientUrl(self.address), signal);
  if (!seen.known) return false;
  const planned = new Set(members.map((it) => it.id));
  const areWell = seen.value.members.every(
    ({ id, name, learner, unhealthy }) =>
      name === self.id || (planned.has(id) && (learner || unhealthy === null)),
  );
  return areWell && (await doOthersFollow(context, seen.value, signal));
}

async function handOver({ context, lock, signal }: Held, targetId: string | null): Promise<boolean> {
  if (targetId === null) return true;
  if (!(await lock.guard(signal))) return false;
  const { admin, self } = context.ports;
  const outcome = await admin.moveLeader(clientUrl(self.address), targetId, signal);
  if (outcome.ok)
    context.chronicle.event('hand-over', reason('upgrade-hand-over', `hands leadership to ${targetId}`));
  else context.chronicle.trouble('hand-over', reason(outcome.code, outcome.message));
  return outcome.ok;
}
