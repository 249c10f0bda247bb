import { describe, expect, it } from 'vitest';
import { known, unknown } from '../../../src/core/known.ts';
import type { UpgradeAction, UpgradeCode } from '../../../src/core/plan-upgrade.ts';
import { planUpgrade } from '../../../src/core/plan-upgrade.ts';
import type { CheckCode, UpgradeMember, UpgradeObservation, UpgradeStep } from '../../../src/core/upgrade.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';
import { CHECK_CODES, looksAt, replayOf, runs, three, word } from '../../fixtures/core/upgrade.ts';
import { DARK } from '../../fixtures/core/world.ts';

const STEP: UpgradeStep = { by: 'i-2', from: '3.5.35', to: '3.6.16', at: '2026-11-21T12:00:00Z' };

/** Nobody tells how large the database of a member in its step is; the others' are about as large. */
const LARGE = three('3.5.35').map((it) => ({ ...it, dbSizeBytes: it.name === 'i-2' ? 0 : 500e6 }));
const FAILED = { ...STEP, why: 'it does not come up' };
const PAUSED = { at: '2026-11-21T12:00:00Z' };

/** Three members of 3.5, all of which aim higher, with this on their data. */
function holding(...v2: readonly ('clean' | 'wal-requests' | 'store')[]): readonly UpgradeMember[] {
  return v2.map((value, at) => runs(at + 1, '3.5.35', {}, { v2: known(value) }));
}

/** The same of 3.6, with logs that go back to an older etcd where there is an index. */
function logging(...indexes: readonly (number | null)[]): readonly UpgradeMember[] {
  return indexes.map((value, at) => runs(at + 1, '3.6.16', {}, { replay: replayOf(value) }));
}

/** Members on their way down from 3.6: their data are such as 3.5 can read. */
function loweredTo35(...versions: readonly string[]): readonly UpgradeMember[] {
  return versions.map((version, at) =>
    runs(at + 1, version, version.startsWith('3.6') ? { storage: '3.5.0' } : {}),
  );
}

const DOWN = { record: { to: '3.5' }, downgradeTarget: '3.5.0' } as const;

/** Its etcd serves, and its appliance does not. */
const withSilentAppliance: readonly UpgradeMember[] = [
  ...three('3.6.16').slice(0, 2),
  runs(3, '3.6.16', { answer: DARK }),
];

/** The action in short. */
function short(action: UpgradeAction): string {
  const { code } = action.reason;
  switch (action.kind) {
    case 'none':
      return code;
    case 'step':
    case 'clear':
    case 'end-clear': {
      const hand = action.handOverTo === null ? '' : `, ${action.handOverTo} leads`;
      return `${code} ${action.kind}: ${action.who} ${action.memberId} ${action.from}-${action.to}${hand}`;
    }
    case 'bring-snapshot':
    case 'enable-downgrade':
      return `${code} ${action.kind}: ${action.who} ${action.from}-${action.to}`;
    case 'cancel-downgrade':
      return `${code} ${action.kind}: ${action.who}`;
  }
}

type Case = readonly [name: string, seen: UpgradeObservation, expected: string];

