import { describe, expect, it } from 'vitest';
import { refreshAdvice } from '../../src/cli/upgrade-place.ts';
import type { Place } from '../../src/cli/upgrade-place.ts';
import { lackingFor, regionsOf } from '../../src/cli/upgrade-refuse.ts';
import { readWish, withOrders, ordersOf } from '../../src/cli/upgrade-wish.ts';
import type { UpgradeOptions } from '../../src/cli/upgrade-wish.ts';
import { known, unknown } from '../../src/core/known.ts';
import { planUpgrade } from '../../src/core/plan-upgrade.ts';
import type { UpgradeObservation } from '../../src/core/upgrade.ts';
import { looksAt, runs, three } from '../fixtures/core/upgrade.ts';

const BY_NAME: Place = {
  cluster: 'demo.example.org',
  addresses: [],
  clusterId: 'c',
  groups: ['arn'],
  regions: new Map([
    ['i-1', 'eu-west-1'],
    ['i-2', 'eu-central-1'],
    ['i-3', null],
  ]),
  words: 'demo',
};
const BY_ADDRESS: Place = {
  ...BY_NAME,
  clusterId: null,
  groups: [],
  regions: new Map(),
  words: '--endpoint 10.0.0.1',
};

/** Whose images lack what is wished, by instance. */
function lacking(
  seen: UpgradeObservation,
  options: Partial<UpgradeOptions>,
  place = BY_NAME,
): readonly string[] {
  const wish = readWish({ follow: true, ...options });
  const after = seen.record.known
    ? { ...seen, record: known(withOrders(seen.record.value, ordersOf(wish, seen.record.value, 'now'))) }
    : seen;
  return lackingFor(place, wish, after, planUpgrade(after)).map((it) => it.name);
}

const OLD = { installed: ['3.5.35'] };

describe('an order', () => {
  it.each([
    ['3.4', three('3.5.35'), 'etcd has no way from 3.5 down to 3.4'],
    ['3.5.34', three('3.5.35'), 'i-1 runs etcd 3.5.35, and nobody goes back to an older patch'],
    ['3.6.3', three('3.4.45'), 'etcd 3.6.3 is too old to be stepped to from 3.5: it takes 3.6.5'],
    ['3.8', three('3.5.35'), 'nothing is known of the way from etcd 3.7 to 3.8'],
    ['3.6', three('3.4.45', '3.6.16'), 'members run etcd 3.4 and 3.6'],
  ])(
    'for %s that nobody could follow to its end is refused, whatever images are to come',
    (to, members, why) => {
      for (const more of [{}, { refresh: true }, { dryRun: true }] as const)
        expect(() => lacking(looksAt(members), { to, ...more })).toThrow(
          `nothing was written: etcd ${to} cannot be ordered: ${why}`,
        );
    },
  );

  it('that images lack is refused with the command that mends it, and given beside a refresh', () => {
    const seen = looksAt([runs(1, '3.5.35', {}, OLD), runs(2, '3.5.35')]);
    expect(() => lacking(seen, { to: '3.6' })).toThrow(
      'nothing was written: the image of i-1 has no etcd 3.6 (it has 3.5.35). Give the group an image that has it, then: etcd-appliance upgrade demo --to 3.6 --refresh',
    );
    expect(lacking(seen, { to: '3.6', refresh: true })).toEqual(['i-1']);
    expect(lacking(seen, { to: '3.6', dryRun: true })).toEqual(['i-1']);
  });

  it('is not barred by what others say of their own, nor by a pause', () => {
    const silent = looksAt([runs(1, '3.5.35', { answer: unknown('silence') }), runs(2, '3.5.35')]);
    expect(lacking(silent, { to: '3.6' })).toEqual([]);
  });
});

describe('--refresh without an order', () => {
  it('finds what images lack where the plan has no line of it: an order for a patch, one that is held, one that waits', () => {
    const members = [runs(1, '3.5.35', {}, OLD), runs(2, '3.5.35')];
    const more = { record: { to: '3.5.36' } };
    expect(lacking(looksAt(members, more), { refresh: true })).toEqual(['i-1', 'i-2']);
    const held = looksAt([runs(1, '3.5.35', {}, { ...OLD, wanted: '3.6' })]);
    expect(lacking(held, { refresh: true })).toEqual(['i-1']);
    const unplanned = { ...looksAt(members, { record: { to: '3.6' } }), versions: unknown('silence') };
    expect(lacking(unplanned, { refresh: true })).toEqual(['i-1']);
    expect(lacking(looksAt(three('3.7.3')), { refresh: true })).toEqual([]);
  });

  it('is refused where it is not known what an image has, or what is ordered', () => {
    const silent = looksAt([runs(1, '3.5.35', { answer: unknown('silence') }), runs(2, '3.5.35', {}, OLD)]);
    const refused = 'nothing was written, and no instance is replaced: ';
    for (const to of [{}, { to: '3.6' }] as const)
      expect(() => lacking(silent, { refresh: true, ...to })).toThrow(
        `${refused}what the image of i-1 has is not known: silence. Call it again once that is known`,
      );
    const unread = { ...looksAt(three('3.5.35')), record: unknown('a hand wrote it') };
    expect(() => lacking(unread, { refresh: true })).toThrow(`${refused}a hand wrote it`);
  });
});

describe('a look without an order', () => {
  it('tells of images only where the plan does', () => {
    expect(lacking(looksAt([runs(1, '3.5.35', {}, { ...OLD, wanted: '3.5.36' })]), {})).toEqual([]);
    const mixed = looksAt([runs(1, '3.5.35', {}, OLD), runs(2, '3.5.35', {}, { wanted: '3.6' })]);
    expect(lacking(mixed, {})).toEqual(['i-1']);
  });
});

describe('the advice', () => {
  it('can be called: by the name where the cluster was found by an address', () => {
    expect(refreshAdvice(BY_NAME, null)).toBe('etcd-appliance upgrade demo --refresh');
    expect(refreshAdvice(BY_ADDRESS, '3.6')).toBe(
      'etcd-appliance upgrade NAME --to 3.6 --refresh, with the name of the cluster, whose claim knows the groups, in place of --endpoint 10.0.0.1',
    );
    expect(refreshAdvice({ ...BY_NAME, groups: [] }, null)).toMatch(/^terminate the instances one by one/);
  });
});

describe('the groups to refresh', () => {
  const needs = (...names: readonly string[]) =>
    ['eu-west-1', 'eu-central-1', 'us-east-1'].filter(
      regionsOf(
        BY_NAME,
        names.map((name) => ({ name, sentence: '' })),
      ),
    );

  it('are those of the regions with an instance that lacks something; all, where the claim says of none', () => {
    expect(needs('i-1')).toEqual(['eu-west-1']);
    expect(needs('i-1', 'i-2', 'i-9')).toEqual(['eu-west-1', 'eu-central-1']);
    expect(needs('i-3')).toHaveLength(3);
    expect(needs('i-9')).toHaveLength(3);
  });
});
