import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LoggedLine, RunningCluster } from '../fakes/bench-appliances.ts';
import { runAppliances } from '../fakes/bench-appliances.ts';
import type { Bench } from '../fakes/bench.ts';
import { createBench } from '../fakes/bench.ts';
import { readTemplate, textAt } from './cloudformation.ts';
import { finds } from './filter-pattern.ts';

const MINUTE_MS = 60_000;
const PERIOD_MS = 5 * MINUTE_MS;

const { Resources } = await readTemplate();
const pattern = textAt(Resources['AwsRefusesFilter'], 'Properties', 'FilterPattern');

let bench: Bench;
let running: RunningCluster;

beforeEach(async () => {
  bench = createBench(3);
  running = await runAppliances(bench);
  await bench.clock.advance(PERIOD_MS);
});

afterEach(() => running.stop());

/** The lines that the alarm counts, of a time on the clock. */
const counted = (from: number, to: number): readonly LoggedLine[] =>
  running.lines.filter(({ at, line }) => at >= from && at < to && finds(pattern, line));

/** What the pages show of AWS's own words. */
const told = (words: string): boolean =>
  running.all.some(({ face }) => face.status().plan.some((it) => it.sentence.includes(words)));

describe.each([
  ['the fleet cannot be read', () => bench.aws, 'AccessDenied: not authorized to describe'],
  ['Route 53 cannot be read', () => bench.zone, 'AccessDenied: not authorized to list'],
] as const)('the alarm on an AWS that refuses, where %s', (_what, service, words) => {
  it('counts lines in each of three periods, with its words in log and page, and none when it answers again', async () => {
    expect(counted(0, bench.clock.now())).toEqual([]);
    service().breakDown(words);
    // Until the next look at AWS, and another in vain.
    await bench.clock.advance(PERIOD_MS);
    const began = bench.clock.now();
    await bench.clock.advance(3 * PERIOD_MS);
    for (let period = 0; period < 3; period += 1) {
      const from = began + period * PERIOD_MS;
      expect(counted(from, from + PERIOD_MS).length).toBeGreaterThan(0);
    }
    expect(told(words)).toBe(true);
    expect(running.lines.some(({ line }) => line.includes(words))).toBe(true);

    service().breakDown(null);
    await bench.clock.advance(MINUTE_MS);
    expect(told(words)).toBe(false);
    expect(running.all.filter((it) => it.appliance.state.keepsHouse)).toHaveLength(1);
    const over = bench.clock.now() + MINUTE_MS;
    await bench.clock.advance(3 * PERIOD_MS);
    expect(counted(over, bench.clock.now())).toEqual([]);
  });

  it('writes a few lines about it, and not one in each look', async () => {
    const before = running.lines.length;
    service().breakDown(words);
    await bench.clock.advance(4 * PERIOD_MS);
    const said = running.lines.slice(before).filter(({ line }) => !line.includes('"msg":"stands"'));
    expect(said.length).toBeLessThan(40);
  });

  it('is not raised by an outage of five minutes, wherever its periods begin', async () => {
    const began = bench.clock.now();
    service().breakDown(words);
    await bench.clock.advance(PERIOD_MS);
    service().breakDown(null);
    await bench.clock.advance(3 * PERIOD_MS);
    const lines = counted(began, bench.clock.now()).map(({ at }) => at);
    const [first = began, last = began] = [lines[0], lines.at(-1)];
    // Lines in three periods are further apart than one of them.
    expect(last - first).toBeLessThanOrEqual(PERIOD_MS);
  });
});