const steps: readonly Case[] = [
  ['a follower first', looksAt(three('3.5.35')), 'upgrade-step step: i-2 m2 3.5.35-3.6.16'],
  [
    'the leader last, after it handed over',
    looksAt(three('3.5.35', '3.6.16', '3.6.16')),
    'upgrade-step step: i-1 m1 3.5.35-3.6.16, m2 leads',
  ],
  [
    'to who is furthest',
    looksAt([runs(1, '3.5.35'), runs(2, '3.6.16'), runs(3, '3.6.16', { appliedIndex: 901 })]),
    'upgrade-step step: i-1 m1 3.5.35-3.6.16, m3 leads',
  ],
  [
    'of two equals to the same, whoever looks',
    looksAt([runs(3, '3.6.16'), runs(2, '3.6.16'), runs(1, '3.5.35')]),
    'upgrade-step step: i-1 m1 3.5.35-3.6.16, m2 leads',
  ],
  [
    'one of two that have been two for long',
    looksAt(three('3.5.35').slice(0, 2), { pairForMs: 60_000 }),
    'upgrade-step step: i-2 m2 3.5.35-3.6.16',
  ],
  [
    'beside one that Route 53 does not let be named',
    looksAt(three('3.5.35'), { misnamed: { unnamed: ['i-3'], gone: ['i-9'], forMs: 15_000 } }),
    'upgrade-step step: i-2 m2 3.5.35-3.6.16',
  ],
  ['alone', looksAt([runs(1, '3.5.35')]), 'upgrade-step step: i-1 m1 3.5.35-3.6.16'],
  [
    'the only one that aims higher, by one minor: a mixed cluster is what the instances ask for',
    looksAt([
      runs(1, '3.4.45', {}, { wanted: '3.4' }),
      runs(2, '3.4.45', {}, { wanted: '3.5' }),
      runs(3, '3.4.45', {}, { wanted: '3.4' }),
    ]),
    'upgrade-step step: i-2 m2 3.4.45-3.5.35',
  ],
  ['a patch', looksAt(three('3.7.1')), 'upgrade-step step: i-2 m2 3.7.1-3.7.3'],
  [
    'who waits for a lock that is free',
    looksAt(three('3.5.35'), { self: 'i-3' }),
    'upgrade-step step: i-2 m2 3.5.35-3.6.16',
  ],
  [
    'who holds the lock',
    looksAt(three('3.5.35'), { lockedBy: 'i-2', self: 'i-2' }),
    'upgrade-step step: i-2 m2 3.5.35-3.6.16',
  ],
  [
    'who began a step of which it lost the lock',
    looksAt(three('3.5.35'), { self: 'i-2', record: { step: STEP } }),
    'upgrade-step step: i-2 m2 3.5.35-3.6.16',
  ],
  [
    'anybody, once that must be over',
    looksAt(three('3.5.35'), { self: 'i-3', record: { step: STEP }, orphanedForMs: 120_000 }),
    'upgrade-step step: i-2 m2 3.5.35-3.6.16',
  ],
  [
    'anybody, once that must be over for 500 MB',
    looksAt(LARGE, {
      self: 'i-3',
      record: { step: STEP },
      orphanedForMs: 220_000,
    }),
    'upgrade-step step: i-2 m2 3.5.35-3.6.16',
  ],
  [
    'anybody, at once, where who began a step is no member any more',
    looksAt(three('3.5.35'), { self: 'i-3', record: { step: { ...STEP, by: 'i-9' } } }),
    'upgrade-step step: i-2 m2 3.5.35-3.6.16',
  ],
  [
    'another than the one whose step was taken back, where that one is replaced',
    looksAt(three('3.5.35'), { record: { failed: { ...FAILED, by: 'i-9' } } }),
    'upgrade-step step: i-2 m2 3.5.35-3.6.16',
  ],
  [
    'the same one, where its image has a newer patch since',
    looksAt(three('3.5.35'), { record: { failed: { ...FAILED, to: '3.6.15' } } }),
    'upgrade-step step: i-2 m2 3.5.35-3.6.16',
  ],
  [
    'down, once etcd has changed its version and the data',
    looksAt(loweredTo35('3.6.16', '3.6.16', '3.6.16'), { ...DOWN, cluster: '3.5' }),
    'upgrade-step step: i-2 m2 3.6.16-3.5.35',
  ],
  [
    'down, as one sees it whose etcd tells of no downgrade',
    looksAt(loweredTo35('3.6.16', '3.5.35', '3.5.35'), { record: { to: '3.5' }, self: 'i-2' }),
    'upgrade-step step: i-1 m1 3.6.16-3.5.35, m2 leads',
  ],
  [
    'down, in data that 3.5 does not stamp',
    looksAt([runs(1, '3.4.45'), runs(2, '3.5.35'), runs(3, '3.4.45')], { record: { to: '3.4' } }),
    'upgrade-step step: i-2 m2 3.5.35-3.4.45',
  ],
];

