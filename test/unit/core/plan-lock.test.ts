import { describe, expect, it } from 'vitest';
import type { LockAction, LockCode, LockObservation } from '../../../src/core/plan-lock.ts';
import { planLock } from '../../../src/core/plan-lock.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';

/** A voter that follows, while another keeps house. */
function seen(more: Partial<LockObservation> = {}): LockObservation {
  return {
    leads: false,
    voter: true,
    outOfSpace: false,
    holds: false,
    wantedByLeader: false,
    freeForMs: 0,
    blindForMs: 0,
    inFleet: true,
    leaving: false,
    ...more,
  };
}

type Case = readonly [name: string, seen: LockObservation, kind: LockAction['kind'], code: LockCode];

const cases: readonly Case[] = [
  ['follows, another keeps house', seen(), 'none', 'lock-not-mine'],
  ['leads, another keeps house: asks for it', seen({ leads: true }), 'ask', 'lock-ask'],
  ['leads, free: takes it at once', seen({ leads: true, freeForMs: 1 }), 'take', 'lock-take'],
  [
    'leads, free, etcd is out of space: goes without',
    seen({ leads: true, freeForMs: 1, outOfSpace: true }),
    'unlocked',
    'lock-no-space',
  ],
  [
    'leads, another keeps house, etcd is out of space',
    seen({ leads: true, outOfSpace: true }),
    'ask',
    'lock-ask',
  ],
  [
    'leads, holds, etcd is out of space',
    seen({ leads: true, holds: true, outOfSpace: true }),
    'keep',
    'lock-keep',
  ],
  [
    'leads, blind, etcd is out of space',
    seen({ leads: true, freeForMs: 60_000, blindForMs: 30_000, outOfSpace: true }),
    'look',
    'lock-look',
  ],
  [
    'follows, free for long, etcd is out of space: tries',
    seen({ freeForMs: 60_000, outOfSpace: true }),
    'take',
    'lock-take',
  ],
  ['leads, holds', seen({ leads: true, holds: true }), 'keep', 'lock-keep'],
  ['leads no more, holds, nobody asks', seen({ holds: true }), 'keep', 'lock-keep'],
  [
    'leads no more, holds, the leader asks',
    seen({ holds: true, wantedByLeader: true }),
    'release',
    'lock-release-wanted',
  ],
  [
    'leads, holds, and is asked by a leader of before',
    seen({ leads: true, holds: true, wantedByLeader: true }),
    'keep',
    'lock-keep',
  ],
  [
    'leads, holds, blind for less than 30 s',
    seen({ leads: true, holds: true, blindForMs: 29_999 }),
    'keep',
    'lock-keep',
  ],
  [
    'leads, holds, blind for 30 s',
    seen({ leads: true, holds: true, blindForMs: 30_000 }),
    'release',
    'lock-release-blind',
  ],
  [
    'leads, holds, not in the fleet',
    seen({ leads: true, holds: true, inFleet: false }),
    'release',
    'lock-release-blind',
  ],
  [
    'leads, blind, another holds: does not ask',
    seen({ leads: true, blindForMs: 30_000 }),
    'none',
    'lock-not-mine',
  ],
  ['holds, leaves', seen({ leads: true, holds: true, leaving: true }), 'release', 'lock-release-leaving'],
  ['leads, leaves, free', seen({ leads: true, leaving: true, freeForMs: 60_000 }), 'none', 'lock-not-mine'],
  ['a learner, free', seen({ voter: false, freeForMs: 60_000 }), 'none', 'lock-not-mine'],
  ['follows, free for less than 10 s', seen({ freeForMs: 9_999 }), 'none', 'lock-not-mine'],
  ['follows, free for 10 s, sees the fleet', seen({ freeForMs: 10_000 }), 'take', 'lock-take'],
  [
    'follows, free for 10 s, has not asked AWS',
    seen({ freeForMs: 10_000, inFleet: null }),
    'look',
    'lock-look',
  ],
  [
    'follows, free for 10 s, AWS did not answer',
    seen({ freeForMs: 10_000, blindForMs: 1 }),
    'look',
    'lock-look',
  ],
  // Whoever does not ask AWS cannot see that it answers again: all blind for 30 s must not mean nobody, for ever.
  [
    'follows, free for 10 s, blind for a minute: looks again',
    seen({ freeForMs: 10_000, blindForMs: 60_000 }),
    'look',
    'lock-look',
  ],
  [
    'follows, free for 10 s, was not in the fleet: looks again',
    seen({ freeForMs: 10_000, inFleet: false }),
    'look',
    'lock-look',
  ],
  [
    'leads, free, blind for a minute: looks again',
    seen({ leads: true, freeForMs: 1, blindForMs: 60_000 }),
    'look',
    'lock-look',
  ],
  [
    'leads, free, was not in the fleet: looks again',
    seen({ leads: true, freeForMs: 1, inFleet: false }),
    'look',
    'lock-look',
  ],
];

describe('planLock', () => {
  it.each(cases)('%s', (_name, observed, kind, code) => {
    const action = planLock(observed);
    expect([action.kind, action.reason.code]).toEqual([kind, code]);
  });

  it('shows every code that the lock can have', () => {
    expect(covered(cases.map((row) => row[3]))).toEqual(
      declared<LockCode>({
        'lock-keep': true,
        'lock-take': true,
        'lock-ask': true,
        'lock-look': true,
        'lock-release-leaving': true,
        'lock-release-wanted': true,
        'lock-release-blind': true,
        'lock-no-space': true,
        'lock-not-mine': true,
      }),
    );
  });
});
