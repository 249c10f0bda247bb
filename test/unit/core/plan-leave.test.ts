import { describe, expect, it } from 'vitest';
import { known, refused } from '../../../src/core/known.ts';
import type {
  Departure,
  DepartureObservation,
  LeaveAction,
  LeaveCode,
  LeaveObservation,
} from '../../../src/core/plan-leave.ts';
import { planLeave, whyEndWithoutEtcd, whyStopping } from '../../../src/core/plan-leave.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';
import { DARK, listOf, member, memberIdOf, status } from '../../fixtures/core/world.ts';

const REFUSED = refused('authentication is on');

const SILENCE: DepartureObservation = {
  targetState: DARK,
  ec2State: DARK,
  spotNotice: DARK,
  lifecycle: DARK,
};
const CALM: DepartureObservation = {
  targetState: known('InService'),
  ec2State: known('running'),
  spotNotice: known(false),
  lifecycle: known('InService'),
};

const departures: readonly (readonly [name: string, seen: DepartureObservation, kind: Departure['kind']])[] =
  [
    ['nobody answers', SILENCE, 'restart'],
    ['all is calm', CALM, 'restart'],
    ['not in a group', { ...CALM, targetState: known(null), lifecycle: DARK }, 'restart'],
    [
      'Standby stays a member',
      { ...CALM, targetState: known('Standby'), lifecycle: known('EnteringStandby') },
      'restart',
    ],
    ['EC2 stops the instance: its disk stays', { ...CALM, ec2State: known('stopping') }, 'restart'],
    ['target Terminated', { ...SILENCE, targetState: known('Terminated') }, 'going'],
    ['target Detached', { ...SILENCE, targetState: known('Detached') }, 'going'],
    ['target Warmed:Stopped', { ...SILENCE, targetState: known('Warmed:Stopped') }, 'going'],
    ['target Warmed:Terminated', { ...SILENCE, targetState: known('Warmed:Terminated') }, 'going'],
    ['a spot notice', { ...CALM, spotNotice: known(true) }, 'going'],
    ['EC2 shuts it down', { ...CALM, ec2State: known('shutting-down') }, 'going'],
    ['EC2 says terminated', { ...SILENCE, ec2State: known('terminated') }, 'going'],
    ['the group terminates it', { ...CALM, lifecycle: known('Terminating:Wait') }, 'going'],
  ];

describe('whyStopping', () => {
  it.each(departures)('%s', (_name, observed, kind) => {
    expect(whyStopping(observed).kind).toBe(kind);
  });
});

/** i-1 of three leaves for good; it follows i-2, has told the others and is out of DNS. */
function seen(more: Partial<LeaveObservation> = {}): LeaveObservation {
  return {
    departure: { kind: 'going', why: 'the instance becomes Terminated' },
    status: known(status(1, { leader: memberIdOf(2) })),
    list: known(listOf([1, 2, 3])),
    successors: [memberIdOf(2), memberIdOf(3)],
    healthyOthers: 2,
    leaveFirst: 0,
    formed: true,
    announced: true,
    outOfDns: true,
    stepElsewhere: false,
    graceOver: false,
    ...more,
  };
}

const RESTART: Departure = { kind: 'restart', why: 'asked to' };
const LEADS = known(status(1));
const LEARNS = known(status(1, { leader: memberIdOf(2), learner: true }));
const NO_SPACE = known(status(1, { leader: memberIdOf(2), errors: ['memberID:1 alarm:NOSPACE '] }));

type Case = readonly [name: string, seen: LeaveObservation, kind: LeaveAction['kind'], code: LeaveCode];

