import { describe, expect, test } from 'vitest';
import { fleetForFile } from '../e2e/harness.ts';
import type { Role } from '../e2e/roles.ts';
import { CUTS, cutOff, leaveOverBridge, loseATenth, loseQuorum } from '../network/partitions.ts';

const CUT_MS = 40_000;
const BOTH: readonly Role[] = ['leader', 'follower'];

/* A fleet of three, and one of five, is cut off in every way that there is, and stays so for a while: longer than any lock, and
   than an appliance that does not see AWS keeps house. Of five, one role for each way: it would take too long otherwise. */
describe.each([3, 5])('of %i', (size) => {
  const fleet = fleetForFile({
    size,
    namespaces: true,
    hooks: true,
    environment: { HOUSEKEEPING_INTERVAL: '2s' },
  });

  test.for(
    CUTS.flatMap((cut, index) =>
      (size === 3 ? BOTH : BOTH.slice(index % 2, (index % 2) + 1)).map((who) => ({ who, cut })),
    ),
  )('a $who is cut off for long: $cut', async ({ who, cut }) => {
    await cutOff(fleet(), who, cut, CUT_MS);
  });

  test('while the leader is cut off from AWS, another keeps house and replaces an instance', async () => {
    const { sandbox, leader, followers, whole, watch, writesGoOn } = fleet();
    const { instanceId } = await leader();
    const [victim] = await followers();
    const removed = watch.removed();
    await sandbox.cuts.cut(instanceId, { from: 'aws' });
    sandbox.cloud.powerCut(victim?.instanceId ?? '');
    await whole(size, 180_000);
    await writesGoOn();
    expect(watch.removed().filter((id) => !removed.includes(id))).toEqual([victim?.status?.memberId]);
    await sandbox.cuts.cut(instanceId, { from: 'none' });
    await whole(size);
  });

  // Of five, four are left, and each of them still hears two others: the leader may go at once.
  if (size === 3)
    test('the leader goes while the two others do not hear each other', async () => {
      await leaveOverBridge(fleet());
    });

  test('quorum is lost to cuts and a power cut, and comes back with the network', async () => {
    await loseQuorum(fleet());
  });

  test('every instance loses a tenth of what it is sent', async () => {
    await loseATenth(fleet());
  });

  test('nothing was lost, and there was one cluster all the time', async () => {
    // Where packets are lost, a joiner may have to begin again.
    await fleet().verify({ joinersBeginAgain: true });
  });
});
