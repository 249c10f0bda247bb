import { describe, expect, it } from 'vitest';
import { planStart } from '../../../src/core/plan-start.ts';
import type { StartCode } from '../../../src/core/start.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';
import type { StartCase } from '../../fixtures/core/start-case.ts';
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
  'answers-as-me': true,
  'preflight-failed': true,
  'discard-never-voter': true,
  'discard-never-born': true,
  'discard-older': true,
  'member-without-data': true,
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
    if (row.mark !== undefined) expect(action).toHaveProperty('mark', row.mark);
    for (const words of row.says ?? []) expect(action.reason.sentence).toContain(words);
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
