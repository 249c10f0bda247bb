import { describe, expect, test } from 'vitest';
import { type Blows, troubledBirth } from '../e2e/births.ts';

/* TORTURE_SEED repeats the draws; what the machine makes of them is its own. */
const FIRST = Number(process.env['TORTURE_SEED'] ?? Date.now() % 1_000_000);
const BIRTHS = Number(process.env['TORTURE_BIRTHS'] ?? 50);

/** A kind that was drawn less often may have come too early or too late each time. */
const OFTEN = 5;
const blows: Blows = new Map();

describe.concurrent('a birth under faults gives one cluster', () => {
  test.for(Array.from({ length: BIRTHS }, (_, number) => FIRST + number))(
    'seed %i',
    async (seed, context) => {
      await troubledBirth(context, seed, blows);
    },
  );
});

test('what was drawn did hit', () => {
  const kinds = [...blows].toSorted();
  process.stdout.write(
    `${kinds.map(([kind, { drawn, hits }]) => `${kind}: drawn ${drawn}, hits ${hits}`).join('\n')}\n`,
  );
  expect(kinds.filter(([, { drawn, hits }]) => drawn >= OFTEN && hits === 0)).toEqual([]);
  for (const kind of [/^(kill|freeze) /, / of /, /^late /])
    expect(kinds.some(([name, { hits }]) => kind.test(name) && hits > 0)).toBe(true);
});