const remedies: readonly Case[] = [
  [
    'restarts who has requests of the old API',
    looksAt(holding('clean', 'clean', 'wal-requests')),
    'upgrade-clear clear: i-3 m3 3.5.35-3.6.16',
  ],
  [
    'followers first',
    looksAt(holding('wal-requests', 'wal-requests', 'clean')),
    'upgrade-clear clear: i-2 m2 3.5.35-3.6.16',
  ],
  [
    'the leader, too, when it does not lead any more',
    looksAt(holding('wal-requests', 'clean', 'clean')),
    'upgrade-clear clear: i-1 m1 3.5.35-3.6.16, m2 leads',
  ],
  [
    'not where keys of it would bar all the same',
    looksAt(holding('wal-requests', 'store', 'clean')),
    'upgrade-v2',
  ],
  [
    'not where one is unknown',
    looksAt([...holding('wal-requests', 'clean'), runs(3, '3.5.35', {}, { v2: unknown('no etcdutl') })]),
    'upgrade-v2',
  ],
  [
    'whatever those say that stepped',
    looksAt([
      runs(1, '3.6.16', {}, { v2: unknown('no etcdutl') }),
      ...holding('clean', 'wal-requests').slice(1),
    ]),
    'upgrade-clear clear: i-2 m2 3.5.35-3.6.16',
  ],
  [
    'not who takes no part',
    looksAt([
      ...holding('clean', 'clean'),
      runs(3, '3.5.35', {}, { v2: known('wal-requests'), wanted: '3.5' }),
    ]),
    'upgrade-v2',
  ],
  [
    'not while something else is amiss, that only an operator can mend',
    looksAt(holding('clean', 'clean', 'wal-requests'), {
      alarms: known([{ memberId: 'm1', alarm: 'NOSPACE' }]),
    }),
    'upgrade-alarm',
  ],
  [
    'nor while a disk is full',
    looksAt([...holding('clean', 'wal-requests'), runs(3, '3.5.35', {}, { freeBytes: known(0) })]),
    'upgrade-disk',
  ],
  [
    'nor brings about snapshots then',
    looksAt([...logging(null, 7), runs(3, '3.6.16', {}, { freeBytes: known(0) })]),
    'upgrade-disk',
  ],
  [
    'brings about snapshots where a log goes back too far',
    looksAt(logging(null, null, 7)),
    'upgrade-bring-snapshot bring-snapshot: i-2 3.6.16-3.7.3',
  ],
  [
    'not where a log cannot be read',
    looksAt([...logging(7, null), runs(3, '3.6.16', {}, { replay: unknown('torn') })]),
    'upgrade-snapshot',
  ],
  [
    'with one who takes no part, too',
    looksAt([
      runs(1, '3.6.16', {}, { wanted: '3.6', replay: replayOf(7) }),
      ...logging(null, null, null).slice(1),
    ]),
    'upgrade-bring-snapshot bring-snapshot: i-2 3.6.16-3.7.3',
  ],
  // etcd would lower the cluster's version to 3.5 beside a member of 3.7.
  [
    'by a restart where a round has begun',
    looksAt([runs(1, '3.7.3'), ...logging(null, null, 7).slice(1)]),
    'upgrade-clear clear: i-3 m3 3.6.16-3.7.3',
  ],
  [
    'not of one who takes no part in it',
    looksAt([
      runs(1, '3.7.3'),
      runs(2, '3.6.16', {}, { wanted: '3.6', replay: replayOf(7) }),
      ...logging(null, null, null).slice(2),
    ]),
    'upgrade-snapshot',
  ],
  [
    'what was begun and cut short, by the usual start',
    looksAt(three('3.5.35'), { clears: true, self: 'i-2' }),
    'upgrade-clear end-clear: i-2 m2 3.5.35-3.5.35',
  ],
  [
    'that of the leader, after it handed over',
    looksAt(three('3.5.35'), { clears: true }),
    'upgrade-clear end-clear: i-1 m1 3.5.35-3.5.35, m2 leads',
  ],
  [
    'that, whatever an operator says, and whatever bars a step',
    looksAt([...holding('store', 'clean'), runs(3, '3.5.35')], {
      clears: true,
      record: { paused: PAUSED, failed: FAILED },
    }),
    'upgrade-clear end-clear: i-1 m1 3.5.35-3.5.35, m2 leads',
  ],
  [
    'that of one that is not well itself',
    looksAt([runs(1, '3.5.35'), runs(2, '3.5.35', { unhealthy: 'it is behind' }), runs(3, '3.5.35')], {
      clears: true,
      self: 'i-2',
    }),
    'upgrade-clear end-clear: i-2 m2 3.5.35-3.5.35',
  ],
  [
    'that of a learner: it keeps only others waiting',
    looksAt([runs(1, '3.5.35'), runs(2, '3.5.35', { learner: true }), runs(3, '3.5.35')], {
      clears: true,
      self: 'i-2',
    }),
    'upgrade-clear end-clear: i-2 m2 3.5.35-3.5.35',
  ],
  [
    'that, not of one that is no member: the others step',
    looksAt(three('3.5.35'), { clears: true, self: 'i-9' }),
    'upgrade-step step: i-2 m2 3.5.35-3.6.16',
  ],
  [
    'that, not before its own etcd says as which version it runs',
    looksAt([runs(1, '3.5.35'), runs(2, '3.5.35', { version: null }), runs(3, '3.5.35')], {
      clears: true,
      self: 'i-2',
    }),
    'upgrade-unknown',
  ],
  [
    'that, not while a learner catches up',
    looksAt([...holding('clean', 'clean'), runs(3, '3.5.35', { learner: true, unhealthy: 'it is behind' })], {
      clears: true,
    }),
    'upgrade-learner',
  ],
  [
    'that, not while another voter is away',
    looksAt([...holding('clean', 'clean'), runs(3, '3.5.35', { version: null, unhealthy: 'it is away' })], {
      clears: true,
    }),
    'upgrade-unhealthy',
  ],
  [
    'that, not while another steps',
    looksAt(three('3.5.35'), { clears: true, lockedBy: 'i-2', record: { step: STEP } }),
    'upgrade-locked',
  ],
  [
    'that, not where nobody knows whether another steps',
    { ...looksAt(three('3.5.35'), { clears: true }), record: DARK },
    'upgrade-unknown',
  ],
  [
    'not a second time what was of no use',
    looksAt(logging(null, 7, null), {
      record: { failed: { ...FAILED, from: '3.6.16', to: '3.7.3' } },
    }),
    'upgrade-failed',
  ],
];

