import { known } from '../../../src/core/known.ts';
import type { AsideEntry, DataIdentity } from '../../../src/core/local-data.ts';
import { PROMOTE_WITHOUT_CLAIM_MS } from '../../../src/core/numbers.ts';
import { namesOf } from '../../../src/core/names.ts';
import type { StartCase } from '../../fixtures/core/start-case.ts';
import { serverSet } from '../../fixtures/core/dns.ts';
import { answers, beside, EMPTY_FLEET, NOBODY, REFUSED, start } from '../../fixtures/core/start.ts';
import {
  addressOf,
  birthsOf,
  CLUSTER,
  DARK,
  EMPTY_DISK,
  evidenceOf,
  fleet,
  formed,
  forming,
  founder,
  GROUP,
  identity,
  idOf,
  instance,
  markOf,
  member,
  memberIdOf,
  nothingHeld,
  OTHER_GROUP,
  recordOf,
  created,
  swapped,
} from '../../fixtures/core/world.ts';

const mark = (started: boolean, nonce = 'nonce-1', token: string | null = 'token-1') => ({
  ...EMPTY_DISK,
  mark: { token, nonce, started },
});
/** Data set aside in `aside/<label>`. */
const asideOf = (label: string, more: Partial<DataIdentity>, at = '2026-01-01'): AsideEntry => ({
  directory: `aside/${label}`,
  identity: identity(more),
  at,
  reason: 'removed-while-away',
});
const OTHERS_GROUP = formed({ groups: [OTHER_GROUP] });
/** A newcomer beside a cluster whose claim names another group than its own. */
const fromOtherGroup = (waitedMs: number) =>
  beside(OTHERS_GROUP, {
    quorum: answers([2, 3]),
    fleet: EMPTY_FLEET.fleet,
    preflight: null,
    waitedMs,
  });
const lostClaim = (claim = forming()) => ({ ...claim, lost: [idOf(1)] });

/** No data here, and a claim that is not a birth's. */
const strange: readonly StartCase[] = [
  {
    name: 'what stands at the name is not understood',
    seen: start({
      zone: known([{ name: namesOf(CLUSTER).claim, type: 'TXT', ttl: 5, values: ['"v=9 stack=etcd-main"'] }]),
      ...EMPTY_FLEET,
    }),
    kind: 'wait',
    code: 'claim-unreadable',
    says: ['format version is 9'],
  },
  {
    name: 'the claim is of another stack, forming and overdue',
    seen: beside(forming({ stack: 'other-main' }), {
      ...EMPTY_FLEET,
      claimStoodMs: 9_999_999,
      quorum: NOBODY,
    }),
    kind: 'wait',
    code: 'name-taken',
    says: ['other-main'],
  },
  {
    name: 'the claim is reseeding: never followed by a birth',
    seen: beside(forming({ state: 'reseeding', lived: true }), { ...EMPTY_FLEET, claimStoodMs: 9_999_999 }),
    kind: 'wait',
    code: 'reseeding',
  },
];

