import { describe, expect, it } from 'vitest';
import { known, unknown } from '../../../src/core/known.ts';
import type {
  CheckCode,
  UpgradeAnswer,
  UpgradeMember,
  UpgradeObservation,
} from '../../../src/core/upgrade.ts';
import { checksOf } from '../../../src/core/upgrade-checks.ts';
import { workOf } from '../../../src/core/upgrade-work.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';
import { CHECK_CODES, looksAt, replayOf, runs, three, word } from '../../fixtures/core/upgrade.ts';

/** The preflight of the work that there is. */
function checksFor(seen: UpgradeObservation): ReturnType<typeof checksOf> {
  const view = workOf(seen);
  if (view.kind !== 'work') throw new Error(`there is no work: ${view.kind}`);
  return checksOf(seen, view.work);
}

/** Three members, of which the third is like this. */
function third(version: string, more: Partial<UpgradeMember>): readonly UpgradeMember[] {
  return [runs(1, version), runs(2, version), runs(3, version, more)];
}

function says(version: string, answer: Partial<UpgradeAnswer>): readonly UpgradeMember[] {
  return third(version, { answer: word(3, answer) });
}

function haveAll(version: string, installed: readonly string[]): readonly UpgradeMember[] {
  return [1, 2, 3].map((n) => runs(n, version, {}, { installed }));
}

const GENERAL = [
  'upgrade-silent',
  'upgrade-unstarted',
  'upgrade-learner',
  'upgrade-unhealthy',
  'upgrade-alarm',
] as const;

const asked: readonly (readonly [name: string, seen: UpgradeObservation, codes: readonly CheckCode[]])[] = [
  [
    '3.4 to 3.5',
    looksAt(three('3.4.45')),
    [...GENERAL, 'upgrade-lacks', 'upgrade-release', 'upgrade-patch', 'upgrade-auth', 'upgrade-disk'],
  ],
  [
    '3.5 to 3.6',
    looksAt(three('3.5.35')),
    [...GENERAL, 'upgrade-lacks', 'upgrade-release', 'upgrade-patch', 'upgrade-v2', 'upgrade-disk'],
  ],
  [
    '3.6 to 3.7',
    looksAt(three('3.6.16')),
    [...GENERAL, 'upgrade-lacks', 'upgrade-release', 'upgrade-patch', 'upgrade-snapshot', 'upgrade-disk'],
  ],
  [
    '3.7 to 3.6',
    looksAt(three('3.7.3'), { record: { to: '3.6' } }),
    [...GENERAL, 'upgrade-lacks', 'upgrade-release', 'upgrade-disk'],
  ],
  ['a patch', looksAt(three('3.7.1')), [...GENERAL, 'upgrade-release', 'upgrade-disk']],
];

type Case = readonly [name: string, seen: UpgradeObservation, code: CheckCode, sentence: RegExp];

const OLD_IMAGE = ['3.5.35', '3.6.4'];