const downgrades: readonly Case[] = [
  [
    'is enabled first',
    looksAt(three('3.6.16'), { record: { to: '3.5' } }),
    'upgrade-enable-downgrade enable-downgrade: i-2 3.6.16-3.5.35',
  ],
  [
    'is enabled where its check is fine only',
    looksAt(three('3.6.16'), { record: { to: '3.5' }, leaderId: null }),
    'upgrade-unhealthy',
  ],
  [
    'waits until etcd has raised its version before it lowers it',
    looksAt(three('3.6.16'), { record: { to: '3.5' }, cluster: '3.5' }),
    'upgrade-settling',
  ],
  [
    'waits for the version of the cluster',
    looksAt(three('3.6.16'), { ...DOWN, cluster: '3.6' }),
    'upgrade-settling',
  ],
  ['waits for the data', looksAt(three('3.6.16'), { ...DOWN, cluster: '3.5' }), 'upgrade-settling'],
  [
    'waits for the data of every one that is to step',
    looksAt(
      loweredTo35('3.6.16', '3.6.16', '3.6.16').map((it) => (it.id === 'm1' ? { ...it, storage: null } : it)),
      { ...DOWN, cluster: '3.5' },
    ),
    'upgrade-settling',
  ],
  [
    'waits where nobody tells of the data',
    looksAt(
      loweredTo35('3.6.16', '3.6.16', '3.6.16').map(({ storage: _storage, ...it }) => it),
      { ...DOWN, cluster: '3.5' },
    ),
    'upgrade-settling',
  ],
  [
    'waits where members are mixed, and the version is not the lower one',
    looksAt(loweredTo35('3.6.16', '3.5.35', '3.5.35'), { record: { to: '3.5' }, cluster: '3.6' }),
    'upgrade-settling',
  ],
  [
    'waits a while for an appliance that is silent',
    looksAt(withSilentAppliance, { ...DOWN, cluster: '3.5', downgradeIdleForMs: 29_999 }),
    'upgrade-silent',
  ],
  [
    'is cancelled where an appliance stays silent: nobody could join before it answers',
    looksAt(withSilentAppliance, { ...DOWN, cluster: '3.5', downgradeIdleForMs: 30_000 }),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'is cancelled where the leader cannot be known for long, half way',
    looksAt(loweredTo35('3.5.35', '3.6.16', '3.6.16'), {
      ...DOWN,
      leaderId: null,
      downgradeIdleForMs: 30_000,
    }),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'is not cancelled beside the lock of another',
    looksAt(withSilentAppliance, { ...DOWN, lockedBy: 'i-2', downgradeIdleForMs: 30_000 }),
    'upgrade-locked',
  ],
  [
    'is not begun while an appliance is silent',
    looksAt(withSilentAppliance, { record: { to: '3.5' } }),
    'upgrade-silent',
  ],
  [
    'waits for etcd for however long it takes, where nothing else is in the way',
    looksAt(three('3.6.16'), { ...DOWN, cluster: '3.6', downgradeIdleForMs: 1e9 }),
    'upgrade-settling',
  ],
  [
    'is cancelled where nobody ordered it',
    looksAt(three('3.6.16'), { downgradeTarget: '3.5.0' }),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'is cancelled where all have arrived',
    looksAt(three('3.6.16'), { downgradeTarget: '3.6.0', record: { to: '3.6' } }),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'is cancelled where all have arrived, before a patch',
    looksAt(three('3.6.10'), { downgradeTarget: '3.6.0', record: { to: '3.6' } }),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'is cancelled by a follower, the first',
    looksAt(three('3.6.16'), { downgradeTarget: '3.5.0', leaderId: 'm2' }),
    'upgrade-cancel-downgrade cancel-downgrade: i-1',
  ],
  [
    'is cancelled by the same, whoever looks',
    looksAt(three('3.6.16').toReversed(), { downgradeTarget: '3.5.0' }),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'is cancelled before the next one down',
    looksAt(three('3.6.16'), { downgradeTarget: '3.6.0', record: { to: '3.5' } }),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'is cancelled where the order is withdrawn half way: by one whose etcd tells of it',
    looksAt(loweredTo35('3.5.35', '3.5.35', '3.6.16'), { downgradeTarget: '3.5.0' }),
    'upgrade-cancel-downgrade cancel-downgrade: i-3',
  ],
  [
    'is cancelled by the leader where that is the only one',
    looksAt(loweredTo35('3.6.16', '3.5.35', '3.5.35'), { downgradeTarget: '3.5.0' }),
    'upgrade-cancel-downgrade cancel-downgrade: i-1',
  ],
  [
    'is cancelled in a pause, so that instances can join',
    looksAt(loweredTo35('3.6.16', '3.6.16', '3.5.35'), { ...DOWN, record: { to: '3.5', paused: PAUSED } }),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'is cancelled after a step that was taken back',
    looksAt(loweredTo35('3.6.16', '3.6.16', '3.6.16'), {
      ...DOWN,
      record: { to: '3.5', failed: { ...FAILED, from: '3.6.16', to: '3.5.35' } },
    }),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'is cancelled where the images lack what it leads to',
    looksAt(
      [1, 2, 3].map((n) => runs(n, '3.6.16', {}, { installed: ['3.6.16'] })),
      DOWN,
    ),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'is cancelled where the order is now one that etcd has no way to',
    looksAt(three('3.6.16'), { downgradeTarget: '3.5.0', record: { to: '3.4' } }),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'is cancelled where members are apart',
    looksAt([runs(1, '3.5.35'), runs(2, '3.7.3')], { downgradeTarget: '3.5.0' }),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'goes on where something is amiss that passes',
    looksAt(
      [...loweredTo35('3.6.16', '3.6.16'), runs(3, '3.6.16', { unhealthy: 'it is 2000 entries behind' })],
      {
        ...DOWN,
        cluster: '3.5',
      },
    ),
    'upgrade-unhealthy',
  ],
  [
    'is not cancelled under the lock of another',
    looksAt(three('3.6.16'), { downgradeTarget: '3.5.0', lockedBy: 'i-3' }),
    'upgrade-locked',
  ],
  [
    'is not cancelled before the step of a dead one must be over',
    looksAt(three('3.6.16'), { downgradeTarget: '3.5.0', record: { step: STEP } }),
    'upgrade-orphaned',
  ],
  [
    'is cancelled by one that is well',
    looksAt(
      [
        runs(1, '3.6.16'),
        runs(2, '3.6.16', { unhealthy: 'it is away' }),
        runs(3, '3.6.16', { learner: true }),
        runs(4, '3.6.16', { answer: DARK }),
      ],
      { downgradeTarget: '3.5.0' },
    ),
    'upgrade-cancel-downgrade cancel-downgrade: i-1',
  ],
  [
    'is not cancelled where none is',
    looksAt([runs(1, '3.6.16', { unhealthy: 'it is away' })], { downgradeTarget: '3.5.0' }),
    'upgrade-unhealthy',
  ],
];

