import { describe, expect, it } from 'vitest';
import { isDowngradeIdle } from '../../../src/core/upgrade-downgrade.ts';
import type { Attempt } from '../../../src/core/upgrade-step.ts';
import { isLeft, isPassed, stepLimitMs, whyNotUp } from '../../../src/core/upgrade-step.ts';
import type { UpgradeObservation, UpgradeStep } from '../../../src/core/upgrade.ts';
import { looksAt, three } from '../../fixtures/core/upgrade.ts';
import { DARK } from '../../fixtures/core/world.ts';

const SEEN = three('3.5.35');

function begunBy(by: string): { readonly step: UpgradeStep } {
  return { step: { by, from: '3.5.35', to: '3.6.16', at: '2026-11-21T12:00:00Z' } };
}

const left: readonly (readonly [name: string, seen: UpgradeObservation, expected: boolean])[] = [
  ['nothing is left', looksAt(SEEN), false],
  ['its own lock', looksAt(SEEN, { lockedBy: 'i-1' }), true],
  ['its own step, whose lock is over', looksAt(SEEN, { record: begunBy('i-1') }), true],
  ["its own step, and another's lock", looksAt(SEEN, { record: begunBy('i-1'), lockedBy: 'i-2' }), false],
  ["another's step", looksAt(SEEN, { record: begunBy('i-2') }), false],
  ["a step of who is gone, to the leader's appliance", looksAt(SEEN, { record: begunBy('i-9') }), true],
  ['a step of who is gone, to another', looksAt(SEEN, { record: begunBy('i-9'), self: 'i-2' }), false],
  [
    "a step of who is gone, and another's lock",
    looksAt(SEEN, { record: begunBy('i-9'), lockedBy: 'i-2' }),
    false,
  ],
  ['a record that cannot be read', { ...looksAt(SEEN), record: DARK }, false],
];

describe('isLeft', () => {
  it.each(left)('%s', (_name, seen, expected) => {
    expect(isLeft(seen)).toBe(expected);
  });
});

const TRIED: Attempt = {
  version: '3.6.16',
  failures: 0,
  lastWords: '',
  unwell: null,
  tookMs: 120_000,
  limitMs: 120_000,
  busyMsAgo: null,
};

const attempts: readonly (readonly [name: string, attempt: Attempt, expected: string | null])[] = [
  ['it may yet', TRIED, null],
  ['one end may be an accident', { ...TRIED, failures: 1, lastWords: 'out of memory' }, null],
  ['two are none', { ...TRIED, failures: 2, lastWords: 'panic' }, 'etcd 3.6.16 does not come up: panic'],
  [
    'two without a word are none either',
    { ...TRIED, failures: 2 },
    'etcd 3.6.16 does not come up, and does not say why',
  ],
  [
    'its time is over',
    { ...TRIED, unwell: 'it is a learner' },
    'etcd 3.6.16 is not well within 120 s: it is a learner',
  ],
  ['its time is not over', { ...TRIED, unwell: 'it is a learner', tookMs: 119_999 }, null],
  ['its time is over, and it is busy', { ...TRIED, unwell: 'it is a learner', busyMsAgo: 29_999 }, null],
  [
    'its time is over, and that after it was busy',
    { ...TRIED, unwell: 'it is a learner', busyMsAgo: 30_000 },
    'etcd 3.6.16 is not well within 120 s, nor 30 s after it was busy with its database: it is a learner',
  ],
  [
    'it was busy, and its time is not over',
    { ...TRIED, unwell: 'x', tookMs: 60_000, busyMsAgo: 59_000 },
    null,
  ],
  [
    'so is that of a large one',
    { ...TRIED, unwell: 'it is a learner', tookMs: 1_720_000, limitMs: 1_720_000 },
    'etcd 3.6.16 is not well within 1720 s: it is a learner',
  ],
  [
    'what it said last says more than that its time is over',
    { ...TRIED, failures: 3, lastWords: 'panic', unwell: 'it does not answer' },
    'etcd 3.6.16 does not come up: panic',
  ],
];

describe('whyNotUp', () => {
  it.each(attempts)('%s', (_name, attempt, expected) => {
    expect(whyNotUp(attempt)).toBe(expected);
  });
});

describe('isPassed', () => {
  it.each([
    { failed: '3.5.35-3.6.16', to: '3.6.16', expected: true },
    { failed: '3.5.35-3.6.16', to: '3.6.15', expected: true },
    { failed: '3.5.35-3.6.16', to: '3.7.3', expected: true },
    { failed: '3.5.35-3.6.16', to: '3.5.36', expected: false },
    { failed: '3.5.35-3.5.36', to: '3.5.36', expected: true },
    { failed: '3.5.34-3.5.36', to: '3.5.35', expected: false },
    { failed: '3.5.34-3.5.36', to: '3.6.16', expected: true },
    { failed: '3.6.16-3.5.35', to: '3.5.34', expected: true },
    { failed: '3.6.15-3.5.35', to: '3.6.16', expected: false },
  ])('$failed, and a step to $to: $expected', ({ failed, to, expected }) => {
    const [from = '', until = ''] = failed.split('-');
    expect(isPassed({ from, to: until }, { to })).toBe(expected);
  });
});

describe('stepLimitMs', () => {
  it.each([
    { name: 'nobody tells', dbSizesBytes: [], limitMs: 120_000 },
    { name: 'a small database', dbSizesBytes: [20_480, 4_999_999], limitMs: 120_000 },
    { name: 'a second for each 5 MB', dbSizesBytes: [14_999_999], limitMs: 122_000 },
    { name: 'the largest counts', dbSizesBytes: [0, 8e9, 2e9], limitMs: 1_720_000 },
  ])('$name', ({ dbSizesBytes, limitMs }) => {
    expect(stepLimitMs(dbSizesBytes)).toBe(limitMs);
  });
});

const DOWN = { downgradeTarget: '3.4.0' };

const idles: readonly (readonly [name: string, seen: UpgradeObservation, expected: boolean])[] = [
  ['none is under way', looksAt(SEEN), false],
  ['nobody has the lock', looksAt(SEEN, DOWN), true],
  ['another works at it', looksAt(SEEN, { ...DOWN, lockedBy: 'i-2' }), false],
  ['who plans has the lock', looksAt(SEEN, { ...DOWN, lockedBy: 'i-1' }), true],
  ['whether one is under way is not known', { ...looksAt(SEEN, DOWN), versions: DARK }, false],
];

describe('isDowngradeIdle', () => {
  it.each(idles)('%s', (_name, seen, expected) => {
    expect(isDowngradeIdle(seen)).toBe(expected);
  });
});
