import { describe, expect, it } from 'vitest';
import { type Claim, claimRecord, formedClaim, foundingClaim } from '../../src/core/claim.ts';
import { hostName, namesOf } from '../../src/core/names.ts';
import { markRecord } from '../../src/core/mark.ts';
import type { RecordSet } from '../../src/core/records.ts';
import { createJudge, LAW_CHECKS } from './laws/laws.ts';
import type { AsideData, Happening, StepFacts } from './world/happening.ts';
import { CLUSTER, FOREIGN, REGION, STACK } from './world/names.ts';

/** A history made by hand; each thing happens a second after the one before it, unless a time stands before it. */
type History = readonly (Happening | number)[];

/** The checks that a history breaks, each once. */
function broken(history: History): readonly string[] {
  const judge = createJudge();
  let atMs = 0;
  for (const it of history) {
    if (typeof it === 'number') {
      atMs = it;
      continue;
    }
    judge.hear(it, atMs);
    atMs += 1_000;
  }
  return [...new Set(judge.broken.map((it) => it.check))];
}

const NAMES = namesOf(CLUSTER);
const idOf = (n: number): string => `000000000000000${n}`;
const founder = (n: number): { instanceId: string; region: string; address: string } => ({
  instanceId: `i-${n}`,
  region: REGION,
  address: `10.0.0.${n}`,
});
const FORMING = foundingClaim({
  stack: STACK,
  token: 'one',
  groups: ['arn'],
  founders: [founder(1), founder(2), founder(3)],
  before: null,
});
const formed = (clusterId: string, claim: Claim = FORMING): Claim =>
  formedClaim(claim, clusterId, [{ memberId: '0123456789abcdef', ...founder(1) }]);
const LATER: Claim = { ...FORMING, epoch: 2, token: 'two' };

/** A claim that is formed, with these instances as voters, member m1 and so on. */
const voters = (...numbers: readonly number[]): Claim =>
  formedClaim(
    FORMING,
    'c',
    numbers.map((n) => ({ memberId: idOf(n), ...founder(n) })),
  );

const serves = (...numbers: readonly number[]): Happening => ({
  kind: 'serving',
  ids: numbers.map((n) => `i-${n}`),
});

const named = (n: number): RecordSet => ({
  name: NAMES.srvClient[0] ?? '',
  type: 'SRV',
  ttl: 60,
  values: [`1 1 2379 ${hostName(CLUSTER, `i-${n}`)}`],
});

function records(claim: Claim | null, ...others: readonly RecordSet[]): Happening {
  const own = claim === null ? [] : [claimRecord(NAMES.claim, claim)];
  return { kind: 'records', changes: [], after: [...FOREIGN, ...own, ...others] };
}

const clients = (...values: readonly string[]): RecordSet => ({
  name: NAMES.srvServer,
  type: 'SRV',
  ttl: 60,
  values,
});

const disk = (holds: readonly string[], wiped = false): Happening => ({
  kind: 'disk',
  id: 'i-1',
  holds,
  wiped,
});

const member = (n: number, learner = false): { id: string; name: string; learner: boolean } => ({
  id: idOf(n),
  name: `i-${n}`,
  learner,
});

function membership(part: Partial<Happening & { readonly kind: 'membership' }>): Happening {
  return {
    kind: 'membership',
    change: 'remove',
    by: 'i-1',
    clusterId: 'c',
    member: member(2),
    before: { voters: 3, healthy: 3 },
    after: { voters: 3, healthy: 3 },
    learners: 0,
    answers: true,
    behind: 0,
    hasData: true,
    ...part,
  };
}

const ec2 = (word: 'running' | 'stopped' | 'terminated', listed = true): Happening => ({
  kind: 'ec2',
  id: 'i-2',
  word,
  listed,
});

const stepping: StepFacts = {
  lockHolder: 'i-1',
  from: '3.5.35',
  to: '3.6.16',
  away: [],
  amiss: [],
  unwell: [],
  after: { voters: 3, healthy: 2 },
};
const steps = (part: Partial<StepFacts> = {}): Happening => ({
  kind: 'etcd-stopped',
  id: 'i-1',
  clusterId: 'c',
  served: true,
  step: { ...stepping, ...part },
});

