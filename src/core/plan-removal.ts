import { PROMOTION_MS } from './numbers.ts';
import type { Removal } from './plan-membership.ts';

/** What is known of a member right before its removal. */
export interface RemovalObservation {
  readonly action: Removal;
  readonly answers: boolean;
  /** For how long its removal has been held off; ms. */
  readonly heldForMs: number;
  /** Whether the claim, read now, lists it as a voter; null: the claim cannot be read; undefined: it was not asked. */
  readonly claimed?: boolean | null;
}

/**
 * Whether a removal is made now. A learner that answers, and has said in the claim that it becomes a voter, may be promoted
 * at any moment: nothing makes its own appliance wait, and the removal would meet a voter (law 5). An appliance that means
 * to, promotes it within seconds; one that leaves, or is away, does not, and must not hold the slot. `ask`: the claim must
 * be read first.
 */
export function planRemoval({
  action,
  answers,
  heldForMs,
  claimed,
}: RemovalObservation): 'remove' | 'hold' | 'ask' {
  if (action.reason.code !== 'learner-of-nobody' || !answers || heldForMs >= PROMOTION_MS) return 'remove';
  if (claimed === undefined) return 'ask';
  return claimed === false ? 'remove' : 'hold';
}
