import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import type { MaintenanceLock } from './maintenance-lock.ts';
import { LOCK_KEY } from './maintenance-lock.ts';

/** What keeping house needs of a lock: what a write to etcd compares, and whether another act may be done now. */
export type HouseRight = Pick<MaintenanceLock, 'fence' | 'guard'>;

/**
 * The right of the leader's appliance while etcd takes no writes, and so no lock can be had. Right before an act its etcd
 * must still lead, confirmed by a quorum, and nobody hold the lock. Two who keep house at once for a moment do no harm: a
 * removal names a member by its id, and records are changed by their old values (law 8).
 */
export function createUnlockedRight(context: Context): HouseRight {
  const { admin, self } = context.ports;
  const own = clientUrl(self.address);
  return {
    fence: () => null,
    async guard(signal) {
      const holder = await admin.read(own, LOCK_KEY, { serializable: false }, signal);
      if (!holder.known || holder.value !== null) return false;
      const status = await admin.status(own, signal);
      return status.known && status.value.leader === status.value.memberId;
    },
  };
}
