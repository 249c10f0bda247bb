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
  return { samples: recorder.samples, milestones: new Map([['form', new Map([['formed', 40]])]]) };
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
    [life({ 'form.whole': [200] }), life({ 'form.whole': [400], 'idle.memory': [150, 130, 140] })],
    [life({ 'form.whole': [100] }), life({ 'form.whole': [50] })],
    before,
  );

  test('sets each figure against that of bare etcd in the same run', () => {
    expect(report.runs).toBe(2);
    expect(report.rows).toMatchObject([
      { name: 'form.whole', appliance: { median: 300, min: 200, max: 400 }, bare: { median: 75 }, ratio: 4 },
      { name: 'idle.memory', appliance: { median: 140, min: 130, max: 150 }, bare: null, ratio: null },
    ]);
    expect(report.milestones['forming']).toEqual({ formed: 40 });
  });

  test('reads as a table', () => {
    const text = renderReport(report);
    expect(text).toMatch(
      /^\| forming: .* \| +300 ms \| +200 ms \| +400 ms \| +75 ms \(50–100\) \| +4\.0x \|$/m,
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
