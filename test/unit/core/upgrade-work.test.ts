import { describe, expect, it } from 'vitest';
import { unknown } from '../../../src/core/known.ts';
import type { UpgradeAnswer, UpgradeObservation } from '../../../src/core/upgrade.ts';
import type { WorkView } from '../../../src/core/upgrade-work.ts';
import { workOf } from '../../../src/core/upgrade-work.ts';
import { looksAt, runs, three } from '../../fixtures/core/upgrade.ts';
import { DARK } from '../../fixtures/core/world.ts';

/** Three members of this version, whose instances say this. */
function saying(version: string, answer: Partial<UpgradeAnswer>): ReturnType<typeof three> {
  return [1, 2, 3].map((n) => runs(n, version, {}, answer));
}

/** The work in short: kind, minors, and who steps to what, in order. */
function short(view: WorkView): string {
  if (view.kind !== 'work') return view.kind;
  const { kind, from, to, candidates } = view.work;
  const who = candidates.map((it) => `${it.member.id} ${it.from}-${it.to}`);
  return `${kind} ${from} ${to}: ${who.join(', ')}`;
}

const cases: readonly (readonly [name: string, seen: UpgradeObservation, expected: string])[] = [
  ['all run the newest', looksAt(three('3.7.3')), 'nothing'],
  [
    'all aim higher: one minor, the leader last',
    looksAt(three('3.5.35')),
    'up 3.5 3.6: m2 3.5.35-3.6.16, m3 3.5.35-3.6.16, m1 3.5.35-3.6.16',
  ],
  [
    'another leads',
    looksAt(three('3.5.35'), { leaderId: 'm2' }),
    'up 3.5 3.6: m1 3.5.35-3.6.16, m3 3.5.35-3.6.16, m2 3.5.35-3.6.16',
  ],
  [
    'members in another order',
    looksAt(three('3.5.35').toReversed(), { leaderId: 'm2' }),
    'up 3.5 3.6: m1 3.5.35-3.6.16, m3 3.5.35-3.6.16, m2 3.5.35-3.6.16',
  ],
  [
    'a round has begun: it is ended first',
    looksAt(three('3.5.35', '3.6.16'.replace('16', '10'), '3.5.35')),
    'up 3.5 3.6: m3 3.5.35-3.6.16, m1 3.5.35-3.6.16',
  ],
  [
    'the newest patch of the minor comes first',
    looksAt(three('3.5.32', '3.5.35', '3.5.9')),
    'patch 3.5 3.5: m3 3.5.9-3.5.35, m1 3.5.32-3.5.35',
  ],
  [
    'in a round that has begun, only the patch without which a member cannot take part',
    looksAt([
      runs(1, '3.6.10'),
      runs(2, '3.5.32'),
      runs(3, '3.5.31'),
      runs(4, '3.5.9', {}, { installed: ['3.5.9', '3.6.16'] }),
    ]),
    'patch 3.5 3.5: m3 3.5.31-3.5.35',
  ],
  [
    'a patch at the minor of the image',
    looksAt(saying('3.7.1', { wanted: '3.7' })),
    'patch 3.7 3.7: m2 3.7.1-3.7.3, m3 3.7.1-3.7.3, m1 3.7.1-3.7.3',
  ],
  [
    'a pinned patch is not passed',
    looksAt(saying('3.5.32', { wanted: '3.5.33', installed: ['3.5.33', '3.5.35'] })),
    'patch 3.5 3.5: m2 3.5.32-3.5.33, m3 3.5.32-3.5.33, m1 3.5.32-3.5.33',
  ],
  [
    'a pinned version of the next minor',
    looksAt(saying('3.5.35', { wanted: '3.6.10', installed: ['3.5.35', '3.6.10', '3.6.16'] })),
    'up 3.5 3.6: m2 3.5.35-3.6.10, m3 3.5.35-3.6.10, m1 3.5.35-3.6.10',
  ],
  [
    'a pinned version further on: the newest on the way',
    looksAt(saying('3.5.35', { wanted: '3.7.1', installed: ['3.5.35', '3.6.10', '3.6.16', '3.7.1'] })),
    'up 3.5 3.6: m2 3.5.35-3.6.16, m3 3.5.35-3.6.16, m1 3.5.35-3.6.16',
  ],
  [
    'on the way, no patch that lost data',
    looksAt(saying('3.4.15', { installed: ['3.4.20', '3.5.35'] })),
    'up 3.4 3.5: m2 3.4.15-3.5.35, m3 3.4.15-3.5.35, m1 3.4.15-3.5.35',
  ],
  [
    'one that lost data, as what an instance aims at, is for the preflight to refuse',
    looksAt(saying('3.4.15', { installed: ['3.4.20'] })),
    'patch 3.4 3.4: m2 3.4.15-3.4.20, m3 3.4.15-3.4.20, m1 3.4.15-3.4.20',
  ],
  [
    'an image without the next minor: its work all the same, for the preflight to refuse',
    looksAt(saying('3.5.35', { installed: ['3.5.35', '3.7.3'] })),
    'up 3.5 3.6: m2 3.5.35-3.6, m3 3.5.35-3.6, m1 3.5.35-3.6',
  ],
  [
    'one aims there alone',
    looksAt([
      runs(1, '3.5.35', {}, { wanted: '3.5' }),
      runs(2, '3.5.35', {}, { wanted: '3.6' }),
      runs(3, '3.5.35', {}, { wanted: '3.5' }),
    ]),
    'up 3.5 3.6: m2 3.5.35-3.6.16',
  ],
  [
    "an operator's order counts, whatever is configured",
    looksAt(saying('3.5.35', { wanted: '3.5' }), { record: { to: '3.6' } }),
    'up 3.5 3.6: m2 3.5.35-3.6.16, m3 3.5.35-3.6.16, m1 3.5.35-3.6.16',
  ],
  ['an order to stay', looksAt(three('3.5.35'), { record: { to: '3.5' } }), 'nothing'],
  [
    'an order to stay has no patch beyond it',
    looksAt(saying('3.5.9', { installed: ['3.5.9', '3.5.32', '3.5.35'] }), { record: { to: '3.5.32' } }),
    'patch 3.5 3.5: m2 3.5.9-3.5.32, m3 3.5.9-3.5.32, m1 3.5.9-3.5.32',
  ],
  [
    'an order down',
    looksAt(three('3.7.3'), { record: { to: '3.6' } }),
    'down 3.7 3.6: m2 3.7.3-3.6.16, m3 3.7.3-3.6.16, m1 3.7.3-3.6.16',
  ],
  [
    'an order down to a version',
    looksAt(saying('3.7.3', { installed: ['3.6.11', '3.6.16', '3.7.3'] }), { record: { to: '3.6.11' } }),
    'down 3.7 3.6: m2 3.7.3-3.6.11, m3 3.7.3-3.6.11, m1 3.7.3-3.6.11',
  ],
  [
    'an order two minors down: one first, its newest',
    looksAt(saying('3.7.3', { installed: ['3.5.33', '3.6.11', '3.6.16', '3.7.3'] }), {
      record: { to: '3.5.33' },
    }),
    'down 3.7 3.6: m2 3.7.3-3.6.16, m3 3.7.3-3.6.16, m1 3.7.3-3.6.16',
  ],
  [
    'an order down, some have gone',
    looksAt(three('3.6.16', '3.5.35', '3.6.16'), { record: { to: '3.5' } }),
    'down 3.6 3.5: m3 3.6.16-3.5.35, m1 3.6.16-3.5.35',
  ],
  [
    'an order to take back what a round up has begun',
    looksAt(three('3.5.35', '3.6.16', '3.5.35'), { record: { to: '3.5.35' } }),
    'down 3.6 3.5: m2 3.6.16-3.5.35',
  ],
  [
    'an order down to what is not installed',
    looksAt(saying('3.6.16', { installed: ['3.6.16'] }), { record: { to: '3.5' } }),
    'down 3.6 3.5: m2 3.6.16-3.5, m3 3.6.16-3.5, m1 3.6.16-3.5',
  ],
  [
    'all run it, and etcd has not raised its version',
    looksAt(three('3.6.16'), { cluster: '3.5' }),
    'settling',
  ],
  [
    'a patch that can lose data is no stop on the way either',
    looksAt(saying('3.4.23', { installed: ['3.4.30', '3.5.35'] })),
    'up 3.4 3.5: m2 3.4.23-3.5.35, m3 3.4.23-3.5.35, m1 3.4.23-3.5.35',
  ],
  [
    'in the middle of a round, that is not waited for',
    looksAt(three('3.5.35', '3.6.16', '3.6.16')),
    'up 3.5 3.6: m1 3.5.35-3.6.16',
  ],
  [
    'nobody goes on beside one that is ahead before etcd has followed',
    looksAt(three('3.5.35', '3.6.16', '3.5.35'), { cluster: '3.4' }),
    'settling',
  ],
  [
    'a patch of those that are ahead, where the others stay',
    looksAt([
      runs(1, '3.5.35', {}, { wanted: '3.5' }),
      runs(2, '3.6.10', {}, { wanted: '3.6' }),
      runs(3, '3.5.35', {}, { wanted: '3.5' }),
    ]),
    'patch 3.6 3.6: m2 3.6.10-3.6.16',
  ],
  ['no patch of a minor above what is aimed at', looksAt(saying('3.6.10', { wanted: '3.5' })), 'held'],
  ['two minors apart', looksAt(three('3.4.45', '3.5.35', '3.6.16')), 'apart'],
  ['two majors', looksAt(three('3.7.3', '4.0.0')), 'apart'],
  ['apart, and ordered down', looksAt(three('3.4.45', '3.6.16'), { record: { to: '3.4' } }), 'apart'],
  ['the record is unknown', { ...looksAt(three('3.5.35')), record: DARK }, 'unknown'],
  ['the versions are unknown', { ...looksAt(three('3.5.35')), versions: DARK }, 'unknown'],
  ['there are no members', looksAt([]), 'unknown'],
  ['a member is silent', looksAt([...three('3.5.35'), runs(4, '', { version: null })]), 'unknown'],
  [
    'an appliance is silent, and others aim higher',
    looksAt([runs(1, '3.5.35', { answer: DARK }), runs(2, '3.5.35')]),
    'up 3.5 3.6: m2 3.5.35-3.6.16',
  ],
];