const stepBegan = (leads: boolean, ...before: readonly string[]): Happening => ({
  kind: 'step-began',
  id: 'i-1',
  leads,
  before,
});

const removal = (lockHolder: string | null, n = 2, stepHolder: string | null = null): Happening => ({
  kind: 'removal-sent',
  by: 'i-1',
  member: member(n),
  hasData: false,
  lockHolder,
  stepHolder,
  before: { voters: 3, healthy: 3 },
  after: { voters: 2, healthy: 2 },
});

/** i-2 asks for its own end. */
const ownRemoval = (hasData: boolean): Happening => ({
  kind: 'removal-sent',
  by: 'i-2',
  member: member(2),
  hasData,
  lockHolder: null,
  before: { voters: 3, healthy: 2 },
  after: { voters: 2, healthy: 2 },
});

const promotion = (ownWordMs: number | null, behind: number | null, noted = true, by = 'i-1'): Happening => ({
  kind: 'promotion-sent',
  by,
  memberId: 'm1',
  ownWordMs,
  behind,
  noted,
});

const seesFleet = (desired: number | null, askedAtMs = 0): Happening => ({
  kind: 'fleet-answer',
  to: 'i-1',
  askedAtMs,
  instances: desired === null ? null : ['i-1'],
  desired,
});

const batch = (part: Partial<Happening & { readonly kind: 'batch-sent' }>): Happening => ({
  kind: 'batch-sent',
  by: 'i-1',
  forms: false,
  names: true,
  takes: [],
  claim: null,
  lockHolder: null,
  ...part,
});

const aside = (part: Partial<Happening & { readonly kind: 'set-aside' }>): Happening => ({
  kind: 'set-aside',
  id: 'i-1',
  memberId: 'm1',
  voter: true,
  readable: true,
  ...part,
});

const words = (to: string, known: boolean): Happening => ({
  kind: 'evidence-answer',
  to,
  words: known ? { 'i-2': 'terminated' } : null,
});

const stop: Happening = { kind: 'etcd-stopped', id: 'i-1', clusterId: 'c', served: true };
const waits = (id: string, learner: boolean): Happening => ({
  kind: 'etcd-stopped',
  id: 'i-1',
  clusterId: 'c',
  served: false,
  waits: { id, name: 'i-1', learner },
});
const laid = (of: string, { readable = true, voter = true } = {}): AsideData => ({ of, readable, voter });
const discarded = (
  gone: AsideData,
  rest: Partial<Extract<Happening, { readonly kind: 'discarded' }>> = {},
): Happening => ({
  kind: 'discarded',
  id: 'i-1',
  gone,
  older: [],
  newer: [],
  used: null,
  shortMs: 0,
  ...rest,
});
const mark = (n: number): RecordSet =>
  markRecord(CLUSTER, { instanceId: `i-${n}`, token: 'one', nonce: `${n}` });
const told = (id: string, to: 'go' | 'stop'): Happening => ({ kind: 'told', id, to });
const both: RecordSet = { ...named(1), values: [...named(1).values, ...named(2).values] };
const stepLock = (id: string): Happening => ({ kind: 'step-lock', id });
const host = (n: number): RecordSet => ({
  name: hostName(CLUSTER, `i-${n}`),
  type: 'A',
  ttl: 60,
  values: [`10.0.0.${n}`],
});
const written = (count: number): Happening => ({ kind: 'written', key: 'k', count });
const read = (count: number | null, beganAtMs: number): Happening => ({
  kind: 'read',
  key: 'k',
  count,
  beganAtMs,
});
const fault = (lastsMs: number): Happening => ({ kind: 'fault', lastsMs });
const begins = (id: string, memberId: string, listed = true): Happening => ({
  kind: 'member-begins',
  id,
  clusterId: 'c',
  memberId,
  listed,
});

const GARBAGE: RecordSet = { name: NAMES.claim, type: 'TXT', ttl: 5, values: ['"garbage"'] };

/** Of each check, histories that break it and no other, and some that are near to that and break nothing. */
const CASES: Readonly<
  Record<string, { readonly bad: readonly History[]; readonly good: readonly History[] }>
