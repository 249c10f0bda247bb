import { describe, test } from 'vitest';
import { troubledBirth } from './births.ts';

/* Three of the births that the torture has by the dozen; each seed is another trouble every time the machine is. */
describe.concurrent('a birth under faults gives one cluster', () => {
  test.for([1, 2, 3])('seed %i', async (seed, context) => {
    await troubledBirth(context, seed);
  });
});
