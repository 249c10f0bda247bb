import { describe, test } from 'vitest';
import { troubledBirth } from './births.ts';

/* Two of the births that the torture has by the dozen, with other troubles than those of the other tests of births. */
describe.concurrent('a birth under faults gives one cluster', () => {
  test.for([8, 11])('seed %i', async (seed, context) => {
    await troubledBirth(context, seed, new Map());
  });
});
