import { describe, test } from 'vitest';
import { troubledBirth } from '../e2e/births.ts';

/* TORTURE_SEED repeats the draws; what the machine makes of them is its own. */
const FIRST = Number(process.env['TORTURE_SEED'] ?? Date.now() % 1_000_000);
const BIRTHS = Number(process.env['TORTURE_BIRTHS'] ?? 50);

describe.concurrent('a birth under faults gives one cluster', () => {
  test.for(Array.from({ length: BIRTHS }, (_, number) => FIRST + number))(
    'seed %i',
    async (seed, context) => {
      await troubledBirth(context, seed);
    },
  );
});
