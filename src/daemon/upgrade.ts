import { UPGRADE_LOCK_TTL_SECONDS } from '../core/numbers.ts';
import { isRefused } from '../core/known.ts';
import type { UpgradeAction, UpgradeCode, UpgradePlan } from '../core/plan-upgrade.ts';
import { planUpgrade, planWithout } from '../core/plan-upgrade.ts';
import type { Reason } from '../core/reason.ts';
import { reason } from '../core/reason.ts';
import { UPGRADE_LOCK_KEY } from '../core/upgrade-record.ts';
import { standingOf } from '../core/upgrade-standing.ts';
import { clientUrl } from '../core/urls.ts';
import { pickBinary } from '../core/versions.ts';
import type { Context } from './context.ts';
import type { LeasedLock } from './leased-lock.ts';
import { createLeasedLock, whileRenewed } from './leased-lock.ts';
import { inOwnCluster } from './own-cluster.ts';
import type { MemberLook } from './state.ts';
import type { Held } from './upgrade-acts.ts';
import { endpointsOf, writePart } from './upgrade-acts.ts';
import { bringSnapshot, enableDowngrade, endDowngrade } from './upgrade-cluster-acts.ts';
import type { UpgradeMemory } from './upgrade-facts.ts';
import { freshUpgradeMemory, isLeftClearing, noteTurn, observeUpgrade } from './upgrade-facts.ts';
import { readUpgradeRecord } from './upgrade-look.ts';
import { createUpgradePace } from './upgrade-pace.ts';
import { leftStep, resumeStep } from './upgrade-resume.ts';
import { clearRequests, endClear, stepSelf } from './upgrade-step.ts';

/** Several renewals fit into the own deadline, which is half the TTL. */
const RENEW_INTERVAL_MS = (UPGRADE_LOCK_TTL_SECONDS * 1000) / 6;

/** Steps the own etcd through an upgrade, when it is its turn. Ends with the signal. */
export async function keepUpgraded(context: Context, signal: AbortSignal): Promise<void> {
  const { clock, self } = context.ports;
  const memory = freshUpgradeMemory();
  const lock = createLeasedLock(
    {
      key: UPGRADE_LOCK_KEY,
      ttlSeconds: UPGRADE_LOCK_TTL_SECONDS,
      endpoints: (cut) => inOwnCluster(context, endpointsOf(context, memory.members), cut),
      inherits: true,
    },
    context.ports,
  );
  const untilNext = createUpgradePace(context);
  await endStepBefore(context, lock, signal);
  for (;;) {
    signal.throwIfAborted();
    const began = clock.now();
    const plan = await look(context, memory, signal);
    context.state.upgrade = plan;
    if (plan === null) context.chronicle.done('upgrade');
    else {
      context.chronicle.plan('upgrade', [plan.action.reason]);
      tellFirst(context, memory, plan.action, signal);
      if ('who' in plan.action && plan.action.who === self.id)
        await underLock(context, lock, plan.action, memory, signal);
      else if (memory.left) await endLeftStep(context, lock, memory, signal);
    }
    context.chronicle.turn('upgrade', began);
    await untilNext(plan, memory.news, signal);
  }
}

/** Goes on with what an earlier life of this appliance left in the middle; it has no plan to follow while etcd is down. */
async function endStepBefore(context: Context, lock: LeasedLock, signal: AbortSignal): Promise<void> {
  const held: Held = { context, lock, members: [], signal };
  const step = await leftStep(held);
  if (step === null) return;
  try {
    await whileRenewed(
      lock,
      RENEW_INTERVAL_MS,
      context.ports,
      signal,
      async () => await resumeStep(held, step),
    );
  } finally {
    if (!signal.aborted) await lock.release(signal);
  }
}

/** The plan as it is now; null: this instance has no say yet. */
async function look(
  context: Context,
  memory: UpgradeMemory,
  signal: AbortSignal,
): Promise<UpgradePlan | null> {
  memory.left = false;
  memory.news = null;
  const { ownStatus } = context.state;
  if (isRefused(ownStatus)) return waitFor(reason('upgrade-auth', ownStatus.reason));
  if (!hasSay(context)) return context.state.noWayBack === null ? null : waitFor(context.state.noWayBack);
  context.state.noWayBack = null;
  if (!(await hasReason(context, signal))) return planWithout(DONE);
  return await planNow(context, memory, { acts: false }, signal);
}

async function planNow(
  context: Context,
  memory: UpgradeMemory,
  why: { readonly acts: boolean },
  signal: AbortSignal,
): Promise<UpgradePlan> {
  const seen = await observeUpgrade(context, memory, why, signal);
  if (seen.known) return planUpgrade(seen.value);
  return waitFor(reason(isRefused(seen) ? 'upgrade-auth' : 'upgrade-unknown', seen.reason));
}

function waitFor(why: Reason<UpgradeCode>): UpgradePlan {
  return planWithout({ kind: 'none', reason: why });
}

const DONE: UpgradeAction = {
  kind: 'none',
  reason: reason('upgrade-done', 'this member runs what its instance aims at'),
};

