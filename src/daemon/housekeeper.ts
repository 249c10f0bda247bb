import { LOOK_INTERVAL_MS, MAINTENANCE_LOCK_TTL_SECONDS } from '../core/numbers.ts';
import { isOutOfSpace } from '../core/members.ts';
import { planLock } from '../core/plan-lock.ts';
import { reason } from '../core/reason.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import type { HouseMemory } from './house-memory.ts';
import { backOff, freshMemory, lookAnew } from './house-memory.ts';
import { keepHouse } from './keep-house.ts';
import { whileRenewed } from './leased-lock.ts';
import { look } from './look.ts';
import type { MaintenanceLock } from './maintenance-lock.ts';
import { createMaintenanceLock } from './maintenance-lock.ts';
import { createUnlockedRight } from './unlocked.ts';
import { readPublished } from './published.ts';

/** Several renewals fit into the TTL, so that one that is lost costs nothing. */
const RENEW_INTERVAL_MS = (MAINTENANCE_LOCK_TTL_SECONDS * 1000) / 5;

/** A follower that nobody watches looks at what it shows this often: its metrics are no older. Watched, in each turn. */
const UNWATCHED_LOOK_MS = 30_000;

/** It is watched for so long after somebody looked. */
const WATCHED_MS = 10_000;

/** The planners of who keeps house. */
const HOUSE_PLANNERS = ['housekeeping', 'membership', 'records', 'firewall'];

/** What has no say while etcd does not run. The rules are looked after by who starts, too. */
const VOTERS_PLANNERS = ['lock', ...HOUSE_PLANNERS.filter((it) => it !== 'firewall')];

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
        if (!runs) for (const planner of VOTERS_PLANNERS) context.chronicle.done(planner);
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
  const endpoint = clientUrl(ports.self.address);
  const status = state.ownStatus;
  if (!status.known || status.value.learner || state.identity?.formed !== true) return false;
  const seenLock = await lock.look(signal);
  if (!seenLock.known) {
    context.chronicle.plan('housekeeping', [
      reason('lock-unknown', `the lock cannot be read: ${seenLock.reason}`),
    ]);
    return false;
  }
  const { fleetView } = context;
  const action = planLock({
    leads: status.value.leader === status.value.memberId,
    voter: true,
    outOfSpace: isOutOfSpace(status.value),
    holds: lock.holds(),
    wantedByLeader: seenLock.value.wantedBy !== null && seenLock.value.wantedBy !== ports.self.id,
    freeForMs: lock.freeForMs(),
    blindForMs: fleetView.blindForMs(),
    // Who leaves is no longer meant to be there, and is the one to take itself out of DNS before it hands over.
    inFleet: state.phase === 'leaving' ? null : fleetView.inFleet(),
    leaving: state.handsOver,
  });
  context.chronicle.plan('lock', [action.reason]);
  // What it planned when it last kept house may be wrong by now: page and alarms would tell of it for ever.
  if (action.kind !== 'keep' && action.kind !== 'unlocked')
    for (const planner of HOUSE_PLANNERS) context.chronicle.done(planner);
  switch (action.kind) {
    case 'none':
      if (isShowDue(context, memory)) await showPublished(context, endpoint, signal);
      return false;
    case 'look':
      backOff(memory, await fleetView.fleet(memory.awsBackoffMs, signal));
      return false;
    case 'ask':
      await lock.ask(signal);
      return false;
    case 'release':
      await lock.release(signal);
      return false;
    case 'take':
      lookAnew(memory, ports.clock.now());
      return await lock.take(signal);
    case 'unlocked':
      return await keepHouse(context, createUnlockedRight(context), memory, signal);
    case 'keep':
      return await whileRenewed(
        lock,
        RENEW_INTERVAL_MS,
        ports,
        signal,
        async () => await keepHouse(context, lock, memory, signal),
      );
  }
}

/** Whether what a follower shows is due to be looked at: five calls of etcd that decide nothing. */
function isShowDue({ state, ports }: Context, memory: HouseMemory): boolean {
  const now = ports.clock.now();
  const watched = now - state.watchedAt < WATCHED_MS;
  // Half a turn early: a turn that comes just before its time must not cost another.
  if (!watched && now - memory.shownAt < UNWATCHED_LOOK_MS - LOOK_INTERVAL_MS / 2) return false;
  memory.shownAt = now;
  return true;
}

/** A follower shows what the housekeeper published, and asks AWS nothing. */
async function showPublished(context: Context, endpoint: string, signal: AbortSignal): Promise<void> {
  const { state, ports } = context;
  const published = await readPublished(ports.admin, endpoint, signal);
  if (published === null) return;
  state.publishedBy = published.by;
  state.publishedAt = published.at;
  state.publishedEpoch = published.claim?.epoch ?? null;
  if (published.fleet !== null) state.fleet = { known: true, value: published.fleet };
  const seen = await look(context, endpoint, signal);
  if (!seen.known) return;
  state.members = seen.value.members;
  state.lookedAt = ports.clock.wallTime();
}
