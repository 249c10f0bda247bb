import { describe, expect, it } from 'vitest';
import { coverageOf } from './codes.ts';
import { count, createTally, renderTally, whyNotCovering } from './report.ts';
import type { Result } from './runner.ts';

const RESULT: Result = {
  job: { seed: 1, profile: 'mixed' },
  kind: 'converged',
  why: '',
  convergedInMs: 1_000,
  virtualMs: 1_800_000,
  cpuMs: 50,
  faults: { kill: 2 },
  slow: { starts: 1, restores: 0, defragments: 2 },
  reasons: ['start:join'],
  ending: null,
};

describe('the report of many histories', () => {
  it('counts histories, hours, faults and endings, and takes convergence from those that converged', () => {
    const tally = createTally();
    for (let at = 1; at <= 100; at += 1) count(tally, { ...RESULT, convergedInMs: at * 1_000 });
    count(tally, { ...RESULT, kind: 'stuck', why: 'no leader', convergedInMs: 999_000, faults: { wipe: 1 } });
    count(tally, { ...RESULT, kind: 'lost', convergedInMs: 999_000, faults: {} });
    expect(tally.failures.map((it) => it.kind)).toEqual(['stuck']);
    const text = renderTally(tally, 10_200);
    expect(text).toContain('102 in 10.2 s: 10.0 a second, 50 ms of CPU each');
    expect(text).toContain('51.0 h');
    expect(text).toContain('converged 100, stuck 1, lost 1');
    expect(text).toContain('median 51.0 s, p99 100.0 s, worst 100.0 s');
    expect(text).toContain('kill 200, wipe 1');
    expect(text).toContain('slow etcds    defragments 204, starts 102\n');
  });

  it('can be had of nothing', () => {
    expect(renderTally(createTally(), 1)).toContain('faults        none');
  });
});

describe('whether enough was seen', () => {
  const after = (histories: number, reasons: readonly string[]): string | null => {
    const tally = createTally();
    tally.histories = histories;
    for (const it of reasons) tally.reasons.set(it, 7);
    return whyNotCovering(tally);
  };
  const all = coverageOf([]).missing.map((it) => `start:${it}`);

  it('is said of many histories, and not of a few', () => {
    expect(after(19_999, [])).toBe(null);
    expect(after(20_000, all)).toBe(null);
    expect(after(20_000, all.slice(1))).toBe(`20000 histories never gave ${all[0]?.slice(6)}`);
    expect(after(20_000, [...all, 'start:name-taken'])).toBe(
      'thought to be out of reach, and given: name-taken at seed 7',
    );
  });

  it('names the lowest seed that gave what was thought to be out of reach, in whatever order they ended', () => {
    const tally = createTally();
    for (const [seed, reasons] of [
      [5, ['start:join']],
      [9, ['start:name-taken']],
      [8, ['start:name-taken', 'member:name-taken']],
      [6, []],
    ] as const)
      count(tally, { ...RESULT, job: { seed, profile: 'mixed' }, reasons });
    expect(renderTally(tally, 1)).toContain('thought to be out of reach: name-taken at seed 8\n');
  });
});

describe('coverage of codes', () => {
  it('tells what was given, what was not, and what was not expected', () => {
    const { given, missing, surprising } = coverageOf(['start:join', 'register:birth', 'start:name-taken']);
    expect(given.toSorted()).toEqual(['birth', 'join', 'name-taken']);
    expect(missing).not.toContain('join');
    expect(missing).toContain('evict-terminated');
    expect(surprising).toEqual(['name-taken']);
  });

  it('leaves codes of the daemon itself alone', () => {
    expect(coverageOf(['records:records-written']).given).toEqual([]);
  });
});