/** design.md section 4, "claim forming, founding me" and "The mark". */
const founding: readonly StartCase[] = [
  {
    name: 'looks first whether etcd can start',
    seen: beside(forming()),
    kind: 'ask',
    code: 'ask',
    facts: ['preflight'],
  },
  {
    name: 'etcd cannot start here',
    seen: beside(forming(), {
      preflight: { kind: 'other', why: 'port 2380 is taken' },
      fleet: EMPTY_FLEET.fleet,
    }),
    kind: 'wait',
    code: 'preflight-failed',
    says: ['port 2380'],
  },
  {
    name: 'no mark: marks first, with a nonce that is kept',
    seen: beside(forming(), { preflight: null }),
    kind: 'register',
    code: 'mark',
    changes: created(markOf(1, 'token-1', 'fresh-nonce')),
    mark: { token: 'token-1', nonce: 'fresh-nonce', started: false },
  },
  {
    name: 'the mark was kept, and its CREATE came to nothing: again, with the same nonce',
    seen: beside(forming(), { preflight: null, local: mark(false) }),
    kind: 'register',
    code: 'mark',
    changes: created(markOf(1)),
    mark: { token: 'token-1', nonce: 'nonce-1', started: false },
  },
  {
    name: 'a mark of another token is replaced, naming its values',
    seen: beside(forming(), { preflight: null, local: mark(false, 'nonce-0', 'token-0') }, [
      markOf(1, 'token-0', 'nonce-0'),
    ]),
    kind: 'register',
    code: 'mark',
    changes: swapped(markOf(1, 'token-0', 'nonce-0'), markOf(1, 'token-1', 'nonce-0')),
    mark: { token: 'token-1', nonce: 'nonce-0', started: false },
  },
  {
    name: 'a nonce was offered, and who claimed did not hear of it: it marks with that one',
    seen: beside(forming(), { preflight: null, local: mark(false, 'offered', null) }),
    kind: 'register',
    code: 'mark',
    changes: created(markOf(1, 'token-1', 'offered')),
    mark: { token: 'token-1', nonce: 'offered', started: false },
  },
  {
    name: 'a local mark of another token, started: forgotten before a new one is made',
    seen: beside(forming(), { preflight: null, local: mark(true, 'nonce-0', 'token-0') }, [
      markOf(1, 'token-0', 'nonce-0'),
    ]),
    kind: 'clear-mark',
    code: 'stale-mark',
    mark: { token: null, nonce: 'fresh-nonce', started: false },
  },
  {
    name: 'the offered nonce, in the mark that who claimed made: looks first whether etcd can start',
    seen: beside(forming(), { local: mark(false, 'offered', null) }, [markOf(1, 'token-1', 'offered')]),
    kind: 'ask',
    code: 'ask',
    facts: ['preflight'],
  },
  {
    name: 'the offered nonce, in the mark that who claimed made, and etcd cannot start here',
    seen: beside(
      forming(),
      {
        local: mark(false, 'offered', null),
        preflight: { kind: 'other', why: 'port 2380 is taken' },
        fleet: EMPTY_FLEET.fleet,
      },
      [markOf(1, 'token-1', 'offered')],
    ),
    kind: 'wait',
    code: 'preflight-failed',
  },
  {
    name: 'the offered nonce, in the mark that who claimed made: founds',
    seen: beside(forming(), { local: mark(false, 'offered', null), preflight: null }, [
      markOf(1, 'token-1', 'offered'),
    ]),
    kind: 'found',
    code: 'found',
    mark: { token: 'token-1', nonce: 'offered', started: true },
  },
  {
    name: 'another nonce than the offered one, in the mark that who claimed made: the disk that offered it is gone',
    seen: beside(forming(), { local: mark(false, 'offered', null), preflight: null }, [markOf(1)]),
    kind: 'register',
    code: 'data-lost',
    changes: swapped(recordOf(forming()), recordOf(lostClaim())),
    mark: null,
  },
  {
    name: 'own nonce, not started: my own lost answer, go on',
    seen: beside(forming(), { local: mark(false) }, [markOf(1)]),
    kind: 'found',
    code: 'found',
    mark: { token: 'token-1', nonce: 'nonce-1', started: true },
  },
  {
    name: 'the same token and another nonce: the data are lost',
    seen: beside(forming(), { local: mark(false, 'nonce-2') }, [markOf(1)]),
    kind: 'register',
    code: 'data-lost',
    changes: swapped(recordOf(forming()), recordOf(lostClaim())),
  },
  {
    name: 'the same token and no nonce (an empty disk): the data are lost',
    seen: beside(forming(), {}, [markOf(1)]),
    kind: 'register',
    code: 'data-lost',
    changes: swapped(recordOf(forming()), recordOf(lostClaim())),
  },
  {
    name: 'a local mark of another token with the nonce of the record, not started: another claimed first, and had heard of it',
    seen: beside(forming(), { local: mark(false, 'nonce-1', 'token-0'), preflight: null }, [markOf(1)]),
    kind: 'found',
    code: 'found',
    mark: { token: 'token-1', nonce: 'nonce-1', started: true },
  },
  {
    name: 'started, without data: the data are lost',
    seen: beside(forming(), { local: mark(true) }, [markOf(1)]),
    kind: 'register',
    code: 'data-lost',
  },
  {
    name: 'started, without data, and even the record is gone: the data are lost',
    seen: beside(forming(), { local: mark(true) }),
    kind: 'register',
    code: 'data-lost',
  },
  {
    name: 'declared lost: waits for formed, or for the next epoch',
    seen: beside(lostClaim(), { local: mark(true), fleet: EMPTY_FLEET.fleet }, [markOf(1)]),
    kind: 'wait',
    code: 'forming-lost',
  },
  {
    name: 'a majority is lost: any of them replaces the claim',
    seen: beside(
      forming({ lost: [idOf(1), idOf(2)] }),
      { ...EMPTY_FLEET, local: mark(true), quorum: NOBODY },
      [markOf(1)],
    ),
    kind: 'register',
    code: 'forming-replaced',
  },
];

