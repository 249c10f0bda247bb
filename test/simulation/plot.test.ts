import { describe, expect, it } from 'vitest';
import { INCIDENT_KINDS } from './incident.ts';
import { drawPlot, PROFILES } from './plot.ts';

const SEEDS = Array.from({ length: 500 }, (_, at) => at);

describe.each(PROFILES)('plots of the profile %s', (profile) => {
  const plots = SEEDS.map((seed) => drawPlot(seed, profile));

  it('are the same for the same seed', () => {
    expect(SEEDS.map((seed) => drawPlot(seed, profile))).toEqual(plots);
    expect(new Set(plots.map((it) => JSON.stringify(it.incidents))).size).toBeGreaterThan(490);
  });

  it('can be written down and read again', () => {
    expect(JSON.parse(JSON.stringify(plots))).toEqual(plots);
  });

  it('have one to six incidents, in the order of their times, for whoever is there then', () => {
    for (const { incidents, desired } of plots) {
      expect(incidents.length).toBeGreaterThanOrEqual(1);
      expect(incidents.length).toBeLessThanOrEqual(6);
      const times = incidents.map((it) => it.atMs);
      expect(times.toSorted((a, b) => a - b)).toEqual(times);
      const whos = incidents.flatMap((it) => ('who' in it && it.who !== null ? [it.who] : []));
      expect(whos.every((who) => who >= 0 && who < 1)).toBe(true);
      expect(desired >= 1 && desired <= 7).toBe(true);
    }
  });
});

it('mixed plots have every kind of incident', () => {
  const drawn = new Set(SEEDS.flatMap((seed) => drawPlot(seed, 'mixed').incidents.map((it) => it.kind)));
  expect([...drawn].toSorted()).toEqual([...INCIDENT_KINDS].toSorted());
});
