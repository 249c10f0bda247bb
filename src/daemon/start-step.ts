import type { StartAction, StartObservation } from '../core/start.ts';
import type { Context } from './context.ts';
import type { RunningEtcd } from './ports.ts';

/** What a step of a start leaves behind: etcd runs, or the next look at once, or after a while. */
export type StepResult = RunningEtcd | { readonly nextInMs: number };

/** The action of one kind. */
export type ActionOf<Kind extends StartAction['kind']> = Extract<StartAction, { readonly kind: Kind }>;

/** Look again at once: something changed. */
export const AT_ONCE: StepResult = { nextInMs: 0 };

/** For how long a start has wanted this action, of this reason, without a break; ms. */
export function standsForMs(action: StartAction, { standing }: Pick<StartObservation, 'standing'>): number {
  return standing.code === action.reason.code ? standing.forMs : 0;
}

/**
 * Soon, with jitter, so that joiners that were refused together do not come back together: 0.1 to 0.5 s, and after
 * `wantedForMs` of the same refusals up to a fifth of that time, at most `mostMs`.
 */
export function soon(context: Context, wantedForMs = 0, mostMs = 5_000): StepResult {
  const bound = Math.min(mostMs, Math.max(500, wantedForMs / 5));
  return { nextInMs: Math.round(bound * (0.2 + 0.8 * context.ports.random.fraction())) };
}
