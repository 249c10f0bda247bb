import { expect, onTestFinished, test, vi } from 'vitest';
import type { GroupRefreshes, Refresh } from '../../src/app-refresh.ts';
import { createRefreshRun } from '../../src/cli/upgrade-refresh.ts';
import { known, unknown } from '../../src/core/known.ts';
import type { Known } from '../../src/core/known.ts';

const never = new AbortController().signal;
const DONE: Refresh = { id: 'r', status: 'Successful', active: false, percent: 100, why: null };
const RUNS: Refresh = { ...DONE, status: 'InProgress', active: true, percent: 10 };

/** A group, in the region of its name, whose newest refresh is this one; `started` counts the orders to start. */
function group(name: string, last: Known<Refresh | null>, hook = true) {
  const seen = { started: 0 };
  return {
    seen,
    name,
    region: name,
    waitsForMembers: () => Promise.resolve(known(hook)),
    last: () => Promise.resolve(last),
    start: () => {
      seen.started += 1;
      return Promise.resolve(known(last.known ? (last.value?.id ?? null) : null));
    },
  };
}

function runOf(...groups: GroupRefreshes['groups']) {
  return createRefreshRun({ groups, [Symbol.dispose]: () => undefined }, 'go on with this');
}

const all = () => true;

/** One whose refresh begins when it is told to, and is done when the test says so. */
function living(name: string) {
  const events: string[] = [];
  let last: Refresh | null = DONE;
  return {
    ...group(name, known(null)),
    events,
    last: () => Promise.resolve(known(last)),
    start: () => {
      last = { ...RUNS, id: name };
      events.push(name);
      return Promise.resolve(known(name));
    },
    /** Somebody else's. */
    begins: () => void (last = { ...RUNS, id: 'another' }),
    ends: (status = 'Successful') => void (last = { ...DONE, id: last?.id ?? '', status }),
  };
}

/** From one answer of AWS to the next. */
function later(): void {
  vi.advanceTimersByTime(3_000);
}

function onFakeTime(): void {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
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
  const untold = group('g', unknown('denied'));
  await expect(runOf(untold).check(never)).rejects.toThrow('nothing was written: denied');
  expect([first.seen.started, second.seen.started]).toEqual([0, 0]);
});

test('the next group begins when the one before is done, and all of it counts as one that goes on', async () => {
  const [first, second] = [group('g', known(DONE)), living('h')];
  const run = runOf(first, second);
  await run.start(all, never);
  expect([first.seen.started, second.events.length]).toEqual([1, 0]);
  expect(await run.look(never)).toMatchObject({ group: 'g', active: true });
  expect(second.events).toEqual(['h']);
  expect(await run.look(never)).toMatchObject({ group: 'h', active: true });
});

test('what ended while it was looked at stays told', async () => {
  const run = runOf(group('g', known(DONE)));
  await run.start(all, never);
  expect(await run.look(never)).toEqual({ ...DONE, group: 'g' });
  expect(await run.look(never)).toEqual({ ...DONE, group: 'g' });
});

test('what was just begun goes on, though AWS does not tell of it: an upgrade that waits for it does not stand still', async () => {
  const silent = group('g', unknown('Auto Scaling throttles'));
  const run = runOf({ ...silent, start: () => Promise.resolve(known('r')) });
  await run.start(all, never);
  const begun = { id: 'r', status: 'Pending', active: true, percent: null, why: null, group: 'g' };
  expect(await run.look(never)).toEqual(begun);
  expect(await run.look(never)).toEqual(begun);
});