const LATE = formed({ founders: [1, 2, 3].map(founder) });
const UNSTARTED = answers([member(1, { clientUrls: [] }), 2, 3]);

/** design.md section 5, the table of starts: no data here. */
const joining: readonly StartCase[] = [
  {
    name: 'formed: whether it answers is asked',
    seen: beside(formed()),
    kind: 'ask',
    code: 'ask',
    facts: ['quorum'],
  },
  {
    name: 'none | absent, quorum answers: checks the place first',
    seen: beside(formed(), { quorum: answers([2, 3]), fleet: EMPTY_FLEET.fleet }),
    kind: 'ask',
    code: 'ask',
    facts: ['preflight'],
  },
  {
    name: 'none | absent, quorum answers: joins as new',
    seen: beside(formed(), { quorum: answers([2, 3]), fleet: EMPTY_FLEET.fleet, preflight: null }),
    kind: 'join',
    code: 'join',
  },
  {
    name: 'none | absent, quorum answers, and the claim does not name the own group: it is entered first',
    seen: fromOtherGroup(0),
    kind: 'register',
    code: 'enter-group',
    changes: swapped(recordOf(OTHERS_GROUP), recordOf(formed({ groups: [GROUP, OTHER_GROUP].sort() }))),
  },
  {
    name: 'none | absent, quorum answers, and the own group could not be entered for two minutes: joins all the same',
    seen: fromOtherGroup(PROMOTE_WITHOUT_CLAIM_MS),
    kind: 'join',
    code: 'join',
  },
  {
    name: 'none | absent, quorum answers, and the claim does not name the group of another: that one enters it',
    seen: beside(formed(), {
      quorum: answers([2, 3]),
      fleet: known(fleet([instance(2, { group: OTHER_GROUP }), 1, 3])),
      preflight: null,
    }),
    kind: 'join',
    code: 'join',
  },
  {
    name: 'none | absent, quorum answers, not joinable',
    seen: beside(formed(), {
      quorum: answers([2, 3]),
      fleet: known(fleet([instance(1, { lifecycle: 'Terminating:Wait' }), 2, 3])),
      preflight: null,
    }),
    kind: 'wait',
    code: 'not-joinable',
  },
  {
    name: 'none | absent, quorum answers, the fleet is unknown',
    seen: beside(formed(), { quorum: answers([2, 3]), fleet: DARK, preflight: null }),
    kind: 'wait',
    code: 'fleet-unknown',
  },
  {
    name: 'none | absent, quorum answers, no room on the disk',
    seen: beside(formed(), {
      quorum: answers([2, 3]),
      fleet: EMPTY_FLEET.fleet,
      preflight: { kind: 'disk-short', why: 'the disk is full' },
    }),
    kind: 'wait',
    code: 'preflight-failed',
  },
  {
    name: 'none | absent, quorum answers, no room, and data of a learner set aside',
    seen: beside(formed(), {
      quorum: answers([2, 3]),
      fleet: EMPTY_FLEET.fleet,
      preflight: { kind: 'disk-short', why: 'the disk is full' },
      local: { ...EMPTY_DISK, aside: [asideOf('learner', { voter: false })] },
    }),
    kind: 'discard',
    code: 'discard-never-voter',
    says: ['aside/learner'],
  },
  {
    name: 'none | absent, quorum answers, no room, and data that were never born set aside',
    seen: beside(formed({ epoch: 2 }), {
      quorum: answers([2, 3]),
      fleet: EMPTY_FLEET.fleet,
      preflight: { kind: 'disk-short', why: 'the disk is full' },
      local: {
        ...EMPTY_DISK,
        aside: [asideOf('unborn', { formed: false, epoch: 1, token: 'token-9', clusterId: '9'.repeat(16) })],
      },
    }),
    kind: 'discard',
    code: 'discard-never-born',
  },
  {
    name: 'none | absent, quorum answers, no room, and older data of the same cluster set aside',
    seen: beside(formed(), {
      quorum: answers([2, 3]),
      fleet: EMPTY_FLEET.fleet,
      preflight: { kind: 'disk-short', why: 'the disk is full' },
      local: { ...EMPTY_DISK, aside: [asideOf('1', {}, '2026-01-01'), asideOf('2', {}, '2026-01-02')] },
    }),
    kind: 'discard',
    code: 'discard-older',
    says: ['aside/1'],
  },
  {
    name: 'none | absent, quorum answers, no binary: what is set aside stays',
    seen: beside(formed(), {
      quorum: answers([2, 3]),
      fleet: EMPTY_FLEET.fleet,
      preflight: { kind: 'other', why: 'no binary' },
      local: { ...EMPTY_DISK, aside: [asideOf('learner', { voter: false })] },
    }),
    kind: 'wait',
    code: 'preflight-failed',
  },
  {
    name: 'a cluster of another id answers: it is foreign, and never joined',
    seen: beside(formed(), {
      quorum: answers([2, 3], 'ab'.repeat(8)),
      fleet: EMPTY_FLEET.fleet,
      preflight: null,
    }),
    kind: 'wait',
    code: 'quorum-lost',
    says: ['ab'.repeat(8)],
  },
  {
    name: 'none | a founder that never ran: late, it marks',
    seen: beside(LATE, { quorum: UNSTARTED, preflight: null }),
    kind: 'register',
    code: 'mark',
  },
  {
    name: 'none | a founder that never ran: late, it founds',
    seen: beside(LATE, { quorum: UNSTARTED, local: mark(false) }, [markOf(1)]),
    kind: 'found',
    code: 'late-founder',
  },
  {
    name: 'a late founder whose mark was made before its disk was lost',
    seen: beside(LATE, { quorum: UNSTARTED }, [markOf(1)]),
    kind: 'register',
    code: 'data-lost',
    changes: swapped(recordOf(LATE), recordOf(lostClaim(LATE))),
  },
  {
    name: 'a late founder that is known as lost is removed, and joins anew',
    seen: beside(lostClaim(LATE), { ...EMPTY_FLEET, quorum: UNSTARTED, ownAddress: null, preflight: null }, [
      markOf(1),
    ]),
    kind: 'remove-own',
    code: 'member-without-data',
  },
  {
    name: 'a late founder that remembers to have started is removed, and joins anew',
    seen: beside(
      LATE,
      { ...EMPTY_FLEET, quorum: UNSTARTED, local: mark(true), ownAddress: null, preflight: null },
      [markOf(1)],
    ),
    kind: 'remove-own',
    code: 'member-without-data',
  },
  {
    name: 'a founder that published itself once is no late founder',
    seen: beside(LATE, { ...EMPTY_FLEET, quorum: answers([1, 2, 3]), ownAddress: null, preflight: null }),
    kind: 'remove-own',
    code: 'member-without-data',
  },
  {
    name: 'none | present: what answers at the own address is asked',
    seen: beside(formed(), { ...EMPTY_FLEET, quorum: answers([1, 2, 3]) }),
    kind: 'ask',
    code: 'ask',
    facts: ['own-address'],
  },
  {
    name: 'none | present: this very member answers at the own address',
    seen: beside(formed(), {
      ...EMPTY_FLEET,
      quorum: answers([1, 2, 3]),
      ownAddress: { memberId: memberIdOf(1) },
    }),
    kind: 'wait',
    code: 'answers-as-me',
  },
  {
    name: 'none | present: something that does not say its id answers at the own address',
    seen: beside(formed(), { ...EMPTY_FLEET, quorum: answers([1, 2, 3]), ownAddress: { memberId: null } }),
    kind: 'wait',
    code: 'answers-as-me',
  },
  {
    name: 'none | present: binary, disk and port are looked at before anything is removed',
    seen: beside(formed(), { ...EMPTY_FLEET, quorum: answers([1, 2, 3]), ownAddress: null }),
    kind: 'ask',
    code: 'ask',
    facts: ['preflight'],
  },
  {
    name: 'none | present: etcd cannot start here, and nothing is removed',
    seen: beside(formed(), {
      ...EMPTY_FLEET,
      quorum: answers([1, 2, 3]),
      ownAddress: null,
      preflight: { kind: 'other', why: 'no binary' },
    }),
    kind: 'wait',
    code: 'preflight-failed',
  },
  {
    name: 'none | present: removed, then it joins as new',
    seen: beside(formed(), { ...EMPTY_FLEET, quorum: answers([1, 2, 3]), ownAddress: null, preflight: null }),
    kind: 'remove-own',
    code: 'member-without-data',
  },
  {
    name: 'none | present, while a downgrade is under way: it waits for every member, and so for this one',
    seen: beside(formed(), {
      ...EMPTY_FLEET,
      quorum: answers([1, 2, 3]),
      ownAddress: null,
      preflight: { kind: 'downgrade', why: 'a downgrade is under way' },
    }),
    kind: 'remove-own',
    code: 'member-without-data',
  },
  {
    name: 'none | present, and the fleet is unknown: it could not join again, so nothing is removed',
    seen: beside(formed(), { quorum: answers([1, 2, 3]), ownAddress: null, preflight: null, fleet: DARK }),
    kind: 'wait',
    code: 'fleet-unknown',
  },
  {
    name: 'none | present: another member answers at the own address',
    seen: beside(formed(), {
      quorum: answers([1, 2, 3]),
      fleet: EMPTY_FLEET.fleet,
      ownAddress: { memberId: memberIdOf(2) },
      preflight: null,
    }),
    kind: 'remove-own',
    code: 'member-without-data',
  },
  {
    name: 'none | a member that never ran, and is no founder',
    seen: beside(formed({ founders: [2, 3].map(founder) }), {
      quorum: answers([member(1, { clientUrls: [] }), 2, 3]),
      fleet: EMPTY_FLEET.fleet,
      ownAddress: null,
      preflight: null,
    }),
    kind: 'remove-own',
    code: 'member-without-data',
  },
  {
    name: 'none | members at other addresses without a name, and at the own address with that of another',
    seen: beside(formed(), {
      quorum: answers([
        2,
        member(3, { name: '', clientUrls: [] }),
        member(4, { peerUrls: [`http://${addressOf(1)}:2380`] }),
      ]),
      fleet: EMPTY_FLEET.fleet,
      preflight: null,
    }),
    kind: 'join',
    code: 'join',
  },
  {
    name: 'none | present: the fleet is asked before anything is removed',
    seen: beside(formed(), { quorum: answers([1, 2, 3]), ownAddress: null, preflight: null }),
    kind: 'ask',
    code: 'ask',
    facts: ['fleet'],
  },
  {
    name: 'none | a founder without a name, at the own address: it was added, and is no founder',
    seen: beside(formed({ founders: [1, 2, 3].map(founder) }), {
      quorum: answers([2, 3, member(1, { name: '', clientUrls: [] })]),
      fleet: EMPTY_FLEET.fleet,
      ownAddress: null,
      preflight: null,
    }),
    kind: 'remove-own',
    code: 'member-without-data',
  },
  {
    name: 'none | a learner without a name, of which one peer URL is the own address',
    seen: beside(formed(), {
      quorum: answers([
        2,
        3,
        member(4, {
          name: '',
          clientUrls: [],
          learner: true,
          peerUrls: ['http://192.0.2.1:2380', `http://${addressOf(1)}:2380`],
        }),
      ]),
      fleet: EMPTY_FLEET.fleet,
      ownAddress: null,
      preflight: null,
    }),
    kind: 'remove-own',
    code: 'member-without-data',
  },
  {
    name: 'none | a learner at the own address without a name: it is the own entry',
    seen: beside(formed(), {
      ...EMPTY_FLEET,
      quorum: answers([
        member(4, { name: '', clientUrls: [], learner: true, peerUrls: [`http://${addressOf(1)}:2380`] }),
        2,
        3,
      ]),
      ownAddress: null,
      preflight: null,
    }),
    kind: 'remove-own',
    code: 'member-without-data',
  },
];

