import { describe, expect, it } from 'vitest';
import { planFormingAnew, planStart } from '../../../src/core/plan-start.ts';
import type { Ec2State } from '../../../src/core/fleet.ts';
import { known } from '../../../src/core/known.ts';
import type { StartAction, StartCode, StartObservation } from '../../../src/core/start.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';
import type { StartCase } from '../../fixtures/core/start-case.ts';
import { answers, beside, EMPTY_FLEET, NOBODY, REFUSED, start } from '../../fixtures/core/start.ts';
import {
  birthsOf,
  DARK,
  diskWith,
  EMPTY_DISK,
  fleet,
  forming,
  instance,
  identity,
  nothingHeld,
  recordOf,
} from '../../fixtures/core/world.ts';
import { birthCases } from './start-birth.cases.ts';
import { claimCases } from './start-claim.cases.ts';
import { dataCases } from './start-data.cases.ts';

const tables: readonly (readonly [name: string, cases: readonly StartCase[]])[] = [
  ['with data', dataCases],
  ['without data and without a cluster: birth', birthCases],
  ['without data, beside a claim', claimCases],
];

const codes = declared<StartCode>({
  ask: true,
  'register-moved': true,
  'own-data': true,
  'own-data-claim-unknown': true,
  'own-data-quorum-lost': true,
  'own-data-refused': true,
  'own-data-forming': true,
  'own-data-no-claim': true,
  'foreign-data': true,
  'never-born': true,
  'other-cluster': true,
  'removed-while-away': true,
  'damaged-data': true,
  'damaged-data-kept': true,
  'data-beside-forming': true,
  'data-beside-formed': true,
  'claim-unknown': true,
  'claim-unreadable': true,
  'name-taken': true,
  reseeding: true,
  'stale-mark': true,
  'fleet-unknown': true,
  'not-joinable': true,
  'cluster-without-claim': true,
  'etcd-without-quorum': true,
  'records-without-claim': true,
  'instance-holds-data': true,
  'fleet-incomplete': true,
  'birth-versions': true,
  'not-my-turn': true,
  birth: true,
  'birth-of-majority': true,
  'forming-replaced': true,
  'forming-wait': true,
  'forming-lost': true,
  mark: true,
  found: true,
  'late-founder': true,
  'data-lost': true,
  'groups-gone': true,
  'quorum-lost': true,
  'start-refused': true,
  'answers-as-me': true,
  'preflight-failed': true,
  'discard-never-voter': true,
  'discard-never-born': true,
  'discard-older': true,
  'member-without-data': true,
  'enter-group': true,
  join: true,
  'join-unread': true,
});

describe.each(tables)('planStart %s', (_name, cases) => {
  it.each(cases)('$name: $code', (row) => {
    const action = planStart(row.seen);
    expect([action.kind, action.reason.code]).toEqual([row.kind, row.code]);
    if (row.facts !== undefined) expect(action).toMatchObject({ facts: row.facts });
    if (row.changes !== undefined) expect(action).toHaveProperty('changes', row.changes);
    // A founder reads the claim once more between its mark and its start; nothing else needs to.
    if (action.kind === 'register') expect(action.readAgain).toBe(action.reason.code === 'mark');
    if (row.hint !== undefined) expect(action).toHaveProperty('hint', row.hint);
    if (row.mark !== undefined) expect(action).toHaveProperty('mark', row.mark);
    for (const words of row.says ?? []) expect(action.reason.sentence).toContain(words);
  });
});

