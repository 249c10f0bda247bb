import { UPGRADE_LOCK_KEY } from '../core/upgrade-record.ts';
import { clientUrl } from '../core/urls.ts';
import type { Ports } from './ports.ts';
import type { HouseRight } from './unlocked.ts';

/**
 * The right to keep house as long as nobody steps to another etcd (design.md, "Upgrade"). A turn asks AWS, and an etcd that
 * steps may keep it waiting: that nobody stepped when it began says nothing of the moment in which it acts.
 */
export function whileNobodySteps(
  right: HouseRight,
  { admin, self }: Pick<Ports, 'admin' | 'self'>,
): HouseRight {
  return {
    fence: right.fence,
    isTimely: right.isTimely,
    async guard(signal) {
      const own = clientUrl(self.address);
      const [isRight, step] = await Promise.all([
        right.guard(signal),
        admin.read(own, UPGRADE_LOCK_KEY, { serializable: false }, signal),
      ]);
      // The own lock may have been let go, or have ended, while the other answer was waited for.
      return isRight && step.known && step.value === null && right.isTimely();
    },
  };
}