const OLD = formed({ groups: [OTHER_GROUP] });
const GONE = evidenceOf([1, 'terminated'], [2, 'terminated'], [3, 'not-found', 300_000]);

/** design.md section 4, "claim formed, nobody answers" and "by groups that exist no more". */
const silence: readonly StartCase[] = [
  {
    name: 'nobody answers: the fleet is asked, in case its groups are gone',
    seen: beside(formed(), { quorum: NOBODY }),
    kind: 'ask',
    code: 'ask',
    facts: ['fleet'],
  },
  {
    name: 'nobody answers, and the fleet was not asked',
    seen: beside(OLD, { quorum: NOBODY }),
    kind: 'ask',
    code: 'ask',
    facts: ['fleet'],
  },
  {
    name: 'nobody answers: quorum is lost, and nothing is born over it, however long',
    seen: beside(formed(), { ...EMPTY_FLEET, quorum: NOBODY, waitedMs: 9_999_999, evidence: GONE }),
    kind: 'wait',
    code: 'quorum-lost',
  },
  {
    name: 'nobody answers, and the fleet is unknown',
    seen: beside(OLD, { ...EMPTY_FLEET, quorum: NOBODY, evidence: GONE, fleet: DARK }),
    kind: 'wait',
    code: 'quorum-lost',
  },
  {
    name: 'a voter lets no appliance in: the fleet is asked all the same',
    seen: beside(OLD, { quorum: REFUSED }),
    kind: 'ask',
    code: 'ask',
    facts: ['fleet'],
  },
  {
    name: 'a voter lets no appliance in: that is not lost quorum, and nothing is born over it',
    seen: beside(formed(), { ...EMPTY_FLEET, quorum: REFUSED, waitedMs: 9_999_999, evidence: GONE }),
    kind: 'wait',
    code: 'start-refused',
    says: ['authentication is on'],
  },
  {
    name: 'its groups exist no more, and a voter that is not known as gone lets no appliance in',
    seen: beside(OLD, {
      ...EMPTY_FLEET,
      quorum: REFUSED,
      evidence: evidenceOf([1, 'terminated'], [2, 'running'], [3, 'terminated']),
    }),
    kind: 'wait',
    code: 'start-refused',
  },
  {
    name: 'its groups exist no more: evidence of its voters is asked',
    seen: beside(OLD, { ...EMPTY_FLEET, quorum: NOBODY }),
    kind: 'ask',
    code: 'ask',
    facts: ['evidence'],
  },
  {
    name: 'its groups exist no more, and every voter is gone: an empty epoch is born, and said loudly',
    seen: beside(OLD, { ...EMPTY_FLEET, quorum: NOBODY, evidence: GONE }),
    kind: 'register',
    code: 'groups-gone',
    changes: [
      ...swapped(
        recordOf(OLD),
        recordOf(forming({ epoch: 2, token: 'fresh-token', pastTokens: ['token-1'], groups: [GROUP] })),
      ),
      ...created(markOf(1, 'fresh-token', 'fresh-nonce')),
    ],
  },
  ...(
    [
      ['is running', 'running', 0],
      ['is only stopped', 'stopped', 300_000],
      ['is not known for less than five minutes', 'not-found', 299_999],
      ['cannot be asked for', null, 0],
    ] as const
  ).map(([what, state, forMs]): StartCase => ({
    name: `its groups exist no more, but one voter ${what}`,
    seen: beside(OLD, {
      ...EMPTY_FLEET,
      quorum: NOBODY,
      evidence: evidenceOf([1, 'terminated'], [2, 'terminated'], [3, state, forMs]),
    }),
    kind: 'wait',
    code: 'quorum-lost',
  })),
  {
    name: 'its groups exist no more, and nothing was heard of one voter',
    seen: beside(OLD, {
      ...EMPTY_FLEET,
      quorum: NOBODY,
      evidence: evidenceOf([1, 'terminated'], [2, 'terminated']),
    }),
    kind: 'wait',
    code: 'quorum-lost',
  },
  {
    name: 'its groups exist no more, and it lists no voter: that proves nothing',
    seen: beside({ ...OLD, voters: [] }, { ...EMPTY_FLEET, quorum: NOBODY, evidence: GONE }),
    kind: 'wait',
    code: 'quorum-lost',
  },
  {
    name: 'it names no group: that proves nothing',
    seen: beside({ ...OLD, groups: [] }, { ...EMPTY_FLEET, quorum: NOBODY, evidence: GONE }),
    kind: 'wait',
    code: 'quorum-lost',
  },
  {
    name: 'its groups exist no more, and its SRV sets still stand: they go with the claim that names them',
    seen: beside(OLD, { ...EMPTY_FLEET, quorum: NOBODY, evidence: GONE }, [serverSet(1, 2, 3)]),
    kind: 'register',
    code: 'groups-gone',
  },
  {
    name: 'its groups exist no more, but an instance holds data of its own',
    seen: beside(OLD, {
      ...EMPTY_FLEET,
      births: birthsOf(
        [2, nothingHeld(2, { data: { token: 'token-1', clusterId: 'aa', formed: true } })],
        [3, nothingHeld(3)],
      ),
      quorum: NOBODY,
      evidence: GONE,
    }),
    kind: 'wait',
    code: 'instance-holds-data',
  },
  {
    name: 'no group carries the stack any more: this instance is not meant to carry a member',
    seen: beside(OLD, {
      ...EMPTY_FLEET,
      fleet: known({ groups: [], instances: [] }),
      quorum: NOBODY,
      evidence: GONE,
    }),
    kind: 'wait',
    code: 'not-joinable',
  },
];