/** Each has exactly one thing amiss. */
const amiss: readonly Case[] = [
  [
    'an appliance that does not answer',
    looksAt(third('3.5.35', { answer: unknown('timeout') })),
    'upgrade-silent',
    /^the appliance of i-3 .*timeout/,
  ],
  [
    'an appliance that does not answer, and whose log nobody knows',
    looksAt(third('3.6.16', { answer: unknown('timeout') })),
    'upgrade-silent',
    /^the appliance of i-3 .*timeout/,
  ],
  [
    'another instance that answers in its place',
    looksAt(third('3.5.35', { answer: word(4) })),
    'upgrade-silent',
    /^i-4 answers in the place of i-3/,
  ],
  [
    'a member that never started',
    looksAt(third('3.5.35', { started: false })),
    'upgrade-unstarted',
    /^member m3/,
  ],
  [
    'a learner',
    looksAt(third('3.5.35', { learner: true, unhealthy: 'it is a learner' })),
    'upgrade-learner',
    /^i-3 is a learner/,
  ],
  [
    'a voter that is not well',
    looksAt(third('3.5.35', { unhealthy: 'it does not answer' })),
    'upgrade-unhealthy',
    /^i-3 is not well: it does not answer$/,
  ],
  [
    'the one that steps',
    looksAt([runs(1, '3.7.1', { unhealthy: 'it has no leader' })]),
    'upgrade-unhealthy',
    /^i-1 is not well/,
  ],
  [
    'a voter that is behind',
    looksAt(
      third('3.5.35', { appliedIndex: 899 }).map((it) =>
        it.id === 'm1' ? { ...it, appliedIndex: 1_900 } : { ...it, appliedIndex: it.id === 'm3' ? 899 : 900 },
      ),
    ),
    'upgrade-unhealthy',
    /^i-3 is 1001 entries behind the leader$/,
  ],
  [
    'two voters that were three a moment ago',
    looksAt(three('3.5.35').slice(0, 2), { pairForMs: 59_999 }),
    'upgrade-unhealthy',
    /^two voters are left/,
  ],
  [
    'who serves and is not named yet, for a moment',
    looksAt(three('3.5.35'), { misnamed: { unnamed: ['i-2', 'i-3'], gone: [], forMs: 14_999 } }),
    'upgrade-unhealthy',
    /^clients are not sent to i-2 and i-3 yet, [^;]*$/,
  ],
  [
    'who is named and is no member any more, for a moment',
    looksAt(three('3.5.35'), { misnamed: { unnamed: [], gone: ['i-9'], forMs: 14_999 } }),
    'upgrade-unhealthy',
    /^clients are still sent to i-9, no member any more, [^;]*$/,
  ],
  ['no leader', looksAt(three('3.5.35'), { leaderId: null }), 'upgrade-unhealthy', /^no member leads$/],
  [
    'a leader that is no member',
    looksAt(three('3.5.35'), { leaderId: 'm9' }),
    'upgrade-unhealthy',
    /^no member leads$/,
  ],
  [
    'an alarm',
    looksAt(three('3.5.35'), { alarms: known([{ memberId: 'm1', alarm: 'NOSPACE' }]) }),
    'upgrade-alarm',
    /^alarm NOSPACE is raised/,
  ],
  [
    'unknown alarms',
    looksAt(three('3.5.35'), { alarms: unknown('timeout') }),
    'upgrade-alarm',
    /^the alarms are not known: timeout$/,
  ],
  [
    'an alarm, and a patch',
    looksAt(three('3.7.1'), { alarms: known([{ memberId: 'm1', alarm: 'CORRUPT' }]) }),
    'upgrade-alarm',
    /CORRUPT/,
  ],
  [
    'an image without the next minor',
    looksAt(says('3.5.35', { installed: ['3.5.35', '3.7.3'] })),
    'upgrade-lacks',
    /^the image of i-3 has no etcd 3\.6 \(it has 3\.5\.35, 3\.7\.3\)/,
  ],
  [
    'an empty image',
    looksAt(says('3.5.35', { installed: [] })),
    'upgrade-lacks',
    /^the image of i-3 has no etcd 3\.6 \(it has none\)/,
  ],
  [
    'an image without the minor below',
    looksAt(says('3.7.3', { installed: ['3.7.3'] }), { record: { to: '3.6' } }),
    'upgrade-lacks',
    /^the image of i-3 has no etcd 3\.6/,
  ],
  [
    'a next minor that is too old',
    looksAt(haveAll('3.5.35', OLD_IMAGE)),
    'upgrade-release',
    /^etcd 3\.6\.4 is too old to be stepped to from 3\.5: it takes 3\.6\.5$/,
  ],
  [
    'a release that lost data',
    looksAt(haveAll('3.4.45', ['3.4.45', '3.5.2'])),
    'upgrade-release',
    /^etcd 3\.5\.2 is a release that lost data: install a newer one of 3\.5$/,
  ],
  [
    'a patch that lost data',
    looksAt(haveAll('3.4.15', ['3.4.20'])),
    'upgrade-release',
    /^etcd 3\.4\.20 is a release/,
  ],
  [
    'a patch that can lose data',
    looksAt(haveAll('3.6.1', ['3.6.3'])),
    'upgrade-release',
    /^etcd 3\.6\.3 can lose data .*: install 3\.6\.5 or a newer one of 3\.6$/,
  ],
  [
    'a way that nobody knows',
    looksAt(haveAll('3.7.3', ['3.7.3', '3.8.0'])),
    'upgrade-release',
    /^nothing is known of the way from etcd 3\.7 to 3\.8$/,
  ],
  [
    'no way down: 3.5',
    looksAt(three('3.5.35'), { record: { to: '3.4' } }),
    'upgrade-release',
    /^etcd has no way from 3\.5 down to 3\.4/,
  ],
  [
    'no way down all that was ordered',
    looksAt(three('3.6.16'), { record: { to: '3.4' } }),
    'upgrade-release',
    /^etcd has no way from 3\.6 down to 3\.4/,
  ],
  [
    'no way down, and a round up has begun that leads away',
    looksAt(three('3.5.35', '3.6.16'), { record: { to: '3.4' } }),
    'upgrade-release',
    /^etcd has no way/,
  ],
  [
    'taken back too late: the cluster has moved',
    looksAt(three('3.4.45', '3.5.35', '3.5.35'), { cluster: '3.5', record: { to: '3.4' } }),
    'upgrade-release',
    /^etcd has no way/,
  ],
  [
    'taken back too late: all have moved, and the cluster will',
    looksAt(three('3.5.35'), { cluster: '3.4', record: { to: '3.4' } }),
    'upgrade-release',
    /^etcd has no way/,
  ],
  [
    'down to what could not step up again',
    looksAt(haveAll('3.6.16', ['3.5.31', '3.6.16']), { record: { to: '3.5' } }),
    'upgrade-release',
    /^etcd 3\.5\.31 is too old to be stepped to from 3\.6: it takes 3\.5\.32$/,
  ],
  [
    'a patch of the old minor that is too old',
    looksAt([
      runs(1, '3.5.35'),
      runs(2, '3.5.35'),
      runs(3, '3.5.31', {}, { installed: ['3.5.31', '3.6.16'] }),
    ]),
    'upgrade-patch',
    /^i-3 runs etcd 3\.5\.31, and must run 3\.5\.32 first$/,
  ],
  [
    'authentication',
    looksAt(three('3.4.45'), { auth: known(true) }),
    'upgrade-auth',
    /^authentication is on/,
  ],
  [
    'authentication that is unknown',
    looksAt(three('3.4.45'), { auth: unknown('timeout') }),
    'upgrade-auth',
    /^whether authentication is on is not known: timeout$/,
  ],
  [
    'keys of the old API',
    looksAt(says('3.5.35', { v2: known('store') })),
    'upgrade-v2',
    /^the data of i-3 hold keys of the old API, which etcd 3\.6 dies of/,
  ],
  [
    'requests of the old API',
    looksAt(says('3.5.35', { v2: known('wal-requests') })),
    'upgrade-v2',
    /^the log of i-3 holds requests of the old API, which etcd 3\.6 dies of$/,
  ],
  [
    'requests of the old API with one who takes no part',
    looksAt(says('3.5.35', { v2: known('wal-requests'), wanted: '3.5' })),
    'upgrade-v2',
    /dies of: have its instance aim at 3\.6, too$/,
  ],
  [
    'unknown whether anything of the old API is there',
    looksAt(says('3.5.35', { v2: unknown('no etcdutl') })),
    'upgrade-v2',
    /^whether the data of i-3 .* no etcdutl$/,
  ],
  [
    'a log that goes back too far',
    looksAt(says('3.6.16', { replay: replayOf(7) })),
    'upgrade-snapshot',
    /^the log of i-3 goes back to before etcd 3\.6, and etcd 3\.7 dies of such entries$/,
  ],
  [
    'a log that cannot be read',
    looksAt(says('3.6.16', { replay: unknown('torn') })),
    'upgrade-snapshot',
    /^what the log of i-3 holds is not known: torn$/,
  ],
  [
    'a log with one who takes no part',
    looksAt(says('3.6.16', { replay: replayOf(0), wanted: '3.6' })),
    'upgrade-snapshot',
    /: have its instance aim at 3\.7, too$/,
  ],
  [
    'a full disk',
    looksAt(
      third('3.5.35', {
        dbSizeBytes: 1024 * 1024,
        answer: word(3, { freeBytes: known(257 * 1024 * 1024 - 1) }),
      }),
    ),
    'upgrade-disk',
    /^the disk of i-3 has 256 MB left, and a step needs 257 MB$/,
  ],
  [
    'an unknown disk',
    looksAt(says('3.5.35', { freeBytes: unknown('no such directory') })),
    'upgrade-disk',
    /^how much disk i-3 has left is not known: no such directory$/,
  ],
];

