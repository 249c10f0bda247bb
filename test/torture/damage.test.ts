import { describe, test } from 'vitest';
import { DAMAGES, dataAreDamaged, type Damage } from '../e2e/damage.ts';
import { fleetForFile } from '../e2e/harness.ts';

/* One fleet of three, whose data are damaged in every way, at a follower and at the leader. */
const fleet = fleetForFile({ size: 3 });

describe.each(Object.keys(DAMAGES) as Damage[])('%s', (damage) => {
  test.for(['follower', 'leader'] as const)('of the %s', async (role) => {
    await dataAreDamaged(fleet(), role, damage);
  });
});

test('nothing was lost, and there was one cluster all the time', async () => {
  await fleet().verify({ joinersBeginAgain: true });
});