const holdsFormed = (clusterId: string, token = 'token-1') => ({
  data: { token, clusterId, formed: true },
  epoch: 1,
});
const LIVING = formed().clusterId ?? '';
const NAMED = birthsOf([2, nothingHeld(2, holdsFormed(LIVING))], [3, nothingHeld(3, holdsFormed(LIVING))]);

/** design.md section 5, "where the claim cannot be read, of the cluster id that an appliance with formed data names". */
const unread: readonly StartCase[] = [
  {
    name: 'the claim cannot be read: the fleet is asked what it holds',
    seen: start({ zone: DARK, fleet: EMPTY_FLEET.fleet }),
    kind: 'ask',
    code: 'ask',
    facts: ['births'],
  },
  {
    name: 'the claim cannot be read, and formed data name a cluster: whether it answers is asked',
    seen: start({ zone: DARK, fleet: EMPTY_FLEET.fleet, births: NAMED }),
    kind: 'ask',
    code: 'ask',
    facts: ['quorum'],
  },
  {
    name: 'the claim cannot be read, and the cluster that the fleet names answers: a zone that is away costs no redundancy',
    seen: start({
      zone: DARK,
      fleet: EMPTY_FLEET.fleet,
      births: NAMED,
      quorum: answers([2, 3]),
      preflight: null,
    }),
    kind: 'join',
    code: 'join-unread',
  },
  {
    name: 'the claim cannot be read, and the cluster that the fleet names lets no appliance in',
    seen: start({ zone: DARK, fleet: EMPTY_FLEET.fleet, births: NAMED, quorum: REFUSED }),
    kind: 'wait',
    code: 'start-refused',
    says: ['authentication is on'],
  },
  {
    name: 'the claim cannot be read, and the cluster has this instance, whose data are gone',
    seen: start({
      zone: DARK,
      fleet: EMPTY_FLEET.fleet,
      births: NAMED,
      quorum: answers([1, 2, 3]),
      preflight: null,
      ownAddress: null,
    }),
    kind: 'remove-own',
    code: 'member-without-data',
  },
  {
    name: 'the claim cannot be read, and the cluster waits for this instance as a founder',
    seen: start({
      zone: DARK,
      fleet: EMPTY_FLEET.fleet,
      births: NAMED,
      quorum: UNSTARTED,
      preflight: null,
      ownAddress: null,
      waitedMs: 119_999,
    }),
    kind: 'wait',
    code: 'claim-unknown',
  },
  {
    name: 'the claim cannot be read for two minutes, and the cluster waits for this instance as a founder',
    seen: start({
      zone: DARK,
      fleet: EMPTY_FLEET.fleet,
      births: NAMED,
      quorum: UNSTARTED,
      preflight: null,
      ownAddress: null,
      waitedMs: 120_000,
    }),
    kind: 'remove-own',
    code: 'member-without-data',
  },
  {
    name: 'the claim cannot be read, and the cluster has this instance as a learner that never ran',
    seen: start({
      zone: DARK,
      fleet: EMPTY_FLEET.fleet,
      births: NAMED,
      quorum: answers([member(1, { clientUrls: [], learner: true }), 2, 3]),
      preflight: null,
      ownAddress: null,
      waitedMs: 0,
    }),
    kind: 'remove-own',
    code: 'member-without-data',
  },
  {
    name: 'the claim cannot be read: the fleet is asked first',
    seen: start({ zone: DARK }),
    kind: 'ask',
    code: 'ask',
    facts: ['fleet'],
  },
  {
    name: 'the claim cannot be read, and no member is meant to run here',
    seen: start({
      zone: DARK,
      fleet: known(fleet([instance(1, { lifecycle: 'Standby' }), 2, 3])),
      births: NAMED,
      quorum: answers([2, 3]),
      preflight: null,
    }),
    kind: 'wait',
    code: 'not-joinable',
  },
  {
    name: 'the claim cannot be read, the cluster answers, and etcd cannot start here',
    seen: start({
      zone: DARK,
      fleet: EMPTY_FLEET.fleet,
      births: NAMED,
      quorum: answers([2, 3]),
      preflight: { kind: 'other', why: 'port 2380 is in use' },
    }),
    kind: 'wait',
    code: 'preflight-failed',
  },
  {
    name: 'the claim cannot be read, and one that does not answer changes nothing about what the others name',
    seen: start({
      zone: DARK,
      fleet: EMPTY_FLEET.fleet,
      births: birthsOf([2, nothingHeld(2, holdsFormed(LIVING))], [3, DARK]),
      quorum: answers([2, 3]),
      preflight: null,
    }),
    kind: 'join',
    code: 'join-unread',
  },
  ...(
    [
      ['of another stack', { ...holdsFormed('ab'.repeat(8)), stack: 'other-main' }],
      ['whose cluster is not noted', { data: { token: 'token-1', clusterId: null, formed: true } }],
      ['whose token is not noted', { data: { token: null, clusterId: 'ab'.repeat(8), formed: true } }],
      [
        'that are not known as formed',
        { data: { token: 'token-1', clusterId: 'ab'.repeat(8), formed: false } },
      ],
    ] as const
  ).map(([what, held]): StartCase => ({
    name: `the claim cannot be read, and data ${what} name no cluster`,
    seen: start({
      zone: DARK,
      fleet: EMPTY_FLEET.fleet,
      births: birthsOf([2, nothingHeld(2, holdsFormed(LIVING))], [3, nothingHeld(3, held)]),
      quorum: answers([2, 3]),
      preflight: null,
    }),
    kind: 'join',
    code: 'join-unread',
  })),
  {
    name: 'the claim cannot be read, and the fleet disagrees about the cluster',
    seen: start({
      zone: DARK,
      fleet: EMPTY_FLEET.fleet,
      births: birthsOf(
        [2, nothingHeld(2, holdsFormed(LIVING))],
        [3, nothingHeld(3, holdsFormed('ab'.repeat(8)))],
      ),
      quorum: answers([2, 3]),
      preflight: null,
    }),
    kind: 'wait',
    code: 'claim-unknown',
  },
  {
    name: 'the claim cannot be read, and another cluster answers than the fleet names',
    seen: start({
      zone: DARK,
      fleet: EMPTY_FLEET.fleet,
      births: NAMED,
      quorum: answers([2, 3], 'ab'.repeat(8)),
      preflight: null,
    }),
    kind: 'wait',
    code: 'claim-unknown',
  },
  {
    name: 'the claim cannot be read, and the named cluster has no quorum',
    seen: start({ zone: DARK, fleet: EMPTY_FLEET.fleet, births: NAMED, quorum: NOBODY }),
    kind: 'wait',
    code: 'claim-unknown',
  },
];

export const claimCases: readonly StartCase[] = [...strange, ...founding, ...joining, ...silence, ...unread];
