import { UPGRADE_SETTLE_MS, UPGRADE_STEP_LIMIT_MS } from '../core/numbers.ts';
import { whyUnhealthy } from '../core/readiness.ts';
import { reason } from '../core/reason.ts';
import { clientUrl } from '../core/urls.ts';
import { compareVersions, minorOf } from '../core/versions.ts';
import type { Context } from './context.ts';
import type { MemberLook } from './state.ts';
import type { Swap } from './swap-etcd.ts';
import { swapEtcd } from './swap-etcd.ts';
import type { Held, UpgradeActionOf } from './upgrade-acts.ts';
import { endpointsOf, nameSelf, recordFailure, stepNow, writePart } from './upgrade-acts.ts';

/** While a member comes up, it is asked this often: a step takes seconds, and others wait for it. */
const LOOK_MS = 100;

/** A lock that was lost is asked for again this often. */
const REGAIN_MS = 2_000;

/** Ends and failed starts after which a binary does not come up: one may be an accident. */
const MOST_FAILURES = 2;

/** Snapshots of the log are taken after so few entries while requests of the old API are to leave it. */
const CLEARING_SNAPSHOT_COUNT = 3;

/** Writes that bring about a snapshot at that count, and one more. */
const CLEARING_WRITES = 8;

/** What became of a binary that was started. */
type Came =
  { readonly kind: 'well' } | { readonly kind: 'failed'; readonly why: string } | { readonly kind: 'left' };

/**
 * Steps the own member to another binary (design.md, "Upgrade"): out of DNS, leadership handed over, etcd stopped and
 * started as the other version, and back when it has been well for the settle time. One that does not come up is taken
 * back, where etcd allows it, and that stops the upgrade.
 */
export async function stepSelf(held: Held, action: UpgradeActionOf<'step'>): Promise<void> {
  const { context, signal } = held;
  const { from, to } = action;
  const obstacle = await context.ports.inspect.binary(to, signal);
  if (obstacle !== null) return await recordFailure(held, from, to, obstacle.why);
  await away(held, action, async () => {
    const came = await runAs(held, { version: to, snapshotCount: null });
    if (came.kind === 'failed') await goBack(held, from, to, came.why);
    else if (came.kind === 'well') {
      // What failed before was another step, or another instance's.
      await writePart(held, 'failed', null);
      context.chronicle.event('upgrade', reason('upgrade-stepped', `stepped from ${from} to ${to}`), {
        from,
        to,
      });
    }
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
    const came = await runAs(held, { version: from, snapshotCount: CLEARING_SNAPSHOT_COUNT });
    if (came.kind === 'left') return;
    let why = came.kind === 'failed' ? came.why : await clearByWrites(held, from);
    const back = await runAs(held, { version: from, snapshotCount: null });
    if (back.kind === 'failed') why = back.why;
    if (why !== null) return await recordFailure(held, from, to, why);
    context.chronicle.event(
      'upgrade',
      reason('upgrade-cleared', 'what the next minor dies of has left the log'),
    );
  });
}

/** Writes until the log has been cut; null: nothing is left in it, else what is. */
async function clearByWrites(held: Held, version: string): Promise<string | null> {
  const { context, signal } = held;
  for (let write = 0; write < CLEARING_WRITES; write += 1)
    await writePart(held, 'step', stepNow(context, version, version));
  context.upgradeWord.forget();
  const { v2, replay } = await context.upgradeWord.tell(signal);
  context.upgradeWord.forget();
  if (!v2.known || !replay.known) return v2.known ? 'the log cannot be read' : v2.reason;
  if (v2.value !== 'clean') return 'requests of the old API stay in the log';
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
  if ((await lock.guard(signal)) && !isLeaving(context)) await work();
  if (!(await regain(held))) return;
  // Who leaves meanwhile stays out of them.
  if (!isLeaving(context)) await nameSelf(held, true);
  await writePart(held, 'step', null);
}

