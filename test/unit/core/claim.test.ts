import { describe, expect, it } from 'vitest';
import { encodeClaim, formingLimitMs, foundingClaim, readClaim } from '../../../src/core/claim.ts';
import { allMarks, readMark } from '../../../src/core/mark.ts';
import { clusterLabel, namesOf } from '../../../src/core/names.ts';
import { encodeTxt } from '../../../src/core/txt.ts';
import {
  CLUSTER,
  formed,
  forming,
  founder,
  hexOf,
  idOf,
  markOf,
  recordOf,
} from '../../fixtures/core/world.ts';

const NAME = namesOf(CLUSTER).claim;

function written(...values: readonly string[]) {
  return [{ name: NAME, type: 'TXT', ttl: 5, values }] as const;
}

/** The text of a good claim, with one thing changed. */
function changed(from: string | RegExp, to: string) {
  return written(encodeTxt(encodeClaim(formed()).replace(from, to)));
}

describe('a claim', () => {
  it('reads as text that an operator understands', () => {
    const text = encodeClaim(forming({ founders: [founder(1)], groups: ['arn:aws:x'], lost: [idOf(1)] }));
    expect(text).toBe(
      'v=1 stack=etcd-main epoch=1 state=forming lived=no token=token-1 cluster= past= groups=arn:aws:x ' +
        'founders=i-1/eu-west-1/10.0.0.1 lost=i-1 voters=',
    );
  });

  it('is read back as it was written', () => {
    for (const claim of [forming(), formed()]) {
      expect(readClaim(NAME, [recordOf(claim)])).toEqual({ kind: 'claim', claim, record: recordOf(claim) });
    }
  });

  it('ignores words that it does not know', () => {
    expect(readClaim(NAME, changed('v=1', 'v=1 weather=fine')).kind).toBe('claim');
  });

  it('is none where only other records stand', () => {
    expect(readClaim(NAME, [markOf(1), { ...recordOf(forming()), name: CLUSTER }]).kind).toBe('none');
  });

  it.each([
    ['no value', written()],
    ['two values', written(encodeTxt('v=1'), encodeTxt('v=1'))],
    ['no words', written('"hello world"')],
    ['no TXT notation', written('v=1')],
    ['an empty string', written('""')],
    ['a newer format', changed('v=1', 'v=2')],
    ['no stack', changed('stack=etcd-main', 'stack=')],
    ['no token', changed('token=token-1', 'token=')],
    ['a state that is not known', changed('state=formed', 'state=merging')],
    ['epoch zero', changed('epoch=1', 'epoch=0')],
    ['an epoch that is no number', changed('epoch=1', 'epoch=one')],
    ['an epoch in another notation', changed('epoch=1', 'epoch=0x10')],
    ['a word twice', changed('v=1', 'v=1 epoch=2')],
    ['a formed cluster without an id', changed(/cluster=[0-9a-f]+/, 'cluster=')],
    ['a voter without a member id', changed(/voters=[0-9a-f]{16}/, 'voters=1')],
    ['a voter with a word more', changed(/\/10\.0\.0\.1/, '/10.0.0.1/x')],
    ['a stack that is no atom', changed('stack=etcd-main', 'stack=%E0%A4%A')],
  ])('is never guessed: %s', (_name, records) => {
    expect(readClaim(NAME, records).kind).toBe('unreadable');
  });
});

describe('the next claim', () => {
  const birth = { stack: 'etcd-main', token: 'next', groups: ['b', 'a'], founders: [founder(2), founder(1)] };

  it('counts on, forgets a token that was never formed, and remembers the last five that were', () => {
    expect(foundingClaim({ ...birth, before: forming({ epoch: 4, pastTokens: ['p'] }) })).toMatchObject({
      epoch: 5,
      pastTokens: ['p'],
      lived: false,
      state: 'forming',
    });
    const past = ['a', 'b', 'c', 'd', 'e'];
    expect(foundingClaim({ ...birth, before: formed({ pastTokens: past }) }).pastTokens).toEqual([
      'token-1',
      'a',
      'b',
      'c',
      'd',
    ]);
  });

  it('is the same text whoever writes it', () => {
    const one = foundingClaim({ ...birth, before: null });
    const two = foundingClaim({
      ...birth,
      groups: ['a', 'b'],
      founders: [founder(1), founder(2)],
      before: null,
    });
    expect(encodeClaim(one)).toBe(encodeClaim(two));
  });

  it.each([
    [1, 180_000],
    [2, 360_000],
    [4, 1_440_000],
    [5, 1_800_000],
    [4_000, 1_800_000],
  ])('of epoch %d may stand forming for %d ms', (epoch, limitMs) => {
    expect(formingLimitMs(forming({ epoch }), 180_000, 1_800_000)).toBe(limitMs);
  });
});

describe('a mark', () => {
  it('is read back as it was written, and found among other records', () => {
    const records = [recordOf(forming()), markOf(1), markOf(2, 'token-1', hexOf('n'))];
    expect(readMark(CLUSTER, idOf(1), records)?.mark).toEqual({
      instanceId: idOf(1),
      token: 'token-1',
      nonce: 'nonce-1',
    });
    expect(readMark(CLUSTER, idOf(3), records)).toBeNull();
    expect(allMarks(CLUSTER, records).map((it) => it.instanceId)).toEqual([idOf(1), idOf(2)]);
  });

  it("that is malformed is nobody's token and nonce", () => {
    const record = { ...markOf(1), values: ['garbage'] };
    expect(readMark(CLUSTER, idOf(1), [record])?.mark).toEqual({ instanceId: idOf(1), token: '', nonce: '' });
  });
});

describe('clusterLabel', () => {
  it.each([
    ['etcd-cluster-main', 'main'],
    ['main', 'main'],
    ['etcd-MAIN', 'main'],
  ])('%s: %s', (stack, label) => {
    expect(clusterLabel(stack)).toBe(label);
  });
});
