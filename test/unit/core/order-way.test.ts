import { describe, expect, it } from 'vitest';
import { lackingNow, lackingOf, silentIn } from '../../../src/core/order-images.ts';
import { whyNoWay } from '../../../src/core/order-way.ts';
import { unknown } from '../../../src/core/known.ts';
import type { UpgradeMember } from '../../../src/core/upgrade.ts';
import { IMAGE, looksAt, runs, three } from '../../fixtures/core/upgrade.ts';

describe('an order that nobody could ever follow to its end', () => {
  it.each<readonly [string, readonly UpgradeMember[], string, string | null]>([
    ['up by one minor', three('3.5.35'), '3.6', null],
    ['up by three', three('3.4.45'), '3.7', null],
    ['down by two', three('3.7.3'), '3.5', null],
    [
      'an older patch',
      three('3.5.35'),
      '3.5.34',
      'i-1 runs etcd 3.5.35, and nobody goes back to an older patch',
    ],
    [
      'an older patch than one member runs',
      three('3.5.33', '3.5.35'),
      '3.5.34',
      'i-2 runs etcd 3.5.35, and nobody goes back to an older patch',
    ],
    ['a newer patch', three('3.5.33'), '3.5.34', null],
    ['the minor that runs', three('3.5.33'), '3.5', null],
    [
      'too old a patch at the end of two minors',
      three('3.4.45'),
      '3.6.3',
      'etcd 3.6.3 is too old to be stepped to from 3.5: it takes 3.6.5',
    ],
    ['the same within its minor', three('3.6.8'), '3.6.9', null],
    ['the least patch that may be stepped to', three('3.5.35'), '3.6.5', null],
    ['the very patch that runs, though it can lose data', three('3.5.9'), '3.5.9', null],
    [
      'one that can lose data',
      three('3.5.8'),
      '3.5.9',
      'etcd 3.5.9 can lose data where it is defragmented while it takes in a snapshot: install 3.5.23 or a newer one of 3.5',
    ],
    [
      'too old a patch to come up again from',
      three('3.6.16'),
      '3.5.31',
      'etcd 3.5.31 is too old to be stepped to from 3.6: it takes 3.5.32',
    ],
    [
      'a bad release',
      three('3.5.1'),
      '3.5.3',
      'etcd 3.5.3 is a release that lost data: install a newer one of 3.5',
    ],
    [
      'a bad release, a minor above',
      three('3.4.45'),
      '3.5.3',
      'etcd 3.5.3 is a release that lost data: install a newer one of 3.5',
    ],
    ['beyond what is known', three('3.6.16'), '3.8', 'nothing is known of the way from etcd 3.7 to 3.8'],
    ['another major', three('3.7.3'), '4.0', 'nothing is known of the way from etcd 3.7 to 4.0'],
    ['a version below one that nothing is known of', three('3.8.1'), '3.7.3', null],
    ['below 3.5', three('3.6.16'), '3.4', 'etcd has no way from 3.5 down to 3.4'],
    ['back from what all have done', three('3.5.35'), '3.4', 'etcd has no way from 3.5 down to 3.4'],
    ['back from what not all have done', three('3.5.35', '3.4.45'), '3.4', null],
    ['beside one that is silent', [runs(1, '3.5.35'), runs(2, '3.5.35', { version: null })], '3.6', null],
  ])('%s', (_, members, order, why) => {
    expect(whyNoWay(looksAt(members), order)).toBe(why);
  });
});

