import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import type { AsideEntry, DataIdentity } from '../../../src/core/local-data.ts';
import type { RetentionCode } from '../../../src/core/plan-retention.ts';
import { planRetention } from '../../../src/core/plan-retention.ts';
import { formed, forming, identity } from '../../fixtures/core/world.ts';

function aside(
  label: string,
  more: Partial<DataIdentity> | null,
  rest: Partial<AsideEntry> = {},
): AsideEntry {
  return {
    directory: label,
    identity: more === null ? null : identity(more),
    at: '2026-01-01T00:00:00Z',
    reason: 'removed-while-away',
    ...rest,
  };
}

const FIRST = { at: '2026-01-01T00:00:00Z' };
const LATER = { at: '2026-01-02T00:00:00Z' };
const UNBORN = { formed: false, epoch: 1, token: 'token-9', clusterId: '9'.repeat(16) };

const CASES: readonly {
  readonly name: string;
  readonly aside: readonly AsideEntry[];
  readonly claim?: Parameters<typeof planRetention>[1];
  readonly goes: readonly [label: string, code: RetentionCode] | null;
}[] = [
  { name: 'nothing', aside: [], goes: null },
  { name: "the only data of a voter's", aside: [aside('a', {})], goes: null },
  { name: 'data that nobody can name', aside: [aside('a', null), aside('b', null, LATER)], goes: null },
  {
    name: "what was never a voter's goes first, the oldest of it",
    aside: [
      aside('older', {}),
      aside('newer', {}, LATER),
      aside('l2', { voter: false }, LATER),
      aside('l1', { voter: false }),
    ],
    goes: ['l1', 'discard-never-voter'],
  },
  ...[
    ['l1', 'l2', 'l3'],
    ['l2', 'l3', 'l1'],
    ['l3', 'l1', 'l2'],
    ['l3', 'l2', 'l1'],
  ].map((order) => ({
    name: `the oldest goes first, found in the order ${order.join()}`,
    aside: order.map((it) => aside(it, { voter: false }, { at: `2026-01-0${it.slice(1)}` })),
    goes: ['l1', 'discard-never-voter'] as const,
  })),
  {
    name: 'what was never born goes before what is older',
    aside: [aside('older', {}), aside('newer', {}, LATER), aside('unborn', UNBORN, LATER)],
    claim: formed({ epoch: 2 }),
    goes: ['unborn', 'discard-never-born'],
  },
  {
    name: 'data that nobody can name, and a later epoch is formed',
    aside: [aside('a', null)],
    claim: formed({ epoch: 2 }),
    goes: null,
  },
  {
    name: 'never formed, as far as it knows, and the claim is unknown',
    aside: [aside('a', UNBORN)],
    goes: null,
  },
  {
    name: 'never formed, as far as it knows, and its own epoch is formed',
    aside: [aside('a', UNBORN)],
    claim: formed({ epoch: 1 }),
    goes: null,
  },
  {
    name: 'never formed, and the later epoch is not formed either',
    aside: [aside('a', UNBORN)],
    claim: forming({ epoch: 2 }),
    goes: null,
  },
  {
    name: 'never formed, as far as it knows, and the claim says that its epoch once lived',
    aside: [aside('a', UNBORN)],
    claim: formed({ epoch: 2, pastTokens: [UNBORN.token] }),
    goes: null,
  },
  {
    name: 'never formed, as far as it knows, and the claim was written again for its cluster',
    aside: [aside('a', UNBORN)],
    claim: formed({ epoch: 2, clusterId: UNBORN.clusterId }),
    goes: null,
  },
  {
    name: 'never formed, as far as it knows, and the claim was written again with its token',
    aside: [aside('a', UNBORN)],
    claim: formed({ epoch: 2, token: UNBORN.token }),
    goes: null,
  },
  {
    name: 'formed, of an earlier epoch',
    aside: [aside('a', { ...UNBORN, formed: true })],
    claim: formed({ epoch: 2 }),
    goes: null,
  },
  {
    name: 'older data of the same cluster',
    aside: [aside('newer', {}, LATER), aside('older', {}, FIRST)],
    goes: ['older', 'discard-older'],
  },
  {
    name: 'older data of another cluster',
    aside: [aside('newer', {}, LATER), aside('older', { clusterId: '8'.repeat(16) }, FIRST)],
    goes: null,
  },
  {
    name: 'older data of the same cluster, and the newer ones are damaged',
    aside: [aside('newer', {}, { ...LATER, reason: 'damaged-data' }), aside('older', {}, FIRST)],
    goes: null,
  },
  {
    name: 'older data of the same cluster, and the newer ones were damaged before their member was removed',
    aside: [
      aside('newer', { damaged: true }, { ...LATER, reason: 'removed-while-away' }),
      aside('older', {}, FIRST),
    ],
    goes: null,
  },
  {
    name: 'older data, and newer ones that nobody can name',
    aside: [aside('newer', null, LATER), aside('older', {}, FIRST)],
    goes: null,
  },
  {
    name: 'data of the same cluster and of the same moment',
    aside: [aside('a', {}), aside('b', {})],
    goes: null,
  },
  {
    name: 'data of no known cluster',
    aside: [aside('newer', { clusterId: null }, LATER), aside('older', { clusterId: null }, FIRST)],
    goes: null,
  },
  {
    name: 'data of no known time',
    aside: [aside('newer', {}, LATER), aside('older', {}, { at: '' })],
    goes: null,
  },
];

describe('what makes room when the disk is short', () => {
  it.each(CASES)('$name', ({ aside: entries, claim, goes }) => {
    const discard = planRetention(entries, claim ?? null);
    expect(discard === null ? null : [discard.entry.directory, discard.reason.code]).toEqual(goes);
  });

  it('is never the newest intact data of a voter of any cluster, however often it is asked', () => {
    const entries = fc.array(
      fc.record({
        cluster: fc.constantFrom('a', 'b', null),
        voter: fc.boolean(),
        formed: fc.boolean(),
        at: fc.constantFrom('', '1', '2', '3'),
        damaged: fc.boolean(),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(entries, fc.boolean(), (drawn, known) => {
        let left = drawn.map((it, index) =>
          aside(
            String(index),
            { clusterId: it.cluster, voter: it.voter, formed: it.formed, token: 'token-9', epoch: 1 },
            { at: it.at, reason: it.damaged ? 'damaged-data' : 'other' },
          ),
        );
        const claim = known ? formed({ epoch: 2 }) : null;
        const born = (it: AsideEntry): boolean =>
          it.identity?.voter === true && (it.identity.formed || !known);
        const newest = new Map<string, AsideEntry>();
        for (const it of left.filter((entry) => born(entry) && entry.reason !== 'damaged-data')) {
          const cluster = it.identity?.clusterId ?? '';
          if (it.at > (newest.get(cluster)?.at ?? '')) newest.set(cluster, it);
        }
        for (
          let discard = planRetention(left, claim);
          discard !== null;
          discard = planRetention(left, claim)
        ) {
          const { entry } = discard;
          left = left.filter((it) => it !== entry);
        }
        for (const it of newest.values()) expect(left).toContain(it);
      }),
    );
  });
});
