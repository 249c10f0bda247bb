import { describe, expect, it } from 'vitest';
import { known } from '../../../src/core/known.ts';
import type { HealthObservation } from '../../../src/core/readiness.ts';
import { whyUnhealthy } from '../../../src/core/readiness.ts';
import { DARK, memberIdOf, status } from '../../fixtures/core/world.ts';

function seen(more: Partial<HealthObservation> = {}): HealthObservation {
  return { status: known(status(1)), memberId: memberIdOf(1), highestIndex: 5_000, ...more };
}

const cases: readonly (readonly [name: string, seen: HealthObservation, why: string | null])[] = [
  ['a voter that serves', seen(), null],
  ['1,000 entries behind', seen({ highestIndex: 6_000 }), null],
  ['1,001 entries behind', seen({ highestIndex: 6_001 }), '1001 entries behind'],
  ['no answer', seen({ status: DARK }), 'AWS does not answer'],
  ['another member answers in its place', seen({ memberId: memberIdOf(2) }), memberIdOf(1)],
  ['a learner', seen({ status: known(status(1, { learner: true })) }), 'learner'],
  ['no leader', seen({ status: known(status(1, { leader: null })) }), 'no leader'],
];

describe('whyUnhealthy', () => {
  it.each(cases)('%s', (_name, observed, why) => {
    const answer = whyUnhealthy(observed);
    if (why === null) expect(answer).toBeNull();
    else expect(answer).toContain(why);
  });
});