const none: readonly Case[] = [
  ['all is done', looksAt(three('3.7.3')), 'upgrade-done'],
  ['one is pinned', looksAt([runs(1, '3.5.35', {}, { wanted: '3.5' }), runs(2, '3.6.16')]), 'upgrade-held'],
  ['the record is unknown', { ...looksAt(three('3.5.35')), record: DARK }, 'upgrade-unknown'],
  [
    'a downgrade is under way, and the record is unknown',
    { ...looksAt(three('3.6.16'), { downgradeTarget: '3.5.0' }), record: DARK },
    'upgrade-unknown',
  ],
  [
    'nobody goes on with a downgrade for long, and the record is unknown: it may say that somebody steps',
    { ...looksAt(three('3.6.16'), { ...DOWN, downgradeIdleForMs: 30_000 }), record: DARK },
    'upgrade-unknown',
  ],
  [
    'nobody went on with a downgrade for long, and it is over, as one is silent',
    looksAt([...three('3.6.16').slice(0, 2), runs(3, '3.6.16', { version: null })], {
      downgradeIdleForMs: 30_000,
    }),
    'upgrade-unknown',
  ],
  [
    'a downgrade is under way, and an answer is late',
    looksAt([runs(1, '3.6.16'), runs(2, '3.6.16'), runs(3, '3.6.16', { version: null, answer: DARK })], {
      ...DOWN,
      downgradeIdleForMs: 29_999,
    }),
    'upgrade-unknown',
  ],
  [
    'a downgrade is under way, and a member that stays silent may have to come back with nothing',
    looksAt([runs(1, '3.6.16'), runs(2, '3.6.16'), runs(3, '3.6.16', { version: null, answer: DARK })], {
      ...DOWN,
      downgradeIdleForMs: 30_000,
    }),
    'upgrade-cancel-downgrade cancel-downgrade: i-2',
  ],
  [
    'the same, while another steps',
    looksAt([runs(1, '3.6.16'), runs(2, '3.6.16'), runs(3, '3.6.16', { version: null, answer: DARK })], {
      ...DOWN,
      lockedBy: 'i-3',
    }),
    'upgrade-locked',
  ],
  [
    'one is silent',
    looksAt([...three('3.5.35').slice(0, 2), runs(3, '3.5.35', { version: null })]),
    'upgrade-unknown',
  ],
  [
    'one is silent, as another holds the lock',
    looksAt([...three('3.5.35').slice(0, 2), runs(3, '3.5.35', { version: null })], {
      lockedBy: 'i-3',
      record: { step: { ...STEP, by: 'i-3' } },
    }),
    'upgrade-locked',
  ],
  ['members are apart', looksAt(three('3.4.45', '3.6.16', '3.4.45')), 'upgrade-apart'],
  ['etcd raises its version', looksAt(three('3.6.16'), { cluster: '3.5' }), 'upgrade-settling'],
  ['paused', looksAt(three('3.5.35'), { record: { paused: PAUSED } }), 'upgrade-paused'],
  [
    'paused, and the lock is held',
    looksAt(three('3.5.35'), { record: { paused: PAUSED }, lockedBy: 'i-2' }),
    'upgrade-paused',
  ],
  ['a step was taken back', looksAt(three('3.5.35'), { record: { failed: FAILED } }), 'upgrade-failed'],
  [
    'the step of one that steps later was taken back',
    looksAt(three('3.5.35'), { record: { failed: { ...FAILED, by: 'i-1' } } }),
    'upgrade-failed',
  ],
  [
    'the only one that aims higher has stepped',
    looksAt([
      runs(1, '3.4.45', {}, { wanted: '3.4' }),
      runs(2, '3.5.35', {}, { wanted: '3.5' }),
      runs(3, '3.4.45', {}, { wanted: '3.4' }),
    ]),
    'upgrade-done',
  ],
  ['another holds the lock', looksAt(three('3.5.35'), { lockedBy: 'i-2' }), 'upgrade-locked'],
  ['another steps', looksAt(three('3.5.35'), { lockedBy: 'i-2', record: { step: STEP } }), 'upgrade-locked'],
  [
    'another steps, for longer than any step takes',
    looksAt(three('3.5.35'), { lockedBy: 'i-2', record: { step: STEP }, orphanedForMs: 120_000 }),
    'upgrade-locked',
  ],
  [
    'another lost its lock in a step',
    looksAt(three('3.5.35'), { record: { step: STEP }, orphanedForMs: 119_999 }),
    'upgrade-orphaned',
  ],
  [
    'another with 500 MB lost its lock in a step',
    looksAt(LARGE, { record: { step: STEP }, orphanedForMs: 219_999 }),
    'upgrade-orphaned',
  ],
  [
    'who gave its turn up pauses',
    looksAt(three('3.5.35'), { self: 'i-2', gaveUp: 'i-3 has no answer of its leader' }),
    'upgrade-unhealthy',
  ],
  [
    'who gave up the restart that ends a clearing pauses',
    looksAt(three('3.5.35'), { clears: true, gaveUp: 'i-3 has no answer of its leader' }),
    'upgrade-unhealthy',
  ],
  [
    'who took the lock waits for the step of the one before',
    looksAt(three('3.5.35'), { record: { step: STEP }, lockedBy: 'i-1' }),
    'upgrade-orphaned',
  ],
  ...(
    [
      ['upgrade-silent', { answer: DARK }],
      ['upgrade-unstarted', { started: false }],
      ['upgrade-learner', { learner: true }],
      ['upgrade-unhealthy', { unhealthy: 'it is away' }],
      ['upgrade-lacks', { answer: word(3, { installed: ['3.5.35'] }) }],
      ['upgrade-release', { answer: word(3, { installed: ['3.5.35', '3.6.1'] }) }],
      ['upgrade-patch', { version: '3.5.31', answer: word(3, { installed: ['3.5.31', '3.6.16'] }) }],
      ['upgrade-disk', { answer: word(3, { freeBytes: known(0) }) }],
    ] as const
  ).map(([code, more]): Case => [
    `the preflight fails: ${code}`,
    looksAt([runs(1, '3.5.35'), runs(2, '3.5.35'), runs(3, '3.5.35', more)]),
    code,
  ]),
  ['the preflight fails: upgrade-auth', looksAt(three('3.4.45'), { auth: known(true) }), 'upgrade-auth'],
];

