import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Ending, EndingKind } from './ending.ts';
import type { Plot, Profile } from './plot.ts';

/** A history to play: a plot, or the seed that one is drawn from. */
export type Job = { readonly seed: number; readonly profile: Profile } | { readonly plot: Plot };

/** How a job ended: `threw`, the simulator itself failed; `hung`, it came to no end. */
export type ResultKind = EndingKind | 'threw' | 'hung';

/** One played history, small enough to be kept for each of many. */
export interface Result {
  readonly job: Job;
  readonly kind: ResultKind;
  readonly why: string;
  readonly convergedInMs: number;
  readonly virtualMs: number;
  /** CPU time of the worker's thread. */
  readonly cpuMs: number;
  readonly faults: Ending['faults'];
  readonly slow: Ending['slow'];
  readonly reasons: readonly string[];
  /** All of it, where it is a failure. */
  readonly ending: Ending | null;
}

/** What a run is made of. */
export interface RunOptions {
  /** Taken one by one as workers are free: it may end when time is over. */
  readonly jobs: Iterable<Job>;
  readonly workers: number;
  /** Longest that one history may take; real time. */
  readonly limitMs?: number;
  /** The module that plays what it is sent; `./worker.ts` unless given. */
  readonly workerUrl?: URL;
}

/** A history of tens of virtual minutes takes a tenth of a second of CPU; a busy machine may take much longer. */
const LIMIT_MS = 120_000;

/** Whether a history that ended so is one that must not be. */
export function isFailure(kind: ResultKind): boolean {
  return kind !== 'converged' && kind !== 'lost';
}

/** Plays all jobs on worker threads, each history alone in its thread; results come as they are ready. */
export async function runJobs(
  options: RunOptions,
  onResult: (result: Result) => void,
  signal: AbortSignal,
): Promise<void> {
  const jobs = options.jobs[Symbol.iterator]();
  const lanes = Array.from({ length: options.workers }, async () => {
    let worker: Worker | null = null;
    try {
      for (let next = jobs.next(); next.done !== true && !signal.aborted; next = jobs.next()) {
        worker ??= startWorker(options);
        const result = await playOn(worker, next.value, { limitMs: options.limitMs ?? LIMIT_MS, signal });
        if (result === null) return;
        // What failed in itself may have left anything behind.
        if (result.kind === 'threw' || result.kind === 'hung') {
          await worker.terminate();
          worker = null;
        }
        onResult(result);
      }
    } finally {
      await worker?.terminate();
    }
  });
  await Promise.all(lanes);
}

function startWorker({ workerUrl = new URL('worker.ts', import.meta.url) }: RunOptions): Worker {
  const worker = new Worker(workerUrl, { execArgv: [] });
  // Asked for where a job waits for it; without a listener it would end the whole run.
  worker.on('error', () => undefined);
  return worker;
}

/** Null where nobody waits for it any more. */
async function playOn(
  worker: Worker,
  job: Job,
  { limitMs, signal }: { readonly limitMs: number; readonly signal: AbortSignal },
): Promise<Result | null> {
  const failed = (kind: 'threw' | 'hung', why: string): Result => ({
    job,
    kind,
    why,
    convergedInMs: 0,
    virtualMs: 0,
    cpuMs: 0,
    faults: {},
    slow: { starts: 0, restores: 0, defragments: 0 },
    reasons: [],
    ending: null,
  });
  const answered = new AbortController();
  const limit = AbortSignal.any([answered.signal, signal, AbortSignal.timeout(limitMs)]);
  worker.postMessage(job);
  try {
    const [message] = (await once(worker, 'message', { signal: limit })) as [Result | string];
    return typeof message === 'string' ? failed('threw', message) : message;
  } catch (error) {
    if (signal.aborted) return null;
    if (limit.aborted) return failed('hung', `no end after ${limitMs / 1_000} s`);
    return failed('threw', error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    answered.abort();
  }
}
