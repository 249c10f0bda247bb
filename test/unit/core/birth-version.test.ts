import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { birthVersion, foundingVersion, largestShare } from '../../../src/core/birth-version.ts';
import type { EtcdAtHand } from '../../../src/core/birth.ts';
import { compareVersions, minorOf } from '../../../src/core/versions.ts';

const has = (installed: readonly string[], wanted: string | null = null): EtcdAtHand => ({
  installed,
  wanted,
});

function of(...founders: readonly (EtcdAtHand | null)[]): ReturnType<typeof birthVersion> {
  return birthVersion(founders.map((etcd, index) => ({ instanceId: `i-${index + 1}`, etcd })));
}

describe('the minor of a birth', () => {
  it.each([
    ['what is configured', '3.5', has(['3.4.45', '3.5.35', '3.6.16'], '3.5')],
    ['what is configured as a version', '3.5', has(['3.4.45', '3.5.35', '3.6.16'], '3.5.35')],
    ['the newest where nothing is', '3.10', has(['3.9.1', '3.10.0'])],
  ])('is %s', (_name, minor, etcd) => {
    expect(of(etcd, etcd)).toEqual({ kind: 'chosen', minor });
  });

  it('is the lowest that one of them is for, by number', () => {
    const all = ['3.9.1', '3.10.0'];
    expect(of(has(all), has(all, '3.9'))).toEqual({ kind: 'chosen', minor: '3.9' });
  });

  it('is one that another is for, where the lowest is not on all', () => {
    expect(of(has(['3.4.45', '3.5.35'], '3.4'), has(['3.5.35']))).toEqual({ kind: 'chosen', minor: '3.5' });
  });

  it('is none that nobody is for, though all have it', () => {
    expect(of(has(['3.4.45', '3.5.35'], '3.5'), has(['3.4.45', '3.6.16'], '3.6'))).toEqual({
      kind: 'none',
      why: 'i-1 has 3.4.45 and 3.5.35 and is to have 3.5, i-2 has 3.4.45 and 3.6.16 and is to have 3.6',
    });
  });

  it('is none where one is for what it has not', () => {
    expect(of(has(['3.5.35'], '3.6'))).toMatchObject({ kind: 'none' });
  });

  it("is each one's own where one does not say what it has", () => {
    expect(of(has(['3.4.45']), null, has(['3.6.16']))).toEqual({ kind: 'chosen', minor: null });
  });

  it('is on all founders, one of them is for it, and the order of the founders is nothing to it', () => {
    const versions = ['3.4.23', '3.4.45', '3.5.35', '3.6.16', '3.7.3'];
    const etcds = fc.record({
      installed: fc.subarray(versions),
      wanted: fc.constantFrom(null, null, '3.4', '3.5', '3.6.16', '3.7'),
    });
    fc.assert(
      fc.property(fc.array(etcds, { minLength: 1, maxLength: 5 }), (all) => {
        const chosen = of(...all);
        expect(of(...all.toReversed()).kind).toBe(chosen.kind);
        const targets = all.flatMap(({ installed, wanted }) => wanted ?? installed.at(-1) ?? []).map(minorOf);
        const onAll = targets.filter((minor) =>
          all.every(({ installed }) => installed.some((it) => minorOf(it) === minor)),
        );
        const minor = onAll.toSorted(compareVersions)[0];
        expect(chosen).toMatchObject(minor === undefined ? { kind: 'none' } : { kind: 'chosen', minor });
        if (minor === undefined) return;
        expect(all.map((it) => minorOf(foundingVersion(it, minor) ?? ''))).toEqual(all.map(() => minor));
      }),
    );
  });
});

describe('the most that share a minor', () => {
  const share = (...all: readonly (EtcdAtHand | null)[]): readonly [string, ...string[]] | null => {
    const found = largestShare(all.map((etcd, index) => ({ instanceId: `i-${index + 1}`, etcd })));
    return found === null ? null : [found.minor, ...found.sharing.map((it) => it.instanceId)];
  };

  it.each([
    [
      'are those of the minor that most have',
      [has(['3.4.45']), has(['3.6.16']), has(['3.5.35', '3.6.16'])],
      ['3.6', 'i-2', 'i-3'],
    ],
    ['are of as many those of the lowest', [has(['3.6.16']), has(['3.4.45'])], ['3.4', 'i-2']],
    [
      'are that, too, beside one without any etcd',
      [has(['3.6.16']), has([]), has(['3.4.45'])],
      ['3.4', 'i-3'],
    ],
    [
      'have what one of them is for',
      [has(['3.4.45', '3.5.35'], '3.5'), has(['3.4.45', '3.6.16'], '3.6')],
      ['3.5', 'i-1'],
    ],
    ['are none where nobody has what it is for', [has(['3.5.35'], '3.6'), has([])], null],
    ['are none where one does not say what it has', [has(['3.5.35']), null], null],
  ])('%s', (_name, all, expected) => {
    expect(share(...all)).toEqual(expected);
  });
});

describe('the binary of a founder', () => {
  it.each([
    ['the newest of the minor', has(['3.5.20', '3.5.35', '3.6.16']), '3.5.35'],
    ['the configured one where it is of the minor', has(['3.5.20', '3.5.35'], '3.5.20'), '3.5.20'],
    [
      'the newest of the minor where another is configured',
      has(['3.5.20', '3.5.35', '3.6.16'], '3.6'),
      '3.5.35',
    ],
    ['none where the minor is not there', has(['3.6.16']), null],
  ])('is %s', (_name, etcd, version) => {
    expect(foundingVersion(etcd, '3.5')).toBe(version);
  });
});
