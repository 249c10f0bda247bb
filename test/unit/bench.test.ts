import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  createRecorder,
  type Life,
  type MeasureName,
  median,
  PARTS,
  PULSE_MS,
} from '../../bench/measures.ts';
import { OF_REPLACING, readMilestones } from '../../bench/milestones.ts';
import { readOptions } from '../../bench/options.ts';
import { startPulse } from '../../bench/pulse.ts';
import { createReport, renderReport } from '../../bench/report.ts';
import { spansOf } from '../../bench/upgrade-lock.ts';
import { createAdmin } from '../../src/etcd/admin.ts';
import { known } from '../../src/core/known.ts';
import { eventually, temporaryDirectory } from '../tools.ts';

const life = (samples: Partial<Record<MeasureName, readonly number[]>>): Life => {
  const recorder = createRecorder();
  for (const [name, values] of Object.entries(samples)) recorder.record(name as MeasureName, ...values);
  const milestones = new Map([['form' as const, new Map([['formed', 40]])]]);
  return { samples: recorder.samples, milestones, timelines: new Map() };
};
const before = { etcd: '3.7.3', commit: 'abc1234', load: 0.1 };

describe('the median', () => {
  test.for([
    { values: [3], expected: 3 },
    { values: [10, 9, 100], expected: 10 },
    { values: [4, 1, 2, 3], expected: 2.5 },
  ])('of $values is $expected', ({ values, expected }) => {
    expect(median(values)).toBe(expected);
  });

  test('of nothing is an error, not a number', () => {
    expect(() => median([])).toThrow('no samples');
  });
});

describe('a report', () => {
  const report = createReport(
    {
      appliance: [
        life({ 'form.whole': [2000] }),
        life({ 'form.whole': [2400], 'steady.memory': [150, 130, 145], 'terminate.gap': [9] }),
      ],
      bare: [life({ 'form.whole': [100] }), life({ 'form.whole': [800] })],
      minutes: 30,
    },
    before,
    [{ size: 5, appliance: [life({ 'form.whole': [7], 'steady.aws': [90] })], bare: [life({})], minutes: 6 }],
    ['upgrades in place: nobody stepped'],
  );

  test('sets each figure against that of bare etcd in the same run', () => {
    expect(report.rows).toMatchObject([
      { name: 'form.whole', appliance: { median: 2200, min: 2000, max: 2400 }, bare: { median: 450 } },
      { name: 'terminate.gap', target: null },
      { name: 'steady.memory', appliance: { median: 145, min: 130, max: 150 }, bare: null, ratio: null },
    ]);
    expect(report.rows[0]?.ratio).toBeCloseTo(4.9, 1);
    expect(report.fleets).toMatchObject([
      { size: 5, rows: [{ name: 'form.whole', target: null }, { name: 'steady.aws' }] },
    ]);
    expect(report.milestones['forming']).toEqual({ formed: 40 });
  });

  test('holds a median to its target, beside the floor where it has one', () => {
    expect(report.rows[0]?.target).toEqual({ text: '2x bare + 1.5 s', limit: 2400, held: true });
    expect(report.rows[2]?.target).toEqual({ text: 'by itself', limit: 140, held: false });
    expect(renderReport(report)).toMatch(/^- 3: resident memory/m);
  });

  test('says how long a steady cluster was watched, of each size', () => {
    expect(report).toMatchObject({ minutes: 30, fleets: [{ size: 5, minutes: 6 }] });
    expect(renderReport(report)).toMatch(/^\| resident memory .* while all is well, in 30 minutes /m);
    expect(report.fleets[0]?.rows[1]?.title).toMatch(/per hour, in 6 minutes$/);
  });

  test('says what failed, beside the figures', () => {
    expect(renderReport(report)).toMatch(/^- upgrades in place: nobody stepped$/m);
  });

  test('judges writes that wait for an election by bare etcd, and a lost leader by its longest one', () => {
    const gaps = (bare: Life): readonly (number | undefined)[] =>
      createReport(
        {
          appliance: [
            life({ 'terminate.gap': [9], 'terminate-leader.gap': [9], 'power-cut-leader.gap': [9] }),
          ],
          bare: [bare],
          minutes: null,
        },
        before,
      ).rows.map(({ target }) => target?.limit);
    expect(gaps(life({ 'leader.write': [900, 1400, 1000] }))).toEqual([1000, 1000, 1400 + PULSE_MS]);
    expect(gaps(life({}))).toEqual([undefined, undefined, undefined]);
  });

  test('reads as a table', () => {
    const text = renderReport(report);
    expect(text).toMatch(
      /^\| forming: .* \| +2200 ms \| +2000 ms \| +2400 ms \| +2 \| +450 ms \(100–800, 2 samples\) \| +4\.9x \| .*held \|$/m,
    );
    expect(text).toMatch(/^\| formed +\| +40 ms \| +40 ms \|$/m);
  });
});

