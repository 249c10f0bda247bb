import { HEARTBEAT_INTERVAL_MS } from '../core/numbers.ts';
import type { Context } from './context.ts';

/** Between tries to complete the hook. */
const COMPLETION_INTERVAL_MS = 1_000;

/** The terminating hook that may hold this instance. */
export interface TerminatingHook {
  /** Whether a heartbeat was heard, and so a hook waits. */
  holds(): boolean;
  /** Sends a heartbeat where one is due; nothing waits for it: while AWS hangs, each would take most of a machine's grace. */
  beat(signal: AbortSignal): void;
  /** Lets the machine go; again and again until the answer is known, or the grace is over and nothing is held. */
  complete(isGraceOver: () => boolean, signal: AbortSignal): Promise<void>;
}

/** The terminating hook of this instance, as a departure sees it. */
export function createTerminatingHook(context: Context): TerminatingHook {
  const { clock, hooks, log, meter } = context.ports;
  let held = false;
  let beating = false;
  let beatAt = Number.NEGATIVE_INFINITY;
  const send = async (signal: AbortSignal): Promise<void> => {
    beating = true;
    try {
      const outcome = await hooks.heartbeat('terminating', signal);
      if (outcome.known) held = outcome.value === 'done';
    } catch (error) {
      if (!signal.aborted) log.error({ error }, 'a heartbeat failed on something unexpected');
    } finally {
      beating = false;
    }
  };
  return {
    holds: () => held,
    beat(signal) {
      if (beating || clock.now() - beatAt < HEARTBEAT_INTERVAL_MS) return;
      beatAt = clock.now();
      void send(signal);
    },
    async complete(isGraceOver, signal) {
      for (;;) {
        const completed = await hooks.complete('terminating', 'CONTINUE', signal);
        meter.acted('complete-terminating', completed.known ? completed.value : 'unknown');
        // An unknown answer would leave the machine waiting for the hook's timeout.
        if (completed.known || (isGraceOver() && !held)) return;
        await clock.sleep(COMPLETION_INTERVAL_MS, signal);
      }
    },
  };
}
