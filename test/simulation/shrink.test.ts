import { describe, expect, it } from 'vitest';
import type { Ending } from './ending.ts';
import type { Incident } from './incident.ts';
import { drawPlot, type Plot } from './plot.ts';
import { breakageOf, shrink } from './shrink.ts';

const kill = (atMs: number): Incident => ({ atMs, kind: 'kill', who: 0.5, what: 'etcd' });
const freeze = (atMs: number, lastsMs: number): Incident => ({
  atMs,
  kind: 'freeze',
  who: 0.25,
  what: 'etcd',
  lastsMs,
});

const PLOT: Plot = {
  ...drawPlot(1, 'mixed'),
  desired: 5,
  hooks: ['launching', 'terminating'],
  clockDrift: 0.05,
  incidents: [kill(1_234), freeze(2_345, 33_333), kill(3_456), freeze(4_567, 20_000), kill(5_678)],
};

async function shrunk(breaks: (plot: Plot) => boolean, tries = 1_000): Promise<Plot> {
  return await shrink(PLOT, { tries, breaks: async (plot) => await Promise.resolve(breaks(plot)) });
}

describe('a plot is cut down', () => {
  it('to the one incident that breaks it, in the calmest world', async () => {
    const { incidents, desired, hooks, clockDrift } = await shrunk((plot) =>
      plot.incidents.some((it) => it.kind === 'freeze' && it.lastsMs >= 5_000),
    );
    expect({ desired, hooks, clockDrift }).toEqual({ desired: 1, hooks: [], clockDrift: 0 });
    expect(incidents).toHaveLength(1);
    expect(incidents[0]).toMatchObject({ kind: 'freeze', who: 0 });
    const [left] = incidents;
    expect(left?.kind === 'freeze' && left.lastsMs >= 5_000 && left.lastsMs < 10_000).toBe(true);
  });

  it('to two that break it only together, wherever they are', async () => {
    const { incidents } = await shrunk(
      (plot) => plot.incidents[0]?.kind === 'kill' && plot.incidents.at(-1)?.kind === 'freeze',
    );
    expect(incidents.map((it) => it.kind)).toEqual(['kill', 'freeze']);
  });

  it('no further than what breaks it allows', async () => {
    expect(await shrunk((plot) => JSON.stringify(plot) === JSON.stringify(PLOT))).toEqual(PLOT);
  });

  it('to none at all where no incident is needed', async () => {
    const plot = await shrunk((it) => it.desired >= 3);
    expect(plot.incidents).toEqual([]);
    expect(plot.desired).toBe(3);
  });

  it('within so many tries', async () => {
    let tried = 0;
    await shrunk(() => {
      tried += 1;
      return true;
    }, 7);
    expect(tried).toBe(7);
  });
});

describe('a failure is recognised again', () => {
  const ending = (part: Partial<Ending>): Ending => ({
    plot: PLOT,
    kind: 'wrong',
    broken: [],
    why: '',
    convergedInMs: 0,
    virtualMs: 0,
    faults: {},
    slow: { starts: 0, restores: 0, defragments: 0 },
    reasons: new Set(),
    timeline: [],
    ...part,
  });

  it('by the first law that was broken and the check that found it', () => {
    const broken = [
      { law: 5, check: 'quorum', what: 'i-1 did this' },
      { law: 9, check: 'emptied', what: 'that' },
    ] as const;
    expect(breakageOf(ending({ broken }))?.sign).toBe('law 5, quorum');
  });

  it('by being stuck', () => {
    expect(breakageOf(ending({ kind: 'stuck', why: '2 of 3 machines' }))?.sign).toBe('stuck');
  });

  it.each(['converged', 'lost'] as const)('and %s is none', (kind) => {
    expect(breakageOf(ending({ kind }))).toBe(null);
  });
});
