import { describe, expect, it } from 'vitest';
import { known } from '../../../src/core/known.ts';
import type { UpgradeRecord } from '../../../src/core/upgrade.ts';
import {
  decodeRecord,
  encodePart,
  isVersion,
  UPGRADE_KEYS,
  UPGRADE_LOCK_KEY,
  UPGRADE_PREFIX,
} from '../../../src/core/upgrade-record.ts';
import { NO_RECORD } from '../../fixtures/core/upgrade.ts';

const STEP = { by: 'i-1', from: '3.5.35', to: '3.6.16', at: '2026-11-21T12:00:00Z' };

function keysOf(record: UpgradeRecord): readonly { readonly key: string; readonly value: string }[] {
  return [
    { key: UPGRADE_KEYS.to, value: encodePart(record.to) },
    { key: UPGRADE_KEYS.paused, value: encodePart(record.paused) },
    { key: UPGRADE_KEYS.step, value: encodePart(record.step) },
    { key: UPGRADE_KEYS.failed, value: encodePart(record.failed) },
  ];
}

describe('the record of an upgrade', () => {
  it.each<readonly [string, UpgradeRecord]>([
    ['none', NO_RECORD],
    [
      'all',
      {
        to: '3.6',
        paused: { at: '2026-11-21' },
        step: STEP,
        failed: { ...STEP, why: 'it does not come up' },
      },
    ],
    ['an order alone', { ...NO_RECORD, to: '3.6.16' }],
    ['a pause alone', { ...NO_RECORD, paused: { at: '' } }],
  ])('is read as it was written: %s', (_name, record) => {
    expect(decodeRecord(keysOf(record))).toEqual(known(record));
  });

  it('is one prefix of keys of their own', () => {
    expect(UPGRADE_KEYS).toEqual({
      to: '_appliance/upgrade/to',
      paused: '_appliance/upgrade/paused',
      step: '_appliance/upgrade/step',
      failed: '_appliance/upgrade/failed',
    });
    expect(UPGRADE_PREFIX).toBe('_appliance/upgrade/');
    expect(UPGRADE_LOCK_KEY).toBe('_upgrade_lock');
  });

  it('is none where nothing is kept, and passes other keys over', () => {
    expect(decodeRecord([])).toEqual(known(NO_RECORD));
    expect(decodeRecord([{ key: '_appliance/upgrade/other', value: '{' }])).toEqual(known(NO_RECORD));
  });

  it.each([
    [UPGRADE_KEYS.to, '{'],
    [UPGRADE_KEYS.to, '3.6'],
    [UPGRADE_KEYS.to, '"newest"'],
    [UPGRADE_KEYS.to, 'null'],
    [UPGRADE_KEYS.paused, '{}'],
    [UPGRADE_KEYS.paused, 'true'],
    [UPGRADE_KEYS.paused, 'null'],
    [UPGRADE_KEYS.paused, '{"at":7}'],
    ...(['by', 'from', 'to', 'at'] as const).flatMap((field) => [
      [UPGRADE_KEYS.step, JSON.stringify({ ...STEP, [field]: 7 })],
      [UPGRADE_KEYS.failed, JSON.stringify({ ...STEP, why: 'w', [field]: null })],
    ]),
    [UPGRADE_KEYS.failed, JSON.stringify(STEP)],
    [UPGRADE_KEYS.failed, JSON.stringify({ ...STEP, why: 7 })],
  ])('is unknown as a whole, and names the key, where %s is %s', (key, value) => {
    const read = decodeRecord([
      ...keysOf({ ...NO_RECORD, to: '3.6', step: STEP }).filter((it) => it.key !== key),
      { key, value },
    ]);
    expect(read).toEqual({ known: false, reason: expect.stringMatching(new RegExp(`^${key} in etcd`)) });
  });

  it('names every key that cannot be read', () => {
    const keys = [UPGRADE_KEYS.paused, UPGRADE_KEYS.step].map((key) => ({ key, value: '[]' }));
    const read = decodeRecord(keys);
    expect(read.known ? '' : read.reason).toMatch(/^\S+paused and \S+step in etcd/);
  });
});

describe('isVersion', () => {
  it.each([
    ['3.6', true],
    ['3.6.16', true],
    ['3.10.0', true],
    ['13.100.999', true],
    ['3', false],
    ['3.6.16.1', false],
    ['3.6.', false],
    ['3.1000', false],
    // Two texts of one minor would not be equal.
    ['3.06', false],
    ['03.6', false],
    ['v3.6', false],
    ['3.6.16-rc.0', false],
    [' 3.6', false],
    ['3x6', false],
    ['', false],
  ])('%s: %s', (text, expected) => {
    expect(isVersion(text)).toBe(expected);
  });
});
