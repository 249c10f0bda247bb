import type { Clock } from './ports.ts';

/** The answer of a call, or `late` where none came within the limit; the call is let go then. */
export async function orLate<T, Late>(
  clock: Pick<Clock, 'sleep'>,
  limitMs: number,
  late: Late,
  call: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T | Late> {
  const done = new AbortController();
  const both = AbortSignal.any([signal, done.signal]);
  try {
    return await Promise.race([call(both), clock.sleep(limitMs, both).then(() => late)]);
  } finally {
    done.abort();
  }
}
