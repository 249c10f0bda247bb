import { ApplianceError, EXIT } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import type { Log } from '../http/log.ts';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** What the signals of this process ask for. */
export interface Stop {
  /** Aborted by the first signal: all ends in order. */
  readonly signal: AbortSignal;
  /** Settles with the exit code at a SIGINT that follows, as somebody at a terminal sends it: all ends at once. */
  readonly forced: Promise<ExitCode>;
}

/**
 * Takes over the signals that end a process. Call it once. Only SIGINT forces the end: a supervisor, or a host that shuts down,
 * may send SIGTERM twice, and an instance that ends at once has not left.
 */
export function listenForSignals(log: Log): Stop {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<ExitCode>();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted && signal === 'SIGINT') {
      log.warn({ signal }, 'stopping at once');
      resolve(EXIT.failed);
      return;
    }
    if (controller.signal.aborted) {
      log.info({ signal }, 'told to stop again: it goes on in order');
      return;
    }
    log.info({ signal }, 'stopping in order; SIGINT from now on stops at once');
    controller.abort(new ApplianceError({ code: 'aborted' }, `told to stop by ${signal}`));
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return { signal: controller.signal, forced: promise };
}