const cases = [...steps, ...remedies, ...downgrades, ...none];

describe('planUpgrade', () => {
  it.each(steps)('steps: %s', (_name, seen, expected) => {
    expect(short(planUpgrade(seen).action)).toBe(expected);
  });

  it.each(remedies)('mends what it can: %s', (_name, seen, expected) => {
    expect(short(planUpgrade(seen).action)).toBe(expected);
  });

  it.each(downgrades)('a downgrade %s', (_name, seen, expected) => {
    expect(short(planUpgrade(seen).action)).toBe(expected);
  });

  it.each(none)('nobody steps: %s', (_name, seen, expected) => {
    expect(short(planUpgrade(seen).action)).toBe(expected);
  });

  it.each(cases)('says why: %s', (_name, seen) => {
    expect(planUpgrade(seen).action.reason.sentence).toMatch(/^\S.*[^.]$/);
  });

  it.each([
    ['another steps', looksAt(three('3.5.35'), { gaveUp: 'i-3 is away' }), 'upgrade-step step: i-2'],
    [
      'it ends a downgrade',
      looksAt(three('3.7.3'), { downgradeTarget: '3.6.0', self: 'i-2', gaveUp: 'i-3 is away' }),
      'upgrade-cancel-downgrade cancel-downgrade: i-2',
    ],
  ])('who gave its turn up does not pause where %s', (_name, seen, expected) => {
    expect(short(planUpgrade(seen).action)).toContain(expected);
  });

  it('says why a turn was given up, and why a downgrade is cancelled', () => {
    const sentence = (seen: UpgradeObservation): string => planUpgrade(seen).action.reason.sentence;
    const gaveUp = 'i-3 has no answer of its leader: no answer in 2000 ms';
    expect(sentence(looksAt(three('3.5.35'), { self: 'i-2', gaveUp }))).toBe(
      `i-2 steps from 3.5.35 to 3.6.16, after a pause: its last turn was given up, as ${gaveUp}`,
    );
    const going = loweredTo35('3.6.16', '3.6.16', '3.6.16');
    const record = { to: '3.5', paused: PAUSED };
    expect(sentence(looksAt(going, { ...DOWN, record, cluster: '3.5' }))).toBe(
      'a downgrade is under way, and nobody can join meanwhile: it is cancelled until somebody goes on with it (paused by an operator at 2026-11-21T12:00:00Z, who can resume it)',
    );
    expect(sentence(looksAt(three('3.7.3'), { downgradeTarget: '3.6.0' }))).toContain('nobody goes on with');
  });

  it('says who waits, in order, and shows the preflight', () => {
    const plan = planUpgrade(looksAt(three('3.5.35')));
    expect(plan.waiting).toEqual(['i-2', 'i-3', 'i-1']);
    expect(plan.checks.map((it) => it.ok)).not.toContain(false);
    expect(plan.checks.length).toBeGreaterThan(0);
    expect(planUpgrade(looksAt(three('3.7.3')))).toMatchObject({ checks: [], waiting: [] });
    const left = planUpgrade(looksAt(three('3.7.3'), { downgradeTarget: '3.6.0' }));
    expect(left).toMatchObject({
      action: { kind: 'cancel-downgrade' },
      checks: [],
      waiting: [],
      lacking: [],
    });
    expect(planUpgrade({ ...looksAt(three('3.5.35')), record: DARK })).toMatchObject({
      checks: [],
      waiting: [],
    });
    // The end of a clearing rests on no preflight, and is nobody's turn.
    expect(planUpgrade(looksAt(three('3.5.35'), { clears: true }))).toMatchObject({
      action: { kind: 'end-clear' },
      checks: [],
      waiting: [],
    });
  });

  it('says whose images lack an etcd for this round, whatever bars it beside', () => {
    const without = (n: number, installed: readonly string[], more = {}) =>
      runs(n, '3.5.35', { answer: word(n, { installed }), ...more });
    const members = [
      runs(1, '3.5.35'),
      without(2, ['3.5.35', '3.7.3']),
      without(3, ['3.5.35'], { learner: true }),
    ];
    expect(planUpgrade(looksAt(members)).lacking).toEqual(['i-2', 'i-3']);
    expect(planUpgrade(looksAt(three('3.5.35'))).lacking).toEqual([]);
    expect(planUpgrade(looksAt(three('3.7.3'))).lacking).toEqual([]);
  });

  it('names what stands in the way', () => {
    const sentence = (seen: UpgradeObservation): string => planUpgrade(seen).action.reason.sentence;
    expect(sentence(looksAt(three('3.4.45', '3.6.16', '3.6.16')))).toContain('terminate i-2 and i-3');
    expect(sentence(looksAt(three('3.5.35'), { lockedBy: 'i-2', record: { step: STEP } }))).toBe(
      'i-2 steps from 3.5.35 to 3.6.16 since 2026-11-21T12:00:00Z',
    );
    expect(sentence(looksAt(three('3.5.35'), { lockedBy: 'i-3', record: { step: STEP } }))).toBe(
      'i-3 prepares a step',
    );
    expect(sentence(looksAt(three('3.5.35'), { lockedBy: 'i-3' }))).toBe('i-3 prepares a step');
    expect(sentence(looksAt(three('3.5.35'), { record: { failed: FAILED } }))).toContain(
      'it does not come up',
    );
    expect(sentence(looksAt(holding('store', 'clean', 'clean')))).toMatch(
      /^no step to etcd 3\.6: the data of i-1/,
    );
  });

  it('shows every code that a plan can have', () => {
    expect(covered(cases.map((row) => row[2].split(' ')[0] ?? ''))).toEqual(
      declared<Exclude<UpgradeCode | CheckCode, 'upgrade-no-way-back'>>({
        'upgrade-done': true,
        'upgrade-held': true,
        'upgrade-unknown': true,
        'upgrade-apart': true,
        'upgrade-settling': true,
        'upgrade-paused': true,
        'upgrade-failed': true,
        'upgrade-locked': true,
        'upgrade-orphaned': true,
        'upgrade-step': true,
        'upgrade-clear': true,
        'upgrade-bring-snapshot': true,
        'upgrade-enable-downgrade': true,
        'upgrade-cancel-downgrade': true,
        ...CHECK_CODES,
      }),
    );
  });
});