function isLeaving({ state }: Context): boolean {
  return state.phase !== 'running';
}

/**
 * A step that outlived its lock does nothing more under it: it takes it anew, however long that takes. Nobody else steps
 * while this member is not well. False: the instance leaves.
 */
async function regain({ context, lock, signal }: Held): Promise<boolean> {
  while (!(await lock.guard(signal))) {
    if (isLeaving(context)) return false;
    if (await lock.take(signal)) return true;
    await context.ports.clock.sleep(REGAIN_MS, signal);
  }
  return true;
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

/** Stops etcd, has it started as `how` says, and waits until it is well. */
async function runAs(held: Held, how: Pick<Swap, 'version' | 'snapshotCount'>): Promise<Came> {
  const { context } = held;
  const swap = await swapEtcd(context, how);
  try {
    return await comeUp(held, swap);
  } finally {
    if (context.state.swap === swap) context.state.swap = null;
  }
}

/** Waits until the member is a voter that is close to the leader, and has been so for the settle time, on that version. */
async function comeUp({ context, members, signal }: Held, swap: Swap): Promise<Came> {
  const { clock } = context.ports;
  const until = clock.now() + UPGRADE_STEP_LIMIT_MS;
  let wellSince: number | null = null;
  let why = 'it has not answered yet';
  for (;;) {
    if (isLeaving(context)) return { kind: 'left' };
    if (swap.failures >= MOST_FAILURES)
      return { kind: 'failed', why: `etcd ${swap.version} does not come up: ${swap.lastWords}` };
    const unwell = await whyUnwell(context, members, swap.version, signal);
    const now = clock.now();
    wellSince = unwell === null ? (wellSince ?? now) : null;
    why = unwell ?? why;
    if (wellSince !== null && now - wellSince >= UPGRADE_SETTLE_MS) return { kind: 'well' };
    if (now >= until)
      return {
        kind: 'failed',
        why: `etcd ${swap.version} is not well within ${UPGRADE_STEP_LIMIT_MS / 1000} s: ${why}`,
      };
    await clock.sleep(LOOK_MS, signal);
  }
}

async function whyUnwell(
  context: Context,
  members: readonly MemberLook[],
  version: string,
  signal: AbortSignal,
): Promise<string | null> {
  const { admin, self } = context.ports;
  const status = await admin.status(clientUrl(self.address), signal);
  if (!status.known) return status.reason;
  const { version: runs, memberId } = status.value;
  if (runs !== version) return `etcd ${runs} answers`;
  // As far as the others were before the step; what came since is as quick to catch up with as it came.
  const indexes = members.map((it) => (it.status.known ? it.status.value.raftIndex : 0));
  return whyUnhealthy({ status, memberId, highestIndex: Math.max(0, ...indexes) });
}

/** Back to the old binary, where the cluster's version has not moved; the upgrade stops either way. */
async function goBack(held: Held, from: string, to: string, why: string): Promise<void> {
  if (!(await regain(held))) return;
  const moved = await hasMoved(held, from);
  if (moved !== null) return await recordFailure(held, from, to, `${why}; it stays, since ${moved}`);
  const back = await runAs(held, { version: from, snapshotCount: null });
  const how = back.kind === 'well' ? `etcd ${from} runs again` : `and etcd ${from} does not come up either`;
  await recordFailure(held, from, to, `${why}; ${how}`);
}

/** Why etcd would not let the old version back in; null: it does. Who does not answer has not raised anything either. */
async function hasMoved({ context, members, signal }: Held, from: string): Promise<string | null> {
  for (const endpoint of endpointsOf(context, members)) {
    const versions = await context.ports.admin.versions(endpoint, signal);
    if (versions.known)
      return compareVersions(minorOf(versions.value.cluster), minorOf(from)) > 0
        ? `the cluster's version is ${versions.value.cluster}`
        : null;
  }
  return null;
}
