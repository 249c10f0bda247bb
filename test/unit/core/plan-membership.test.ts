import { describe, expect, it } from 'vitest';
import { known } from '../../../src/core/known.ts';
import type { Member } from '../../../src/core/members.ts';
import type { MembershipCode, MembershipObservation, MemberView } from '../../../src/core/plan-membership.ts';
import { joinLimitMs, planMembership } from '../../../src/core/plan-membership.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';
import {
  addressOf,
  DARK,
  evidenceOf,
  fleet,
  hexOf,
  idOf,
  instance,
  member,
  memberIdOf,
  self,
} from '../../fixtures/core/world.ts';

function well(n: number, more: Partial<Member> = {}): MemberView {
  return { member: member(n, more), answers: true, healthy: true, stalledMs: 0, joinLimitMs: 60_000 };
}

function silent(n: number, more: Partial<Member> = {}): MemberView {
  return { member: member(n, more), answers: false, healthy: false, stalledMs: 0, joinLimitMs: 60_000 };
}

/** A voter that answers and does not serve. */
function poorly(n: number): MemberView {
  return { ...well(n), healthy: false };
}

function learner(n: number, more: Partial<MemberView> = {}, also: Partial<Member> = {}): MemberView {
  return {
    member: member(n, { learner: true, ...also }),
    answers: true,
    healthy: false,
    stalledMs: 0,
    joinLimitMs: 60_000,
    ...more,
  };
}

/** i-1 keeps house. */
function seen(
  members: readonly MemberView[],
  more: Partial<MembershipObservation> = {},
): MembershipObservation {
  return { self: self(), members, fleet: known(fleet([1, 2, 3])), evidence: new Map(), ...more };
}

interface Case {
  readonly name: string;
  readonly seen: MembershipObservation;
  /** The member to remove. */
  readonly removes: string | null;
  readonly codes: readonly MembershipCode[];
}

const UNLISTED = known(fleet([1, 2]));
/** The third has the address of one that ends. */
const INHERITED = fleet([1, 2, instance(4, { lifecycle: 'Terminating', address: addressOf(3) }), 3]);
/** It has not answered for so long that an answer of AWS would show its instance. */
const MUTE = { answers: false, stalledMs: 30_000 };
const BLANK = { name: '', clientUrls: [], peerUrls: [`http://${addressOf(3)}:2380`] };
const TWO_URLS = { ...BLANK, peerUrls: ['http://192.0.2.1:2380', ...BLANK.peerUrls] };

