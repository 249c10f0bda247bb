import { afterAll, describe, expect, it } from 'vitest';
import type { Law } from '../ending.ts';
import { BUGS } from './bugs.ts';
import { sendHunters } from './hunters.ts';

/** Every hunt begins here, so that what it finds, and when, is the same for everybody. */
const FIRST_SEED = 1;

/** The promise of the simulator: a bug against a law shows within so many histories. */
const SEEDS = 2_000;

const LAWS: readonly Law[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

const hunters = sendHunters(
  BUGS.map((bug) => ({ bug: bug.name, firstSeed: FIRST_SEED, seeds: SEEDS })),
  2,
);

afterAll(async () => {
  await hunters[Symbol.asyncDispose]();
});

describe('planted bugs', () => {
  it.each(LAWS)('are at least two against law %d', (law) => {
    expect(BUGS.filter((it) => it.law === law).length).toBeGreaterThanOrEqual(2);
  });

  it('have names of their own', () => {
    expect(new Set(BUGS.map((it) => it.name)).size).toBe(BUGS.length);
  });

  it.each(BUGS.map((bug, at) => [bug.law, bug.name, at] as const))(
    'are found, and only where they are: law %d, %s',
    async (law, name, at) => {
      const found = await hunters.catches[at];
      console.log(`law ${law}, ${name}: ${found?.by} at seed ${found?.seed}, the ${found?.played}th played`);
      expect(found).toMatchObject({ bug: name, seed: expect.any(Number) });
      // The same history without the bug: whatever else its faults took, no law is broken, and it is not stuck.
      expect(['converged', 'lost']).toContain(found?.without);
    },
    120_000,
  );
});
