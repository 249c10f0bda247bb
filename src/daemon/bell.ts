import { ApplianceError } from '../errors.ts';
import type { Clock } from './ports.ts';

/** Something to sleep on that can be woken: loops wait for events, the time is only the longest they wait. */
export interface Bell {
  /** Wakes who waits; where nobody does, the next wait ends at once. */
  ring(): void;
  /** Ends after `ms` or when rung, whichever is first; rejects with the signal's reason. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** Why a wait ends that was rung out of; one for all, as an error of its own costs its trace. */
const RUNG = new ApplianceError({ code: 'aborted' }, 'somebody rang');

/** A bell on the given clock. One waiter at a time. */
export function createBell(clock: Clock): Bell {
  let rung = false;
  let waiting: AbortController | null = null;
  return {
    ring() {
      rung = true;
      waiting?.abort(RUNG);
    },
    async wait(ms, signal) {
      signal.throwIfAborted();
      if (!rung) {
        const own = new AbortController();
        const onAbort = (): void => own.abort(signal.reason);
        // By hand: every turn of every loop waits here, and `AbortSignal.any` keeps much more.
        signal.addEventListener('abort', onAbort, { once: true });
        waiting = own;
        try {
          await clock.sleep(ms, own.signal);
        } catch (error) {
          if (!own.signal.aborted) throw error;
        } finally {
          waiting = null;
          signal.removeEventListener('abort', onAbort);
        }
        signal.throwIfAborted();
      }
      rung = false;
    },
  };
}
