import { isOutOfSpace } from '../core/members.ts';
import { MAINTENANCE_LOCK_TTL_SECONDS } from '../core/numbers.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import type { MaintenanceLock } from './maintenance-lock.ts';
import { LOCK_KEY } from './maintenance-lock.ts';

/** What keeping house needs of a lock: what a write to etcd compares, whether another act may be done now, and whether still. */
export type HouseRight = Pick<MaintenanceLock, 'fence' | 'guard' | 'isTimely'>;

/** For how long a guard counts where no lease says so: as long as it would at most with one. */
const GUARD_COUNTS_MS = (MAINTENANCE_LOCK_TTL_SECONDS * 1_000) / 2;

/**
 * The right of the leader's appliance while etcd takes no writes, and so no lock can be had. Right before an act its etcd
 * must still lead and be out of space, confirmed by a quorum, and nobody hold the lock. Two who keep house at once for a
 * moment do no harm: a removal names a member by its id, and records are changed by their old values (law 8).
 */
export function createUnlockedRight(context: Context): HouseRight {
  const { admin, clock, self } = context.ports;
  const own = clientUrl(self.address);
  let guardedAt = Number.NEGATIVE_INFINITY;
  return {
    fence: () => null,
    isTimely: () => clock.now() - guardedAt < GUARD_COUNTS_MS,
    async guard(signal) {
      guardedAt = clock.now();
      const holder = await admin.read(own, LOCK_KEY, { serializable: false }, signal);
      if (!holder.known || holder.value !== null) return false;
      const status = await admin.status(own, signal);
      return status.known && isOutOfSpace(status.value) && status.value.leader === status.value.memberId;
    },
  };
}