const cases: readonly Case[] = [
  { name: 'all is well', seen: seen([well(1), well(2), well(3)]), removes: null, codes: ['members-right'] },
  {
    name: 'silent, and terminated',
    seen: seen([well(1), well(2), silent(3)], { evidence: evidenceOf([3, 'terminated']) }),
    removes: memberIdOf(3),
    codes: ['evict-terminated'],
  },
  {
    name: 'silent, and shutting down',
    seen: seen([well(1), well(2), silent(3)], { evidence: evidenceOf([3, 'shutting-down']) }),
    removes: memberIdOf(3),
    codes: ['evict-terminated'],
  },
  {
    name: 'silent and terminated, and the fleet is unknown: EC2 alone is proof',
    seen: seen([well(1), well(2), silent(3)], { evidence: evidenceOf([3, 'terminated']), fleet: DARK }),
    removes: memberIdOf(3),
    codes: ['evict-terminated'],
  },
  {
    name: 'silent, and not known by EC2 for an hour',
    seen: seen([well(1), well(2), silent(3)], { evidence: evidenceOf([3, 'not-found', 3_600_000]) }),
    removes: memberIdOf(3),
    codes: ['evict-terminated'],
  },
  {
    name: 'silent, and not known by EC2 for less than an hour',
    seen: seen([well(1), well(2), silent(3)], {
      evidence: evidenceOf([3, 'not-found', 3_599_999]),
      fleet: UNLISTED,
    }),
    removes: null,
    codes: ['member-silent-lives'],
  },
  {
    name: 'silent, stopped, and not listed by its group for a minute',
    seen: seen([well(1), well(2), silent(3)], {
      evidence: evidenceOf([3, 'stopped', 0, 60_000]),
      fleet: UNLISTED,
    }),
    removes: memberIdOf(3),
    codes: ['evict-stopped'],
  },
  {
    name: 'silent, stopped, and not listed by its group for less: an answer may be partial',
    seen: seen([well(1), well(2), silent(3)], {
      evidence: evidenceOf([3, 'stopped', 0, 59_999]),
      fleet: UNLISTED,
    }),
    removes: null,
    codes: ['member-silent-lives'],
  },
  {
    name: 'silent, stopped, and still listed by its group',
    seen: seen([well(1), well(2), silent(3)], { evidence: evidenceOf([3, 'stopped', 0, 60_000]) }),
    removes: null,
    codes: ['member-silent-lives'],
  },
  {
    name: 'silent, stopped, and the fleet is unknown',
    seen: seen([well(1), well(2), silent(3)], {
      evidence: evidenceOf([3, 'stopped', 0, 60_000]),
      fleet: DARK,
    }),
    removes: null,
    codes: ['member-silent-lives'],
  },
  {
    name: 'silent and running, not listed by its group: that is no evidence',
    seen: seen([well(1), well(2), silent(3)], { evidence: evidenceOf([3, 'running']), fleet: UNLISTED }),
    removes: null,
    codes: ['member-silent-lives'],
  },
  {
    name: 'silent and running, and not listed by its group for a minute: that is no evidence either',
    seen: seen([well(1), well(2), silent(3)], {
      evidence: evidenceOf([3, 'running', 0, 60_000]),
      fleet: UNLISTED,
    }),
    removes: null,
    codes: ['member-silent-lives'],
  },
  {
    name: 'silent, and EC2 does not answer',
    seen: seen([well(1), well(2), silent(3)], { evidence: evidenceOf([3, null]), fleet: UNLISTED }),
    removes: null,
    codes: ['member-silent-unknown'],
  },
  {
    name: 'silent, and EC2 does not answer any more, after an hour of "not found"',
    seen: seen([well(1), well(2), silent(3)], {
      evidence: evidenceOf([3, null, 3_600_000]),
      fleet: UNLISTED,
    }),
    removes: null,
    codes: ['member-silent-unknown'],
  },
  {
    name: 'silent, and EC2 was not asked',
    seen: seen([well(1), well(2), silent(3)], { fleet: UNLISTED }),
    removes: null,
    codes: ['member-silent-unknown'],
  },
  {
    name: 'terminated, they say, but the member answers',
    seen: seen([well(1), well(2), well(3)], { evidence: evidenceOf([3, 'terminated']), fleet: UNLISTED }),
    removes: null,
    codes: ['members-right'],
  },
  {
    name: 'not listed by the group, but the member answers: Standby and detached stay members',
    seen: seen([well(1), well(2), well(3)], { fleet: UNLISTED }),
    removes: null,
    codes: ['members-right'],
  },
  {
    name: 'the own member is never removed',
    seen: seen([silent(1), well(2), well(3)], { evidence: evidenceOf([1, 'terminated']) }),
    removes: null,
    codes: ['members-right'],
  },
  {
    name: 'terminated, and the healthy ones would be no majority of the rest',
    seen: seen([well(1), poorly(2), silent(3)], { evidence: evidenceOf([3, 'terminated']) }),
    removes: null,
    codes: ['quorum-short'],
  },
  {
    name: 'two of five are gone: one a tick',
    seen: seen([well(1), well(2), well(3), silent(4), silent(5)], {
      fleet: known(fleet([1, 2, 3])),
      evidence: evidenceOf([4, 'terminated'], [5, 'terminated']),
    }),
    removes: memberIdOf(4),
    codes: ['evict-terminated'],
  },
  {
    name: 'a name that is no instance',
    seen: seen([well(1), well(2), silent(3, { name: 'etcd-a' })]),
    removes: null,
    codes: ['member-of-no-instance'],
  },
  {
    name: 'a blank name and the own address',
    seen: seen([well(2), well(3), silent(1, { name: '' })], { evidence: evidenceOf([1, 'shutting-down']) }),
    removes: null,
    codes: ['member-of-no-instance'],
  },
  {
    name: 'a blank name and an address of nobody',
    seen: seen([well(1), well(2), silent(9, { name: '' })]),
    removes: null,
    codes: ['member-of-no-instance'],
  },
  {
    name: 'a blank name at the address of an instance of the fleet that is terminated',
    seen: seen([well(1), well(2), silent(3, BLANK)], {
      fleet: known(fleet([1, 2, instance(3, { state: 'terminated', lifecycle: 'Terminating' })])),
      evidence: evidenceOf([3, 'terminated']),
    }),
    removes: memberIdOf(3),
    codes: ['evict-terminated'],
  },
  {
    name: 'a learner that catches up',
    seen: seen([well(1), well(2), learner(3)]),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'a learner without progress for a minute',
    seen: seen([well(1), well(2), learner(3, { stalledMs: 60_000 })]),
    removes: memberIdOf(3),
    codes: ['learner-stalled'],
  },
  {
    name: 'a learner without progress for a minute, while AWS is silent: no evidence of AWS is needed',
    seen: seen([well(1), well(2), learner(3, { stalledMs: 60_000, answers: false })], { fleet: DARK }),
    removes: memberIdOf(3),
    codes: ['learner-stalled'],
  },
  {
    name: 'a learner without progress for a minute, whose snapshot may take two',
    seen: seen([well(1), well(2), learner(3, { stalledMs: 60_000, joinLimitMs: 120_000 })]),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'a learner just below the limit',
    seen: seen([well(1), well(2), learner(3, { stalledMs: 59_999 })]),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'a learner that says nothing, of an instance that the answer lacks: the answer may be older than it',
    seen: seen([well(1), well(2), learner(3, { ...MUTE, stalledMs: 29_999 })], { fleet: UNLISTED }),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'a fresh learner, the same',
    seen: seen([well(1), well(2), learner(3, { ...MUTE, stalledMs: 29_999 }, BLANK)], { fleet: UNLISTED }),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'a learner of an instance that the group lists no more',
    seen: seen([well(1), well(2), learner(3, MUTE)], { fleet: UNLISTED }),
    removes: memberIdOf(3),
    codes: ['learner-of-nobody'],
  },
  {
    name: 'a learner that answers, of an instance that the answer lacks: it may show less than there is',
    seen: seen([well(1), well(2), learner(3)], { fleet: UNLISTED }),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'a learner of an instance that terminates: at once',
    seen: seen([well(1), well(2), learner(3)], {
      fleet: known(fleet([1, 2, instance(3, { lifecycle: 'Terminating:Wait' })])),
    }),
    removes: memberIdOf(3),
    codes: ['learner-of-nobody'],
  },
  {
    name: 'a fresh learner whose peer URL belongs to no joinable instance',
    seen: seen([well(1), well(2), learner(3, MUTE, BLANK)], { fleet: UNLISTED }),
    removes: memberIdOf(3),
    codes: ['learner-of-nobody'],
  },
  {
    name: 'a fresh learner at the address of a joinable instance',
    seen: seen([well(1), well(2), learner(3, {}, BLANK)]),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'a fresh learner at the address of a joinable instance, which one that ends had before',
    seen: seen([well(1), well(2), learner(3, MUTE, BLANK)], { fleet: known(INHERITED) }),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'a fresh learner, while EC2 does not show the address of a joinable instance yet',
    seen: seen([well(1), well(2), learner(3, {}, BLANK)], {
      fleet: known(fleet([1, 2, instance(3, { address: null, state: null })])),
    }),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'a fresh learner that does not answer yet, at the other address of a joinable instance',
    seen: seen([well(1), well(2), learner(3, MUTE, TWO_URLS)], {
      fleet: known(fleet([1, 2, instance(3, { address: '203.0.113.3', otherAddress: addressOf(3) })])),
    }),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'a fresh learner at neither address of a joinable instance',
    seen: seen([well(1), well(2), learner(3, MUTE, BLANK)], {
      fleet: known(fleet([1, 2, instance(3, { address: '203.0.113.3', otherAddress: '192.0.2.3' })])),
    }),
    removes: memberIdOf(3),
    codes: ['learner-of-nobody'],
  },
  {
    name: 'the same, and it does not answer: it may be starting',
    seen: seen([well(1), well(2), learner(3, MUTE, BLANK)], {
      fleet: known(fleet([1, 2, instance(3, { address: null, state: null })])),
    }),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'the same, and the instance without an address is not joinable',
    seen: seen([well(1), well(2), learner(3, MUTE, BLANK)], {
      fleet: known(fleet([1, 2, instance(3, { address: null, lifecycle: 'Warmed:Pending' })])),
    }),
    removes: memberIdOf(3),
    codes: ['learner-of-nobody'],
  },
  {
    name: 'a learner with a name, while EC2 does not show the address of another instance',
    seen: seen([well(1), well(2), learner(3, MUTE)], {
      fleet: known(fleet([1, 2, instance(4, { address: null, state: null })])),
    }),
    removes: memberIdOf(3),
    codes: ['learner-of-nobody'],
  },
  {
    name: 'a learner with a name at the address of another instance: the name tells',
    seen: seen([well(1), well(2), learner(4, MUTE, { peerUrls: [`http://${addressOf(3)}:2380`] })]),
    removes: memberIdOf(4),
    codes: ['learner-of-nobody'],
  },
  {
    name: 'a fresh learner of which one peer URL is that of a joinable instance',
    seen: seen([well(1), well(2), learner(3, MUTE, TWO_URLS)]),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'a learner while the fleet is unknown',
    seen: seen([well(1), well(2), learner(3)], { fleet: DARK }),
    removes: null,
    codes: ['learner-joining'],
  },
  {
    name: 'a voter that is gone goes before a learner that is',
    seen: seen([learner(4, MUTE), well(1), well(2), silent(3)], {
      fleet: UNLISTED,
      evidence: evidenceOf([3, 'terminated']),
    }),
    removes: memberIdOf(3),
    codes: ['evict-terminated'],
  },
  {
    name: 'a learner frees its slot even while a dead voter cannot go',
    seen: seen([learner(4, MUTE), well(1), poorly(2), silent(3)], {
      fleet: UNLISTED,
      evidence: evidenceOf([3, 'terminated']),
    }),
    removes: memberIdOf(4),
    codes: ['learner-of-nobody', 'quorum-short'],
  },
];

