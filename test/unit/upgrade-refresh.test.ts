import { expect, onTestFinished, test, vi } from 'vitest';
import type { Refresh } from '../../src/app-refresh.ts';
import { createRefreshRun } from '../../src/cli/upgrade-refresh.ts';
import { known, unknown } from '../../src/core/known.ts';
import type { Known } from '../../src/core/known.ts';

const never = new AbortController().signal;
const DONE: Refresh = { id: 'r', status: 'Successful', active: false, percent: 100, why: null };
const RUNS: Refresh = { ...DONE, status: 'InProgress', active: true, percent: 10 };

/** A group whose newest refresh is this one; `started` counts the orders to start. */
function group(name: string, last: Known<Refresh | null>, hook = true) {
  const seen = { started: 0 };
  return {
    seen,
    name,
    region: 'eu-central-1',
    waitsForMembers: () => Promise.resolve(known(hook)),
    last: () => Promise.resolve(last),
    start: () => {
      seen.started += 1;
      return Promise.resolve(known(last.known ? (last.value?.id ?? null) : null));
    },
  };
}

function runOf(...groups: readonly ReturnType<typeof group>[]) {
  return createRefreshRun({ groups, [Symbol.dispose]: () => undefined });
}

test('a refresh of last week is none, and one under way is told, whoever started it', async () => {
  expect(await runOf(group('g', known(DONE))).look(never)).toBeNull();
  expect(await runOf(group('g', known(null))).look(never)).toBeNull();
  expect(await runOf(group('g', unknown('denied'))).look(never)).toBeNull();
  expect(await runOf(group('g', known(RUNS))).look(never)).toEqual({ ...RUNS, group: 'g' });
});

test('a group without a launching hook is told of before anything is written, and none is refreshed', async () => {
  const [first, second] = [group('g', known(DONE)), group('h', known(null), false)];
  await expect(runOf(first, second).check(never)).rejects.toThrow(
    /nothing was written: the group h has no launching hook/,
  );
  const silent = { ...first, waitsForMembers: () => Promise.resolve(unknown('denied')) };
  await expect(runOf(silent).check(never)).rejects.toThrow('nothing was written: denied');
  expect([first.seen.started, second.seen.started]).toEqual([0, 0]);
});

test('the next group begins when the one before is done, and all of it counts as one that goes on', async () => {
  const [first, second] = [group('g', known(DONE)), group('h', known(RUNS))];
  const run = runOf(first, second);
  await run.start(never);
  expect([first.seen.started, second.seen.started]).toEqual([1, 0]);
  expect(await run.look(never)).toMatchObject({ group: 'g', active: true });
  expect(second.seen.started).toBe(1);
  expect(await run.look(never)).toMatchObject({ group: 'h', active: true });
});

test('what ended while it was looked at stays told', async () => {
  const run = runOf(group('g', known(DONE)));
  await run.start(never);
  expect(await run.look(never)).toEqual({ ...DONE, group: 'g' });
  expect(await run.look(never)).toEqual({ ...DONE, group: 'g' });
});

test('what was just begun goes on, though AWS does not tell of it: an upgrade that waits for it does not stand still', async () => {
  const silent = group('g', unknown('Auto Scaling throttles'));
  const run = runOf({ ...silent, start: () => Promise.resolve(known('r')) });
  await run.start(never);
  const begun = { id: 'r', status: 'Pending', active: true, percent: null, why: null, group: 'g' };
  expect(await run.look(never)).toEqual(begun);
  expect(await run.look(never)).toEqual(begun);
});

test('the next group that cannot be begun at once is tried for a minute: the verb began what it alone goes on with', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  let tries = 0;
  const later = (throttled: number) => ({
    ...group('h', known(RUNS)),
    start: () => Promise.resolve((tries += 1) <= throttled ? unknown('Auto Scaling throttles') : known('r')),
  });
  const run = runOf(group('g', known(DONE)), later(2));
  await run.start(never);
  for (let looks = 0; looks < 3; looks += 1) {
    expect(await run.look(never)).toMatchObject({ group: 'g', active: true });
    expect(await run.look(never)).toMatchObject({ active: true });
    vi.advanceTimersByTime(3_000);
  }
  expect(tries).toBe(3);
  expect(await run.look(never)).toMatchObject({ group: 'h', active: true });

  const refused = runOf(group('g', known(DONE)), later(Infinity));
  await refused.start(never);
  await refused.look(never);
  vi.advanceTimersByTime(60_000);
  await expect(refused.look(never)).rejects.toThrow('Auto Scaling throttles');
});
