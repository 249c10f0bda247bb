import type { Clock } from './ports.ts';
import { openScope } from './scope.ts';

/** The answer of a call, or `late` where none came within the limit; the call is let go then. */
export async function orLate<T, Late>(
  clock: Pick<Clock, 'sleep'>,
  limitMs: number,
  late: Late,
  call: (signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T | Late> {
  const scope = openScope(signal);
  try {
    return await Promise.race([call(scope.signal), clock.sleep(limitMs, scope.signal).then(() => late)]);
  } finally {
    scope.end();
  }
}
