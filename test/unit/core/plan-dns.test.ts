import { describe, expect, it } from 'vitest';
import type { DnsCode, DnsObservation } from '../../../src/core/plan-dns.ts';
import { planDns } from '../../../src/core/plan-dns.ts';
import type { RecordChange, RecordSet } from '../../../src/core/records.ts';
import { covered, declared } from '../../fixtures/core/codes.ts';
import {
  addressSet,
  clientSets,
  dns,
  hostSet,
  rightSets,
  serverSet,
  serviceSet,
} from '../../fixtures/core/dns.ts';
import {
  CLUSTER,
  created,
  formed,
  idOf,
  markOf,
  member,
  memberIdOf,
  recordOf,
  swapped,
} from '../../fixtures/core/world.ts';

const ids = (...numbers: readonly number[]) => new Set(numbers.map((n) => memberIdOf(n)));
const replaced = (before: readonly RecordSet[], after: readonly RecordSet[]): readonly RecordChange[] =>
  before.flatMap((it, index) => swapped(it, after[index] ?? it));
const deleted = (record: RecordSet): RecordChange => ({ action: 'DELETE', record });

const FOREIGN: readonly RecordSet[] = [
  addressSet(`www.${CLUSTER}`, '192.0.2.1'),
  addressSet(`bastion.i-1.${CLUSTER}`, '192.0.2.2'),
  addressSet(`i-am-a-printer.${CLUSTER}`, '192.0.2.3'),
  { name: CLUSTER, type: 'TXT', ttl: 300, values: ['"spf"'] },
  { name: idOf(9) + `.${CLUSTER}`, type: 'TXT', ttl: 300, values: ['"note"'] },
  addressSet('i-9.mail.example.org', '192.0.2.4'),
  { name: `_ldap._tcp.${CLUSTER}`, type: 'SRV', ttl: 300, values: ['1 1 389 ldap.example.org'] },
  recordOf(formed()),
  markOf(9),
];

const LONG = { name: 'i-0123456789abcdef0', peerUrls: ['http://10.10.100.255:2380'] };

interface Case {
  readonly name: string;
  readonly seen: DnsObservation;
  readonly codes: readonly DnsCode[];
  readonly changes: readonly RecordChange[];
}

