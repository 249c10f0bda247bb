import { describe, test } from 'vitest';
import { DAMAGES, dataAreDamaged, type Damage } from '../e2e/damage.ts';
import { fleetForFile } from '../e2e/harness.ts';
import type { Role } from '../e2e/roles.ts';

const ROLES: readonly Role[] = ['follower', 'leader'];
const CASES = (Object.keys(DAMAGES) as Damage[]).map((damage, index) => ({ damage, index }));

/* A fleet of three, whose data are damaged in every way, at a follower and at the leader; and beside it one of five, at one of the two. */
describe.concurrent.each([3, 5])('of %i', (size) => {
  describe('in turn', { concurrent: false }, () => {
    const fleet = fleetForFile({ size });

    test.for(
      CASES.flatMap(({ damage, index }) =>
        (size === 3 ? ROLES : ROLES.slice(index % 2, (index % 2) + 1)).map((role) => ({ damage, role })),
      ),
    )('$damage of the $role', async ({ damage, role }) => {
      await dataAreDamaged(fleet(), role, damage);
    });

    test('nothing was lost, and there was one cluster all the time', async () => {
      await fleet().verify({ joinersBeginAgain: true });
    });
  });
});
