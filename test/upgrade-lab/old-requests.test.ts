import { describe, expect, test } from 'vitest';
import { createAdmin } from '../../src/etcd/admin.ts';
import { calm, labMember, must, untilServing } from '../etcd-lab.ts';
import { eventually } from '../tools.ts';
import {
  bornOn,
  dies,
  first,
  inspectionOf,
  joinAs,
  keysAt,
  type Lab,
  makeEntries,
  remove,
  replayOf,
  type Slot,
  swap,
  swapWhole,
  write,
} from './lab.ts';

/** What 3.6 says of such a request, as it dies. */
const REFUSES = 'detected disallowed v2 WAL';

/** A cluster of one on 3.4, whose log holds what a look at its /health leaves there. */
async function withHealthChecks(stack: AsyncDisposableStack): Promise<Lab> {
  const lab = await bornOn('3.4', 1, stack);
  const { member, inspection } = first(lab);
  expect(await inspection.v2Content(calm)).toMatchObject({ value: 'clean' });
  await write(lab, 5);
  expect((await fetch(`${member.endpoint}/health`)).ok).toBe(true);
  expect(await inspection.v2Content(calm)).toMatchObject({ value: 'wal-requests' });
  return lab;
}

describe('a health check of 3.4 in the log', () => {
  test.concurrent('is no trouble to 3.5, kills 3.6, and 3.5 goes on after that', async () => {
    await using stack = new AsyncDisposableStack();
    const lab = await withHealthChecks(stack);
    const slot = first(lab);
    await swap(slot, '3.5');
    await untilServing(lab.admin, slot.member);
    expect(await slot.inspection.v2Content(calm)).toMatchObject({ value: 'wal-requests' });
    await dies(await swap(slot, '3.6'), 2, REFUSES);
    await swapWhole(lab, slot, '3.5', 5);
  });

  test.concurrent(
    'is gone when 3.5 was started with a small snapshot count, and a few entries came',
    async () => {
      await using stack = new AsyncDisposableStack();
      const lab = await withHealthChecks(stack);
      const slot = first(lab);
      // As the step from 3.4 starts it: no other restart is needed.
      await swap(slot, '3.5', 10);
      await untilServing(lab.admin, slot.member);
      await makeEntries(lab, 12);
      await eventually(async () => must(await slot.inspection.v2Content(calm)) === 'clean');
      expect(must(await slot.inspection.snapshotIndex(calm))).toBeGreaterThan(0);
      await swapWhole(lab, slot, '3.6', 5);
    },
  );

  test.concurrent('kills an empty 3.6 that joins 3.5 and gets it from its leader', async () => {
    await using stack = new AsyncDisposableStack();
    const lab = await withHealthChecks(stack);
    const slot = first(lab);
    await swap(slot, '3.5');
    await untilServing(lab.admin, slot.member);
    const joiner = await joinAs('3.6', lab, stack);
    await dies(joiner.running, 2, REFUSES);
    await remove(lab, joiner);
    expect(await keysAt(lab, slot)).toBe(5);
  });
});

describe('keys of the old API', () => {
  test.concurrent(
    'in a snapshot kill 3.6, and 3.5 goes on; when they are deleted, 3.6 comes up',
    async () => {
      await using stack = new AsyncDisposableStack();
      const lab = await withOldKeys(stack);
      const slot = first(lab);
      await dies(await swap(slot, '3.6'), 1, 'disallowed custom content in v2store');
      await swapWhole(lab, slot, '3.5', 5);
      expect((await fetch(`${slot.member.endpoint}/v2/keys/old`, { method: 'DELETE' })).ok).toBe(true);
      await makeEntries(lab, 12);
      // Of a log that is served by the old API nothing is told.
      await slot.running.stop(10_000);
      expect(await slot.inspection.v2Content(calm)).toMatchObject({ value: 'clean' });
      await swapWhole(lab, slot, '3.6', 5);
    },
  );
});

/** A cluster of one on 3.5 whose newest snapshot holds a key of the old API. Later minors have no such flag, and are given none. */
async function withOldKeys(stack: AsyncDisposableStack): Promise<Lab> {
  const admin = stack.use(createAdmin());
  const member = stack.use(await labMember('3.5', 'n1', ['--enable-v2=true', '--snapshot-count=5']));
  const running = await member.start({ founders: [member], token: 't' });
  await untilServing(admin, member);
  const slot: Slot = { member, inspection: inspectionOf(member), running };
  const lab = { admin, slots: [slot] };
  await write(lab, 5);
  expect((await fetch(`${member.endpoint}/v2/keys/old?value=1`, { method: 'PUT' })).ok).toBe(true);
  await makeEntries(lab, 12);
  await slot.running.stop(10_000);
  expect(await slot.inspection.v2Content(calm)).toMatchObject({ value: 'store' });
  return lab;
}

test.concurrent('what a start would replay is read from a log that several files hold', async () => {
  await using stack = new AsyncDisposableStack();
  const lab = await bornOn('3.5', 1, stack);
  const slot = first(lab);
  const born = await replayOf(slot);
  expect(born).toMatchObject({ snapshotIndex: 0 });
  // A member of 3.5 tells the others who it is in an old request.
  expect(born.lastV2Index).toBeGreaterThan(0);
  // 64 MB fill a file.
  const large = 'x'.repeat(1_000_000);
  for (let count = 0; count < 70; count += 1)
    must(await lab.admin.put(slot.member.endpoint, 'large', large, {}, calm));
  const { raftIndex } = must(await lab.admin.status(slot.member.endpoint, calm));
  expect(await replayOf(slot)).toEqual({ ...born, lastIndex: raftIndex });
  await swap(slot, '3.6', 10);
  await untilServing(lab.admin, slot.member);
  await makeEntries(lab, 12);
  await eventually(async () => (await replayOf(slot)).lastV2Index === null);
  const after = await replayOf(slot);
  expect(after.snapshotIndex).toBe(must(await slot.inspection.snapshotIndex(calm)));
  expect(after.snapshotIndex).toBeGreaterThan(raftIndex);
});
