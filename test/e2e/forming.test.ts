import { describe, expect, test } from 'vitest';
import { fleetForTest } from './harness.ts';

describe('a new group', () => {
  test.for([1, 3, 5])('of %i forms one cluster that is found by DNS', async (size, context) => {
    const fleet = await fleetForTest(context, { size });
    await fleet.whole(size);
    await fleet.writesGoOn();
    expect(fleet.watch.claim()).toMatchObject({ epoch: 1, state: 'formed', lived: true, lost: [] });
    expect(fleet.watch.removed()).toEqual([]);
    await fleet.verify();
  });
});
