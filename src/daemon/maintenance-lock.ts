import type { Known } from '../core/known.ts';
import { known } from '../core/known.ts';
import { LOOK_INTERVAL_MS, MAINTENANCE_LOCK_TTL_SECONDS } from '../core/numbers.ts';
import type { Context } from './context.ts';
import type { Fence, KeyValue } from './ports.ts';

/** The housekeeper's lock (design.md, "Housekeeping"). */
export const LOCK_KEY = '_self_maintenance_lock';

/** The leader's appliance puts its id here to ask a holder that does not lead for the lock. */
export const WANTED_KEY = '_appliance/housekeeping-wanted';

/** What was read in the last turn of a loop that takes one every two seconds. */
const READ_COUNTS_MS = LOOK_INTERVAL_MS * 1.5;

/** The right to keep house, bound to a lease. One per appliance; all calls go through its own etcd. */
export interface MaintenanceLock {
  holds(): boolean;
  /** For how long nobody has been seen to hold it; 0 while somebody does; ms. */
  freeForMs(): number;
  /** Looks who holds it, and renews it where this appliance does. */
  look(
    endpoint: string,
    signal: AbortSignal,
  ): Promise<Known<{ readonly holder: string | null; readonly wantedBy: string | null }>>;
  /** Renews the lease where the lock is held: a tick that waits for AWS or for silent members outlasts it. */
  renew(endpoint: string, signal: AbortSignal): Promise<void>;
  take(endpoint: string, signal: AbortSignal): Promise<boolean>;
  ask(endpoint: string, signal: AbortSignal): Promise<void>;
  release(endpoint: string, signal: AbortSignal): Promise<void>;
  /** What a write that carries a comparison compares; null: the lock is not held. */
  fence(): Fence | null;
  /**
   * Law 8: whether an act that cannot carry the comparison may be done now. A linearizable read of the lock says that it
   * is still this one, and the own deadline, half the TTL from before the last renewal was sent, is not over.
   */
  guard(endpoint: string, signal: AbortSignal): Promise<boolean>;
}

interface Held {
  readonly leaseId: string;
  readonly createRevision: string;
  readonly deadline: number;
}

function leads({ state: { ownStatus } }: Context): boolean {
  return ownStatus.known && ownStatus.value.leader === ownStatus.value.memberId;
}

/** A lock over the admin port. */
export function createMaintenanceLock(context: Context): MaintenanceLock {
  const { admin, clock, self } = context.ports;
  const halfTtlMs = (MAINTENANCE_LOCK_TTL_SECONDS * 1000) / 2;
  let held: Held | null = null;
  let freeSince: number | null = null;
  let wantedLease: string | null = null;

  const renew = async (endpoint: string, signal: AbortSignal): Promise<void> => {
    const asked = held;
    if (asked === null) return;
    const sent = clock.now();
    const alive = await admin.keepAlive(endpoint, asked.leaseId, signal);
    // Let go, or taken anew, while it was asked: the answer is about another lease.
    if (!alive.known || held?.leaseId !== asked.leaseId) return;
    held = alive.value ? { ...held, deadline: Math.max(held.deadline, sent + halfTtlMs) } : null;
  };

  /** Who neither holds it nor leads has nothing to do about it soon: what the watch over its etcd read is new enough. */
  const lookAt = async (endpoint: string, signal: AbortSignal): Promise<Known<KeyValue | null>> => {
    const read = context.state.lockRead;
    const sent = clock.now();
    if (held === null && !leads(context) && read !== null && sent - read.at < READ_COUNTS_MS)
      return known(read.lock);
    const lock = await admin.read(endpoint, LOCK_KEY, { serializable: false }, signal);
    // The watch over the leader's etcd need not read it again.
    if (lock.known && leads(context)) context.state.lockRead = { at: sent, lock: lock.value };
    return lock;
  };

  return {
    renew,
    holds: () => held !== null,
    freeForMs: () => (freeSince === null ? 0 : Math.max(1, clock.now() - freeSince)),
    async look(endpoint, signal) {
      await renew(endpoint, signal);
      const current = await lookAt(endpoint, signal);
      if (!current.known) return current;
      if (current.value === null) freeSince ??= clock.now();
      else freeSince = null;
      if (held !== null && current.value?.createRevision !== held.createRevision) held = null;
      if (held === null) return known({ holder: current.value?.value ?? null, wantedBy: null });
      // Only the leader's appliance may want it from another.
      if (leads(context)) return known({ holder: self.id, wantedBy: null });
      const wanted = await admin.read(endpoint, WANTED_KEY, { serializable: true }, signal);
      return known({ holder: self.id, wantedBy: wanted.known ? (wanted.value?.value ?? null) : null });
    },
    async take(endpoint, signal) {
      const sent = clock.now();
      const lease = await admin.grantLease(endpoint, MAINTENANCE_LOCK_TTL_SECONDS, signal);
      if (!lease.known) return false;
      const created = await admin.createKey(endpoint, LOCK_KEY, self.id, lease.value, signal);
      if (!created.known || created.value === null) {
        await admin.revokeLease(endpoint, lease.value, signal);
        return false;
      }
      held = {
        leaseId: lease.value,
        createRevision: created.value.createRevision,
        deadline: sent + halfTtlMs,
      };
      freeSince = null;
      return true;
    },
    async ask(endpoint, signal) {
      if (wantedLease !== null) {
        const alive = await admin.keepAlive(endpoint, wantedLease, signal);
        if (alive.known && alive.value) return;
      }
      const lease = await admin.grantLease(endpoint, MAINTENANCE_LOCK_TTL_SECONDS, signal);
      if (!lease.known) return;
      const put = await admin.put(endpoint, WANTED_KEY, self.id, { leaseId: lease.value }, signal);
      if (put.known && put.value) wantedLease = lease.value;
    },
    async release(endpoint, signal) {
      const { leaseId } = held ?? { leaseId: null };
      held = null;
      if (leaseId !== null) await admin.revokeLease(endpoint, leaseId, signal);
    },
    fence: () => (held === null ? null : { key: LOCK_KEY, createRevision: held.createRevision }),
    async guard(endpoint, signal) {
      await renew(endpoint, signal);
      if (held === null) return false;
      const current = await admin.read(endpoint, LOCK_KEY, { serializable: false }, signal);
      // A departure may have let it go meanwhile.
      if (held === null || !current.known || current.value?.createRevision !== held.createRevision)
        return false;
      return clock.now() < held.deadline;
    },
  };
}
