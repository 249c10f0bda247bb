import { expect, test } from 'vitest';
import { writeOrders } from '../../src/cli/upgrade-write.ts';
import type { Order } from '../../src/cli/upgrade-wish.ts';
import { known, unknown } from '../../src/core/known.ts';
import type { Known } from '../../src/core/known.ts';
import type { UpgradeRecord } from '../../src/core/upgrade.ts';

const never = new AbortController().signal;
const FAILED = { by: 'i-0b', from: '3.4.39', to: '3.5.35', at: 'then', why: 'it does not come up' };
const BEFORE: UpgradeRecord = { to: '3.5', paused: { at: 'then' }, step: null, failed: FAILED };
const RESUME: readonly Order[] = [
  { part: 'failed', value: null, sentence: 'it may be tried again' },
  { part: 'paused', value: null, sentence: 'the pause ends' },
];

/** What became of these orders, and what was called for them. */
async function written(orders: readonly Order[], emptied: Known<boolean>) {
  const calls: unknown[] = [];
  const upgrade = {
    write: (...[part, value]: readonly unknown[]) => {
      calls.push([part, value]);
      return Promise.resolve(known(true as const));
    },
    empty: (...[part, was]: readonly unknown[]) => {
      calls.push([part, 'was', was]);
      return Promise.resolve(emptied);
    },
    ring: () => Promise.resolve(void calls.push('ring')),
  };
  const error = await writeOrders(upgrade, { orders, before: BEFORE }, 'demo', never).catch(
    (thrown: unknown) => thrown as Error,
  );
  return { calls, error };
}

test('what is cleared is what was seen, and the appliances hear of it once', async () => {
  const { calls, error } = await written(
    [{ part: 'to', value: '3.6', sentence: '' }, ...RESUME],
    known(true),
  );
  expect(error).toBeUndefined();
  expect(calls).toEqual([
    ['to', '3.6'],
    ['failed', 'was', FAILED],
    ['paused', 'was', { at: 'then' }],
    'ring',
  ]);
});

test('what has become another meanwhile stays, and the pause with it', async () => {
  const { calls, error } = await written(RESUME, known(false));
  expect(calls).toEqual([['failed', 'was', FAILED], 'ring']);
  expect(error).toMatchObject({ code: 'conflict' });
  expect((error as Error).message).toBe(
    'not written, as it has become another meanwhile (it may be tried again): look at it with etcd-appliance upgrade demo, and call --resume again',
  );
});

test('what nobody answered may be written, and is called again', async () => {
  const { error } = await written(
    [{ part: 'to', value: null, sentence: 'it is taken back' }],
    unknown('silence'),
  );
  expect(error).toMatchObject({ code: 'unavailable' });
});
