import { expect, test } from 'vitest';
import { calm, must } from '../etcd-lab.ts';
import { eventually } from '../tools.ts';
import { bornOn, first, roll, type Slot, swap, swapWhole, untilCluster, write } from './lab.ts';

/*
 * 3.4 keeps in its database how far its log is applied only with a write of a key. 3.5 applies what is beyond that once more, and
 * with the first member that came it takes all later ones, which the database has, for members that were removed without a
 * trace: it marks them as removed. 3.5 never looks at the marks, 3.6 does. So nobody steps from 3.4 before a key was written and
 * is applied: the record of the step is one (daemon/upgrade-step.ts, `away`).
 */

/** Whether its etcd ended by itself, since another told it that it was removed. */
async function isShutOut({ running }: Slot): Promise<boolean> {
  const exit = await Promise.race([running.exited, Promise.resolve(null)]);
  return exit?.saysRemoved === true;
}

test.concurrent(
  'where no key was written since members came, 3.6 shuts out members that are there',
  async () => {
    await using stack = new AsyncDisposableStack();
    const lab = await bornOn('3.4', 3, stack);
    await roll(lab, '3.5');
    const [stepped, ...others] = lab.slots;
    if (stepped === undefined) throw new Error('no member');
    await swap(stepped, '3.6');
    await eventually(async () => (await Promise.all(others.map(isShutOut))).includes(true));
  },
);

test.concurrent('where a key was written before each step, all stay', async () => {
  await using stack = new AsyncDisposableStack();
  const lab = await bornOn('3.4', 3, stack);
  let keys = 0;
  for (const minor of ['3.5', '3.6']) {
    for (const slot of lab.slots) {
      keys += 1;
      await write(lab, keys);
      await swapWhole(lab, slot, minor, keys);
    }
    await untilCluster(lab, (it) => it.cluster === `${minor}.0`);
  }
  const members = must(await lab.admin.memberList(first(lab).member.endpoint, { linearizable: true }, calm));
  expect(members.members).toHaveLength(3);
  expect(await Promise.all(lab.slots.map(isShutOut))).toEqual([false, false, false]);
});
