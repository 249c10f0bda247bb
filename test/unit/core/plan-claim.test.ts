import { describe, expect, it } from 'vitest';
import type { Claim, ClaimedVoter, ClaimReading } from '../../../src/core/claim.ts';
import { readClaim } from '../../../src/core/claim.ts';
import type { Fleet, Group } from '../../../src/core/fleet.ts';
import type { Known } from '../../../src/core/known.ts';
import { known } from '../../../src/core/known.ts';
import { namesOf } from '../../../src/core/names.ts';
import type { ClaimCode, ClaimObservation } from '../../../src/core/plan-claim.ts';
import { planClaimUpkeep } from '../../../src/core/plan-claim.ts';
import { planStart } from '../../../src/core/plan-start.ts';
import type { RecordChange, RecordSet } from '../../../src/core/records.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';
import { EMPTY_FLEET, NOBODY, start } from '../../fixtures/core/start.ts';
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
  OTHER_GROUP,
  recordOf,
  STACK,
  swapped,
  voter,
} from '../../fixtures/core/world.ts';

function reading(claim: Claim): ClaimReading {
  return { kind: 'claim', claim, record: recordOf(claim) };
}

/** What is seen; AWS was asked in this tick, unless said otherwise. */
function seen(more: Partial<ClaimObservation> = {}): ClaimObservation {
  const last = more.fleet ?? known(fleet([1, 2, 3, 4]));
  return {
    stack: STACK,
    cluster: CLUSTER,
    reading: reading(formed()),
    records: [],
    list: listOf([1, 2, 3]),
    fleet: last,
    fleetNow: last,
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

const ELSEWHERE = GROUP.replaceAll('eu-west-1', 'us-east-1');
const groupIn = (region: string, arn: string): Group => ({ arn, name: 'etcd-main', region, desired: 3 });
/** The three members in the second of these groups; the first is there, too, where it is named. */
const moved = (...arns: readonly string[]): Known<Fleet> =>
  known({
    groups: arns.map((arn) => groupIn('eu-west-1', arn)),
    instances: [1, 2, 3].map((n) => instance(n, { group: arns.at(-1) ?? '' })),
  });
const claimsGroups = (...groups: readonly string[]): Claim => formed({ groups });

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
    name: 'the group was replaced by another of the stack: else the loss of all its members would be taken for the end of the stack',
    seen: seen({ reading: reading(claimsGroups(OTHER_GROUP)) }),
    codes: ['claim-groups'],
    changes: swapped(recordOf(claimsGroups(OTHER_GROUP)), recordOf(claimsGroups(GROUP))),
  },
  {
    name: 'while one group replaces another, both are named',
    seen: seen({ reading: reading(claimsGroups(OTHER_GROUP)), fleet: moved(OTHER_GROUP, GROUP) }),
    codes: ['claim-groups'],
    changes: swapped(recordOf(claimsGroups(OTHER_GROUP)), recordOf(claimsGroups(GROUP, OTHER_GROUP))),
  },
  {
    name: 'both are named already: the same text, in whichever order AWS tells',
    seen: seen({
      reading: reading(claimsGroups(GROUP, OTHER_GROUP)),
      fleet: moved(OTHER_GROUP, GROUP),
    }),
    codes: ['claim-right'],
    changes: [],
  },
  {
    name: 'both are named already, in another order: no new text is written for that',
    seen: seen({
      reading: reading(claimsGroups(OTHER_GROUP, GROUP)),
      fleet: moved(OTHER_GROUP, GROUP),
    }),
    codes: ['claim-right'],
    changes: [],
  },
  {
    name: 'the stack was extended to another region',
    seen: seen({
      fleet: known({
        groups: [groupIn('us-east-1', ELSEWHERE), groupIn('eu-west-1', GROUP)],
        instances: [1, 2, 3].map((n) => instance(n)),
      }),
    }),
    codes: ['claim-groups'],
    changes: swapped(recordOf(formed()), recordOf(claimsGroups(GROUP, ELSEWHERE))),
  },
  {
    name: 'a group of a region that this appliance does not look at stays',
    seen: seen({ reading: reading(claimsGroups(OTHER_GROUP, ELSEWHERE)) }),
    codes: ['claim-groups'],
    changes: swapped(
      recordOf(claimsGroups(OTHER_GROUP, ELSEWHERE)),
      recordOf(claimsGroups(GROUP, ELSEWHERE)),
    ),
  },
  {
    name: 'what is no ARN stays: nobody knows of which region it is',
    seen: seen({ reading: reading(claimsGroups(GROUP, 'g')) }),
    codes: ['claim-right'],
    changes: [],
  },
  {
    name: 'a member is in no group that AWS shows: the answer may lack one, and none is struck out',
    seen: seen({
      reading: reading(claimsGroups(OTHER_GROUP)),
      fleet: known(fleet([1, 2])),
    }),
    codes: ['claim-groups'],
    changes: swapped(recordOf(claimsGroups(OTHER_GROUP)), recordOf(claimsGroups(GROUP, OTHER_GROUP))),
  },
  {
    name: 'AWS was not asked in this tick: an older answer may lack a group',
    seen: seen({ reading: reading(claimsGroups(OTHER_GROUP)), fleetNow: DARK }),
    codes: ['claim-right'],
    changes: [],
  },
  {
    name: 'groups and voters change together',
    seen: seen({ reading: reading(claimsGroups(OTHER_GROUP)), list: listOf([1, 2]) }),
    codes: ['claim-voters', 'claim-groups'],
    changes: swapped(recordOf(claimsGroups(OTHER_GROUP)), recordOf({ ...withVoters(1, 2), groups: [GROUP] })),
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

  it('leaves a claim by which a whole new group that is lost is lost quorum, and no birth', () => {
    const terminated = evidenceOf([1, 'terminated'], [2, 'terminated'], [3, 'terminated']);
    const left = (records: readonly RecordSet[]) =>
      planStart(start({ ...EMPTY_FLEET, zone: known(records), quorum: NOBODY, evidence: terminated }));
    const before = claimsGroups(OTHER_GROUP);
    // The table's claim of a group that was replaced: nothing else keeps an empty epoch from being born.
    expect(left([recordOf(before)]).reason.code).toBe('groups-gone');
    const { changes } = planClaimUpkeep(seen({ reading: reading(before) }));
    const after = changes.flatMap((it) => (it.action === 'CREATE' ? [it.record] : []));
    expect(left(after).reason.code).toBe('quorum-lost');
  });

  it('shows every code that the upkeep can have', () => {
    expect(covered(cases.flatMap((row) => row.codes))).toEqual(
      declared<ClaimCode>({
        'claim-right': true,
        'claim-voters': true,
        'claim-groups': true,
        'claim-founders-done': true,
        'claim-restored': true,
        'claim-not-ours': true,
        'claim-fleet-unknown': true,
        'mark-done': true,
      }),
    );
  });
});
