import type { Clock } from './ports.ts';
import type { Scope } from './scope.ts';
import { openScope } from './scope.ts';

/** Something to sleep on that can be woken: loops wait for events, the time is only the longest they wait. */
export interface Bell {
  /** Wakes who waits; where nobody does, the next wait ends at once. */
  ring(): void;
  /** Ends after `ms` or when rung, whichever is first, and says whether it was rung; rejects with the signal's reason. */
  wait(ms: number, signal: AbortSignal): Promise<boolean>;
}

/** A bell on the given clock. One waiter at a time. */
export function createBell(clock: Clock): Bell {
  let rung = false;
  let isWaiting = false;
  /** What the waits under one signal sleep in, until one of them is rung out of it: a loop comes here in each of its turns. */
  let scope: (Scope & { readonly outer: AbortSignal }) | null = null;
  const scopeIn = (outer: AbortSignal): Scope => {
    if (scope !== null && scope.outer === outer && !scope.signal.aborted) return scope;
    scope?.end();
    scope = { ...openScope(outer), outer };
    return scope;
  };
  return {
    ring() {
      rung = true;
      if (isWaiting) scope?.end();
    },
    async wait(ms, signal) {
      signal.throwIfAborted();
      if (!rung) {
        const own = scopeIn(signal).signal;
        isWaiting = true;
        try {
          await clock.sleep(ms, own);
        } catch (error) {
          if (!own.aborted) throw error;
        } finally {
          isWaiting = false;
        }
        signal.throwIfAborted();
      }
      const wasRung = rung;
      rung = false;
      return wasRung;
    },
  };
}
