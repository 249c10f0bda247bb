import { CLAIM_READ_INTERVAL_MS } from '../core/numbers.ts';
import { planFormingAnew } from '../core/plan-start.ts';
import type { Context } from './context.ts';
import { execute } from './start-executors.ts';
import { decide } from './starter.ts';

/** Looks now and then whether the claim of a founder without a quorum must be replaced, and replaces it. */
export interface FormingWatch {
  /** True: the data were never born, so that etcd is to stop; the next start judges them again. */
  look(signal: AbortSignal): Promise<boolean>;
}

/** A watch for one run of etcd. What it remembers is only whose turn it was, and when it looked. */
export function createFormingWatch(context: Context): FormingWatch {
  const { register, chronicle } = context;
  const { clock } = context.ports;
  let standing = { code: '', since: clock.now() };
  let lookedAt = clock.now();
  return {
    async look(signal) {
      const now = clock.now();
      // A birth that goes well is over before the first look: it costs no call.
      if (now - lookedAt < CLAIM_READ_INTERVAL_MS) return false;
      lookedAt = now;
      const clocks = {
        waitedMs: register.claimStoodMs(),
        standing: { code: standing.code, forMs: now - standing.since },
      };
      const mode = { afterCrash: false, damagedStarts: 0 };
      const { action, seen } = await decide(context, mode, clocks, signal, planFormingAnew);
      chronicle.plan('forming', [action.reason]);
      if (standing.code !== action.reason.code) standing = { code: action.reason.code, since: now };
      // Once it is replaced, the data are of an epoch that was never born, and the member stops its etcd itself.
      if (action.kind === 'register' || action.kind === 'discard')
        await execute(context, action, seen, signal);
      return action.kind === 'set-aside';
    },
  };
}