test('the next group that cannot be begun at once is tried for a minute: the verb began what it alone goes on with', async () => {
  onFakeTime();
  let tries = 0;
  const throttling = (throttled: number) => {
    const next = living('h');
    const start = () =>
      (tries += 1) <= throttled ? Promise.resolve(unknown('Auto Scaling throttles')) : next.start();
    return { ...next, start };
  };
  const run = runOf(group('g', known(DONE)), throttling(2));
  await run.start(all, never);
  for (let looks = 0; looks < 3; looks += 1) {
    expect(await run.look(never)).toMatchObject({ group: 'g', active: true });
    expect(await run.look(never)).toMatchObject({ active: true });
    vi.advanceTimersByTime(3_000);
  }
  expect(tries).toBe(3);
  expect(await run.look(never)).toMatchObject({ group: 'h', active: true });

  const refused = runOf(group('g', known(DONE)), throttling(Infinity));
  await refused.start(all, never);
  await refused.look(never);
  vi.advanceTimersByTime(60_000);
  await expect(refused.look(never)).rejects.toThrow(
    'the refresh of g is done, and that of h cannot be begun: Auto Scaling throttles; go on with this',
  );
});

test('called again, only the groups are refreshed that have an instance whose image lacks something', async () => {
  onFakeTime();
  const groups = ['a', 'b', 'c', 'd'].map(living);
  const [, b, , d] = groups;
  const run = runOf(...groups);
  await run.start((region) => region === 'b' || region === 'd', never);
  expect(await run.look(never)).toMatchObject({ group: 'b', active: true });
  b?.ends();
  later();
  expect(await run.look(never)).toMatchObject({ group: 'b', active: true });
  expect(await run.look(never)).toMatchObject({ group: 'd', active: true });
  d?.ends();
  later();
  expect(await run.look(never)).toMatchObject({ group: 'd', active: false });
  expect(groups.map((it) => it.events.length)).toEqual([0, 1, 0, 1]);
});

test('called again while a later group is refreshed, that is ended first, and counts for its own group', async () => {
  onFakeTime();
  const [a, b] = [living('a'), living('b')];
  b.begins();
  const run = runOf(a, b);
  await run.start(all, never);
  expect(await run.look(never)).toMatchObject({ group: 'b', id: 'another', active: true });
  later();
  expect(a.events).toEqual([]);
  b.ends();
  later();
  expect(await run.look(never)).toMatchObject({ group: 'b', active: true });
  expect(await run.look(never)).toMatchObject({ group: 'a', active: true });
  a.ends();
  later();
  expect(await run.look(never)).toMatchObject({ group: 'a', active: false });
  expect([a.events, b.events]).toEqual([['a'], []]);
});

test('called again without --refresh, the one under way is seen in whichever group, and no other begun', async () => {
  onFakeTime();
  const [a, b] = [living('a'), living('b')];
  b.begins();
  const run = runOf(a, b);
  expect(await run.look(never)).toMatchObject({ group: 'b', active: true });
  b.ends();
  later();
  expect(await run.look(never)).toMatchObject({ group: 'b', active: false });
  expect([a.events, b.events]).toEqual([[], []]);
});

test('one that failed ends it: no other group is begun', async () => {
  onFakeTime();
  const [a, b] = [living('a'), living('b')];
  const run = runOf(a, b);
  await run.start(all, never);
  a.ends('Failed');
  for (let looks = 0; looks < 3; looks += 1) {
    later();
    expect(await run.look(never)).toMatchObject({ group: 'a', status: 'Failed', active: false });
  }
  expect(b.events).toEqual([]);
});

test('another that begins after the own one was seen is told, and no longer the own one as pending', async () => {
  onFakeTime();
  const a = living('a');
  const run = runOf(a);
  await run.start(all, never);
  expect(await run.look(never)).toMatchObject({ id: 'a' });
  a.begins();
  later();
  expect(await run.look(never)).toMatchObject({ id: 'another', status: 'InProgress' });
});

test('one that AWS refuses to begin says what stands, and what to do', async () => {
  const refuses = { ...living('a'), start: () => Promise.resolve(unknown('Auto Scaling denied it')) };
  await expect(runOf(refuses).start(all, never)).rejects.toThrow(
    /^no instance refresh has begun: Auto Scaling denied it; go on with this$/,
  );
});
