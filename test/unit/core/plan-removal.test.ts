import { describe, expect, it } from 'vitest';
import type { MembershipCode } from '../../../src/core/plan-membership.ts';
import type { RemovalObservation } from '../../../src/core/plan-removal.ts';
import { planRemoval } from '../../../src/core/plan-removal.ts';
import { reason } from '../../../src/core/reason.ts';
import { idOf, memberIdOf } from '../../fixtures/core/world.ts';

/** A learner that answers and is on no joinable instance, of whose claim nothing was asked. */
function seen(
  more: Partial<RemovalObservation> = {},
  code: MembershipCode = 'learner-of-nobody',
): RemovalObservation {
  const voter = code.startsWith('evict');
  return {
    action: {
      kind: 'remove-member',
      memberId: memberIdOf(4),
      instanceId: idOf(4),
      voter,
      reason: reason(code, 'why'),
    },
    answers: true,
    heldForMs: 0,
    ...more,
  };
}

type Case = readonly [name: string, seen: RemovalObservation, verdict: ReturnType<typeof planRemoval>];

const CASES: readonly Case[] = [
  ['a learner of nobody that answers: its claim is asked for', seen(), 'ask'],
  ['has not entered the claim', seen({ claimed: false }), 'remove'],
  ['has entered the claim: it may be promoted now', seen({ claimed: true }), 'hold'],
  ['the claim cannot be read: it may have entered', seen({ claimed: null }), 'hold'],
  ['has entered the claim, held for almost 15 s', seen({ claimed: true, heldForMs: 14_999 }), 'hold'],
  ['has entered the claim, held for 15 s', seen({ claimed: true, heldForMs: 15_000 }), 'remove'],
  ['held for 15 s: nothing more is asked', seen({ heldForMs: 15_000 }), 'remove'],
  ['does not answer: it cannot be promoted', seen({ answers: false }), 'remove'],
  ['makes no progress', seen({ claimed: true }, 'learner-stalled'), 'remove'],
  ['a voter', seen({ claimed: true }, 'evict-terminated'), 'remove'],
];

describe('whether a removal is made now', () => {
  it.each(CASES)('%s', (_name, observed, verdict) => {
    expect(planRemoval(observed)).toBe(verdict);
  });
});
