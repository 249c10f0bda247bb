import type { SeededRandom } from '../seeded-random.ts';

/** How long etcd takes with a large database; ms, each time between half of it and all. */
export interface LargeDatabase {
  /** From the start of a process on its data until it says its first word. */
  readonly startMs: number;
  /** From the leader's disk to a member that begins, or is too far behind. */
  readonly transferMs: number;
  /** Until a snapshot of the leader is in place. */
  readonly restoreMs: number;
}

/** The size of a database that nobody has written much into. */
export const SMALL_BYTES = 20_480;

/** Where nobody says otherwise. */
export const NO_TIME: LargeDatabase = { startMs: 0, transferMs: 0, restoreMs: 0 };

/** Between half of the time and all of it. */
export function drawMs(random: SeededRandom, longestMs: number): number {
  return random.int(Math.ceil(longestMs / 2), longestMs);
}