/** A voter of a formed cluster has a say. */
function hasSay({ state }: Context): boolean {
  const { etcd, ownStatus, identity, phase } = state;
  return (
    etcd !== null &&
    phase === 'running' &&
    identity?.formed === true &&
    ownStatus.known &&
    !ownStatus.value.learner
  );
}

/** Whether the own etcd runs something else than this instance aims at, or something of an upgrade was left behind. */
async function hasReason(context: Context, signal: AbortSignal): Promise<boolean> {
  const { ports, state, options } = context;
  if (isLeftClearing(context)) return true;
  const own = clientUrl(ports.self.address);
  const [lock, record, versions, installed] = await Promise.all([
    ports.admin.read(own, UPGRADE_LOCK_KEY, { serializable: false }, signal),
    readUpgradeRecord(ports, own, signal),
    ports.admin.versions(own, signal),
    ports.process.binaries(signal),
  ]);
  if (!record.known || !lock.known || lock.value?.value === ports.self.id) return true;
  const aim = pickBinary(installed, record.value.to ?? options.etcdVersion);
  state.aim = aim;
  const left = record.value.step !== null || (versions.known && versions.value.downgradeTarget !== null);
  return left || aim !== state.etcd?.version;
}

/** Takes the lock, plans again under it, and acts where the plan is the same; tells the next one when it is over. */
async function underLock(
  context: Context,
  lock: LeasedLock,
  action: UpgradeAction,
  memory: UpgradeMemory,
  signal: AbortSignal,
): Promise<void> {
  if (!(await lock.take(signal))) return;
  try {
    await whileRenewed(lock, RENEW_INTERVAL_MS, context.ports, signal, async () => {
      const again = hasSay(context) ? await planNow(context, memory, { acts: true }, signal) : null;
      if (again === null || !isSame(again.action, action)) return;
      context.state.upgrade = again;
      const gaveUp = await carryOut({ context, lock, members: memory.members, signal }, again.action);
      noteTurn(context, memory, gaveUp);
      if (gaveUp !== null) tellGivenUp(context, again.action, gaveUp);
    });
  } finally {
    if (!signal.aborted) await lock.release(signal);
    tellOthers(context, memory.members, signal);
    // What etcd refused at once is planned again: not without a pause.
    const repeats = memory.acted !== null && isSame(memory.acted, action);
    memory.acted = action;
    if (!repeats) context.upgradeBell.ring();
  }
}

/**
 * Says that a step is over which an earlier life of this instance began, or an instance that is gone, and died in: the others
 * wait for it as long as it could last. Whether the member is well they see for themselves.
 */
async function endLeftStep(
  context: Context,
  lock: LeasedLock,
  memory: UpgradeMemory,
  signal: AbortSignal,
): Promise<void> {
  if (!(await lock.take(signal))) return;
  await writePart({ context, lock, members: memory.members, signal }, 'step', null);
  await lock.release(signal);
  memory.left = false;
  tellOthers(context, memory.members, signal);
  context.upgradeBell.ring();
}

function isSame(one: UpgradeAction, other: UpgradeAction): boolean {
  return (
    one.kind === other.kind &&
    JSON.stringify({ ...one, reason: null }) === JSON.stringify({ ...other, reason: null })
  );
}

function tellGivenUp({ chronicle }: Context, { reason: why }: UpgradeAction, gaveUp: string): void {
  const sentence = `${why.sentence}: given up before anything was stopped, as ${gaveUp}`;
  chronicle.trouble('upgrade', reason('upgrade-given-up', sentence));
}

/** Null: it was done, tried, or left to others; else why it was given up before anything was stopped, as a clause. */
async function carryOut(held: Held, action: UpgradeAction): Promise<string | null> {
  switch (action.kind) {
    case 'none':
      return null;
    case 'step':
      return await stepSelf(held, action);
    case 'clear':
      return await clearRequests(held, action);
    case 'end-clear':
      return await endClear(held, action);
    case 'bring-snapshot':
      return await bringSnapshot(held, action);
    case 'enable-downgrade':
      return await enableDowngrade(held, action);
    case 'cancel-downgrade':
      await endDowngrade(held, action);
      return null;
  }
}

/**
 * The image that this life came with, or its configuration, may be what others have waited for, and nothing in etcd says so:
 * whose turn it is may look rarely by now.
 */
function tellFirst(
  context: Context,
  memory: UpgradeMemory,
  action: UpgradeAction,
  signal: AbortSignal,
): void {
  if (!memory.begins || standingOf(action) === 'waits') return;
  memory.begins = false;
  const who = 'who' in action ? action.who : null;
  tellOthers(
    context,
    memory.members.filter((it) => it.name === who),
    signal,
  );
}

/** Whose turn it is next need not find out by itself. Lost, it costs a look's time. */
function tellOthers({ ports }: Context, members: readonly MemberLook[], signal: AbortSignal): void {
  for (const { address } of members)
    if (address !== ports.self.address)
      void ports.peers
        .askUpgrade(address, { from: ports.self.id, fresh: true }, signal)
        .catch(() => undefined);
}
