import { test } from 'vitest';
import { dataAreDamaged } from '../e2e/damage.ts';
import { fleetForFile } from '../e2e/harness.ts';
import { diskIsSlow, housekeeperFreezes } from '../e2e/hardships.ts';

/* One fleet of three, of which one is sick at a time. Here, because disks are mounted and processes traced. */
const fleet = fleetForFile({ size: 3, environment: { HOUSEKEEPING_INTERVAL: '1s' } });

test('the disk of the leader takes 200 ms longer for each flush', async () => {
  await diskIsSlow(fleet(), 'leader', 200, 3_000);
});

test('the log of a follower ends too early', async () => {
  await dataAreDamaged(fleet(), 'follower', 'a log that ends too early');
});

test('bytes are flipped all over the database of the leader', async () => {
  await dataAreDamaged(fleet(), 'leader', 'a database with flipped bytes all over');
});

test('the appliance that keeps house freezes beyond its lease, while a follower dies', async () => {
  await housekeeperFreezes(fleet());
});

test('nothing was lost, and there was one cluster all the time', async () => {
  await fleet().verify({ joinersBeginAgain: true });
});