const reasons: readonly (readonly [name: string, seen: UpgradeObservation, kind: string, why: RegExp])[] = [
  ['record', { ...looksAt(three('3.5.35')), record: unknown('r') }, 'unknown', /^r$/],
  ['versions', { ...looksAt(three('3.5.35')), versions: unknown('v') }, 'unknown', /^v$/],
  ['no member', looksAt([]), 'unknown', /no member is known/],
  ['silent', looksAt([runs(4, '', { version: null })]), 'unknown', /^i-4 does not say/],
  [
    'never started',
    looksAt([...three('3.5.35'), runs(4, '', { version: null, started: false })]),
    'unknown',
    /^member m4 has never started/,
  ],
  [
    'a silent appliance',
    looksAt([runs(1, '3.7.3', { answer: unknown('timeout') }), runs(2, '3.7.3')]),
    'held',
    /^the appliance of i-1 does not say what it aims at: timeout$/,
  ],
  [
    'one pinned in the middle of a round',
    looksAt([
      runs(1, '3.5.35', {}, { wanted: '3.5' }),
      runs(2, '3.6.16', {}, { wanted: '3.6' }),
      runs(3, '3.6.16'),
    ]),
    'held',
    /^i-3 aims at etcd 3\.7, and i-1 at nothing above 3\.5: aim all at the same$/,
  ],
  [
    'two pinned',
    looksAt([
      runs(1, '3.5.35', {}, { wanted: '3.5' }),
      runs(2, '3.5.35', {}, { wanted: '3.5' }),
      runs(3, '3.6.16'),
    ]),
    'held',
    /i-1 and i-2 at nothing above 3\.5/,
  ],
  [
    'configured below what runs',
    looksAt([runs(1, '3.6.16', {}, { wanted: '3.5' })]),
    'held',
    /^i-1 runs etcd 3\.6\.16 and aims at 3\.5: only an operator/,
  ],
  [
    'an empty image',
    looksAt([
      runs(1, '3.6.16', {}, { installed: [] }),
      runs(2, '3.6.16', {}, { installed: [], wanted: '3.6' }),
    ]),
    'held',
    /^the image of i-1 has no etcd at all: replace it; the image of i-2 has no etcd 3\.6, which it runs/,
  ],
  [
    'an older patch is pinned',
    looksAt([runs(1, '3.6.16', {}, { wanted: '3.6.10', installed: ['3.6.10', '3.6.16'] })]),
    'held',
    /^i-1 aims at etcd 3\.6\.10, and keeps the newer 3\.6\.16$/,
  ],
];

describe('workOf', () => {
  it.each(cases)('%s', (_name, observed, expected) => {
    expect(short(workOf(observed))).toBe(expected);
  });

  it.each(reasons)('says why: %s', (_name, observed, kind, why) => {
    expect(workOf(observed)).toEqual({ kind, why: expect.stringMatching(why) });
  });

  it('names the minor that etcd has not taken for its own yet, and those that are apart', () => {
    expect(workOf(looksAt(three('3.6.16'), { cluster: '3.5' }))).toEqual({ kind: 'settling', minor: '3.6' });
    expect(workOf(looksAt(three('3.4.45', '3.6.16')))).toEqual({
      kind: 'apart',
      lowest: '3.4',
      highest: '3.6',
    });
  });
});
