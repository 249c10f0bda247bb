import { describe, expect, it } from 'vitest';
import type { Ending } from './ending.ts';
import { play } from './play.ts';
import { drawPlot, PROFILES } from './plot.ts';

/** Two of each profile: what is not deterministic in a port or an incident shows in most histories that have it. */
const SEEDS = [1, 2];

/** Without the plot; one line to compare, because a diff of thousands says nothing. */
function digest({ timeline, kind, why, convergedInMs, virtualMs, faults, reasons }: Ending): object {
  return { kind, why, convergedInMs, virtualMs, faults, reasons: [...reasons], lines: timeline.length };
}

describe.each(PROFILES)('the profile %s', (profile) => {
  it.each(SEEDS)('plays seed %i twice the same', async (seed) => {
    const one = await play(drawPlot(seed, profile));
    const two = await play(drawPlot(seed, profile));
    const differs = one.timeline.findIndex(
      (line, at) => JSON.stringify(line) !== JSON.stringify(two.timeline[at]),
    );
    expect(differs === -1 ? null : [one.timeline[differs], two.timeline[differs]]).toBe(null);
    expect(digest(two)).toEqual(digest(one));
  });

  it('is told as it happens', async () => {
    const told: unknown[] = [];
    const ending = await play(drawPlot(1, profile), { onLine: (line) => told.push(line) });
    expect(told).toEqual(ending.timeline);
  });
});

it('another seed is another history', async () => {
  const [one, two] = [await play(drawPlot(1, 'mixed')), await play({ ...drawPlot(1, 'mixed'), seed: 2 })];
  expect(two.timeline).not.toEqual(one.timeline);
});
