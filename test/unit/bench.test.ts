import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createRecorder, type Life, type MeasureName, median } from '../../bench/measures.ts';
import { OF_REPLACING, readMilestones } from '../../bench/milestones.ts';
import { createReport, renderReport } from '../../bench/report.ts';
import { temporaryDirectory } from '../tools.ts';

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
    },
    before,
    [{ size: 5, appliance: [life({ 'form.whole': [7] })], bare: [life({})] }],
  );

  test('sets each figure against that of bare etcd in the same run', () => {
    expect(report.runs).toBe(2);
    expect(report.rows).toMatchObject([
      { name: 'form.whole', appliance: { median: 2200, min: 2000, max: 2400 }, bare: { median: 450 } },
      { name: 'terminate.gap', target: null },
      { name: 'steady.memory', appliance: { median: 145, min: 130, max: 150 }, bare: null, ratio: null },
    ]);
    expect(report.rows[0]?.ratio).toBeCloseTo(4.9, 1);
    expect(report.fleets).toMatchObject([{ size: 5, runs: 1, rows: [{ name: 'form.whole', target: null }] }]);
    expect(report.milestones['forming']).toEqual({ formed: 40 });
  });

  test('holds a median to its target, beside the floor where it has one', () => {
    expect(report.rows[0]?.target).toEqual({ text: '2x bare + 1.5 s', limit: 2400, held: true });
    expect(report.rows[2]?.target).toEqual({ text: 'by itself', limit: 140, held: false });
    expect(renderReport(report)).toMatch(/^- 3: resident memory/m);
  });

  test('reads as a table', () => {
    const text = renderReport(report);
    expect(text).toMatch(
      /^\| forming: .* \| +2200 ms \| +2000 ms \| +2400 ms \| +450 ms \(100–800\) \| +4\.9x \| .*held \|$/m,
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
