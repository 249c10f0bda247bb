import { describe, expect, it } from 'vitest';
import { desiredSize, isJoinable, isTerminatedForCertain, regionsWith } from '../../../src/core/fleet.ts';
import { known, unknown, valueOr } from '../../../src/core/known.ts';
import { evidenceOf, fleet, idOf, instance } from '../../fixtures/core/world.ts';

describe('isJoinable', () => {
  it.each(['Pending', 'Pending:Wait', 'Pending:Proceed', 'InService'])('%s carries a member', (lifecycle) => {
    expect(isJoinable(instance(1, { lifecycle }))).toBe(true);
  });

  it.each([
    'Warmed:Pending',
    'Warmed:Stopped',
    'Standby',
    'EnteringStandby',
    'Terminating',
    'Terminating:Wait',
    'Terminated',
    'Detaching',
    'Detached',
    'Quarantined',
    '',
  ])('"%s" does not', (lifecycle) => {
    expect(isJoinable(instance(1, { lifecycle }))).toBe(false);
  });
});

describe('isTerminatedForCertain', () => {
  it.each([
    ['shutting-down', 0, true],
    ['terminated', 0, true],
    ['not-found', 3_600_000, true],
    ['not-found', 3_599_999, false],
    ['stopped', 9_999_999, false],
    ['stopping', 0, false],
    ['running', 0, false],
    ['pending', 0, false],
    [null, 9_999_999, false],
  ] as const)('%s for %d ms: %s', (state, forMs, gone) => {
    const evidence = evidenceOf([1, state, forMs]).get(idOf(1));
    expect(evidence !== undefined && isTerminatedForCertain(evidence)).toBe(gone);
  });
});

describe('regionsWith', () => {
  it.each([
    ['none is named', [], ['eu-west-1']],
    ['others are named', ['us-east-1', 'ap-south-1'], ['eu-west-1', 'us-east-1', 'ap-south-1']],
    ['it is named, too', ['us-east-1', 'eu-west-1'], ['eu-west-1', 'us-east-1']],
  ])('counts the own region once, and first, where %s', (_name, active, regions) => {
    expect(regionsWith('eu-west-1', active)).toEqual(regions);
  });
});

describe('what is known', () => {
  it('adds the desired instances of all groups', () => {
    const one = fleet([1, 2], 3);
    expect(desiredSize({ ...one, groups: [...one.groups, ...fleet([], 2).groups] })).toBe(5);
  });

  it('has a value, or what stands in for it', () => {
    expect(unknown('no answer')).toEqual({ known: false, reason: 'no answer' });
    expect([valueOr(known(1), 2), valueOr(unknown('no answer'), 2)]).toEqual([1, 2]);
  });
});
