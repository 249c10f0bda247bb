import { describe, expect, test } from 'vitest';
import { calm, endOf, must, untilServing } from '../etcd-lab.ts';
import { eventually } from '../tools.ts';
import {
  bornOn,
  dies,
  first,
  joinAs,
  keysAt,
  type Lab,
  makeEntries,
  remove,
  replays,
  roll,
  swap,
  swapWhole,
  untilCluster,
  versionsOf,
  write,
} from './lab.ts';

/** What 3.7 says of an entry that 3.5 wrote, as it dies. */
const CANNOT_READ = 'unmarshal should never fail';

/** A cluster born on 3.5 that runs 3.6 now, before any raft snapshot. */
async function rolledTo36(size: number, stack: AsyncDisposableStack): Promise<Lab> {
  const lab = await bornOn('3.5', size, stack);
  await write(lab, 5);
  await roll(lab, '3.6');
  for (const { snapshotIndex, lastV2Index } of await replays(lab)) {
    expect(snapshotIndex).toBe(0);
    expect(lastV2Index).toBeGreaterThan(0);
  }
  return lab;
}

/** 3.7 on the data of one member dies, the others live on, and the minor that ran there before starts there again. */
async function killsOneAlone(lab: Lab, before: string): Promise<void> {
  const slot = first(lab);
  await dies(await swap(slot, '3.7'), 2, CANNOT_READ);
  for (const other of lab.slots.slice(1)) expect(await keysAt(lab, other)).toBe(5);
  await swapWhole(lab, slot, before, 5);
}

/** An empty 3.7 that joins dies of what it is sent, and whom it joined lives on. */
async function killsTheJoiner(lab: Lab, stack: AsyncDisposableStack): Promise<void> {
  const joiner = await joinAs('3.7', lab, stack);
  await dies(joiner.running, 2, CANNOT_READ);
  await remove(lab, joiner);
  expect(await keysAt(lab, first(lab))).toBe(5);
}

const isClean = async (lab: Lab): Promise<boolean> =>
  (await replays(lab)).every((it) => it.lastV2Index === null);

describe('entries of 3.5 in the log of 3.6', () => {
  test.concurrent('kill 3.7 on the data, the others live on, and 3.6 starts there again', async () => {
    await using stack = new AsyncDisposableStack();
    const lab = await rolledTo36(3, stack);
    await killsOneAlone(lab, '3.6');
  });

  test.concurrent(
    'kill an empty 3.7 that joins; once there is a snapshot, the joiner is sent that, and lives',
    async () => {
      await using stack = new AsyncDisposableStack();
      const lab = await rolledTo36(1, stack);
      await killsTheJoiner(lab, stack);
      const slot = first(lab);
      await lab.admin.downgrade(slot.member.endpoint, 'enable', '3.5', calm);
      await eventually(async () => await isClean(lab));
      await lab.admin.downgrade(slot.member.endpoint, 'cancel', '', calm);
      await untilCluster(lab, (it) => it.cluster === '3.6.0');
      const again = await joinAs('3.7', lab, stack);
      await eventually(async () => (await lab.admin.promote(slot.member.endpoint, again.memberId, calm)).ok);
      await untilServing(lab.admin, again.member);
      expect(again.running.seeded()).toBe(true);
      expect(must(await lab.admin.readPrefix(again.member.endpoint, 'key-', calm))).toHaveLength(5);
    },
  );

  test.concurrent(
    'are gone when 3.6 was started with a small snapshot count, and a few entries came',
    async () => {
      await using stack = new AsyncDisposableStack();
      const lab = await bornOn('3.5', 3, stack);
      await write(lab, 5);
      // As the step from 3.5 starts it: no other restart is needed, and joins go on.
      await roll(lab, '3.6', 50);
      expect(await isClean(lab)).toBe(false);
      await makeEntries(lab, 60);
      await eventually(async () => await isClean(lab));
      await roll(lab, '3.7');
      for (const slot of lab.slots) expect(await keysAt(lab, slot)).toBe(5);
    },
  );

  test.concurrent('are gone on every member when a downgrade was enabled and taken back', async () => {
    await using stack = new AsyncDisposableStack();
    const lab = await rolledTo36(3, stack);
    const [one, other] = lab.slots;
    if (one === undefined || other === undefined) throw new Error('no member');
    const enabled = await lab.admin.downgrade(one.member.endpoint, 'enable', '3.5', calm);
    expect(enabled).toMatchObject({ ok: true });
    // Each takes a snapshot as soon as the cluster's version falls.
    await eventually(async () => await isClean(lab));
    expect((await versionsOf(lab)).map((it) => it.downgradeTarget)).toEqual(['3.5.0', '3.5.0', '3.5.0']);
    expect(await lab.admin.downgrade(other.member.endpoint, 'cancel', '', calm)).toMatchObject({ ok: true });
    await untilCluster(
      lab,
      (it) => it.cluster === '3.6.0' && it.storage === '3.6.0' && it.downgradeTarget === null,
    );
    expect(await isClean(lab)).toBe(true);
    for (const { inspection } of lab.slots)
      expect(must(await inspection.snapshotIndex(calm))).toBeGreaterThan(0);
    await roll(lab, '3.7');
    for (const slot of lab.slots) expect(await keysAt(lab, slot)).toBe(5);
  });
});

