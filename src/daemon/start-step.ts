import type { StartAction } from '../core/start.ts';
import type { Context } from './context.ts';
import type { RunningEtcd } from './ports.ts';

/** What a step of a start leaves behind: etcd runs, or the next look at once, or after a while. */
export type StepResult = RunningEtcd | { readonly nextInMs: number };

/** The action of one kind. */
export type ActionOf<Kind extends StartAction['kind']> = Extract<StartAction, { readonly kind: Kind }>;

/** Look again at once: something changed. */
export const AT_ONCE: StepResult = { nextInMs: 0 };

/** Soon, with jitter, so that joiners that were refused together do not come back together. */
export function soon(context: Context): StepResult {
  return { nextInMs: 100 + Math.round(400 * context.ports.random.fraction()) };
}
