import type { EtcdExit, KeptStep } from '../core/local-data.ts';
import { STOP_GRACE_MS } from '../core/numbers.ts';
import type { Context } from './context.ts';

/** As what an etcd is run otherwise than its data say. */
export interface RunAs {
  readonly version: string;
  /** Null: etcd's own default. */
  readonly snapshotCount: number | null;
  /** What is kept beside the data from its start on; null: it is no step to another version. */
  readonly step: KeptStep | null;
}

/** An etcd that is run so, from an ordered stop until the step that ordered it is over. */
export interface Swap extends RunAs {
  /** Whose data it runs on; null: not known. */
  readonly memberId: string | null;
  /** The stop that was ordered is not over yet: that end is no crash. */
  ordered: boolean;
  /** Ends that nobody ordered, and starts that failed, since then. */
  failures: number;
  /** What the last of them said. */
  lastWords: string;
  /** One of them refused to run on data, or in a cluster, of a newer version. */
  tooOld: boolean;
}

/**
 * Stops the own etcd in order, and has it started again as `how` says; the life of the member does the start. Ends when the
 * old process has ended.
 */
export async function swapEtcd(context: Context, how: RunAs): Promise<Swap> {
  const { etcd, identity } = context.state;
  const swap = watchSwap(context, how, { memberId: identity?.memberId ?? null, ordered: etcd !== null });
  if (etcd === null) context.lifeBell.ring();
  else await etcd.stop(STOP_GRACE_MS);
  return swap;
}

/** Has every end of an etcd counted that runs so already, or is about to: nothing is stopped. */
export function watchSwap(
  { state }: Context,
  how: RunAs,
  more: Pick<Swap, 'memberId'> & Partial<Pick<Swap, 'ordered'>>,
): Swap {
  const swap: Swap = { ordered: false, ...how, ...more, failures: 0, lastWords: '', tooOld: false };
  state.swap = swap;
  return swap;
}

/** What the life of the member notes of an end of etcd; true: it was ordered, and etcd is started again at once. */
export function noteEnd(
  { swap }: { readonly swap: Swap | null },
  { lastWords, saysTooOld }: Pick<EtcdExit, 'lastWords' | 'saysTooOld'>,
): boolean {
  if (swap === null) return false;
  if (swap.ordered) {
    swap.ordered = false;
    return true;
  }
  swap.failures += 1;
  swap.lastWords = lastWords;
  swap.tooOld ||= saysTooOld === true;
  return false;
}
