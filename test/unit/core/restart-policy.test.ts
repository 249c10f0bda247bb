import { describe, expect, it } from 'vitest';
import { restartDelayMs } from '../../../src/core/restart-policy.ts';

describe('restartDelayMs', () => {
  it.each([
    { failures: 0, fraction: 0.99, delayMs: 0 },
    { failures: 1, fraction: 0, delayMs: 0 },
    { failures: 1, fraction: 0.5, delayMs: 500 },
    { failures: 2, fraction: 0.5, delayMs: 1_000 },
    { failures: 5, fraction: 0.5, delayMs: 8_000 },
    { failures: 6, fraction: 0.5, delayMs: 15_000 },
    { failures: 1_000_000, fraction: 0.999, delayMs: 29_970 },
  ])('after $failures failures, at $fraction: $delayMs ms', ({ failures, fraction, delayMs }) => {
    expect(restartDelayMs(failures, fraction)).toBe(delayMs);
  });
});