test('milestones are told from the first process on, and what nobody said is left out', async () => {
  await using folder = await temporaryDirectory();
  const say = async (instanceId: string, ...lines: readonly object[]): Promise<void> => {
    await mkdir(join(folder.path, instanceId));
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    await writeFile(join(folder.path, instanceId, 'appliance.log'), `${text}no JSON\n`);
  };
  const at = (ms: number): string => new Date(1_000_000 + ms).toISOString();
  const acted = { component: 'daemon', msg: 'acted' };
  await say(
    'i-1',
    { time: at(-900), ...acted, what: 'promote' },
    { time: at(-100), ...acted, what: 'remove-member' },
    { time: at(700), ...acted, what: 'records' },
    { time: at(900), ...acted, what: 'records' },
  );
  await say(
    'i-2',
    { time: at(300), component: 'main', msg: 'starting' },
    { time: at(500), ...acted, what: 'join' },
  );

  const moments = readMilestones(OF_REPLACING, folder.path, { fromMs: 999_500, originMs: 1_000_000 });
  expect([...moments]).toEqual([
    ['the old member is removed by the housekeeper', -100],
    ['the program is loaded', 300],
    ['it is a learner', 500],
    ['the last records are written', 900],
  ]);
});

describe('what is asked of the bench', () => {
  const parts = (...args: readonly string[]): readonly string[] => [...readOptions(args).parts];

  test.for([
    { args: [], expected: [...PARTS] },
    { args: ['--big'], expected: [...PARTS, 'big'] },
    { args: ['--soak', '--big'], expected: [...PARTS, 'big'] },
    { args: ['--only', 'follower', '--big'], expected: ['follower', 'big'] },
    { args: ['--only', 'follower', '--soak'], expected: ['follower', 'steady'] },
    { args: ['--only', 'big'], expected: ['big'] },
    { args: ['--only', 'leader', '--write'], expected: ['leader', 'start'] },
  ])('$args', ({ args, expected }) => {
    expect(parts(...args)).toEqual(expected);
  });

  test.for([
    { args: [], minutes: 6, fleetMinutes: 6 },
    { args: ['--soak'], minutes: 30, fleetMinutes: 6 },
    { args: ['--minutes', '0.5'], minutes: 0.5, fleetMinutes: 0.5 },
  ])('watches for $minutes minutes, and other sizes for $fleetMinutes: $args', ({ args, ...expected }) => {
    expect(readOptions(args)).toMatchObject(expected);
  });

  test('a part that there is not is refused', () => {
    expect(() => readOptions(['--only', 'nothing'])).toThrow('--only nothing: there are start, form');
  });
});

test('what was done under the upgrade lock is told by its holder, while it had it or as it let it go', () => {
  const said = (instanceId: string, atMs: number, reason: string) => ({ instanceId, atMs, line: { reason } });
  const spans = spansOf(
    [
      { holder: 'i-1', fromMs: 0, toMs: 900 },
      { holder: 'i-2', fromMs: 1_000, toMs: 3_000 },
      { holder: 'i-1', fromMs: 4_000, toMs: 5_500 },
      { holder: 'i-2', fromMs: 6_000, toMs: 6_100 },
    ],
    [
      said('i-1', 800, 'upgrade-cleared'),
      said('i-2', 2_000, 'upgrade-step'),
      // After the last look that saw the lock.
      said('i-2', 3_020, 'upgrade-stepped'),
      said('i-1', 5_400, 'upgrade-stepped'),
      said('i-1', 6_050, 'upgrade-stepped'),
    ],
  );
  expect([...spans]).toEqual([
    ['clear', [900]],
    ['step', [2_000, 1_500]],
  ]);
});

test('a write that is never answered holds up no other, and the gap since the last answer counts', async () => {
  using real = createAdmin();
  let silent = false;
  const put = async (endpoint: string) =>
    endpoint === 'living' && !silent ? known(true) : await new Promise<never>(() => undefined);
  const pulse = startPulse({ ...real, put }, () => ['frozen', 'living']);
  await eventually(() => pulse.acknowledged() >= 3);
  silent = true;
  await eventually(() => pulse.longestGapMs() > 4 * PULSE_MS);
  pulse.resetGap();
  expect(pulse.longestGapMs()).toBeLessThan(4 * PULSE_MS);
  silent = false;
  const before = pulse.acknowledged();
  await eventually(() => pulse.acknowledged() > before);
  await pulse.stop();
});
