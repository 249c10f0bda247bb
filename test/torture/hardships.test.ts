import { describe, test } from 'vitest';
import { fleetForFile } from '../e2e/harness.ts';
import { diskIsFull, diskIsSlow, etcdFreezes, housekeeperFreezes } from '../e2e/hardships.ts';
import type { Role } from '../e2e/roles.ts';

const ROLES: readonly Role[] = ['follower', 'leader'];

/* One instance that is sick and not dead, in a fleet of three, and in one of five beside it. */
describe.concurrent.each([3, 5])('one of %i', (size) => {
  describe('in turn', { concurrent: false }, () => {
    const fleet = fleetForFile({ size, environment: { HOUSEKEEPING_INTERVAL: '1s' } });

    test.for(ROLES)('the etcd of the %s freezes for 30 s', async (role) => {
      await etcdFreezes(fleet(), role, 30_000);
    });

    test('the appliance that keeps house freezes beyond its lease, while a follower dies', async () => {
      await housekeeperFreezes(fleet());
    });

    test.for([
      { role: 'follower', delayMs: 200 },
      { role: 'leader', delayMs: 200 },
      { role: 'follower', delayMs: 2_000 },
      { role: 'leader', delayMs: 2_000 },
    ] satisfies readonly { role: Role; delayMs: number }[])(
      'the disk of the $role takes $delayMs ms longer for each flush',
      async ({ role, delayMs }) => {
        await diskIsSlow(fleet(), role, delayMs, 30_000);
      },
    );

    test.for(ROLES)('the disk of the %s is full for a while', async (role) => {
      await diskIsFull(fleet(), role, 10_000);
    });

    test('nothing was lost, and there was one cluster all the time', async () => {
      await fleet().verify();
    });
  });
});