const cases: readonly Case[] = [
  { name: 'all is right', seen: dns(), codes: ['dns-right'], changes: [] },
  {
    name: 'all is right, in another order of values',
    seen: dns({ records: rightSets(1, 2, 3).map((it) => ({ ...it, values: [...it.values].reverse() })) }),
    codes: ['dns-right'],
    changes: [],
  },
  {
    name: 'nothing stands yet: everything in one batch',
    seen: dns({ records: [] }),
    codes: ['dns-change'],
    changes: created(
      ...clientSets(1, 2, 3).slice(0, 2),
      serverSet(1, 2, 3),
      ...clientSets(1, 2, 3).slice(2),
      ...[1, 2, 3].map(hostSet),
    ),
  },
  {
    name: 'a voter is not healthy: clients are not sent there, its peers know it still',
    seen: dns({ healthy: ids(1, 2) }),
    codes: ['dns-change'],
    changes: replaced(clientSets(1, 2, 3), clientSets(1, 2)),
  },
  {
    name: 'a voter missed one look: it stays where it is named',
    seen: dns({ healthy: ids(1, 2), doubtful: ids(3) }),
    codes: ['dns-right'],
    changes: [],
  },
  {
    name: 'a voter missed one look, and was not named: it is not added',
    seen: dns({
      healthy: ids(1, 2),
      doubtful: ids(3),
      records: [...clientSets(1, 2), serverSet(1, 2, 3), ...[1, 2, 3].map(hostSet)],
    }),
    codes: ['dns-right'],
    changes: [],
  },
  {
    name: 'a voter missed one look, and leaves in order',
    seen: dns({ healthy: ids(1, 2), doubtful: ids(3), leaving: new Set([idOf(3)]) }),
    codes: ['dns-change'],
    changes: [
      ...replaced(clientSets(1, 2, 3).slice(0, 2), clientSets(1, 2)),
      ...swapped(serverSet(1, 2, 3), serverSet(1, 2)),
      ...replaced(clientSets(1, 2, 3).slice(2), clientSets(1, 2).slice(2)),
    ],
  },
  {
    name: 'all missed one look: all stay named',
    seen: dns({ healthy: new Set(), doubtful: ids(1, 2, 3) }),
    codes: ['dns-right'],
    changes: [],
  },
  {
    name: 'who missed one look is a learner by now',
    seen: dns({
      members: [member(1), member(2), member(3, { learner: true })],
      healthy: ids(1, 2),
      doubtful: ids(3),
    }),
    codes: ['dns-change'],
    changes: replaced(clientSets(1, 2, 3), clientSets(1, 2)),
  },
  {
    name: 'no voter is healthy: the last values stay',
    seen: dns({ healthy: new Set() }),
    codes: ['dns-kept', 'dns-kept', 'dns-kept', 'dns-kept', 'dns-right'],
    changes: [],
  },
  {
    name: 'no voter is healthy, and nothing stands yet',
    seen: dns({ healthy: new Set(), records: [] }),
    codes: ['dns-change'],
    changes: created(serverSet(1, 2, 3), ...[1, 2, 3].map(hostSet)),
  },
  {
    name: 'who leaves in order leaves first, its own name stays as long as it is a member',
    seen: dns({ leaving: new Set([idOf(3)]) }),
    codes: ['dns-change'],
    changes: [
      ...replaced(clientSets(1, 2, 3).slice(0, 2), clientSets(1, 2)),
      ...swapped(serverSet(1, 2, 3), serverSet(1, 2)),
      ...replaced(clientSets(1, 2, 3).slice(2), clientSets(1, 2).slice(2)),
    ],
  },
  {
    name: 'all leave: those that serve stay named, as clients have nowhere else to go',
    seen: dns({ leaving: new Set([1, 2, 3].map(idOf)) }),
    codes: ['dns-right'],
    changes: [],
  },
  {
    name: 'all leave, and one is gone: it is named no more',
    seen: dns({
      members: [member(1), member(2)],
      healthy: ids(1, 2),
      leaving: new Set([1, 2].map(idOf)),
    }),
    codes: ['dns-change'],
    changes: [
      ...replaced(clientSets(1, 2, 3).slice(0, 2), clientSets(1, 2)),
      ...swapped(serverSet(1, 2, 3), serverSet(1, 2)),
      ...replaced(clientSets(1, 2, 3).slice(2), clientSets(1, 2).slice(2)),
      deleted(hostSet(3)),
    ],
  },
  {
    name: 'all leave, and one does not serve any more: clients are not sent there',
    seen: dns({ healthy: ids(1, 2), leaving: new Set([1, 2, 3].map(idOf)) }),
    codes: ['dns-change'],
    changes: replaced(clientSets(1, 2, 3), clientSets(1, 2)),
  },
  {
    name: 'who leaves serves, and who stays does not yet',
    seen: dns({
      members: [member(1), member(2, { learner: true })],
      healthy: ids(1),
      leaving: new Set([idOf(1)]),
      records: [...clientSets(1), serverSet(1), hostSet(1)],
    }),
    codes: ['dns-change'],
    changes: [...swapped(serverSet(1), serverSet(2)), ...created(hostSet(2))],
  },
  {
    name: 'nobody could be named: the last values stay, and the name that they lead to',
    seen: dns({
      members: [member(1, { name: 'etcd-a' })],
      healthy: ids(1),
      records: [...rightSets(2), hostSet(3)],
    }),
    codes: ['dns-kept', 'dns-kept', 'dns-kept', 'dns-kept', 'dns-kept', 'dns-change'],
    changes: [deleted(hostSet(3))],
  },
  {
    name: "a removed member's name goes whole",
    seen: dns({ records: [...rightSets(1, 2, 3), hostSet(4)] }),
    codes: ['dns-change'],
    changes: [deleted(hostSet(4))],
  },
  {
    name: 'a started learner is a server, and no client endpoint',
    seen: dns({ members: [member(1), member(2), member(3), member(4, { learner: true })] }),
    codes: ['dns-change'],
    changes: [...swapped(serverSet(1, 2, 3), serverSet(1, 2, 3, 4)), ...created(hostSet(4))],
  },
  {
    name: 'a member that never started is named nowhere',
    seen: dns({ members: [member(1), member(2), member(3), member(4, { clientUrls: [] })] }),
    codes: ['dns-right'],
    changes: [],
  },
  {
    name: 'a member whose name is no instance id is named nowhere',
    seen: dns({
      members: [member(1), member(2), member(3), member(4, { name: 'etcd-a' })],
      healthy: ids(1, 2, 3, 4),
    }),
    codes: ['dns-right'],
    changes: [],
  },
  {
    name: 'a member whose peer URL has no address that an A record can hold is named nowhere',
    seen: dns({
      members: [
        member(1),
        member(2),
        member(3),
        member(4, { peerUrls: ['http://host.example.org:2380'] }),
        member(5, { peerUrls: [] }),
        member(6, { peerUrls: ['http://host10.0.0.6:2380'] }),
        member(7, { peerUrls: ['http://10.0.0.7.example.org:2380'] }),
      ],
      healthy: ids(1, 2, 3, 4, 5, 6, 7),
    }),
    codes: ['dns-right'],
    changes: [],
  },
  {
    name: 'instance ids of full length, and addresses of any length, are named like the short ones here',
    seen: dns({
      members: [1, 2, 3].map((n) => member(n, n === 3 ? LONG : {})),
      records: [addressSet(`i-0fedcba9876543210.${CLUSTER}`, '10.0.0.4'), ...rightSets(1, 2)],
    }),
    codes: ['dns-change'],
    changes: [
      ...[CLUSTER, `etcd-server.${CLUSTER}`].flatMap((name) =>
        swapped(
          addressSet(name, '10.0.0.1', '10.0.0.2'),
          addressSet(name, '10.0.0.1', '10.0.0.2', '10.10.100.255'),
        ),
      ),
      ...[['_etcd-server', 2380] as const, ['_etcd', 2379] as const, ['_etcd-client', 2379] as const].flatMap(
        ([service, port]) => {
          const set = serviceSet(`${service}._tcp.${CLUSTER}`, port, 1, 2);
          const long = `1 1 ${port} ${LONG.name}.${CLUSTER}`;
          return swapped(set, { ...set, values: [long, ...set.values] });
        },
      ),
      ...created(addressSet(`${LONG.name}.${CLUSTER}`, '10.10.100.255')),
      deleted(addressSet(`i-0fedcba9876543210.${CLUSTER}`, '10.0.0.4')),
    ],
  },
  {
    name: 'as many values, one of which is another',
    seen: dns({ records: [...rightSets(1, 2, 4).filter((it) => it.name !== hostSet(4).name), hostSet(3)] }),
    codes: ['dns-change'],
    changes: [
      ...replaced(clientSets(1, 2, 4).slice(0, 2), clientSets(1, 2, 3)),
      ...swapped(serverSet(1, 2, 4), serverSet(1, 2, 3)),
      ...replaced(clientSets(1, 2, 4).slice(2), clientSets(1, 2, 3).slice(2)),
    ],
  },
  {
    name: 'another TTL is mended, naming the values read',
    seen: dns({
      records: [{ ...serverSet(1, 2, 3), ttl: 300 }, ...clientSets(1, 2, 3), ...[1, 2, 3].map(hostSet)],
    }),
    codes: ['dns-change'],
    changes: swapped({ ...serverSet(1, 2, 3), ttl: 300 }, serverSet(1, 2, 3)),
  },
  {
    name: 'records of others under the name are left alone',
    seen: dns({ records: [...rightSets(1, 2, 3), ...FOREIGN] }),
    codes: ['dns-right'],
    changes: [],
  },
  {
    name: 'the fleet is unknown: nothing is taken away',
    seen: dns({ healthy: ids(1, 2), fleetKnown: false, records: [...rightSets(1, 2, 3), hostSet(4)] }),
    codes: ['dns-fleet-unknown', 'dns-right'],
    changes: [],
  },
  {
    name: 'the fleet is unknown, and nothing stands yet: what is right is added, and nothing else',
    seen: dns({ fleetKnown: false, records: [] }),
    codes: ['dns-fleet-unknown', 'dns-change'],
    changes: created(
      ...clientSets(1, 2, 3).slice(0, 2),
      serverSet(1, 2, 3),
      ...clientSets(1, 2, 3).slice(2),
      ...[1, 2, 3].map(hostSet),
    ),
  },
];

describe('planDns', () => {
  it.each([
    [
      { fleetFailure: 'AccessDenied: no' },
      'the fleet is unknown (AccessDenied: no): records are added, none is taken away',
    ],
    [{}, 'the fleet is unknown: records are added, none is taken away'],
  ])("says in AWS's own words why the fleet is unknown: %o", (failure, sentence) => {
    const { reasons } = planDns(dns({ fleetKnown: false, ...failure }));
    expect(reasons).toContainEqual({ code: 'dns-fleet-unknown', sentence });
  });

  it.each(cases)('$name: $codes', (row) => {
    const plan = planDns(row.seen);
    expect(plan.reasons.map((it) => it.code)).toEqual(row.codes);
    expect(plan.changes).toEqual(row.changes);
  });

  it('shows every code that DNS can have', () => {
    expect(covered(cases.flatMap((row) => row.codes))).toEqual(
      declared<DnsCode>({
        'dns-right': true,
        'dns-change': true,
        'dns-kept': true,
        'dns-fleet-unknown': true,
      }),
    );
  });
});