/** Nothing is amiss, though it looks so. */
const fine: readonly (readonly [name: string, seen: UpgradeObservation])[] = [
  ...asked.map(([name, seen]) => [name, seen] as const),
  ['authentication where nobody minds', looksAt(three('3.5.35'), { auth: known(true) })],
  [
    'a voter that is as far behind as may be',
    looksAt([
      runs(1, '3.5.35', { appliedIndex: 1_900 }),
      runs(2, '3.5.35'),
      runs(3, '3.5.35', { appliedIndex: 2_900 }),
    ]),
  ],
  ['just room enough', looksAt(says('3.5.35', { freeBytes: known(256 * 1024 * 1024 + 20_480) }))],
  [
    'of those that stepped, nothing is asked of the old data',
    looksAt([
      runs(1, '3.5.35'),
      runs(2, '3.6.16', {}, { v2: unknown('no etcdutl') }),
      runs(3, '3.6.16', {}, { v2: known('store') }),
    ]),
  ],
  [
    'nor of their logs',
    looksAt([
      runs(1, '3.6.16'),
      runs(2, '3.7.3', {}, { replay: unknown('newer') }),
      runs(3, '3.7.3', {}, { replay: replayOf(3) }),
    ]),
  ],
  ['the least that a step takes', looksAt(haveAll('3.5.32', ['3.5.32', '3.6.5']))],
  [
    'the least that a way back takes',
    looksAt(haveAll('3.6.16', ['3.5.32', '3.6.16']), { record: { to: '3.5' } }),
  ],
  [
    'down from a minor of which nothing is known yet, as etcd says of its own',
    looksAt(haveAll('3.8.0', ['3.7.3', '3.8.0']), { record: { to: '3.7' } }),
  ],
  ['two minors down, where etcd has both', looksAt(three('3.7.3'), { record: { to: '3.5' } })],
  [
    'taken back what not all have done',
    looksAt(three('3.4.45', '3.5.35', '3.5.35'), { record: { to: '3.4' } }),
  ],
  ['the first patch that keeps its data', looksAt(haveAll('3.6.1', ['3.6.5']))],
  ['a patch in an image without the next minor', looksAt(haveAll('3.7.1', ['3.7.3']))],
  [
    'a patch of logs that the next minor would mind',
    looksAt([1, 2, 3].map((n) => runs(n, '3.5.32', {}, { v2: known('store') }))),
  ],
];

