import { ASKED_LOCK_INTERVAL_MS, LOOK_INTERVAL_MS, MAINTENANCE_LOCK_TTL_SECONDS } from '../core/numbers.ts';
import type { MemberStatus } from '../core/members.ts';
import { isOutOfSpace } from '../core/members.ts';
import type { LockAction } from '../core/plan-lock.ts';
import { planLock } from '../core/plan-lock.ts';
import { reason } from '../core/reason.ts';
import type { Context } from './context.ts';
import type { HouseMemory } from './house-memory.ts';
import { backOff, freshMemory, lookAnew } from './house-memory.ts';
import { keepHouse } from './keep-house.ts';
import { whileRenewed } from './leased-lock.ts';
import type { MaintenanceLock } from './maintenance-lock.ts';
import { createMaintenanceLock } from './maintenance-lock.ts';
import { showIfDue } from './show-members.ts';
import { createUnlockedRight } from './unlocked.ts';

/** Several renewals fit into the TTL, so that one that is lost costs nothing. */
const RENEW_INTERVAL_MS = (MAINTENANCE_LOCK_TTL_SECONDS * 1000) / 5;

/** The planners of who keeps house. */
const HOUSE_PLANNERS = ['housekeeping', 'membership', 'records', 'firewall'];

/** What has no say while etcd does not run, or says nothing. The rules are looked after by who starts, too. */
const VOTERS_PLANNERS = ['lock', 'fleet', ...HOUSE_PLANNERS.filter((it) => it !== 'firewall')];

/** Keeps the cluster's members and names equal to the fleet, on one instance at a time. */
export interface Housekeeper {
  /** Takes its turns until the signal. */
  run(signal: AbortSignal): Promise<void>;
  /** Lets the lock go, so that another can take it at once. */
  release(signal: AbortSignal): Promise<void>;
}

/** The housekeeper of one appliance. */
export function createHousekeeper(context: Context): Housekeeper {
  const { clock } = context.ports;
  const lock = createMaintenanceLock(context);
  const memory = freshMemory();
  return {
    async run(signal) {
      for (;;) {
        signal.throwIfAborted();
        const began = clock.now();
        const runs = context.state.etcd !== null;
        const again = runs && (await tick(context, lock, memory, signal));
        if (!runs) stopSaying(context, VOTERS_PLANNERS);
        // Whose etcd says nothing hears of no end of its lease: another keeps house by then.
        context.state.keepsHouse = lock.isTimely();
        context.chronicle.turn('housekeeping', began);
        if (!again) await context.houseBell.wait(LOOK_INTERVAL_MS, signal);
      }
    },
    async release(signal) {
      await lock.release(signal);
      context.state.keepsHouse = false;
    },
  };
}

/** One turn: who keeps house, and if it is this one, the house. True: again at once. */
async function tick(
  context: Context,
  lock: MaintenanceLock,
  memory: HouseMemory,
  signal: AbortSignal,
): Promise<boolean> {
  const { state, ports } = context;
  const status = state.ownStatus;
  const hasSay = status.known && !status.value.learner && state.identity?.formed === true;
  const action = hasSay ? await planned(context, lock, status.value, signal) : null;
  if (!hasSay) stopSaying(context, VOTERS_PLANNERS);
  switch (action?.kind) {
    case 'keep':
      return await whileRenewed(
        lock,
        RENEW_INTERVAL_MS,
        ports,
        signal,
        async () => await keepHouse(context, lock, memory, signal),
      );
    case 'unlocked':
      return await keepHouse(context, createUnlockedRight(context), memory, signal);
    case 'take':
      lookAnew(memory, ports.clock.now());
      if (await lock.take(signal)) return true;
      break;
    case 'look':
      await Promise.all([lookForFleet(context, memory, signal), showIfDue(context, memory, true, signal)]);
      return false;
    case 'ask':
      await lock.ask(signal);
      await showIfDue(context, memory, true, signal);
      await untilFree(context, lock, signal);
      return true;
    case 'release':
      await lock.release(signal);
      break;
    case 'none':
    case undefined:
  }
  const isVoter = state.identity?.formed === true && !(status.known && status.value.learner);
  if (isVoter) await showIfDue(context, memory, action !== null, signal);
  return false;
}

/** Ends when the lock that was asked for is free, when this loop is woken, or when the time of a turn is over. */
async function untilFree(
  { houseBell, ports: { clock } }: Context,
  lock: MaintenanceLock,
  signal: AbortSignal,
): Promise<void> {
  const until = clock.now() + LOOK_INTERVAL_MS;
  while (clock.now() < until) {
    if (await houseBell.wait(ASKED_LOCK_INTERVAL_MS, signal)) return;
    const seen = await lock.look(signal);
    if (seen.known && seen.value.holder === null) return;
  }
}

/** Nobody keeps house: who sees the fleet again may. What AWS says in place of an answer is said for as long as that lasts. */
async function lookForFleet(
  { fleetView, chronicle }: Context,
  memory: HouseMemory,
  signal: AbortSignal,
): Promise<void> {
  const fleet = await fleetView.fleet(memory.awsBackoffMs, signal);
  backOff(memory, fleet);
  if (fleet.known) chronicle.done('fleet');
  else
    chronicle.plan('fleet', [
      reason('fleet-unknown', `nobody keeps house, and the fleet is unknown: ${fleet.reason}`),
    ]);
}

/** What it planned at another time may be wrong by now: page and alarms would tell of it for ever. */
function stopSaying({ chronicle }: Context, planners: readonly string[]): void {
  for (const planner of planners) chronicle.done(planner);
}

/** What to do about the lock; null: it cannot be read, for lack of a quorum as a rule. */
async function planned(
  context: Context,
  lock: MaintenanceLock,
  status: MemberStatus,
  signal: AbortSignal,
): Promise<LockAction | null> {
  const { state, ports, fleetView, chronicle } = context;
  const seenLock = await lock.look(signal);
  if (!seenLock.known) {
    stopSaying(
      context,
      VOTERS_PLANNERS.filter((it) => it !== 'housekeeping'),
    );
    chronicle.plan('housekeeping', [reason('lock-unknown', `the lock cannot be read: ${seenLock.reason}`)]);
    return null;
  }
  const action = planLock({
    leads: status.leader === status.memberId,
    voter: true,
    outOfSpace: isOutOfSpace(status),
    holds: lock.holds(),
    wantedByLeader: seenLock.value.wantedBy !== null && seenLock.value.wantedBy !== ports.self.id,
    freeForMs: lock.freeForMs(),
    blindForMs: fleetView.blindForMs(),
    // Who leaves is no longer meant to be there, and is the one to take itself out of DNS before it hands over.
    inFleet: state.phase === 'leaving' ? null : fleetView.inFleet(),
    leaving: state.handsOver,
  });
  chronicle.plan('lock', [action.reason]);
  if (action.kind !== 'keep' && action.kind !== 'unlocked') stopSaying(context, HOUSE_PLANNERS);
  if (action.kind !== 'look') chronicle.done('fleet');
  return action;
}
