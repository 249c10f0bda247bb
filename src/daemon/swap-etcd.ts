import type { EtcdExit, KeptStep } from '../core/local-data.ts';
import { STOP_GRACE_MS } from '../core/numbers.ts';
import { reason } from '../core/reason.ts';
import type { Context } from './context.ts';
import { orLate } from './or-late.ts';
import type { RunningEtcd } from './ports.ts';

/** A process that SIGKILL has not ended by then waits for a disk that hangs, for as long as that does. */
const STOP_LIMIT_MS = 2 * STOP_GRACE_MS;

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
  /** Until it is settled no etcd is started; null: nothing is waited for. */
  readonly hold: Promise<void> | null;
  /** Ends that nobody ordered, and starts that failed, since then. */
  failures: number;
  /** What the last of them said. */
  lastWords: string;
  /** One of them refused to run on data, or in a cluster, of a newer version. */
  tooOld: boolean;
}

/** Asked once the old process has ended: how to run etcd instead; null: as was said. */
export type Instead = () => Promise<RunAs | null>;

/**
 * Stops the own etcd in order, and has it started again as `how` says; the life of the member does the start. An etcd that
 * runs has a say in what follows: what rests on its silence is asked by `instead`. Ends when the old process has ended.
 *
 * Null: it does not end, and nothing is swapped; who holds a lock for that is to let it go. Once it has ended it is started
 * again as after a crash.
 */
export async function swapEtcd(
  context: Context,
  how: RunAs,
  signal: AbortSignal,
  instead: Instead | null = null,
): Promise<Swap | null> {
  const { etcd, identity } = context.state;
  const memberId = identity?.memberId ?? null;
  const ended = Promise.withResolvers<void>();
  const swap = watchSwap(context, how, { memberId, ordered: etcd !== null, hold: ended.promise });
  try {
    if (etcd === null) context.lifeBell.ring();
    else if (!(await hasStopped(context, etcd, signal))) {
      if (context.state.swap === swap) context.state.swap = null;
      return null;
    }
    const other = etcd === null ? null : await instead?.();
    return other == null ? swap : watchSwap(context, other, { memberId, ordered: swap.ordered });
  } finally {
    ended.resolve();
  }
}

async function hasStopped(
  { ports, chronicle }: Context,
  etcd: RunningEtcd,
  signal: AbortSignal,
): Promise<boolean> {
  const stopped = async (): Promise<boolean> => (await etcd.stop(STOP_GRACE_MS)) !== null;
  if (await orLate(ports.clock, STOP_LIMIT_MS, false, stopped, signal)) return true;
  const why = `etcd (pid ${etcd.pid}) has not ended ${STOP_LIMIT_MS / 1000} s after it was told to, nor by SIGKILL`;
  chronicle.trouble('stop-etcd', reason('stop-hangs', why));
  return false;
}

/** Has every end of an etcd counted that runs so already, or is about to: nothing is stopped. */
export function watchSwap(
  { state }: Context,
  how: RunAs,
  more: Pick<Swap, 'memberId'> & Partial<Pick<Swap, 'ordered' | 'hold'>>,
): Swap {
  const swap: Swap = {
    ordered: false,
    hold: null,
    ...how,
    ...more,
    failures: 0,
    lastWords: '',
    tooOld: false,
  };
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
