import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DnsObservation } from '../../../src/core/plan-dns.ts';
import { planDns } from '../../../src/core/plan-dns.ts';
import type { RecordSet } from '../../../src/core/records.ts';
import { hostName, hostOfService, namesOf } from '../../../src/core/names.ts';
import { memberLists, NUMBERS } from '../../fixtures/core/arbitrary.ts';
import {
  addressSet,
  applyBatch,
  clientSets,
  hostSet,
  rightSets,
  serverSet,
} from '../../fixtures/core/dns.ts';
import { CLUSTER, forming, idOf, markOf, memberIdOf, recordOf } from '../../fixtures/core/world.ts';

const OURS = new Set(rightSets(...NUMBERS).map((it) => `${it.name} ${it.type}`));
const NEVER_EMPTY = new Set([...clientSets(1), serverSet(1)].map((it) => `${it.name} ${it.type}`));

const FOREIGN: readonly RecordSet[] = [
  addressSet(`www.${CLUSTER}`, '192.0.2.1'),
  addressSet(`i-am-mine.${CLUSTER}`, '192.0.2.2'),
  addressSet(`i-1.other.${CLUSTER}`, '192.0.2.2'),
  { name: CLUSTER, type: 'TXT', ttl: 300, values: ['"spf"'] },
  { name: `_ldap._tcp.${CLUSTER}`, type: 'SRV', ttl: 300, values: ['1 1 389 ldap.example.org'] },
  { name: `_etcd._tcp.${CLUSTER}`, type: 'TXT', ttl: 300, values: ['"x"'] },
  recordOf(forming()),
  markOf(1),
];

/** Right sets, sets of another time, sets with another TTL, sets of others, or none at all. */
const zones: fc.Arbitrary<readonly RecordSet[]> = fc
  .tuple(
    fc.subarray([...NUMBERS], { minLength: 1 }),
    fc.constantFrom(60, 300),
    fc.infiniteStream(fc.boolean()),
  )
  .map(([numbers, ttl, coins]) => [
    ...[...clientSets(...numbers), serverSet(...numbers), ...numbers.map(hostSet)]
      .filter(() => coins.next().value)
      .map((it) => (coins.next().value === true ? it : { ...it, ttl })),
    ...FOREIGN,
  ]);

const observations: fc.Arbitrary<DnsObservation> = fc
  .record({
    records: zones,
    members: memberLists,
    healthy: fc.subarray([...NUMBERS]),
    doubtful: fc.subarray([...NUMBERS]),
    leaving: fc.subarray([...NUMBERS]),
    fleetKnown: fc.boolean(),
  })
  .map((it) => ({
    ...it,
    cluster: CLUSTER,
    healthy: new Set(it.healthy.map((n) => memberIdOf(n))),
    doubtful: new Set(it.doubtful.map((n) => memberIdOf(n))),
    leaving: new Set(it.leaving.map(idOf)),
  }));

function applied(seen: DnsObservation): readonly RecordSet[] {
  const after = applyBatch(seen.records, planDns(seen).changes);
  if (after === null) throw new Error('Route 53 would refuse the batch');
  return after;
}

const keyOf = (record: RecordSet): string => `${record.name} ${record.type}`;

describe('planDns', () => {
  it('makes batches that are compare-and-swaps: each DELETE names exactly a record read, each CREATE a free name', () => {
    fc.assert(
      fc.property(observations, (seen) => {
        for (const { action, record } of planDns(seen).changes) {
          if (action === 'DELETE') expect(seen.records).toContainEqual(record);
        }
        applied(seen);
      }),
      { numRuns: 1_000 },
    );
  });

  it('changes nothing when its changes were made', () => {
    fc.assert(
      fc.property(observations, (seen) => {
        expect(planDns({ ...seen, records: applied(seen) }).changes).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });

  it('fails whole instead of undoing what another did in between', () => {
    fc.assert(
      fc.property(observations, observations, (seen, other) => {
        const { changes } = planDns(seen);
        const between = applied({ ...other, records: seen.records });
        const touched = new Set(changes.map((it) => keyOf(it.record)));
        const clash = planDns({ ...other, records: seen.records }).changes.some((it) =>
          touched.has(keyOf(it.record)),
        );
        if (changes.length > 0 && clash) expect(applyBatch(between, changes)).toBeNull();
      }),
    );
  });

  it('never empties a client or server set that stands', () => {
    fc.assert(
      fc.property(observations, (seen) => {
        const after = applied(seen);
        for (const before of seen.records.filter((it) => NEVER_EMPTY.has(keyOf(it)))) {
          expect(after.find((it) => keyOf(it) === keyOf(before))?.values.length ?? 0).toBeGreaterThan(0);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('never takes away the address that a name of a server or a client leads to', () => {
    fc.assert(
      fc.property(observations, (seen) => {
        const after = applied(seen);
        const led = new Set(
          after
            .filter((it) => NEVER_EMPTY.has(keyOf(it)) && it.type === 'SRV')
            .flatMap((it) => it.values.map(hostOfService)),
        );
        for (const before of seen.records.filter((it) => it.type === 'A' && led.has(it.name)))
          expect(after.map(keyOf)).toContain(keyOf(before));
      }),
      { numRuns: 1_000 },
    );
  });

  it('names who leaves only where nobody else serves', () => {
    fc.assert(
      fc.property(observations, (observed) => {
        const seen = { ...observed, fleetKnown: true };
        const clients = namesOf(CLUSTER).srvClient[0];
        const isNamed = (id: string): boolean =>
          applied(seen)
            .find((it) => it.type === 'SRV' && it.name === clients)
            ?.values.some((it) => hostOfService(it) === hostName(CLUSTER, id)) ?? false;
        const serving = seen.members.filter((it) => !it.learner && it.name !== '' && seen.healthy.has(it.id));
        const stays = serving.some((it) => !seen.leaving.has(it.name));
        for (const { name } of serving.filter((it) => seen.leaving.has(it.name)))
          if (stays) expect(isNamed(name)).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });

  it('touches only records of ours', () => {
    fc.assert(
      fc.property(observations, (seen) => {
        for (const { record } of planDns(seen).changes) expect(OURS).toContain(keyOf(record));
      }),
      { numRuns: 1_000 },
    );
  });

  it('takes nothing away while the fleet is unknown', () => {
    fc.assert(
      fc.property(observations, (observed) => {
        const seen = { ...observed, fleetKnown: false };
        const after = applied(seen);
        for (const before of seen.records) {
          const values = after.find((it) => keyOf(it) === keyOf(before))?.values ?? [];
          expect(values).toEqual(expect.arrayContaining([...before.values]));
        }
      }),
    );
  });

  it('sends clients to healthy voters that stay, to doubtful ones where they are named, and to nobody else', () => {
    const clients = (records: readonly RecordSet[]): readonly string[] =>
      records.find((it) => it.name === CLUSTER && it.type === 'A')?.values ?? [];
    fc.assert(
      fc.property(observations, (observed) => {
        const seen = { ...observed, fleetKnown: true };
        const staying = seen.members.filter(
          (it) => !it.learner && it.name !== '' && !seen.leaving.has(it.name),
        );
        const before = clients(seen.records);
        const named = staying
          .map(({ id, peerUrls }) => ({ id, address: peerUrls[0]?.replace(/^http:\/\/|:2380$/g, '') ?? '' }))
          .filter(
            ({ id, address }) => seen.healthy.has(id) || (seen.doubtful.has(id) && before.includes(address)),
          );
        if (named.length === 0) return;
        expect([...clients(applied(seen))].sort()).toEqual(named.map((it) => it.address).sort());
      }),
    );
  });
});
