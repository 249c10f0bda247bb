import type { LargeDatabase } from '../fakes/etcd/large.ts';
import type { SeededRandom } from '../fakes/seeded-random.ts';

/** A large database: its size, and the longest that etcd takes with it. */
export interface PlotDatabase extends LargeDatabase {
  readonly bytes: number;
}

/** Bytes that a start reads in a millisecond: on a disk as slow as the appliance allows for, and on faster ones. */
const READ_BYTES_PER_MS = [5_000, 20_000, 100_000] as const;

/** Members beyond which etcd is less slow: they step, and are replaced, one after the other, and real time has an end. */
const FEW = 3;

/**
 * A database that etcd reads for 5 to 120 s as it starts, and for half of that, 5 to 60 s, as it puts a snapshot in place; where
 * the group wants many, for a share of that.
 */
export function drawDatabase(random: SeededRandom, desired: number): PlotDatabase {
  const longest = Math.floor(240 / Math.max(1, desired - FEW + 1));
  const startMs = random.int(10, longest) * 500;
  return {
    bytes: startMs * random.pick(READ_BYTES_PER_MS),
    startMs,
    transferMs: random.int(1, 20) * 1_000,
    restoreMs: Math.max(5_000, Math.floor(startMs / 2)),
  };
}
