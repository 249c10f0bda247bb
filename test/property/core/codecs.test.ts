import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Claim } from '../../../src/core/claim.ts';
import { claimRecord, readClaim } from '../../../src/core/claim.ts';
import { markRecord, readMark } from '../../../src/core/mark.ts';
import { namesOf } from '../../../src/core/names.ts';
import { decodeAtom, decodeTxt, decodeWords, encodeAtom, encodeTxt } from '../../../src/core/txt.ts';
import { CLUSTER } from '../../fixtures/core/world.ts';

const NAME = namesOf(CLUSTER).claim;

const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
const place = { instanceId: text, region: text, address: text };
const hex = fc.stringMatching(/^[0-9a-f]{16}$/);

const claims: fc.Arbitrary<Claim> = fc.record({
  stack: text,
  epoch: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  token: text,
  state: fc.constantFrom('forming', 'formed', 'reseeding'),
  lived: fc.boolean(),
  pastTokens: fc.array(text, { maxLength: 5 }),
  groups: fc.array(text, { maxLength: 3 }),
  founders: fc.array(fc.record(place), { maxLength: 7 }),
  lost: fc.array(text, { maxLength: 7 }),
  voters: fc.array(fc.record({ memberId: hex, ...place }), { maxLength: 7 }),
  clusterId: text,
  etcd: fc.constantFrom(null, '3.4', '3.10'),
});

/** Anything that may stand in a TXT record: noise, and good claims with a few characters changed. */
const garbage = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string().map((it) => `"${it}"`),
  fc.tuple(claims, fc.nat(), fc.string({ maxLength: 3 })).map(([claim, at, noise]) => {
    const value = claimRecord(NAME, claim).values[0] ?? '';
    const cut = at % value.length;
    return value.slice(0, cut) + noise + value.slice(cut + noise.length);
  }),
);

describe('the codecs', () => {
  it('read a claim back as it was written, whatever it holds', () => {
    fc.assert(
      fc.property(claims, (claim) => {
        const record = claimRecord(NAME, claim);
        expect(readClaim(NAME, [record])).toEqual({ kind: 'claim', claim, record });
      }),
    );
  });

  it('read a mark back as it was written', () => {
    fc.assert(
      fc.property(text, text, (token, nonce) => {
        const mark = { instanceId: 'i-1', token, nonce };
        expect(readMark(CLUSTER, 'i-1', [markRecord(CLUSTER, mark)])?.mark).toEqual(mark);
      }),
    );
  });

  it('write strings that DNS takes: printable ASCII, at most 255 characters each', () => {
    fc.assert(
      fc.property(claims, (claim) => {
        const [value] = claimRecord(NAME, claim).values;
        expect(value).toMatch(/^"[!#-[\]-~ ]{0,255}"(?: "[!#-[\]-~ ]{1,255}")*$/);
      }),
    );
  });

  it('refuse garbage without throwing, and what they take for a claim they write back the same', () => {
    fc.assert(
      fc.property(fc.array(garbage, { maxLength: 2 }), (values) => {
        const reading = readClaim(NAME, [{ name: NAME, type: 'TXT', ttl: 5, values }]);
        expect(reading.kind).not.toBe('none');
        if (reading.kind !== 'claim') return;
        const again = readClaim(NAME, [claimRecord(NAME, reading.claim)]);
        expect(again).toMatchObject({ kind: 'claim', claim: reading.claim });
      }),
      { numRuns: 1_000 },
    );
  });

  it('read garbage marks without throwing', () => {
    fc.assert(
      fc.property(fc.array(garbage, { maxLength: 2 }), (values) => {
        const record = { ...markRecord(CLUSTER, { instanceId: 'i-1', token: '', nonce: '' }), values };
        expect(readMark(CLUSTER, 'i-1', [record])?.record).toBe(record);
      }),
    );
  });

  it('keep any printable text without quote and backslash, and any atom', () => {
    const printable = fc
      .string({ unit: 'grapheme-ascii', maxLength: 1_000 })
      .map((it) => it.replace(/["\\]/g, ''));
    fc.assert(fc.property(printable, (it) => decodeTxt(encodeTxt(it)) === it));
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (it) => decodeAtom(encodeAtom(it)) === it));
    fc.assert(fc.property(fc.string(), (it) => decodeWords(it) === null || it.includes('=')));
  });
});
