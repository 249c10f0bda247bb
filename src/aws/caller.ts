import { withDeadline } from './deadline.ts';
import { failureOf } from './failure.ts';

/** One finished call, retries included. */
export interface ObservedCall {
  /** ec2, autoscaling, route53 or imds. */
  readonly service: string;
  /** The API's name of the action; for imds the path below /latest/. */
  readonly action: string;
  /** `ok`, else the error's code: Throttling, TimeoutError, ECONNREFUSED … */
  readonly result: string;
  readonly durationMs: number;
  /** How many requests it took. */
  readonly tries: number;
}

/** Where calls are counted. */
export interface CallObserver {
  onCall(call: ObservedCall): void;
}

/** Makes one call: within the deadline, timed, and reported when it ends. */
export type Call = <T>(
  service: string,
  action: string,
  signal: AbortSignal,
  send: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

/**
 * The wrapper that every call goes through. It is not a middleware of the SDK, because a call that is given up at its
 * deadline must be counted then, and the credentials' requests must be under the deadline, too.
 */
export function createCaller(deadlineMs: number, observer: CallObserver): Call {
  return async (service, action, signal, send) => {
    const startedAt = performance.now();
    const report = (result: string, tries: number): void => {
      observer.onCall({ service, action, result, durationMs: performance.now() - startedAt, tries });
    };
    try {
      const output = await withDeadline(deadlineMs, signal, send);
      report('ok', triesOf(output));
      return output;
    } catch (thrown) {
      const failure = failureOf(thrown);
      report(failure.name, failure.tries);
      throw thrown;
    }
  };
}

function triesOf(output: unknown): number {
  if (typeof output !== 'object' || output === null || !('$metadata' in output)) return 1;
  const metadata = output.$metadata;
  if (typeof metadata !== 'object' || metadata === null || !('attempts' in metadata)) return 1;
  return typeof metadata.attempts === 'number' ? metadata.attempts : 1;
}
