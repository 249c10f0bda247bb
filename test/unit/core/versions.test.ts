import { describe, expect, it } from 'vitest';
import { compareVersions, minorOf, pickBinary } from '../../../src/core/versions.ts';

describe('versions', () => {
  it.each([
    ['3.5.35', '3.5'],
    ['3.5', '3.5'],
    ['3.10.1', '3.10'],
  ])('%s is of minor %s', (version, minor) => {
    expect(minorOf(version)).toBe(minor);
  });

  it.each([
    ['3.5.9', '3.5.10', -1],
    ['3.10.0', '3.9.9', 1],
    ['4.0.0', '3.9.9', 1],
    ['3.5.0', '3.5', 0],
    ['3.5', '3.5.1', -1],
    ['3.5.1', '3.5', 1],
    ['3.5.35', '3.5.35', 0],
    ['3', '3.0.0', 0],
    ['3.5.1.9', '3.5.1.2', 0],
  ])('%s against %s: %d', (a, b, sign) => {
    expect(Math.sign(compareVersions(a, b))).toBe(sign);
  });
});

describe('pickBinary', () => {
  const installed = ['3.5.9', '3.5.35', '3.6.1', '3.4.40'].map((version) => ({
    version,
    minor: minorOf(version),
  }));

  it.each([
    [null, '3.6.1'],
    ['3.5.9', '3.5.9'],
    ['3.5.20', '3.5.35'],
    ['3.5', '3.5.35'],
    ['3.4', '3.4.40'],
    ['3.7', null],
    ['3.7.1', null],
  ])('%s gives %s', (wanted, version) => {
    expect(pickBinary(installed, wanted)).toBe(version);
  });

  it('gives none where none is installed', () => {
    expect([pickBinary([], null), pickBinary([], '3.5')]).toEqual([null, null]);
  });
});
