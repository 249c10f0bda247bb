import type { Random } from '../../src/daemon/ports.ts';

/** Randomness that a seed repeats. */
export interface SeededRandom extends Random {
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number;
  /** Whether something of this probability happens. */
  chance(probability: number): boolean;
  pick<T>(items: readonly [T, ...T[]]): T;
  /** A stream of its own, so that more draws in one place change nothing in another. */
  fork(): SeededRandom;
}

/** mulberry32 over the seed. */
export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const word = (): string =>
    Math.floor(fraction() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  const int = (min: number, max: number): number => min + Math.floor(fraction() * (max - min + 1));
  return {
    fraction,
    token: () => word() + word() + word() + word(),
    int,
    chance: (probability) => fraction() < probability,
    pick: (items) => items[int(0, items.length - 1)] ?? items[0],
    fork: () => createSeededRandom(int(0, 2 ** 32 - 1)),
  };
}