describe('a step over two minors', () => {
  test.concurrent(
    'from 3.5 to 3.7 kills the one that takes it, and no other; 3.5 starts there again',
    async () => {
      await using stack = new AsyncDisposableStack();
      const lab = await bornOn('3.5', 3, stack);
      await write(lab, 5);
      await killsOneAlone(lab, '3.5');
    },
  );

  test.concurrent('from 3.4 to 3.7 kills the one that takes it, and no other', async () => {
    await using stack = new AsyncDisposableStack();
    const lab = await bornOn('3.4', 3, stack);
    await write(lab, 5);
    await killsOneAlone(lab, '3.4');
  });

  test.concurrent('is none where 3.5 and 3.6 are taken between 3.4 and 3.7', async () => {
    await using stack = new AsyncDisposableStack();
    const lab = await bornOn('3.4', 1, stack);
    await write(lab, 5);
    for (const minor of ['3.5', '3.6']) await roll(lab, minor);
    // 3.6 takes a snapshot as it replays how the cluster came up to its version.
    await eventually(async () => await isClean(lab));
    await roll(lab, '3.7');
    expect(await keysAt(lab, first(lab))).toBe(5);
  });

  test.concurrent('by an empty 3.7 beside 3.5 kills the joiner alone', async () => {
    await using stack = new AsyncDisposableStack();
    const lab = await bornOn('3.5', 1, stack);
    await write(lab, 5);
    await killsTheJoiner(lab, stack);
  });

  test.concurrent.each(['learner', 'voter'] as const)(
    'by a %s of 3.6 beside 3.4 kills 3.4, and 3.5 is the way out',
    async (what) => {
      await using stack = new AsyncDisposableStack();
      const lab = await bornOn('3.4', what === 'learner' ? 1 : 3, stack);
      await write(lab, 5);
      const [one, ...others] = lab.slots;
      if (one === undefined) throw new Error('no member');
      const victims = what === 'learner' ? [one] : others;
      const joiner = what === 'learner' ? await joinAs('3.6', lab, stack) : null;
      if (joiner === null) await swap(one, '3.6');
      for (const { running } of victims) await dies(running, 2, 'not implemented');
      // The entry is in their logs: 3.4 never starts there again.
      for (const slot of victims) expect((await endOf(await swap(slot, '3.4'))).code).toBe(2);
      for (const slot of victims) await swap(slot, '3.5');
      for (const slot of victims) await untilServing(lab.admin, slot.member);
      for (const slot of victims) expect(await keysAt(lab, slot)).toBe(5);
    },
  );
});
