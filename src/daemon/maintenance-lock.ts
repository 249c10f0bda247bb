import type { Known } from '../core/known.ts';
import { known } from '../core/known.ts';
import { LOOK_INTERVAL_MS, MAINTENANCE_LOCK_TTL_SECONDS, UNREAD_LOCK_MS } from '../core/numbers.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import type { LeasedLock } from './leased-lock.ts';
import { createLeasedLock } from './leased-lock.ts';
import type { KeyValue } from './ports.ts';

/** The housekeeper's lock (design.md, "Housekeeping"). */
export const LOCK_KEY = '_self_maintenance_lock';

/** The leader's appliance puts its id here to ask a holder that does not lead for the lock. */
export const WANTED_KEY = '_appliance/housekeeping-wanted';

/** What was read in the last turn of a loop that takes one every two seconds. */
const READ_COUNTS_MS = LOOK_INTERVAL_MS * 1.5;

/** The right to keep house, bound to a lease. One per appliance; all calls go through its own etcd. */
export interface MaintenanceLock extends Omit<LeasedLock, 'note'> {
  /** For how long nobody has been seen to hold it; 0 while somebody does; ms. */
  freeForMs(): number;
  /** Looks who holds it, and renews it where this appliance does, and could read it not long ago. */
  look(
    signal: AbortSignal,
  ): Promise<Known<{ readonly holder: string | null; readonly wantedBy: string | null }>>;
  /** Asks the holder, who does not lead, to let it go. */
  ask(signal: AbortSignal): Promise<void>;
}

function leads({ state: { ownStatus } }: Context): boolean {
  return ownStatus.known && ownStatus.value.leader === ownStatus.value.memberId;
}

/** The lock of one appliance. */
export function createMaintenanceLock(context: Context): MaintenanceLock {
  const { admin, clock, self } = context.ports;
  const own = clientUrl(self.address);
  const lock = createLeasedLock(
    { key: LOCK_KEY, ttlSeconds: MAINTENANCE_LOCK_TTL_SECONDS, endpoints: () => [own], inherits: false },
    context.ports,
  );
  let freeSince: number | null = null;
  let wantedLease: string | null = null;
  let readAt = clock.now();

  /** Who neither holds it nor leads has nothing to do about it soon: what the watch over its etcd read is new enough. */
  const read = async (signal: AbortSignal): Promise<Known<KeyValue | null>> => {
    const last = context.state.lockRead;
    const sent = clock.now();
    if (!lock.holds() && !leads(context) && last !== null && sent - last.at < READ_COUNTS_MS)
      return known(last.lock);
    const current = await admin.read(own, LOCK_KEY, { serializable: false }, signal);
    // The watch over the leader's etcd need not read it again.
    if (current.known && leads(context)) context.state.lockRead = { at: sent, lock: current.value };
    return current;
  };

  return {
    ...lock,
    freeForMs: () => (freeSince === null ? 0 : Math.max(1, clock.now() - freeSince)),
    async look(signal) {
      if (clock.now() - readAt < UNREAD_LOCK_MS) await lock.renew(signal);
      else lock.note(null);
      const current = await read(signal);
      if (!current.known) return current;
      readAt = clock.now();
      if (current.value === null) freeSince ??= clock.now();
      else freeSince = null;
      lock.note(current.value);
      if (!lock.holds()) return known({ holder: current.value?.value ?? null, wantedBy: null });
      // Only the leader's appliance may want it from another.
      if (leads(context)) return known({ holder: self.id, wantedBy: null });
      const wanted = await admin.read(own, WANTED_KEY, { serializable: true }, signal);
      return known({ holder: self.id, wantedBy: wanted.known ? (wanted.value?.value ?? null) : null });
    },
    async take(signal) {
      const taken = await lock.take(signal);
      if (taken) {
        freeSince = null;
        readAt = clock.now();
      }
      return taken;
    },
    async ask(signal) {
      if (wantedLease !== null) {
        const alive = await admin.keepAlive(own, wantedLease, signal);
        if (alive.known && alive.value) return;
      }
      const lease = await admin.grantLease(own, MAINTENANCE_LOCK_TTL_SECONDS, signal);
      if (!lease.known) return;
      const put = await admin.put(own, WANTED_KEY, self.id, { leaseId: lease.value }, signal);
      if (put.known && put.value) wantedLease = lease.value;
    },
  };
}
