import { expect, it } from 'vitest';
import { known, unknown } from '../../../src/core/known.ts';
import { whileNobodySteps } from '../../../src/daemon/nobody-steps.ts';
import type { AdminPort } from '../../../src/daemon/ports.ts';
import type { HouseRight } from '../../../src/daemon/unlocked.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';

const [{ self }] = createBench().hosts;
const STEPS = { key: '_upgrade_lock', value: 'i-02', createRevision: '1', modRevision: '1', leaseId: null };

/** The right of who holds its own lock until `letGo`, and an etcd that says this of the lock of a step. */
function right(step: Awaited<ReturnType<AdminPort['read']>>, letGo: () => void = () => undefined) {
  let holds = true;
  const own: HouseRight = {
    fence: () => null,
    isTimely: () => holds,
    guard: () => Promise.resolve(true),
  };
  const read: AdminPort['read'] = async () => {
    await Promise.resolve();
    letGo();
    return step;
  };
  const lose = (): void => {
    holds = false;
  };
  return { own, read, lose };
}

it.each([
  ['nobody steps', known(null), true],
  ['somebody steps', known(STEPS), false],
  ['nobody can tell', unknown('silent'), false],
])('the house may be kept: %s', async (_name, step, may) => {
  const { own, read } = right(step);
  expect(await whileNobodySteps(own, { admin: { read } as AdminPort, self }).guard(NEVER)).toBe(may);
});

it('it may not where the own lock was let go before it was known whether somebody steps', async () => {
  const { own, read, lose } = right(known(null), () => lose());
  expect(await whileNobodySteps(own, { admin: { read } as AdminPort, self }).guard(NEVER)).toBe(false);
});
