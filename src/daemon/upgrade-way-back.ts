import type { KeptStep } from '../core/local-data.ts';
import { planWithout } from '../core/plan-upgrade.ts';
import { reason } from '../core/reason.ts';
import { isPassed } from '../core/upgrade-step.ts';
import { clientUrl } from '../core/urls.ts';
import { compareVersions, minorOf } from '../core/versions.ts';
import { isStranger } from './own-cluster.ts';
import type { Held } from './upgrade-acts.ts';
import { endpointsOf, recordFailure, writePart } from './upgrade-acts.ts';
import type { RunAs } from './swap-etcd.ts';
import { readUpgradeRecord } from './upgrade-look.ts';
import type { Came } from './upgrade-run.ts';
import { forgetStep, isOther, REGAIN_MS, regain, runAs } from './upgrade-run.ts';

type Way = Pick<KeptStep, 'from' | 'to'>;

/** What follows from how the new etcd came up: the step is over, or it is taken back. */
export async function conclude(held: Held, way: Way, came: Came): Promise<void> {
  if (came.kind === 'left') return;
  if (came.kind === 'failed') return await goBack(held, way, came.why);
  const { context, signal } = held;
  const { from, to } = way;
  await forgetStep(context, signal);
  context.state.noWayBack = null;
  await clearFailure(held, way);
  context.chronicle.event('upgrade', reason('upgrade-stepped', `stepped from ${from} to ${to}`), way);
}

/** What failed before and is no more after this step is forgotten: what another failed at stops the upgrade as long as it did. */
async function clearFailure(held: Held, way: Way): Promise<void> {
  const { self } = held.context.ports;
  const record = await readUpgradeRecord(held.context.ports, clientUrl(self.address), held.signal);
  const failed = record.known ? record.value.failed : null;
  if (failed !== null && failed.by === self.id && isPassed(failed, way))
    await writePart(held, 'failed', null);
}

/**
 * Records that a step was taken back, which stops the upgrade: under the lock, however long that takes, or the same step would
 * be taken again. Between two tries the house is kept: an etcd without space takes no word until somebody makes room.
 */
export async function recordTakenBack(held: Held, { from, to }: Way, why: string): Promise<void> {
  const { context, lock, signal } = held;
  while (await regain(held)) {
    if (await recordFailure(held, from, to, why)) return await forgetStep(context, signal);
    await lock.release(signal);
    await context.ports.clock.sleep(REGAIN_MS, signal);
  }
}

/** Back to the old binary, where the cluster's version has not moved; the upgrade stops either way. */
async function goBack(held: Held, way: Way, why: string): Promise<void> {
  const { from } = way;
  const moved = await hasMoved(held, from);
  if (moved !== null) return await stay(held, way, why, moved);
  // Until it ended, the new one was among those that had all reached its version.
  let movedSince: string | null = null;
  const memberId = held.context.state.identity?.memberId ?? null;
  const back = await runAs(held, runOf(way, from, why), async () => {
    movedSince = await hasMoved(held, from);
    return movedSince === null ? null : runOf(way, way.to, null);
  });
  if (back.kind === 'left') {
    // Without a word of it, the same step would be taken again.
    const isRuined = movedSince === null && isOther(held.context, { memberId });
    return isRuined ? await recordTakenBack(held, way, `${why}; and its data were set aside`) : undefined;
  }
  if (movedSince !== null)
    return back.kind === 'well' ? await conclude(held, way, back) : await stay(held, way, why, movedSince);
  if (back.kind === 'failed' && back.tooOld) return await goOn(held, way, why);
  const how = back.kind === 'well' ? `etcd ${from} runs again` : `and etcd ${from} does not come up either`;
  await recordTakenBack(held, way, `${why}; ${how}`);
}

/** As what a binary of the step is run; `why`: why the step is taken back, null: it is not. */
function runOf(way: Way, version: string, why: string | null): RunAs {
  return { version, snapshotCount: null, step: { ...way, why } };
}

/** The new binary is left as it is, and that stops the upgrade. */
async function stay(held: Held, way: Way, why: string, moved: string): Promise<void> {
  sayNoWayBack(held, way, why, moved);
  await recordTakenBack(held, way, `${why}; it stays, since ${moved}`);
}

/** Why etcd would not let the old version back in; null: it may. Who does not answer has not raised anything either. */
async function hasMoved({ context, members, signal }: Held, from: string): Promise<string | null> {
  for (const endpoint of endpointsOf(context, members)) {
    const versions = await context.ports.admin.versions(endpoint, signal);
    if (versions.known && !(await isStranger(context, endpoint, signal)))
      return compareVersions(minorOf(versions.value.cluster), minorOf(from)) > 0
        ? `the cluster's version is ${versions.value.cluster}`
        : null;
  }
  return null;
}

/**
 * Nobody was there to ask, and etcd itself refuses the old version: the new one had raised the cluster's version before it
 * ended. It is run again, as often as it takes; only an operator can make it run.
 */
async function goOn(held: Held, way: Way, why: string): Promise<void> {
  const moved = `etcd refuses ${way.from}, since the cluster's version has moved`;
  sayNoWayBack(held, way, why, moved);
  const came = await runAs(held, runOf(way, way.to, null));
  if (came.kind === 'well') await conclude(held, way, came);
  else if (came.kind === 'failed') await recordTakenBack(held, way, `${why}; it stays, since ${moved}`);
}

function sayNoWayBack({ context }: Held, { from, to }: Way, why: string, moved: string): void {
  const said = reason(
    'upgrade-no-way-back',
    `${why}; there is no way back to ${from}: ${moved}. Etcd ${to} is started again and again: mend it, or put another patch of ${minorOf(to)} in its place in ETCD_DIR`,
  );
  context.state.noWayBack = said;
  context.state.upgrade = planWithout({ kind: 'none', reason: said });
  context.chronicle.plan('upgrade', [said]);
}
