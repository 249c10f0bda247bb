import { describe, expect, it } from 'vitest';
import type { ClaimReading } from '../../../src/core/claim.ts';
import type { Claim } from '../../../src/core/claim.ts';
import type { Known } from '../../../src/core/known.ts';
import { known, refused } from '../../../src/core/known.ts';
import type { MemberAction, MemberCode, MemberObservation } from '../../../src/core/plan-member.ts';
import { isUnclaimed, planMember } from '../../../src/core/plan-member.ts';
import type { RecordChange } from '../../../src/core/records.ts';
import { FORMED_TURN_MS, FORMING_LIMIT_MS } from '../../../src/core/numbers.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';
import {
  CLUSTER,
  clusterIdOf,
  DARK,
  fleet,
  formed,
  forming,
  founder,
  idOf,
  identity,
  listOf,
  member,
  memberIdOf,
  recordOf,
  self,
  status,
  swapped,
  voter,
} from '../../fixtures/core/world.ts';

function reading(claim: Claim): Known<ClaimReading> {
  return known({ kind: 'claim', claim, record: recordOf(claim) });
}

/** i-1, the leader of three, of a formed epoch. */
function seen(more: Partial<MemberObservation> = {}): MemberObservation {
  return {
    self: self(),
    cluster: CLUSTER,
    identity: identity(),
    status: known(status(1)),
    list: known(listOf([1, 2, 3])),
    leaderIndex: known(5_000),
    claim: reading(formed()),
    fleet: known(fleet([1, 2, 3])),
    formingClusterId: null,
    servedFormingMs: 0,
    claimStoodMs: FORMING_LIMIT_MS,
    freshToken: 'fresh',
    registerSilentMs: 0,
    leaving: false,
    ...more,
  };
}

/** i-1 as a founder whose epoch is forming. */
function founding(more: Partial<MemberObservation> = {}): MemberObservation {
  return seen({
    identity: identity({ formed: false }),
    claim: reading(forming()),
    formingClusterId: clusterIdOf(),
    ...more,
  });
}

/** The same, and somebody deleted its claim. */
function unclaimed(more: Partial<MemberObservation> = {}): MemberObservation {
  return founding({ claim: known({ kind: 'none' }), ...more });
}

const FOLLOWS = known(status(1, { leader: memberIdOf(2) }));
const COMMIT = swapped(recordOf(forming()), recordOf(formed({ founders: [1, 2, 3].map(founder) })));

/** i-4 as a learner that has caught up. */
function learning(more: Partial<MemberObservation> = {}): MemberObservation {
  return seen({
    self: self(4),
    identity: identity({ instanceId: idOf(4), memberId: memberIdOf(4) }),
    status: known(status(4, { learner: true, leader: memberIdOf(1) })),
    list: known(listOf([1, 2, 3, member(4, { learner: true })])),
    ...more,
  });
}

const ENTERED = formed({
  voters: [...formed().voters, voter(4)].sort((a, b) => (a.memberId < b.memberId ? -1 : 1)),
});

const ELSEWHERE = [1, 2, 3].map((n) => ({ ...founder(n), region: 'us-east-1', address: `192.0.2.${n}` }));

interface Case {
  readonly name: string;
  readonly seen: MemberObservation;
  readonly kind: MemberAction['kind'];
  readonly code: MemberCode;
  readonly changes?: readonly RecordChange[];
}

