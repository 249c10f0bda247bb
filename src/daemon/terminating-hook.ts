import { HEARTBEAT_INTERVAL_MS } from '../core/numbers.ts';
import type { Context } from './context.ts';
import type { HookOutcome } from './ports.ts';

/** Between tries to complete the hook. */
const COMPLETION_INTERVAL_MS = 1_000;

/** The same while it is still to come, for minutes: each try is two calls or more. */
const TO_COME_INTERVAL_MS = 5_000;

/** For so long a load balancer drains connections at most; then the hook begins. */
const TO_COME_LIMIT_MS = 3_600_000;

/** The terminating hook that may hold this instance. */
export interface TerminatingHook {
  /** Whether a heartbeat was heard, and so a hook waits; or one is about to, when a load balancer has drained the connections. */
  holds(): boolean;
  /** Sends a heartbeat where one is due; nothing waits for it: while AWS hangs, each would take most of a machine's grace. */
  beat(signal: AbortSignal): void;
  /** Lets the machine go; again and again until that is done, or there is no hook, or the grace is over and none waits yet. */
  complete(isGraceOver: () => boolean, signal: AbortSignal): Promise<void>;
}

/** The terminating hook of this instance, as a departure sees it. */
export function createTerminatingHook(context: Context): TerminatingHook {
  const { chronicle } = context;
  const { clock, hooks, log, meter } = context.ports;
  let last: HookOutcome | null = null;
  let toComeSince: number | null = null;
  let beating = false;
  let beatAt = Number.NEGATIVE_INFINITY;
  const note = (outcome: HookOutcome): void => {
    last = outcome;
    if (outcome === 'to-come') toComeSince ??= clock.now();
  };
  const send = async (signal: AbortSignal): Promise<void> => {
    beating = true;
    try {
      const outcome = await hooks.heartbeat('terminating', signal);
      if (outcome.known) note(outcome.value);
    } catch (error) {
      if (!signal.aborted) log.error({ error }, 'a heartbeat failed on something unexpected');
    } finally {
      beating = false;
    }
  };
  return {
    holds: () =>
      last === 'done' ||
      (last === 'to-come' && toComeSince !== null && clock.now() - toComeSince < TO_COME_LIMIT_MS),
    beat(signal) {
      if (beating || clock.now() - beatAt < HEARTBEAT_INTERVAL_MS) return;
      beatAt = clock.now();
      void send(signal);
    },
    async complete(isGraceOver, signal) {
      for (;;) {
        const turn = clock.now();
        const completed = await hooks.complete('terminating', 'CONTINUE', signal);
        meter.acted('complete-terminating', completed.known ? completed.value : 'unknown');
        const isToCome = completed.known && completed.value === 'to-come';
        if (completed.known && !isToCome) return;
        if (isToCome) note('to-come');
        // An unknown answer would leave the machine waiting for the hook's timeout.
        if (isGraceOver() && last !== 'done') return;
        chronicle.turn('leave', turn);
        await clock.sleep(isToCome ? TO_COME_INTERVAL_MS : COMPLETION_INTERVAL_MS, signal);
      }
    },
  };
}
