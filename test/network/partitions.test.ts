import { test } from 'vitest';
import { fleetForFile } from '../e2e/harness.ts';
import { cutOff, findStaleReads, loseATenth } from './partitions.ts';

/* One fleet of three lives through all of these, in this order. */
const fleet = fleetForFile({ size: 3, namespaces: true, environment: { HOUSEKEEPING_INTERVAL: '1s' } });

test('the leader is cut off from its peers', async () => {
  await cutOff(fleet(), 'leader', 'peers', 5_000);
});

test('a follower does not hear its peers, and they hear it', async () => {
  await cutOff(fleet(), 'follower', 'in', 5_000);
});

test('a client that is told what a member that is cut off holds itself is found out', async () => {
  await findStaleReads(fleet());
});

test('every instance loses a tenth of what it is sent', async () => {
  await loseATenth(fleet());
});

test('nothing was lost, and there was one cluster all the time', async () => {
  // Where packets are lost, a joiner may have to begin again.
  await fleet().verify({ joinersBeginAgain: true });
});