const cases: readonly Case[] = [
  ['a restart of a follower', seen({ departure: RESTART }), 'stop', 'leave-restart'],
  ['a restart of the leader', seen({ departure: RESTART, status: LEADS }), 'hand-over', 'leave-hand-over'],
  [
    'a restart of the leader without a successor',
    seen({ departure: RESTART, status: LEADS, successors: [] }),
    'stop',
    'leave-restart',
  ],
  [
    'a restart of the leader that nobody takes over in time',
    seen({ departure: RESTART, status: LEADS, graceOver: true }),
    'stop',
    'leave-restart',
  ],
  [
    'a restart tells the others first',
    seen({ departure: RESTART, announced: false }),
    'announce',
    'leave-announce',
  ],
  [
    'a restart of a learner, which takes no word, and which nobody counts on',
    seen({ departure: RESTART, announced: false, stepElsewhere: true, status: LEARNS }),
    'stop',
    'leave-restart',
  ],
  [
    'a restart that cannot tell anybody',
    seen({ departure: RESTART, announced: false, list: DARK }),
    'stop',
    'leave-restart',
  ],
  [
    'a restart whose own etcd is silent',
    seen({ departure: RESTART, announced: false, status: DARK }),
    'stop',
    'leave-restart',
  ],
  [
    'a restart at the end of the grace',
    seen({ departure: RESTART, announced: false, graceOver: true }),
    'stop',
    'leave-restart',
  ],
  [
    'a restart without space: nobody takes its word, nor can anybody take the lock',
    seen({ departure: RESTART, announced: false, status: NO_SPACE }),
    'stop',
    'leave-restart',
  ],
  [
    'without space nobody takes its word: it leaves without',
    seen({ announced: false, status: NO_SPACE }),
    'remove-self',
    'leave-remove',
  ],
  [
    'without space, and clients are still told of it',
    seen({ announced: false, outOfDns: false, status: NO_SPACE }),
    'wait',
    'leave-dns',
  ],
  ['first it tells the others', seen({ announced: false, outOfDns: false }), 'announce', 'leave-announce'],
  ['then it leaves DNS', seen({ outOfDns: false }), 'wait', 'leave-dns'],
  ['while another steps', seen({ stepElsewhere: true }), 'wait', 'leave-step'],
  ['while another steps, and it leads', seen({ stepElsewhere: true, status: LEADS }), 'wait', 'leave-step'],
  ['a restart while another steps', seen({ departure: RESTART, stepElsewhere: true }), 'wait', 'leave-step'],
  [
    'a restart while another steps, at the end of the grace',
    seen({ departure: RESTART, stepElsewhere: true, graceOver: true }),
    'stop',
    'leave-restart',
  ],
  ['then the leader hands over', seen({ status: LEADS }), 'hand-over', 'leave-hand-over'],
  ['a follower removes itself', seen(), 'remove-self', 'leave-remove'],
  [
    'a leader never removes itself: that the others hear it does not say that they hear each other',
    seen({ status: LEADS, successors: [] }),
    'wait',
    'leave-quorum-short',
  ],
  ['removed: stops', seen({ list: known(listOf([2, 3])) }), 'stop', 'leave-removed'],
  ['the others are no healthy majority', seen({ healthyOthers: 1 }), 'wait', 'leave-quorum-short'],
  [
    'another that leaves first makes a majority',
    seen({ leaveFirst: 1, successors: [memberIdOf(3)] }),
    'remove-self',
    'leave-remove',
  ],
  ['both others leave first', seen({ leaveFirst: 2, successors: [] }), 'wait', 'leave-quorum-short'],
  [
    'the last of three that leave five, of which one is dead: the two that would be left are no majority',
    seen({
      list: known(listOf([1, 2, 3, 4, 5])),
      healthyOthers: 3,
      leaveFirst: 2,
      successors: [memberIdOf(4)],
    }),
    'wait',
    'leave-quorum-short',
  ],
  [
    'the own etcd is silent, and those that serve leave first',
    seen({ status: DARK, leaveFirst: 2, successors: [] }),
    'wait',
    'leave-quorum-short',
  ],
  [
    'the own etcd is silent, and the others are a majority with it after another left',
    seen({ status: DARK, list: known(listOf([1, 2, 3, 4])), healthyOthers: 3, leaveFirst: 1 }),
    'stop',
    'leave-no-answer',
  ],
  [
    'one of two',
    seen({ list: known(listOf([1, 2])), healthyOthers: 1, successors: [memberIdOf(2)] }),
    'remove-self',
    'leave-remove',
  ],
  [
    'one of two, and the other is ill',
    seen({ list: known(listOf([1, 2])), healthyOthers: 0, successors: [] }),
    'wait',
    'leave-quorum-short',
  ],
  [
    'the only voter',
    seen({ list: known(listOf([1])), healthyOthers: 0, successors: [] }),
    'wait',
    'leave-only-voter',
  ],
  [
    'the only voter beside a learner',
    seen({ list: known(listOf([1, member(2, { learner: true })])), healthyOthers: 0, successors: [] }),
    'wait',
    'leave-only-voter',
  ],
  [
    'a learner goes at once',
    seen({ list: known(listOf([member(1, { learner: true }), 2, 3])), announced: false, outOfDns: false }),
    'remove-self',
    'leave-remove',
  ],
  ['no linearizable answer', seen({ list: DARK }), 'wait', 'leave-quorum-short'],
  [
    'no linearizable answer, and the cluster was never formed',
    seen({ list: DARK, formed: false }),
    'stop',
    'leave-unformed',
  ],
  [
    'nobody answers, and the cluster was never formed',
    seen({ status: DARK, list: DARK, healthyOthers: 0, formed: false }),
    'stop',
    'leave-unformed',
  ],
  [
    'the own etcd lets no appliance in, and nobody has called the cluster formed: it has had a quorum',
    seen({ status: REFUSED, list: DARK, healthyOthers: 0, formed: false }),
    'wait',
    'leave-quorum-short',
  ],
  [
    'the own etcd tells its status alone, and nobody has called the cluster formed: it has a quorum',
    seen({ list: REFUSED, healthyOthers: 0, formed: false }),
    'wait',
    'leave-quorum-short',
  ],
  [
    'a quorum that nobody has called formed yet is kept like any other',
    seen({ healthyOthers: 1, formed: false }),
    'wait',
    'leave-quorum-short',
  ],
  ['the grace is almost over', seen({ graceOver: true, healthyOthers: 0 }), 'stop', 'leave-grace-over'],
  [
    'the own etcd does not answer, and the others serve without it',
    seen({ status: DARK }),
    'stop',
    'leave-no-answer',
  ],
  [
    'the own etcd does not answer, and without it the others are no majority of all: they could not evict it',
    seen({ status: DARK, list: known(listOf([1, 2])), healthyOthers: 1 }),
    'wait',
    'leave-quorum-short',
  ],
  [
    'the own etcd does not answer, nor does any other',
    seen({ status: DARK, list: DARK, healthyOthers: 0 }),
    'wait',
    'leave-quorum-short',
  ],
  [
    'nobody answers, and the grace is almost over',
    seen({ status: DARK, list: DARK, graceOver: true }),
    'stop',
    'leave-grace-over',
  ],
];

