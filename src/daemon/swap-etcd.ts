import { STOP_GRACE_MS } from '../core/numbers.ts';
import type { Context } from './context.ts';

/** An etcd that is run otherwise than its data say, from an ordered stop until the step that ordered it is over. */
export interface Swap {
  readonly version: string;
  /** Null: etcd's own default. */
  readonly snapshotCount: number | null;
  /** The stop that was ordered is not over yet: that end is no crash. */
  ordered: boolean;
  /** Ends that nobody ordered, and starts that failed, since then. */
  failures: number;
  /** What the last of them said. */
  lastWords: string;
}

/**
 * Stops the own etcd in order, and has it started again as `how` says; the life of the member does the start. Ends when the
 * old process has ended.
 */
export async function swapEtcd(
  { state, lifeBell }: Context,
  how: Pick<Swap, 'version' | 'snapshotCount'>,
): Promise<Swap> {
  const etcd = state.etcd;
  const swap: Swap = { ...how, ordered: etcd !== null, failures: 0, lastWords: '' };
  state.swap = swap;
  if (etcd === null) lifeBell.ring();
  else await etcd.stop(STOP_GRACE_MS);
  return swap;
}

/** What the life of the member notes of an end of etcd; true: it was ordered, and etcd is started again at once. */
export function noteEnd({ swap }: { readonly swap: Swap | null }, words: string): boolean {
  if (swap === null) return false;
  if (swap.ordered) {
    swap.ordered = false;
    return true;
  }
  swap.failures += 1;
  swap.lastWords = words;
  return false;
}
