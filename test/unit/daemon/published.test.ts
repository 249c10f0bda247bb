import { describe, expect, it } from 'vitest';
import type { Published } from '../../../src/daemon/published.ts';
import { decodePublished, encodePublished } from '../../../src/daemon/published.ts';

const published: Published = {
  format: 1,
  by: 'i-01',
  at: '2026-01-01T00:00:00.000Z',
  claim: { token: 't', epoch: 3 },
  fleet: { groups: [{ arn: 'arn', name: 'g', region: 'eu-central-1', desired: 3 }], instances: [] },
  fleetAt: '2025-12-31T23:59:00.000Z',
  named: ['i-01', 'i-02'],
  leaving: ['i-03'],
};

describe('what the housekeeper publishes', () => {
  it.each([
    ['whole', published],
    ['without claim and fleet', { ...published, claim: null, fleet: null, fleetAt: null, named: [] }],
  ] as const)('is read as it was written: %s', (_name, value) => {
    expect(decodePublished(encodePublished(value))).toEqual(value);
  });

  it.each([
    ['no JSON', '{'],
    ['nothing', ''],
    ['null', 'null'],
    ['a number', '7'],
    ['a list', '[]'],
    ['of a later format', JSON.stringify({ ...published, format: 2 })],
    ['without its author', JSON.stringify({ ...published, by: undefined })],
    ['without names', JSON.stringify({ ...published, named: 'i-01' })],
  ])('is no hint where it is %s', (_name, value) => {
    expect(decodePublished(value)).toBe(null);
  });

  it('has empty places where parts are missing', () => {
    const { format, by, at, named } = published;
    expect(decodePublished(JSON.stringify({ format, by, at, named }))).toMatchObject({
      claim: null,
      fleet: null,
      fleetAt: null,
      leaving: [],
    });
  });
});