const cases: readonly Case[] = [
  { name: 'all is well', seen: seen(), kind: 'none', code: 'member-steady' },
  {
    name: 'the own etcd does not answer',
    seen: seen({ status: DARK }),
    kind: 'none',
    code: 'member-no-answer',
  },
  {
    name: 'authentication is on: etcd answers, and says nothing to an appliance',
    seen: seen({ status: refused('who are you'), list: refused('who are you') }),
    kind: 'none',
    code: 'member-refused',
  },
  {
    name: 'authentication is on, and quorum is lost: the status is refused, and a list not given',
    seen: seen({ status: refused('who are you'), list: DARK }),
    kind: 'none',
    code: 'member-no-quorum',
  },
  {
    name: 'authentication is on at a learner, which lists nobody anyway',
    seen: seen({ identity: identity({ voter: false }), status: refused('who are you'), list: DARK }),
    kind: 'none',
    code: 'member-refused',
  },
  {
    name: 'authentication is on, and etcd says its status to everybody',
    seen: seen({ list: refused('who are you') }),
    kind: 'none',
    code: 'member-refused',
  },
  {
    name: 'a founder whose etcd was born with authentication on',
    seen: founding({ list: refused('who are you') }),
    kind: 'none',
    code: 'member-refused',
  },
  {
    name: 'quorum is lost: etcd is left alone',
    seen: seen({ list: DARK }),
    kind: 'none',
    code: 'member-no-quorum',
  },
  {
    name: 'the claim is unknown: it serves on',
    seen: seen({ claim: DARK }),
    kind: 'none',
    code: 'member-steady',
  },
  {
    name: 'the claim cannot be read: it serves on',
    seen: seen({ claim: known({ kind: 'unreadable', record: recordOf(formed()), why: 'new format' }) }),
    kind: 'none',
    code: 'member-steady',
  },
  {
    name: 'the claim is gone: it serves on',
    seen: seen({ claim: known({ kind: 'none' }) }),
    kind: 'none',
    code: 'member-steady',
  },
  {
    name: 'a formed claim of another cluster',
    seen: seen({ claim: reading(formed({ epoch: 2, token: 'token-2', clusterId: clusterIdOf('token-2') })) }),
    kind: 'stop',
    code: 'foreign-claim',
  },
  {
    name: 'a formed claim of another stack: two clusters never serve under one name',
    seen: seen({ claim: reading(formed({ stack: 'other-main', clusterId: clusterIdOf('token-2') })) }),
    kind: 'stop',
    code: 'foreign-claim',
  },
  {
    name: 'a claim of another stack that only forms: nothing of it serves',
    seen: seen({
      claim: reading(formed({ stack: 'other-main', state: 'forming', epoch: 9, token: 'token-2' })),
    }),
    kind: 'none',
    code: 'member-steady',
  },
  {
    name: 'a formed claim of another cluster, while the own etcd does not answer: the disk knows its cluster',
    seen: seen({
      status: DARK,
      claim: reading(formed({ epoch: 2, token: 'token-2', clusterId: clusterIdOf('token-2') })),
    }),
    kind: 'stop',
    code: 'foreign-claim',
  },
  {
    name: 'the claim was written again with a new token, for this cluster',
    seen: seen({ claim: reading(formed({ epoch: 4, token: 'token-2' })) }),
    kind: 'none',
    code: 'member-steady',
  },
  {
    name: 'the cluster is being seeded anew',
    seen: seen({ claim: reading(formed({ state: 'reseeding' })) }),
    kind: 'none',
    code: 'claim-reseeding',
  },
  {
    name: 'a cluster of another stack is being seeded anew: it is nothing to this one',
    seen: seen({ claim: reading(formed({ stack: 'other-main', state: 'reseeding' })) }),
    kind: 'none',
    code: 'member-steady',
  },
  {
    name: 'a later epoch is forming, and neither the disk nor the own etcd knows the own cluster',
    seen: founding({
      identity: identity({ formed: false, clusterId: null }),
      status: DARK,
      claim: reading(forming({ epoch: 2, token: 'token-2' })),
    }),
    kind: 'stop',
    code: 'unborn',
  },
  {
    name: 'a formed claim, and neither the disk nor the own etcd knows the own cluster',
    seen: seen({ identity: identity({ clusterId: null }), status: DARK }),
    kind: 'none',
    code: 'member-no-answer',
  },
  {
    name: 'founding, and the claim with the own token is of another stack',
    seen: founding({ claim: reading(forming({ stack: 'other-main' })) }),
    kind: 'none',
    code: 'claim-silent',
  },
  {
    name: 'the own epoch was never formed, and a later one is forming',
    seen: founding({ claim: reading(forming({ epoch: 2, token: 'token-2' })) }),
    kind: 'stop',
    code: 'unborn',
  },
  {
    name: 'the own epoch was never formed, and a later one of another cluster lives',
    seen: founding({
      claim: reading(formed({ epoch: 2, token: 'token-2', clusterId: clusterIdOf('token-2') })),
    }),
    kind: 'stop',
    code: 'unborn',
  },
  {
    name: 'a claim was written for this very cluster under another token (adopted, or restored): it is formed',
    seen: founding({ claim: reading(formed({ epoch: 2, token: 'token-2' })) }),
    kind: 'note-formed',
    code: 'note-formed',
  },
  {
    name: 'another token of no later epoch proves nothing',
    seen: founding({ claim: reading(forming({ token: 'token-2' })) }),
    kind: 'none',
    code: 'claim-silent',
  },
  {
    name: 'founding, and the claim is unknown',
    seen: founding({ claim: DARK }),
    kind: 'none',
    code: 'claim-silent',
  },
  {
    name: 'founding, and the claim cannot be read',
    seen: founding({ claim: known({ kind: 'unreadable', record: recordOf(forming()), why: 'garbage' }) }),
    kind: 'none',
    code: 'claim-silent',
  },
  {
    name: 'founding, and the claim is gone: it may come back',
    seen: unclaimed({ claimStoodMs: FORMING_LIMIT_MS - 1 }),
    kind: 'none',
    code: 'claim-silent',
  },
  {
    name: 'founding, the claim is gone for good, and the cluster has no quorum',
    seen: unclaimed({ list: DARK }),
    kind: 'none',
    code: 'member-no-quorum',
  },
  {
    name: 'founding, the claim is gone for good, and nobody says which groups there are',
    seen: unclaimed({ fleet: DARK }),
    kind: 'none',
    code: 'claim-silent',
  },
  {
    name: 'founding, and the claim is gone for good: the leader writes one',
    seen: unclaimed(),
    kind: 'register',
    code: 'form-unclaimed',
    changes: [{ action: 'CREATE', record: recordOf(formed({ token: 'fresh', founders: [] })) }],
  },
  {
    name: 'founding, and the claim is gone for good: a follower leaves that to the leader',
    seen: unclaimed({ status: FOLLOWS, claimStoodMs: FORMING_LIMIT_MS + FORMED_TURN_MS - 1 }),
    kind: 'none',
    code: 'form-not-my-turn',
  },
  {
    name: 'founding, the claim is gone for good, and the leader does not write one',
    seen: unclaimed({ status: FOLLOWS, claimStoodMs: FORMING_LIMIT_MS + FORMED_TURN_MS }),
    kind: 'register',
    code: 'form-unclaimed',
  },
  {
    name: 'founding, and another was first to form',
    seen: founding({ claim: reading(formed()) }),
    kind: 'note-formed',
    code: 'note-formed',
  },
  {
    name: 'founding without a linearizable answer',
    seen: founding({ list: DARK }),
    kind: 'none',
    code: 'member-no-quorum',
  },
  {
    name: 'the cluster that serves is not that of the claim',
    seen: founding({ list: known(listOf([1, 2, 3], 'ab'.repeat(8))) }),
    kind: 'none',
    code: 'form-other-cluster',
  },
  {
    name: 'two of three founders lost their data',
    seen: founding({ claim: reading(forming({ lost: [idOf(2), idOf(3)] })) }),
    kind: 'none',
    code: 'form-lost-majority',
  },
  {
    name: 'two of four founders lost their data: the others are no majority',
    seen: founding({
      claim: reading(forming({ founders: [1, 2, 3, 4].map(founder), lost: [idOf(2), idOf(3)] })),
    }),
    kind: 'none',
    code: 'form-lost-majority',
  },
  {
    name: 'one of two founders lost its data: the other is no majority',
    seen: founding({ claim: reading(forming({ founders: [1, 2].map(founder), lost: [idOf(2)] })) }),
    kind: 'none',
    code: 'form-lost-majority',
  },
  {
    name: 'one of three founders lost its data',
    seen: founding({ claim: reading(forming({ lost: [idOf(2)] })) }),
    kind: 'register',
    code: 'form',
  },
  {
    name: 'the leader commits: exactly the values that it read',
    seen: founding(),
    kind: 'register',
    code: 'form',
    changes: COMMIT,
  },
  {
    name: 'a founder that has not started is a voter of the claim, too',
    seen: founding({ list: known(listOf([1, 2, member(3, { clientUrls: [] })])) }),
    kind: 'register',
    code: 'form',
    changes: COMMIT,
  },
  {
    name: 'a founder has its place from the claim, and another voter from its own URL, where the fleet does not show it',
    seen: founding({
      claim: reading(forming({ founders: ELSEWHERE })),
      list: known(listOf([1, 2, 3, 4])),
    }),
    kind: 'register',
    code: 'form',
    changes: swapped(
      recordOf(forming({ founders: ELSEWHERE })),
      recordOf(
        formed({
          founders: ELSEWHERE,
          voters: [
            ...ELSEWHERE.map((it, at) => ({ ...it, memberId: memberIdOf(at + 1) })),
            { ...voter(4), region: null },
          ].sort((a, b) => (a.memberId < b.memberId ? -1 : 1)),
        }),
      ),
    ),
  },
  {
    name: 'a follower leaves that to the leader',
    seen: founding({ status: FOLLOWS }),
    kind: 'none',
    code: 'form-not-my-turn',
  },
  {
    name: 'a follower, after three seconds',
    seen: founding({ status: FOLLOWS, servedFormingMs: 3_000 }),
    kind: 'register',
    code: 'form',
    changes: COMMIT,
  },
  {
    name: 'a caught-up learner enters the claim before it is promoted',
    seen: learning(),
    kind: 'register',
    code: 'enter-claim',
    changes: swapped(recordOf(formed()), recordOf(ENTERED)),
  },
  {
    name: 'a learner in the claim',
    seen: learning({ claim: reading(ENTERED) }),
    kind: 'promote',
    code: 'promote',
  },
  {
    name: 'a learner 1,001 entries behind',
    seen: learning({ claim: reading(ENTERED), leaderIndex: known(6_001) }),
    kind: 'none',
    code: 'learner-behind',
  },
  {
    name: 'a learner 1,000 entries behind',
    seen: learning({ claim: reading(ENTERED), leaderIndex: known(6_000) }),
    kind: 'promote',
    code: 'promote',
  },
  {
    name: "a learner that does not know the leader's index",
    seen: learning({ claim: reading(ENTERED), leaderIndex: DARK }),
    kind: 'none',
    code: 'learner-behind',
  },
  {
    name: 'a learner without a name yet: as a voter it could never be evicted',
    seen: learning({
      claim: reading(ENTERED),
      list: known(listOf([1, 2, 3, member(4, { learner: true, name: '', clientUrls: [] })])),
    }),
    kind: 'none',
    code: 'learner-behind',
  },
  {
    name: 'a learner that the voters no longer have, and whose etcd has not heard of it: it would learn for ever',
    seen: learning({ claim: reading(ENTERED), list: known(listOf([1, 2, 3])) }),
    kind: 'stop',
    code: 'member-removed',
  },
  {
    name: 'a learner that leaves',
    seen: learning({ claim: reading(ENTERED), leaving: true }),
    kind: 'none',
    code: 'learner-leaving',
  },
  {
    name: "a joiner whose etcd took a predecessor's id",
    seen: learning({ identity: identity({ instanceId: idOf(4), memberId: memberIdOf(5) }) }),
    kind: 'stop',
    code: 'member-other-id',
  },
  {
    name: 'a joiner of whose cluster nothing is noted',
    seen: learning({
      identity: identity({ instanceId: idOf(4), memberId: memberIdOf(5), clusterId: null }),
      claim: reading(ENTERED),
    }),
    kind: 'promote',
    code: 'promote',
  },
  {
    name: 'a joiner that does not serve and never noted its id',
    seen: learning({ status: DARK, identity: identity({ instanceId: idOf(4), memberId: null }) }),
    kind: 'none',
    code: 'member-no-answer',
  },
  {
    name: 'a joiner that never noted its id',
    seen: learning({ identity: identity({ instanceId: idOf(4), memberId: null }), claim: reading(ENTERED) }),
    kind: 'promote',
    code: 'promote',
  },
  {
    name: 'a joiner that never noted its id, and that the voters do not have: nobody promotes whom they do not list',
    seen: learning({
      identity: identity({ instanceId: idOf(4), memberId: null }),
      claim: reading(ENTERED),
      list: known(listOf([1, 2, 3])),
    }),
    kind: 'none',
    code: 'learner-behind',
  },
  {
    name: 'a joiner that does not serve, and that the voters no longer have: it would wait for ever',
    seen: learning({ status: DARK, list: known(listOf([1, 2, 3])) }),
    kind: 'stop',
    code: 'member-removed',
  },
  {
    name: 'a joiner that does not serve, and that the voters have',
    seen: learning({ status: DARK }),
    kind: 'none',
    code: 'member-no-answer',
  },
  {
    name: 'a joiner that does not serve, and another cluster has no such member',
    seen: learning({ status: DARK, list: known(listOf([1, 2, 3], 'ab'.repeat(8))) }),
    kind: 'none',
    code: 'member-no-answer',
  },
  {
    name: 'a member that does not serve, and nobody says who the members are',
    seen: learning({ status: DARK, list: DARK }),
    kind: 'none',
    code: 'member-no-answer',
  },
  {
    name: 'a learner, and no voter answers',
    seen: learning({ list: DARK }),
    kind: 'none',
    code: 'member-no-quorum',
  },
  {
    name: 'a learner whose own etcd does not answer in this tick',
    seen: learning({ status: DARK }),
    kind: 'none',
    code: 'member-no-answer',
  },
  {
    name: 'a learner, and the claim is unknown',
    seen: learning({ claim: DARK }),
    kind: 'none',
    code: 'claim-silent',
  },
  {
    name: 'a learner, and there is no claim',
    seen: learning({ claim: known({ kind: 'none' }) }),
    kind: 'none',
    code: 'claim-silent',
  },
  {
    name: 'a learner, and the claim is forming',
    seen: learning({ claim: reading(forming()) }),
    kind: 'none',
    code: 'claim-silent',
  },
  {
    name: 'a learner, and Route 53 has been silent for two minutes: redundancy goes first',
    seen: learning({ claim: DARK, registerSilentMs: 120_000 }),
    kind: 'promote',
    code: 'promote-unclaimed',
  },
  {
    name: 'a learner that is behind is not promoted, however long Route 53 is silent',
    seen: learning({ claim: DARK, registerSilentMs: 999_999, leaderIndex: known(50_000) }),
    kind: 'none',
    code: 'learner-behind',
  },
];