describe('planFormingAnew', () => {
  const { fleet: whole } = EMPTY_FLEET;
  const lonely = { local: diskWith({ formed: false }), fleet: known(fleet([1, 4])), quorum: NOBODY };
  const OVERDUE = { claimStoodMs: 9_999_999 };
  const founderIs = (state: Ec2State) => ({ ...lonely, fleet: known(fleet([1, instance(2, { state })])) });
  const cases: readonly (readonly [name: string, seen: StartObservation, code: StartCode])[] = [
    ['its epoch forms', beside(forming(), { ...lonely, fleet: whole }), 'own-data-forming'],
    ['too few of its founders are left', beside(forming(), { ...lonely, probes: [] }), 'ask'],
    ['the fleet was not asked', beside(forming(), { local: lonely.local, quorum: NOBODY }), 'ask'],
    [
      'overdue, and the fleet is unknown',
      beside(forming(), { ...lonely, ...OVERDUE, fleet: DARK }),
      'fleet-unknown',
    ],
    [
      'too few of its founders are left, and they let no appliance in',
      beside(forming(), { ...lonely, probes: [], quorum: REFUSED }),
      'start-refused',
    ],
    [
      'overdue, and a founder lets no appliance in',
      beside(forming(), { ...lonely, ...OVERDUE, fleet: whole, probes: [], quorum: REFUSED }),
      'start-refused',
    ],
    ['one founder is gone, and one shuts down', beside(forming(), founderIs('shutting-down')), 'ask'],
    ['one founder is gone, and one is terminated', beside(forming(), founderIs('terminated')), 'ask'],
    ['one founder is gone, and one runs', beside(forming(), founderIs('running')), 'own-data-forming'],
    [
      'nobody says whose the data are',
      beside(forming(), { ...lonely, local: EMPTY_DISK }),
      'own-data-forming',
    ],
    [
      'its data are of a formed epoch',
      beside(forming(), { ...lonely, local: diskWith() }),
      'own-data-forming',
    ],
    ['the claim is unknown', start({ ...lonely, zone: DARK }), 'own-data-forming'],
    [
      'what stands at the name is not understood',
      start({ ...lonely, zone: known([{ ...recordOf(forming()), values: ['"v=9"'] }]) }),
      'own-data-forming',
    ],
    ['there is no claim, and it may come back', start(lonely), 'own-data-no-claim'],
    [
      'there is no claim, and an etcd lets no appliance in',
      start({ ...lonely, quorum: REFUSED }),
      'start-refused',
    ],
    [
      'there is no claim, and the cluster of its data serves',
      start({ ...lonely, ...OVERDUE, quorum: answers([1, 2, 3]) }),
      'own-data',
    ],
    ['there was no claim for long, and nobody serves', start({ ...lonely, ...OVERDUE }), 'ask'],
    [
      'there was no claim for long, nobody serves, and nobody holds anything',
      start({ ...lonely, ...OVERDUE, births: birthsOf([4, nothingHeld(4)]) }),
      'never-born',
    ],
    [
      'overdue, and no room for the mark of the next epoch: data of a learner go',
      beside(forming(), {
        ...OVERDUE,
        ...EMPTY_FLEET,
        quorum: NOBODY,
        local: {
          ...lonely.local,
          aside: [
            {
              directory: 'aside/1',
              identity: identity({ voter: false, formed: false }),
              at: '',
              reason: 'removed-while-away',
            },
          ],
        },
        room: known({ freeBytes: 0, totalBytes: 1e9 }),
      }),
      'discard-never-voter',
    ],
    ['the claim is of another stack', beside(forming({ stack: 'other' }), lonely), 'own-data-forming'],
    ['the claim is of another epoch', beside(forming({ token: 'token-2' }), lonely), 'own-data-forming'],
  ];

  it.each(cases)('%s', (_name, seen, code) => {
    const action = planFormingAnew(seen);
    const kinds: Partial<Record<StartCode, StartAction['kind']>> = {
      ask: 'ask',
      'own-data': 'start-data',
      'never-born': 'set-aside',
      'discard-never-voter': 'discard',
    };
    expect([action.kind, action.reason.code]).toEqual([kinds[code] ?? 'wait', code]);
  });
});

describe('the tables of starts', () => {
  const all = tables.flatMap(([, cases]) => cases);

  it('show every code that a start can have', () => {
    expect(covered(all.map((row) => row.code))).toEqual(codes);
  });

  it('name each case once', () => {
    expect(new Set(all.map((row) => row.name)).size).toBe(all.length);
  });
});