> = {
  'one-promise': {
    bad: [
      [records(formed('c')), records(formed('d', LATER))],
      [records(formed('c')), records(null)],
      [records(formed('c')), records(LATER)],
      [records(null, GARBAGE)],
      [records(formed('c')), { kind: 'released' }, records(null), records(formed('d', LATER))],
      [
        records(formed('c')),
        { kind: 'regrouped' },
        membership({ change: 'add' }),
        { kind: 'voters-left', intact: 1, voters: 3 },
        records(formed('d', LATER)),
      ],
    ],
    good: [
      [records(FORMING), records(LATER), records(formed('d', LATER)), records(formed('d', LATER))],
      [records(formed('c')), { kind: 'released' }, records(null), records(formed('c', LATER))],
      [
        records(formed('c')),
        { kind: 'released' },
        records(null),
        { kind: 'voters-left', intact: 1, voters: 3 },
        records(formed('d')),
      ],
      [records(formed('c')), { kind: 'released' }, records(null), { kind: 'freed' }, records(formed('d'))],
      [
        records(formed('c')),
        { kind: 'regrouped' },
        { kind: 'voters-left', intact: 1, voters: 3 },
        records(formed('d', LATER)),
      ],
      [records(formed('c')), { kind: 'garbled' }, records(null, GARBAGE), records(formed('c'))],
    ],
  },
  'one-serves': {
    bad: [[{ kind: 'ready', clusters: ['c', 'd'] }]],
    good: [
      [
        { kind: 'ready', clusters: ['c'] },
        { kind: 'ready', clusters: ['d'] },
      ],
      [{ kind: 'freed' }, { kind: 'ready', clusters: ['c', 'd'] }],
    ],
  },
  'founded-once': {
    bad: [
      [
        records(FORMING),
        { kind: 'founding', id: 'i-1', token: 'one' },
        { kind: 'founding', id: 'i-1', token: 'one' },
      ],
    ],
    good: [
      [
        records(FORMING),
        { kind: 'founding', id: 'i-1', token: 'one' },
        { kind: 'founding', id: 'i-2', token: 'one' },
        records(LATER),
        { kind: 'founding', id: 'i-1', token: 'two' },
      ],
    ],
  },
  'own-token': {
    bad: [
      [{ kind: 'founding', id: 'i-1', token: 'one' }],
      [records(FORMING), { kind: 'founding', id: 'i-9', token: 'one' }],
      [records(FORMING), records({ ...FORMING, epoch: 2 })],
    ],
    good: [[records(FORMING), { kind: 'founding', id: 'i-3', token: 'one' }]],
  },
  'born-of-majority': {
    bad: [
      [seesFleet(6), batch({ names: false, claim: FORMING })],
      [batch({ forms: true, claim: { ...formed('c'), lost: ['i-1', 'i-2'] } })],
    ],
    good: [
      [seesFleet(5), batch({ names: false, claim: FORMING })],
      [batch({ forms: true, claim: { ...formed('c'), lost: ['i-1'] } })],
      // It is not born, and says who of the claim's founders is lost.
      [seesFleet(9), batch({ names: false, claim: { ...FORMING, lost: ['i-1'] } })],
      // It is older than its claim.
      [batch({ forms: true, claim: { ...formed('c'), founders: [] } })],
    ],
  },
  'data-kept': {
    bad: [
      [disk(['c/a']), disk([])],
      [disk(['c/a']), disk(['d/b'])],
      [records(FORMING), disk(['d/a']), disk([])],
      [records(formed('c')), disk(['c/a']), disk([])],
      [
        membership({ change: 'add', member: member(2, true), learners: 1 }),
        disk(['c/a', `c/${idOf(2)}`]),
        disk([`c/${idOf(2)}`]),
      ],
    ],
    good: [
      [disk(['c/a']), disk(['c/a', 'c/b'])],
      [disk(['c/a']), disk([], true)],
      // Room was made: newer data of the cluster stand for them, or they were never a voter's.
      [disk(['c/a', 'c/b']), disk(['c/b'])],
      [membership({ change: 'add', member: member(2, true) }), disk([`c/${idOf(2)}`]), disk([])],
      // The newer ones are of a learner that had caught up, and was to be promoted.
      [
        membership({ change: 'add', member: member(2, true) }),
        disk(['c/a', `c/${idOf(2)}`]),
        discarded(laid('c/a'), { newer: [laid(`c/${idOf(2)}`)] }),
        disk([`c/${idOf(2)}`]),
      ],
      // They are of an epoch that was never formed.
      [records(FORMING), disk(['d/a']), records(formed('c', LATER)), disk([])],
    ],
  },
  'voters-data-used': {
    bad: [[aside({})]],
    good: [[aside({ voter: false })], [aside({ readable: false })]],
  },
  'writes-kept': {
    bad: [
      [1_000, written(1), written(2), read(1, 3_000)],
      [1_000, written(1), read(null, 2_000)],
    ],
    good: [
      [1_000, written(1), written(2), read(2, 3_000)],
      // It was acknowledged after the read began.
      [1_000, written(1), written(2), read(1, 1_500)],
      [1_000, written(1), { kind: 'voters-left', intact: 1, voters: 3 }, read(null, 3_000)],
      [1_000, written(1), { kind: 'freed' }, read(null, 3_000)],
    ],
  },
  'begins-once': {
    bad: [[begins('i-1', 'a'), begins('i-1', 'a')]],
    good: [
      [begins('i-1', 'a'), begins('i-1', 'b')],
      [begins('i-1', 'a'), begins('i-2', 'a', false)],
    ],
  },
  'known-only': {
    bad: [
      [removal('i-1')],
      [words('i-1', false), removal('i-1')],
      [words('i-3', true), removal('i-1')],
      [words('i-1', true), words('i-1', false), removal('i-1')],
      // What it was told was of another, or that this one runs.
      [{ kind: 'evidence-answer', to: 'i-1', words: { 'i-9': 'terminated' } }, removal('i-1')],
      [{ kind: 'evidence-answer', to: 'i-1', words: { 'i-2': 'running' } }, removal('i-1')],
    ],
    good: [
      [words('i-1', true), removal('i-1')],
      [
        words('i-1', true),
        { kind: 'evidence-answer', to: 'i-1', words: { 'i-9': 'running' } },
        removal('i-1'),
      ],
      [removal(null, 1)],
    ],
  },
  'names-known-only': {
    bad: [[seesFleet(null), 10_000, batch({ lockHolder: 'i-1', takes: ['name A 10.0.0.2'] })]],
    good: [
      [seesFleet(3), 10_000, batch({ lockHolder: 'i-1', takes: ['name A 10.0.0.2'] })],
      [seesFleet(null), seesFleet(3), 10_000, batch({ lockHolder: 'i-1', takes: ['name A 10.0.0.2'] })],
      // What was asked before, and answered later, is no news.
      [
        seesFleet(3, 500),
        seesFleet(null, 400),
        10_000,
        batch({ lockHolder: 'i-1', takes: ['name A 10.0.0.2'] }),
      ],
      [seesFleet(null), 10_000, batch({ lockHolder: 'i-1' })],
      // The answer came while the batch was on its way.
      [seesFleet(3), seesFleet(null), batch({ lockHolder: 'i-1', takes: ['name A 10.0.0.2'] })],
    ],
  },
  'removal-asked': {
    bad: [
      [10_000, { ...removal(null, 1), after: { voters: 2, healthy: 1 } } as Happening],
      // In the middle of a long fault everybody has seen it.
      [fault(60_000), 30_000, { ...removal(null, 1), after: { voters: 2, healthy: 1 } } as Happening],
      [stop, 1_000, { ...removal(null, 1), after: { voters: 2, healthy: 1 } } as Happening],
    ],
    good: [
      [10_000, removal(null, 1)],
      // Another was told to stop, and answered until a moment ago.
      [stop, 999, { ...removal(null, 1), after: { voters: 2, healthy: 1 } } as Happening],
      [fault(0), { ...removal(null, 1), after: { voters: 2, healthy: 1 } } as Happening],
      // As it ends, somebody thaws with what was true before it.
      [fault(60_000), 62_000, { ...removal(null, 1), after: { voters: 2, healthy: 1 } } as Happening],
    ],
  },
  'promoted-known': {
    bad: [[promotion(null, null)], [promotion(60_000, 0)], [promotion(10, 1_001)]],
    good: [[promotion(10, 1_000)], [fault(0), promotion(10, 0)]],
  },
  'quorum-kept': {
    bad: [
      [
        ec2('terminated'),
        membership({ before: { voters: 3, healthy: 2 }, after: { voters: 2, healthy: 1 } }),
      ],
    ],
    good: [
      [
        ec2('terminated'),
        membership({ before: { voters: 3, healthy: 2 }, after: { voters: 2, healthy: 2 } }),
      ],
      [
        ec2('terminated'),
        membership({ before: { voters: 3, healthy: 1 }, after: { voters: 2, healthy: 1 } }),
      ],
      // Nobody could know of it yet.
      [
        ec2('terminated'),
        fault(0),
        membership({ before: { voters: 3, healthy: 2 }, after: { voters: 2, healthy: 1 } }),
      ],
    ],
  },
  'promoted-well': {
    bad: [
      [membership({ change: 'promote', by: 'i-2', answers: false })],
      [membership({ change: 'promote', by: 'i-2', behind: 1_001 })],
      [membership({ change: 'promote', by: 'i-1' })],
      [fault(60_000), 30_000, membership({ change: 'promote', by: 'i-2', answers: false })],
      [promotion(0, 0, true, 'i-2'), 10_000, membership({ change: 'promote', by: 'i-2', answers: false })],
    ],
    good: [
      // It lay in the log of a leader without a quorum.
      [
        promotion(0, 0, true, 'i-2'),
        10_001,
        membership({ change: 'promote', by: 'i-2', answers: false, behind: 1_001 }),
      ],
      // It asked while it served, and was stopped before etcd had a quorum to apply that.
      [told('i-2', 'stop'), membership({ change: 'promote', by: 'i-2', answers: false })],
      [membership({ change: 'promote', by: 'i-2', behind: 1_000 })],
      [fault(5_000), membership({ change: 'promote', by: 'i-2', answers: false })],
      // Under load it falls behind after its own etcd's word, which another check looks at.
      [fault(60_000), 30_000, membership({ change: 'promote', by: 'i-2', behind: 1_001 })],
    ],
  },
  'one-change': {
    bad: [[membership({ change: 'add', member: member(2, true), learners: 2 })]],
    good: [[membership({ change: 'add', member: member(2, true), learners: 1 })]],
  },
  evidence: {
    bad: [
      [membership({})],
      [ec2('running'), membership({})],
      [ec2('stopped'), membership({})],
      [membership({ by: 'i-2' })],
      [ownRemoval(true), membership({ by: 'i-2' })],
    ],
    good: [
      [ec2('terminated'), membership({})],
      [ec2('stopped', false), membership({})],
      [{ kind: 'told', id: 'i-2', to: 'go' }, membership({ by: 'i-2' })],
      [membership({ by: 'i-2', hasData: false })],
      [ownRemoval(false), membership({ by: 'i-2' })],
      [membership({ member: member(2, true) })],
    ],
  },
  'stopped-for-reason': {
    bad: [
      [records(formed('c')), stop],
      [
        records(formed('c')),
        { kind: 'told', id: 'i-1', to: 'stop' },
        { kind: 'appliance', id: 'i-1', runs: true },
        stop,
      ],
    ],
    good: [
      [stop],
      [records(formed('c')), { ...stop, served: false }],
      [records(formed('d')), stop],
      [
        records(formed('c')),
        { kind: 'told', id: 'i-1', to: 'go' },
        { kind: 'appliance', id: 'i-1', runs: true },
        stop,
      ],
      [records(formed('c')), { kind: 'told', id: 'i-1', to: 'stop' }, stop],
    ],
  },
  'under-lock': {
    bad: [
      [words('i-1', true), removal(null)],
      [words('i-1', true), removal('i-3')],
    ],
    good: [[words('i-1', true), removal('i-1')], [removal(null, 1)]],
  },
  'names-under-lock': {
    bad: [[batch({ lockHolder: null })], [batch({ lockHolder: 'i-2' })]],
    good: [[batch({ lockHolder: 'i-1' })], [batch({ forms: true })], [batch({ names: false })]],
  },
  fenced: {
    bad: [[{ kind: 'fence-passed', by: 'i-1', holder: 'i-2' }]],
    good: [[removal(null, 1)]],
  },
  'minors-close': {
    bad: [[{ kind: 'members-run', id: 'i-1', versions: ['3.6.16', '3.5.35', '3.4.45'] }]],
    good: [[{ kind: 'members-run', id: 'i-1', versions: ['3.6.16', '3.5.35', '3.5.35'] }]],
  },
  'version-fits': {
    bad: [[{ kind: 'version-death', id: 'i-1', words: 'panic: not implemented' }]],
    good: [[{ kind: 'time' }]],
  },
  'step-keeps-quorum': {
    bad: [[steps({ after: { voters: 3, healthy: 1 } })]],
    good: [
      [steps()],
      [steps({ after: { voters: 2, healthy: 1 } })],
      [{ kind: 'fault', lastsMs: 0 }, steps({ after: { voters: 3, healthy: 1 } })],
    ],
  },
  'step-under-lock': {
    bad: [[steps({ lockHolder: null })], [steps({ lockHolder: 'i-2' })]],
    good: [[steps()]],
  },
  'one-step': {
    bad: [[steps({ away: ['i-2'] })]],
    good: [[steps()], [{ kind: 'fault', lastsMs: 60_000 }, steps({ away: ['i-2'] })]],
  },
  'preflight-held': {
    bad: [
      [steps({ amiss: ['i-2 has no etcd 3.6'] })],
      [steps({ unwell: ['i-2 does not serve'] })],
      [{ kind: 'fault', lastsMs: 0 }, steps({ amiss: ['i-2 has no etcd 3.6'] })],
    ],
    good: [[steps()], [{ kind: 'told', id: 'i-2', to: 'stop' }, steps({ unwell: ['i-2 does not serve'] })]],
  },
  'leader-last': {
    bad: [[stepBegan(true, 'i-2')]],
    good: [[stepBegan(true)], [stepBegan(false, 'i-2')]],
  },
  'claim-follows': {
    bad: [
      [records(FORMING), records({ ...FORMING, epoch: 3, token: 'three' })],
      [records(FORMING), records({ ...FORMING, token: 'two' })],
      [records({ ...FORMING, lost: ['i-1'] }), records({ ...FORMING, lost: ['i-2'] })],
      [records(voters(1)), records(voters(1, 2)), records(voters(1)), records(voters(1, 2))],
    ],
    good: [
      [records(FORMING), records(LATER)],
      [records({ ...FORMING, lost: ['i-1'] }), records({ ...FORMING, lost: ['i-1', 'i-2'] })],
      [records(voters(1)), records(voters(1, 2)), records(voters(1)), records(voters(1, 3))],
      // The housekeeper writes both down at once.
      [records(voters(1)), records(voters(1, 2)), records(voters(1, 3))],
      [records(formed('c')), { kind: 'released' }, records({ ...FORMING, epoch: 1, token: 'new' })],
    ],
  },
  'claim-complete': {
    bad: [
      [records(voters(1, 2)), records(voters(1))],
      [
        records(voters(1)),
        records(voters(1, 2)),
        membership({ change: 'promote', by: 'i-2' }),
        records(voters(1)),
      ],
    ],
    good: [
      [
        records(voters(1, 2)),
        { kind: 'told', id: 'i-2', to: 'go' },
        membership({ by: 'i-2' }),
        records(voters(1)),
      ],
      // A learner that was never promoted.
      [records(voters(1)), records(voters(1, 2)), records(voters(1))],
      [
        records(voters(1, 2)),
        { kind: 'released' },
        membership({ change: 'promote', by: 'i-2' }),
        records(voters(1)),
      ],
      // Whoever formed the cluster had read the voters a moment before.
      [
        { kind: 'told', id: 'i-2', to: 'go' },
        membership({ by: 'i-2' }),
        records(voters(1, 2)),
        records(voters(1)),
      ],
    ],
  },
  'never-emptied': {
    bad: [[records(null, clients('1 1 2380 a')), records(null)]],
    good: [
      [records(null), records(null, clients('1 1 2380 a')), records(null, clients('1 1 2380 b'))],
      [records(null, clients('1 1 2380 a')), { kind: 'released' }, records(null)],
    ],
  },
  'foreign-untouched': {
    bad: [[{ kind: 'records', changes: [], after: FOREIGN.slice(1) }]],
    good: [[records(null)]],
  },
  'gone-unnamed': {
    bad: [
      [
        ec2('terminated'),
        records(null, clients(`1 1 2380 ${hostName(CLUSTER, 'i-2')}`)),
        { kind: 'calm' },
        600_000,
        { kind: 'time' },
      ],
    ],
    good: [
      [
        ec2('terminated'),
        records(null, clients(`1 1 2380 ${hostName(CLUSTER, 'i-2')}`)),
        { kind: 'calm' },
        60_000,
        { kind: 'time' },
        records(null, clients('1 1 2380 other')),
        600_000,
        { kind: 'time' },
      ],
    ],
  },
  'healthy-named': {
    bad: [
      [records(null), { kind: 'calm' }, serves(1), 180_000, serves(1)],
      [records(null), { kind: 'calm' }, serves(1, 2), 100_000, serves(2), 180_000, serves(1, 2)],
    ],
    good: [
      [records(null), { kind: 'calm' }, serves(1), 180_000, serves(2)],
      [records(null, named(1)), { kind: 'calm' }, serves(1), 180_000, serves(1)],
      [records(null), { kind: 'calm' }, serves(1), 100_000, fault(0), { kind: 'calm' }, 180_000, serves(1)],
      [{ kind: 'large', stepMs: 60_000 }, records(null), { kind: 'calm' }, serves(1), 180_000, serves(1)],
    ],
  },
  'names-resolve': {
    bad: [[records(null, named(1), host(1)), records(null, named(1))]],
    good: [
      [records(null, named(1), host(1)), records(null, named(2), host(2))],
      [records(null, named(2), host(2)), ec2('terminated', false), records(null, named(2))],
      [
        records(null, named(1), host(1)),
        records(null, named(1), host(1), host(2)),
        records(null, named(1), host(1)),
      ],
      [records(null, named(1), host(1)), { kind: 'released' }, records(null, named(1))],
    ],
  },
  'leaves-names-first': {
    bad: [[records(null, both), told('i-2', 'go'), membership({ by: 'i-2' })]],
    good: [
      [records(null, named(1), host(1)), told('i-2', 'go'), membership({ by: 'i-2' })],
      [records(null, both), told('i-2', 'go'), 10_000, membership({ by: 'i-2' })],
      [
        { kind: 'lists-old', lastsMs: 1_000 },
        records(null, both),
        told('i-2', 'go'),
        membership({ by: 'i-2' }),
      ],
      [records(null, both), told('i-2', 'go'), membership({ by: 'i-2', outOfSpace: true })],
    ],
  },
  'marks-kept': {
    bad: [[records(null, mark(1)), records(null)]],
    good: [
      [records(null, mark(1)), records(null, mark(1), mark(2))],
      [records(null, mark(2)), ec2('terminated', false), records(null)],
      [records(null, mark(1)), { kind: 'released' }, records(null)],
    ],
  },
  'discarded-in-order': {
    bad: [
      [records(formed('c')), discarded(laid('c/m1'))],
      [records(formed('c')), discarded(laid('c/m1'), { older: [laid('c/m0')] })],
      [records(formed('c')), discarded(laid('c/m1'), { newer: [laid('c/m2', { readable: false })] })],
      [records(formed('c')), discarded(laid('c/m1'), { used: laid('c/m2', { voter: false }) })],
      [discarded(laid('c/m1'), { newer: [laid('c/m2'), laid('d/m3', { voter: false })] })],
      [discarded(laid('c/m1', { voter: false }), { shortMs: 200_000 })],
    ],
    good: [
      [records(formed('c')), discarded(laid('c/m1'), { newer: [laid('c/m2')] })],
      [
        records(formed('c')),
        discarded(laid('c/m1'), { newer: [laid('c/m2', { readable: false })], used: laid('c/m3') }),
      ],
      [records(formed('c')), discarded(laid('c/m1', { voter: false }), { older: [laid('c/m0')] })],
      [records(formed('d')), discarded(laid('c/m1'))],
    ],
  },
  'vote-noted': {
    bad: [[promotion(1_000, 0, false)]],
    good: [[promotion(1_000, 0, true)]],
  },
  'data-kept-by-majority': {
    bad: [
      [ec2('terminated', false), 10_000, membership({ losesMajority: true })],
      [ec2('terminated', false), fault(60_000), 10_000, membership({ losesMajority: true })],
    ],
    good: [[ec2('terminated', false), 10_000, fault(0), membership({ losesMajority: true })]],
  },
  'waiting-left-alone': {
    bad: [
      [records(formed('c')), waits('m1', false)],
      [records(formed('c')), waits('m1', true), waits('m1', true)],
    ],
    good: [
      [records(formed('c')), waits('m1', true), waits('m2', true)],
      [records(formed('d')), waits('m1', false)],
      [records(formed('c')), { kind: 'told', id: 'i-1', to: 'stop' }, waits('m1', false)],
    ],
  },
  'busy-left-alone': {
    bad: [
      [records(formed('c')), { ...stop, served: false, busy: 'starts' }],
      [records(formed('c')), { ...stop, served: false, busy: 'defragments' }],
      [
        records(formed('c')),
        { ...stop, served: false, busy: 'defragments', defragmentsMs: 8_000, step: stepping },
      ],
      [
        records(formed('c')),
        { kind: 'told', id: 'i-1', to: 'stop' },
        { kind: 'appliance', id: 'i-1', runs: true },
        { ...stop, served: false, busy: 'restores' },
      ],
    ],
    good: [
      [stop],
      [
        records(formed('c')),
        { kind: 'told', id: 'i-1', to: 'go' },
        { ...stop, served: false, busy: 'defragments' },
      ],
      // Of an epoch that never lived.
      [records(formed('d')), { ...stop, served: false, busy: 'defragments' }],
      [
        records(formed('c')),
        { ...stop, served: false, busy: 'defragments', defragmentsMs: 7_999, step: stepping },
      ],
    ],
  },
  'hands-off': {
    bad: [
      [stepLock('i-2'), 10_000, batch({ lockHolder: 'i-1', stepHolder: 'i-2' })],
      [words('i-1', true), stepLock('i-3'), 10_000, removal('i-1', 2, 'i-3')],
    ],
    good: [
      [stepLock('i-2'), 5_000, batch({ lockHolder: 'i-1', stepHolder: 'i-2' })],
      [stepLock('i-1'), 10_000, batch({ lockHolder: 'i-1', stepHolder: 'i-1' })],
      [stepLock('i-2'), 9_000, fault(0), batch({ lockHolder: 'i-1', stepHolder: 'i-2' })],
    ],
  },
  'dead-is-dead': {
    bad: [[{ kind: 'ran-on', id: 'i-1', what: 'zone.change' }]],
    good: [[{ kind: 'appliance', id: 'i-1', runs: false }]],
  },
  'nothing-thrown': {
    bad: [[{ kind: 'threw', id: 'i-1', what: 'TypeError' }]],
    good: [[{ kind: 'time' }]],
  },
};

describe('each check of a law', () => {
  it('has a history that breaks it', () => {
    expect(LAW_CHECKS.map((it) => it.check).toSorted()).toEqual(Object.keys(CASES).toSorted());
  });

  describe.each(Object.entries(CASES))('%s', (check, { bad, good }) => {
    it.each(bad.map((history, at) => [at + 1, history] as const))('breaks by history %i', (_, history) => {
      expect(broken(history)).toEqual([check]);
    });

    it.each(good.map((history, at) => [at + 1, history] as const))('stands history %i', (_, history) => {
      expect(broken(history)).toEqual([]);
    });
  });
});
