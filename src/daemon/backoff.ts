import type { Clock, Random } from './ports.ts';

/** Where a pause begins, and where it stops doubling; ms. */
export interface BackoffBounds {
  readonly firstMs: number;
  readonly mostMs: number;
}

/**
 * The pause after so many failures in a row (1: the first): it doubles, and its upper half is random (`fraction` in
 * [0, 1)), so that appliances that failed together do not come back together. Milliseconds.
 */
export function pauseAfterMs(failures: number, { firstMs, mostMs }: BackoffBounds, fraction: number): number {
  const bound = Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 10));
  return Math.round((bound * (1 + fraction)) / 2);
}

/** Remembers failures in a row, and until when not to try again. */
export interface Backoff {
  failed(): void;
  succeeded(): void;
  /** Whether it is too early to try again. */
  waits(): boolean;
}

/** A backoff without failures. */
export function createBackoff(
  ports: { readonly clock: Clock; readonly random: Random },
  bounds: BackoffBounds,
): Backoff {
  let failures = 0;
  let until = Number.NEGATIVE_INFINITY;
  return {
    failed() {
      failures += 1;
      until = ports.clock.now() + pauseAfterMs(failures, bounds, ports.random.fraction());
    },
    succeeded() {
      failures = 0;
      until = Number.NEGATIVE_INFINITY;
    },
    waits: () => ports.clock.now() < until,
  };
}
