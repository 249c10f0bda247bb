import { describe, expect, it } from 'vitest';
import type { Ending, Line } from './ending.ts';
import { drawPlot } from './plot.ts';
import { renderTimeline, renderVerdict, tell } from './timeline.ts';

const lines: readonly Line[] = [
  { atMs: 1_000, who: 'i-1', what: 'planned start [birth] claims the name' },
  { atMs: 2_000, who: 'world', what: 'INCIDENT i-1: kill -9 of etcd' },
  { atMs: 3_000, who: 'i-1', what: 'etcd ended (SIGKILL)' },
  { atMs: 4_000, who: 'i-1', what: `planned start [own-data] ${'x'.repeat(500)}` },
  { atMs: 5_500, who: 'world', what: 'WRONG law 7, stopped-for-reason: i-1' },
];

const ENDING: Ending = {
  plot: drawPlot(7, 'crash'),
  kind: 'wrong',
  broken: [{ law: 7, check: 'stopped-for-reason', what: 'i-1 stops its etcd' }],
  why: 'i-1 stops its etcd',
  convergedInMs: 0,
  virtualMs: 5_500,
  faults: {},
  slow: { starts: 0, restores: 0, defragments: 0 },
  reasons: new Set(),
  timeline: lines,
};

describe('a timeline', () => {
  it('shows its end, and of what was before it what the world did', () => {
    expect(renderTimeline(lines, { lastLines: 1 }).split('\n')).toEqual([
      '          … 1 lines',
      '    2.000 world       INCIDENT i-1: kill -9 of etcd',
      '          … 2 lines',
      '    5.500 world       WRONG law 7, stopped-for-reason: i-1',
    ]);
  });

  it('is cut at the side', () => {
    const widths = renderTimeline(lines, { lastLines: 10 })
      .split('\n')
      .map((it) => it.length);
    expect(widths).toHaveLength(5);
    expect(Math.max(...widths)).toBe(240);
  });
});

describe('a failure', () => {
  it('names seed, profile, law and check, the plot, and how to play it again', () => {
    const text = tell(ENDING);
    expect(text).toContain('seed 7, profile crash: wrong\n  law 7, stopped-for-reason: i-1 stops its etcd');
    expect(text).toContain(`plot: ${JSON.stringify(ENDING.plot)}`);
    expect(text).toContain('npm run simulate -- --seed 7 --profile crash --seeds 1');
  });

  it('that was cut is played again from a file', () => {
    expect(tell({ ...ENDING, plot: { ...ENDING.plot, incidents: [] } })).toContain('--plot FILE');
  });

  it('without a law says where it is stuck', () => {
    expect(renderVerdict({ ...ENDING, kind: 'stuck', broken: [], why: '2 of 3 machines' })).toBe(
      'seed 7, profile crash: stuck: 2 of 3 machines',
    );
  });
});
