import { describe, expect, test } from 'vitest';
import { minorAbove } from '../../src/core/versions.ts';
import { calm, untilServing } from '../etcd-lab.ts';
import { eventually } from '../tools.ts';
import {
  bornOn,
  dies,
  first,
  joinAs,
  keysAt,
  type Lab,
  remove,
  swap,
  untilCluster,
  versionsOf,
  write,
} from './lab.ts';

/** One minor down. */
interface Edge {
  readonly from: string;
  readonly to: string;
}

/** The tests of a downgrade by this way. */
export function describeDowngrade(edge: Edge): void {
  describe(`a downgrade from ${edge.from} to ${edge.to}`, () => {
    test.concurrent('is led by the versions, member by member, and ends by itself', async () => {
      await isLedByTheVersions(edge);
    });

    test.concurrent('lets nobody join, of neither minor, until it is cancelled', async () => {
      await letsNobodyJoin(edge);
    });

    test.concurrent(
      'that nobody goes on with is seen by every member, and cancelled by anybody',
      async () => {
        await isCancelledByAnybody(edge);
      },
    );
  });
}

/** A cluster whose downgrade is enabled, and whose version has fallen. It ends with the stack. */
export async function falling({ from, to }: Edge, size: number, stack: AsyncDisposableStack): Promise<Lab> {
  const lab = await bornOn(from, size, stack);
  await write(lab, 5);
  await untilCluster(lab, (it) => it.cluster === `${from}.0` && it.storage === `${from}.0`);
  const { endpoint } = first(lab).member;
  expect(await lab.admin.downgrade(endpoint, 'validate', to, calm)).toMatchObject({ ok: true });
  expect((await versionsOf(lab)).every((it) => it.downgradeTarget === null)).toBe(true);
  expect(await lab.admin.downgrade(endpoint, 'enable', to, calm)).toMatchObject({ ok: true });
  await untilCluster(lab, (it) => it.downgradeTarget === `${to}.0`);
  await untilCluster(lab, (it) => it.cluster === `${to}.0` && it.storage === `${to}.0`);
  return lab;
}

/** Led by the versions, member by member, it ends by itself. */
async function isLedByTheVersions(edge: Edge): Promise<void> {
  const { to } = edge;
  await using stack = new AsyncDisposableStack();
  const lab = await falling(edge, 3, stack);
  for (const slot of lab.slots) {
    await swap(slot, to);
    await untilServing(lab.admin, slot.member);
    // 3.5 tells of no downgrade, and says that there is one when it is asked for another.
    if (slot === first(lab)) expect(await asksAnother(lab, to)).toMatchObject(IN_PROGRESS);
  }
  await untilCluster(lab, (it) => it.cluster === `${to}.0` && it.downgradeTarget === null);
  await eventually(async () => (await asksAnother(lab, to)).ok);
  for (const slot of lab.slots) expect(await keysAt(lab, slot)).toBe(5);
  const joiner = await joinAs(to, lab, stack);
  await eventually(
    async () => (await lab.admin.promote(first(lab).member.endpoint, joiner.memberId, calm)).ok,
  );
}

const IN_PROGRESS = { ok: false, code: 'downgrade-in-progress' };

/** What the first says to one more minor down. */
async function asksAnother({ admin, slots }: Lab, to: string): ReturnType<Lab['admin']['downgrade']> {
  return await admin.downgrade(slots[0]?.member.endpoint ?? '', 'validate', minorAbove(to, -1), calm);
}

/** While it is under way nobody joins, of neither minor; once it is cancelled, somebody does. */
async function letsNobodyJoin(edge: Edge): Promise<void> {
  const { from, to } = edge;
  await using stack = new AsyncDisposableStack();
  const lab = await falling(edge, 1, stack);
  for (const minor of [from, to]) {
    const joiner = await joinAs(minor, lab, stack);
    await dies(joiner.running, 1, 'incompatible with current running cluster');
    await remove(lab, joiner);
  }
  const { endpoint } = first(lab).member;
  expect(await lab.admin.downgrade(endpoint, 'cancel', '', calm)).toMatchObject({ ok: true });
  await untilCluster(lab, (it) => it.cluster === `${from}.0`);
  const joiner = await joinAs(from, lab, stack);
  await eventually(async () => (await lab.admin.promote(endpoint, joiner.memberId, calm)).ok);
}

/** One that nobody goes on with is seen by every member, also after a crash of all, and anybody cancels it. */
async function isCancelledByAnybody(edge: Edge): Promise<void> {
  const { from, to } = edge;
  await using stack = new AsyncDisposableStack();
  const lab = await falling(edge, 3, stack);
  const again = await lab.admin.downgrade(first(lab).member.endpoint, 'enable', to, calm);
  expect(again).toMatchObject({ ok: false });
  await Promise.all(lab.slots.map(async ({ running }) => await running.stop(0)));
  for (const slot of lab.slots) slot.running = await slot.member.startAs(from);
  for (const slot of lab.slots) await untilServing(lab.admin, slot.member);
  expect((await versionsOf(lab)).map((it) => it.downgradeTarget)).toEqual(lab.slots.map(() => `${to}.0`));
  const last = lab.slots.at(-1)?.member.endpoint ?? '';
  await eventually(async () => (await lab.admin.downgrade(last, 'cancel', '', calm)).ok);
  await untilCluster(
    lab,
    (it) => it.downgradeTarget === null && it.cluster === `${from}.0` && it.storage === `${from}.0`,
  );
  // Once more is no harm: who cancels need not know whether somebody was first.
  expect(await lab.admin.downgrade(last, 'cancel', '', calm)).toMatchObject({ ok: true });
}