describe('planMember', () => {
  it.each(cases)('$name: $code', (row) => {
    const action = planMember(row.seen);
    expect([action.kind, action.reason.code]).toEqual([row.kind, row.code]);
    if (row.changes !== undefined) expect(action).toHaveProperty('changes', row.changes);
  });

  it('tells the commit of a birth from other changes of the register', () => {
    expect(planMember(founding())).toMatchObject({ formed: true });
    expect(planMember(unclaimed())).toMatchObject({ formed: true });
    expect(planMember(learning())).toMatchObject({ formed: false });
  });

  it('shows every code that a running member can have', () => {
    expect(covered(cases.map((row) => row.code))).toEqual(
      declared<MemberCode>({
        'member-steady': true,
        'member-no-answer': true,
        'member-no-quorum': true,
        'member-refused': true,
        'member-removed': true,
        'member-other-id': true,
        'foreign-claim': true,
        unborn: true,
        'claim-silent': true,
        'claim-reseeding': true,
        form: true,
        'form-unclaimed': true,
        'form-not-my-turn': true,
        'form-lost-majority': true,
        'form-other-cluster': true,
        'note-formed': true,
        'enter-claim': true,
        promote: true,
        'promote-unclaimed': true,
        'learner-behind': true,
        'learner-leaving': true,
      }),
    );
  });
});

describe('isUnclaimed', () => {
  it.each<readonly [name: string, seen: MemberObservation, is: boolean]>([
    ["a founder's claim has been gone for long", unclaimed(), true],
    ['it may come back', unclaimed({ claimStoodMs: FORMING_LIMIT_MS - 1 }), false],
    ['the claim stands', founding(), false],
    ['the claim is unknown: that is not gone', founding({ claim: DARK }), false],
    ['the data are of a formed epoch', seen({ claim: known({ kind: 'none' }) }), false],
  ])('%s', (_name, facts, is) => {
    expect(isUnclaimed(facts)).toBe(is);
  });
});
