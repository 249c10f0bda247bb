import { describe, expect, it } from 'vitest';
import type { Claim, ClaimedVoter, ClaimReading } from '../../../src/core/claim.ts';
import { readClaim } from '../../../src/core/claim.ts';
import { known } from '../../../src/core/known.ts';
import { namesOf } from '../../../src/core/names.ts';
import type { ClaimCode, ClaimObservation } from '../../../src/core/plan-claim.ts';
import { planClaimUpkeep } from '../../../src/core/plan-claim.ts';
import type { RecordChange } from '../../../src/core/records.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';
import {
  CLUSTER,
  DARK,
  evidenceOf,
  fleet,
  formed,
  forming,
  founder,
  GROUP,
  idOf,
  instance,
  listOf,
  markOf,
  member,
  recordOf,
  STACK,
  swapped,
  voter,
} from '../../fixtures/core/world.ts';

function reading(claim: Claim): ClaimReading {
  return { kind: 'claim', claim, record: recordOf(claim) };
}

function seen(more: Partial<ClaimObservation> = {}): ClaimObservation {
  return {
    stack: STACK,
    cluster: CLUSTER,
    reading: reading(formed()),
    records: [],
    list: listOf([1, 2, 3]),
    fleet: known(fleet([1, 2, 3, 4])),
    evidence: new Map(),
    freshToken: 'fresh-token',
    ...more,
  };
}

/** The three voters, and the fourth as it says. */
function withFourth(more: Partial<ClaimedVoter>): Claim {
  const fourth = { ...voter(4), ...more };
  return formed({
    voters: [1, 2, 3]
      .map((n): ClaimedVoter => voter(n))
      .concat(fourth)
      .sort((a, b) => (a.memberId < b.memberId ? -1 : 1)),
  });
}

function withVoters(...numbers: readonly number[]): Claim {
  return formed({ voters: numbers.map((n) => voter(n)).sort((a, b) => (a.memberId < b.memberId ? -1 : 1)) });
}

const FOUNDED = formed({ founders: [1, 2, 3].map(founder), lost: [idOf(3)] });
const RESTORED = { ...withVoters(1, 2, 3), token: 'fresh-token', groups: [GROUP] };

interface Case {
  readonly name: string;
  readonly seen: ClaimObservation;
  readonly codes: readonly ClaimCode[];
  readonly changes: readonly RecordChange[];
}