describe('planMembership', () => {
  it.each(cases)('$name: $codes', (row) => {
    const plan = planMembership(row.seen);
    expect(plan.action?.kind ?? 'remove-member').toBe('remove-member');
    expect(plan.action?.memberId ?? null).toBe(row.removes);
    const codes = [
      ...(plan.action === null ? [] : [plan.action.reason.code]),
      ...plan.held.map((it) => it.code),
    ];
    expect(codes).toEqual(row.codes);
  });

  it('names the instance of a member without a name by its address', () => {
    const plan = planMembership(
      seen([well(1), well(2), learner(9, { stalledMs: 60_000 }, { id: hexOf('9'), ...BLANK })]),
    );
    expect(plan.action).toMatchObject({ memberId: hexOf('9'), instanceId: idOf(3), voter: false });
  });

  it('names the instance that has its address now', () => {
    const plan = planMembership(
      seen([well(1), well(2), learner(9, { stalledMs: 60_000 }, BLANK)], { fleet: known(INHERITED) }),
    );
    expect(plan.action).toMatchObject({ instanceId: idOf(3), reason: { code: 'learner-stalled' } });
  });

  it('names no instance for a learner that is on none', () => {
    const plan = planMembership(seen([well(1), well(2), learner(9, MUTE, { ...BLANK, peerUrls: [] })]));
    expect(plan.action).toMatchObject({ memberId: memberIdOf(9), instanceId: '', voter: false });
  });

  it('shows every code that membership can have', () => {
    expect(covered(cases.flatMap((row) => row.codes))).toEqual(
      declared<MembershipCode>({
        'members-right': true,
        'evict-terminated': true,
        'evict-stopped': true,
        'learner-stalled': true,
        'learner-of-nobody': true,
        'learner-joining': true,
        'member-silent-unknown': true,
        'member-silent-lives': true,
        'member-of-no-instance': true,
        'quorum-short': true,
      }),
    );
  });
});

describe('joinLimitMs', () => {
  it.each([
    { name: 'a small database', behindEntries: 5_000, dbSizeBytes: 20_000, limitMs: 60_004 },
    {
      name: 'eight gigabytes',
      behindEntries: Number.POSITIVE_INFINITY,
      dbSizeBytes: 8e9,
      limitMs: 1_660_000,
    },
    {
      name: 'caught up: its promotion waits for Route 53',
      behindEntries: 1_000,
      dbSizeBytes: 8e9,
      limitMs: 180_000,
    },
  ])('$name', ({ limitMs, ...learner }) => {
    expect(joinLimitMs(learner)).toBe(limitMs);
  });
});