describe('planLeave', () => {
  it.each(cases)('%s', (_name, observed, kind, code) => {
    const action = planLeave(observed);
    expect([action.kind, action.reason.code]).toEqual([kind, code]);
  });

  it('hands over to the most caught-up successor, and removes no other member than itself', () => {
    expect(planLeave(seen({ status: LEADS }))).toMatchObject({ targetId: memberIdOf(2) });
    expect(planLeave(seen())).toMatchObject({ memberId: memberIdOf(1) });
  });

  it('shows every code that a departure can have', () => {
    expect(covered(cases.map((row) => row[3]))).toEqual(
      declared<LeaveCode>({
        'leave-restart': true,
        'leave-announce': true,
        'leave-dns': true,
        'leave-step': true,
        'leave-hand-over': true,
        'leave-remove': true,
        'leave-quorum-short': true,
        'leave-unformed': true,
        'leave-only-voter': true,
        'leave-removed': true,
        'leave-grace-over': true,
        'leave-no-answer': true,
      }),
    );
  });
});

describe('a departure without an etcd', () => {
  it.each([
    [0, null],
    [19_999, null],
    [20_000, 'leave-without-etcd'],
    [3_600_000, 'leave-without-etcd'],
  ])('for %i ms: %s', (forMs, code) => {
    expect(whyEndWithoutEtcd(forMs)?.code ?? null).toBe(code);
  });
});