const cases: readonly Case[] = [
  { name: 'all is right', seen: seen(), codes: ['claim-right'], changes: [] },
  {
    name: 'a removed voter is struck out',
    seen: seen({ list: listOf([1, 2]) }),
    codes: ['claim-voters'],
    changes: swapped(recordOf(formed()), recordOf(withVoters(1, 2))),
  },
  {
    name: 'a voter that was promoted while Route 53 was silent is written in',
    seen: seen({ list: listOf([1, 2, 3, 4]) }),
    codes: ['claim-voters'],
    changes: swapped(recordOf(formed()), recordOf(withVoters(1, 2, 3, 4))),
  },
  {
    name: 'a voter is written in while the fleet is unknown: its peer URL gives the address, and nobody knows its region',
    seen: seen({ list: listOf([1, 2, 3, 4]), fleet: DARK }),
    codes: ['claim-voters'],
    changes: swapped(recordOf(formed()), recordOf(withFourth({ region: null }))),
  },
  {
    name: 'a region that nobody knew is written in once the fleet says it',
    seen: seen({
      reading: reading(withFourth({ region: null })),
      list: listOf([1, 2, 3, 4]),
      fleet: known(fleet([1, 2, 3, instance(4, { region: 'us-east-1' })])),
    }),
    codes: ['claim-voters'],
    changes: swapped(recordOf(withFourth({ region: null })), recordOf(withFourth({ region: 'us-east-1' }))),
  },
  {
    name: 'so is one that was written for it where nobody knew it',
    seen: seen({
      reading: reading(withVoters(1, 2, 3, 4)),
      list: listOf([1, 2, 3, 4]),
      fleet: known(fleet([1, 2, 3, instance(4, { region: 'us-east-1' })])),
    }),
    codes: ['claim-voters'],
    changes: swapped(recordOf(withVoters(1, 2, 3, 4)), recordOf(withFourth({ region: 'us-east-1' }))),
  },
  {
    name: 'a region stays as it is where no group lists the instance any more',
    seen: seen({
      reading: reading(withFourth({ region: 'us-east-1' })),
      list: listOf([1, 2, 3, 4]),
      fleet: known(fleet([1, 2, 3])),
    }),
    codes: ['claim-right'],
    changes: [],
  },
  {
    name: 'a learner that entered the claim and is not promoted yet stays in it',
    seen: seen({
      reading: reading(withVoters(1, 2, 3, 4)),
      list: listOf([1, 2, 3, member(4, { learner: true })]),
    }),
    codes: ['claim-right'],
    changes: [],
  },
  {
    name: 'a learner is no voter',
    seen: seen({ list: listOf([1, 2, 3, member(4, { learner: true })]) }),
    codes: ['claim-right'],
    changes: [],
  },
  {
    name: 'a voter is written in with the region and the address of its instance',
    seen: seen({
      list: listOf([1, 2, 3, 4]),
      fleet: known(fleet([1, 2, 3, instance(4, { region: 'us-east-1', address: '192.0.2.4' })])),
    }),
    codes: ['claim-voters'],
    changes: swapped(
      recordOf(formed()),
      recordOf(
        formed({
          voters: [1, 2, 3, 4]
            .map((n) => (n === 4 ? { ...voter(4), region: 'us-east-1', address: '192.0.2.4' } : voter(n)))
            .sort((a, b) => (a.memberId < b.memberId ? -1 : 1)),
        }),
      ),
    ),
  },
  {
    name: 'a voter without a name is written in all the same',
    seen: seen({ list: listOf([1, 2, 3, member(4, { name: '' })]) }),
    codes: ['claim-voters'],
    changes: swapped(
      recordOf(formed()),
      recordOf(
        formed({
          voters: [1, 2, 3, 4]
            .map((n) => (n === 4 ? { ...voter(4), instanceId: 'unnamed', region: null } : voter(n)))
            .sort((a, b) => (a.memberId < b.memberId ? -1 : 1)),
        }),
      ),
    ),
  },
  {
    name: 'every founder has started',
    seen: seen({ reading: reading(FOUNDED) }),
    codes: ['claim-founders-done'],
    changes: swapped(recordOf(FOUNDED), recordOf(formed())),
  },
  {
    name: 'every founder has started, and another voter has not',
    seen: seen({
      reading: reading({ ...withVoters(1, 2, 3, 4), founders: [1, 2, 3].map(founder) }),
      list: listOf([1, 2, 3, member(4, { clientUrls: [] })]),
    }),
    codes: ['claim-founders-done'],
    changes: swapped(
      recordOf({ ...withVoters(1, 2, 3, 4), founders: [1, 2, 3].map(founder) }),
      recordOf(withVoters(1, 2, 3, 4)),
    ),
  },
  {
    name: 'the founder that never started joins anew, as a learner that has not started either',
    seen: seen({
      reading: reading({ ...withVoters(1, 2), founders: [1, 2, 3].map(founder) }),
      list: listOf([1, 2, member(3, { learner: true, clientUrls: [] })]),
    }),
    codes: ['claim-founders-done'],
    changes: swapped(
      recordOf({ ...withVoters(1, 2), founders: [1, 2, 3].map(founder) }),
      recordOf(withVoters(1, 2)),
    ),
  },
  {
    name: 'the claim is being seeded anew, from this very cluster',
    seen: seen({ reading: reading(formed({ state: 'reseeding' })), list: listOf([1, 2]) }),
    codes: ['claim-not-ours'],
    changes: [],
  },
  {
    name: 'a founder has not started: founders stay',
    seen: seen({ reading: reading(FOUNDED), list: listOf([1, 2, member(3, { clientUrls: [] })]) }),
    codes: ['claim-right'],
    changes: [],
  },
  {
    name: 'the founder that never started was removed',
    seen: seen({ reading: reading(FOUNDED), list: listOf([1, 2]) }),
    codes: ['claim-voters'],
    changes: swapped(recordOf(FOUNDED), recordOf(withVoters(1, 2))),
  },
  {
    name: 'somebody deleted the claim: it is written again under a fresh token',
    seen: seen({ reading: { kind: 'none' } }),
    codes: ['claim-restored'],
    changes: [{ action: 'CREATE', record: recordOf(RESTORED) }],
  },
  {
    name: 'somebody deleted the claim, and the fleet is unknown',
    seen: seen({ reading: { kind: 'none' }, fleet: DARK }),
    codes: ['claim-fleet-unknown'],
    changes: [],
  },
  {
    name: 'the claim is of another stack',
    seen: seen({ reading: reading(formed({ stack: 'other-main' })), list: listOf([1, 2]) }),
    codes: ['claim-not-ours'],
    changes: [],
  },
  {
    name: 'the claim is of another cluster',
    seen: seen({ reading: reading(formed({ clusterId: 'ab'.repeat(8) })), list: listOf([1, 2]) }),
    codes: ['claim-not-ours'],
    changes: [],
  },
  {
    name: 'the claim is forming: no housekeeping',
    seen: seen({ reading: reading(forming()), list: listOf([1, 2]) }),
    codes: ['claim-not-ours'],
    changes: [],
  },
  {
    name: 'the claim cannot be read',
    seen: seen({ reading: { kind: 'unreadable', record: recordOf(formed()), why: 'new format' } }),
    codes: ['claim-not-ours'],
    changes: [],
  },
  {
    name: 'the mark of a terminated instance goes, those of others stay',
    seen: seen({
      records: [markOf(2), markOf(3), markOf(4), markOf(5)],
      evidence: evidenceOf([2, 'terminated'], [3, 'running'], [4, null, 3_600_000]),
    }),
    codes: ['mark-done'],
    changes: [{ action: 'DELETE', record: markOf(2) }],
  },
];

describe('planClaimUpkeep', () => {
  it.each(cases)('$name: $codes', (row) => {
    const plan = planClaimUpkeep(row.seen);
    expect(plan.reasons.map((it) => it.code)).toEqual(row.codes);
    expect(plan.changes).toEqual(row.changes);
  });

  it.each(cases)('writes what can be read again: $name', (row) => {
    const records = planClaimUpkeep(row.seen).changes.flatMap((it) =>
      it.action === 'CREATE' ? [it.record] : [],
    );
    const kinds = records.map(() => 'claim');
    expect(records.map((it) => readClaim(namesOf(CLUSTER).claim, [it]).kind)).toEqual(kinds);
  });

  it('shows every code that the upkeep can have', () => {
    expect(covered(cases.flatMap((row) => row.codes))).toEqual(
      declared<ClaimCode>({
        'claim-right': true,
        'claim-voters': true,
        'claim-founders-done': true,
        'claim-restored': true,
        'claim-not-ours': true,
        'claim-fleet-unknown': true,
        'mark-done': true,
      }),
    );
  });
});