describe('checksOf', () => {
  it.each(asked)('asks for %s', (_name, seen, codes) => {
    expect(checksFor(seen).map((it) => it.code)).toEqual(codes);
  });

  it.each(fine)('lets pass: %s', (_name, seen) => {
    expect(checksFor(seen).filter((it) => !it.ok)).toEqual([]);
  });

  it.each(amiss)('bars %s', (_name, seen, code, sentence) => {
    expect(checksFor(seen).filter((it) => !it.ok)).toEqual([
      { code, ok: false, sentence: expect.stringMatching(sentence) },
    ]);
  });

  it('names everybody that is amiss, once', () => {
    const both = looksAt([
      runs(1, '3.5.35'),
      ...[2, 3].map((n) => runs(n, '3.5.35', { unhealthy: 'it is away' })),
    ]);
    expect(checksFor(both).find((it) => !it.ok)?.sentence).toBe(
      'i-2 is not well: it is away; i-3 is not well: it is away',
    );
    const old = looksAt(haveAll('3.5.35', OLD_IMAGE));
    expect(checksFor(old).find((it) => !it.ok)?.sentence).not.toContain(';');
  });

  it('says of what is well what is well', () => {
    const lines = checksFor(looksAt(haveAll('3.5.35', ['3.5.35', '3.6.16'])));
    expect(lines.every((it) => it.ok && it.sentence.length > 0)).toBe(true);
    const mixed = [
      runs(1, '3.5.35'),
      runs(2, '3.5.35', {}, { installed: ['3.5.35', '3.6.10'] }),
      runs(3, '3.5.35', {}, { installed: ['3.5.35', '3.6.9'] }),
    ];
    expect(checksFor(looksAt(mixed)).find((it) => it.code === 'upgrade-release')?.sentence).toBe(
      '3.6.9, 3.6.10, 3.6.16 may be stepped to',
    );
  });

  it('shows every line of the preflight amiss', () => {
    expect(covered(amiss.map((row) => row[2]))).toEqual(declared(CHECK_CODES));
  });
});