describe('what images lack', () => {
  const only = (version: string | null, installed: readonly string[], order: string) =>
    lackingOf(looksAt([runs(1, '3.5.35', { version }, { installed })]), order).map((it) => it.sentence);

  it.each<readonly [string | null, readonly string[], string, string | null]>([
    ['3.4.45', IMAGE, '3.7', null],
    ['3.4.39', ['3.4.39', '3.5.35'], '3.5', null],
    ['3.4.39', ['3.4.39', '3.5.35'], '3.5.34', '3.5.34'],
    [null, ['3.4.39', '3.5.35'], '3.5.34', '3.5.34'],
    ['3.4.39', ['3.4.39', '3.5.35'], '3.7', '3.6 and no 3.7'],
    ['3.4.45', ['3.4.45', '3.5.30', '3.6.16'], '3.6', '3.5 of at least 3.5.32'],
    ['3.4.45', ['3.4.45', '3.5.30'], '3.5', null],
    ['3.5.35', ['3.5.35', '3.6.3'], '3.6', '3.6 of at least 3.6.5'],
    ['3.5.20', ['3.5.20', '3.6.16'], '3.6', '3.5 of at least 3.5.32'],
    ['3.5.20', ['3.5.35', '3.6.16'], '3.6', null],
    ['3.6.16', ['3.5.30', '3.6.16'], '3.5', '3.5 of at least 3.5.32'],
    ['3.5.35', ['3.5.35', '3.6.5'], '3.6', null],
    ['3.5.1', ['3.5.3'], '3.5', '3.5 that loses no data'],
    // It runs that already: nobody steps.
    ['3.5.9', ['3.5.9'], '3.5', null],
    // It has what is ordered; `whyNoWay` says that nobody steps onto it.
    ['3.5.8', ['3.5.9'], '3.5.9', null],
    ['3.5.35', ['3.4.15', '3.5.35'], '3.4', '3.4 that loses no data'],
    // Beyond what is known, what is known of the rest of the way holds.
    ['3.3.27', ['3.4.45', '3.5.35'], '3.5', null],
    ['3.7.3', ['3.7.3'], '4.0', '4.0'],
    ['3.5.35', [], '3.5', '3.5'],
  ])('%s with %j, for %s', (version, installed, order, missing) => {
    const have = installed.join(', ') || 'none';
    expect(only(version, installed, order)).toEqual(
      missing === null ? [] : [`the image of i-1 has no etcd ${missing} (it has ${have})`],
    );
  });

  it('is the minor of the round, too, for one that has come to it already', () => {
    const members = [runs(1, '3.6.16', {}, { installed: ['3.7.3'] }), runs(2, '3.5.35')];
    expect(lackingOf(looksAt(members), '3.7').map((it) => it.sentence)).toEqual([
      'the image of i-1 has no etcd 3.6 (it has 3.7.3)',
    ]);
  });

  it('is nothing of the minor of the round where the image has any patch of it, even one that nobody steps onto', () => {
    const members = [runs(1, '3.5.35', {}, { installed: ['3.5.9', '3.6.16'] }), runs(2, '3.4.45')];
    expect(lackingOf(looksAt(members), '3.6')).toEqual([]);
  });

  it('is told of each that answers; who is silent, or answers for another, may lack everything', () => {
    const seen = looksAt([
      runs(1, '3.5.35', {}, { installed: ['3.5.35'] }),
      runs(2, '3.5.35', { answer: unknown('silence') }),
      runs(3, '3.5.35', {}, { installed: [], instanceId: 'i-9' }),
    ]);
    expect(lackingOf(seen, '3.6').map((it) => it.name)).toEqual(['i-1']);
    expect(silentIn(seen)).toEqual([
      'what the image of i-2 has is not known: silence',
      'i-9 answers in the place of i-3',
    ]);
    expect(silentIn(looksAt(three('3.5.35')))).toEqual([]);
  });
});

describe('what images lack of what is wished without a new order', () => {
  const names = (members: readonly UpgradeMember[], more: Parameters<typeof looksAt>[1] = {}) =>
    lackingNow(looksAt(members, more)).map((it) => it.name);
  const old = { installed: ['3.5.35'] };

  it('nothing, where each runs the newest of its image, or one that it was told to', () => {
    expect(names(three('3.7.3'))).toEqual([]);
    expect(names([runs(1, '3.5.35', {}, old), runs(2, '3.5.35', {}, { installed: ['3.5.36'] })])).toEqual([]);
    expect(names([runs(1, '3.5.35', {}, { ...old, wanted: '3.5' })])).toEqual([]);
  });

  it('the order, whatever the plan is held by meanwhile', () => {
    const members = [runs(1, '3.5.35', {}, old), runs(2, '3.5.35')];
    expect(names(members, { record: { to: '3.6' } })).toEqual(['i-1']);
    expect(names(members, { record: { to: '3.6', paused: { at: 'x' } } })).toEqual(['i-1']);
    expect(names(members, { record: { to: '3.5.34' } })).toEqual(['i-1', 'i-2']);
  });

  it('the very version that ETCD_VERSION says, and the highest minor that any aims at', () => {
    expect(names([runs(1, '3.5.35', {}, { ...old, wanted: '3.5.36' })])).toEqual(['i-1']);
    expect(
      names([runs(1, '3.5.35', {}, { ...old, wanted: '3.5' }), runs(2, '3.5.35', {}, { wanted: '3.6' })]),
    ).toEqual(['i-1']);
  });

  it('what any aims at with the newest of its image, whoever else has less, none or is silent', () => {
    const members = [
      runs(1, '3.5.35'),
      runs(2, '3.5.35', {}, old),
      runs(3, '3.5.35', {}, old),
      runs(4, '3.5.35', {}, { installed: [] }),
      runs(5, '3.5.35', { answer: unknown('silence') }),
    ];
    expect(names(members)).toEqual(['i-2', 'i-3', 'i-4']);
  });

  it('the same where nobody knows what a member runs; nothing, where its image has no etcd and nobody aims at any', () => {
    expect(names([runs(1, '3.5.35', { version: null }, old)])).toEqual([]);
    expect(names([runs(1, '3.5.35', { version: null }, old), runs(2, '3.6.16')])).toEqual(['i-1']);
    expect(names([runs(1, '3.5.35', { version: null }, { installed: [] })])).toEqual([]);
  });

  it('never what is below the etcd that runs: only an order leads down', () => {
    expect(names([runs(1, '3.6.16', {}, { installed: ['3.6.16'], wanted: '3.5' })])).toEqual([]);
    expect(names([runs(1, '3.6.16', {}, old)])).toEqual(['i-1']);
    expect(names([runs(1, '3.6.16', {}, { installed: [] })])).toEqual(['i-1']);
  });
});
