import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import dnsPacket, { type Packet, type RecordType } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { ChangeResourceRecordSetsCommand, type RRType } from '@aws-sdk/client-route-53';
import { startCloud } from './cloud-fixture.ts';

type DecodedPacket = Packet & {
  readonly rcode?: string;
  readonly flag_tc?: boolean;
  readonly flag_aa?: boolean;
};

async function startDns() {
  const test = await startCloud();
  const zone = test.cloud.createZone('example.org');
  const put = (Name: string, Type: RRType, ...values: readonly string[]) =>
    test.route53.send(
      new ChangeResourceRecordSetsCommand({
        HostedZoneId: zone,
        ChangeBatch: {
          Changes: [
            {
              Action: 'UPSERT',
              ResourceRecordSet: { Name, Type, TTL: 60, ResourceRecords: values.map((Value) => ({ Value })) },
            },
          ],
        },
      }),
    );
  const query = (name: string, type: RecordType): Packet => ({
    type: 'query',
    id: 4711,
    questions: [{ name, type }],
  });

  const overUdp = async (packet: Packet): Promise<DecodedPacket> => {
    const socket = createSocket('udp4');
    try {
      socket.send(dnsPacket.encode(packet), test.dns.port, test.dns.host);
      const [message] = (await once(socket, 'message')) as [Buffer];
      return dnsPacket.decode(message);
    } finally {
      socket.close();
    }
  };
  const overTcp = async (...packets: readonly Packet[]): Promise<DecodedPacket> => {
    const socket = connect(test.dns.port, test.dns.host);
    try {
      for (const packet of packets) socket.write(dnsPacket.streamEncode(packet));
      let received = Buffer.alloc(0);
      for await (const chunk of socket as AsyncIterable<Buffer>) {
        received = Buffer.concat([received, chunk]);
        if (received.length >= 2 + received.readUInt16BE(0)) break;
      }
      return dnsPacket.streamDecode(received);
    } finally {
      socket.destroy();
    }
  };
  const resolver = new Resolver({ timeout: 2_000, tries: 1 });
  resolver.setServers([`${test.dns.host}:${String(test.dns.port)}`]);
  return { ...test, put, query, overUdp, overTcp, resolver };
}

describe('the DNS of the sandbox', () => {
  it('answers from Route 53 as it is now, whatever the case of the name', async () => {
    await using test = await startDns();
    await test.put('demo.example.org', 'A', '10.0.0.1', '10.0.0.2');
    expect((await test.resolver.resolve4('DEMO.Example.org')).toSorted()).toEqual(['10.0.0.1', '10.0.0.2']);
    await test.put('demo.example.org', 'A', '10.0.0.3');
    expect(await test.resolver.resolve4('demo.example.org', { ttl: true })).toEqual([
      { address: '10.0.0.3', ttl: 60 },
    ]);
  });

  it('is authoritative, and repeats the question as it was asked', async () => {
    await using test = await startDns();
    await test.put('demo.example.org', 'A', '10.0.0.1');
    const answer = await test.overUdp(test.query('dEmO.example.org', 'A'));
    expect(answer).toMatchObject({ id: 4711, type: 'response', rcode: 'NOERROR', flag_aa: true });
    expect(answer.questions?.[0]?.name).toBe('dEmO.example.org');
    expect(answer.answers?.[0]?.name).toBe('dEmO.example.org');
  });

  it('adds the addresses of SRV targets', async () => {
    await using test = await startDns();
    await test.put(
      '_etcd._tcp.demo.example.org',
      'SRV',
      '1 1 2379 i-1.demo.example.org',
      '1 1 2379 i-2.demo.example.org.',
    );
    await test.put('i-1.demo.example.org', 'A', '10.0.0.1');
    await test.put('i-2.demo.example.org', 'A', '10.0.0.2');
    const answer = await test.overUdp(test.query('_etcd._tcp.demo.example.org', 'SRV'));
    expect(answer.answers).toHaveLength(2);
    expect(answer.additionals?.map((it) => ('data' in it ? [it.name, it.data] : []))).toEqual([
      ['i-1.demo.example.org', '10.0.0.1'],
      ['i-2.demo.example.org', '10.0.0.2'],
    ]);
    expect(
      (await test.resolver.resolveSrv('_etcd._tcp.demo.example.org')).map((it) => [it.name, it.port]),
    ).toEqual(
      expect.arrayContaining([
        ['i-1.demo.example.org', 2379],
        ['i-2.demo.example.org', 2379],
      ]),
    );
  });

  it('joins nothing and splits nothing of TXT', async () => {
    await using test = await startDns();
    const long = 'x'.repeat(255);
    await test.put('t.example.org', 'TXT', `"${long}" "a \\"b\\" c"`, '"other"');
    const texts = await test.resolver.resolveTxt('t.example.org');
    expect(texts).toEqual(expect.arrayContaining([[long, 'a "b" c'], ['other']]));
  });

  it('tells no such name from no such type, with the SOA in both', async () => {
    await using test = await startDns();
    await test.put('i-1.demo.example.org', 'A', '10.0.0.1');
    const absent = await test.overUdp(test.query('none.example.org', 'A'));
    expect(absent).toMatchObject({
      rcode: 'NXDOMAIN',
      answers: [],
      authorities: [{ type: 'SOA', name: 'example.org' }],
    });
    for (const [name, type] of [
      ['i-1.demo.example.org', 'SRV'],
      ['demo.example.org', 'A'],
    ] as const) {
      const empty = await test.overUdp(test.query(name, type));
      expect(empty).toMatchObject({ rcode: 'NOERROR', answers: [], authorities: [{ type: 'SOA' }] });
    }
    await expect(test.resolver.resolve4('none.example.org')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(await test.overUdp(test.query('example.com', 'A'))).toMatchObject({ rcode: 'REFUSED' });
    expect(await test.resolver.resolveSoa('example.org')).toMatchObject({
      hostmaster: 'awsdns-hostmaster.amazon.com',
    });
    expect(await test.resolver.resolveNs('example.org')).toHaveLength(2);
  });

  it('truncates what is too long for UDP, and gives it whole over TCP and to who takes more', async () => {
    await using test = await startDns();
    const addresses = Array.from({ length: 60 }, (_, index) => `10.0.0.${String(index + 1)}`);
    await test.put('many.example.org', 'A', ...addresses);
    const query = test.query('many.example.org', 'A');
    expect(await test.overUdp(query)).toMatchObject({ flag_tc: true, answers: [] });
    expect((await test.overTcp(query, query)).answers).toHaveLength(60);
    const opt = {
      type: 'OPT' as const,
      name: '.',
      udpPayloadSize: 4096,
      extendedRcode: 0,
      ednsVersion: 0,
      flags: 0,
      flag_do: false,
      options: [],
    };
    const large = await test.overUdp({ ...query, additionals: [opt] });
    expect(large).toMatchObject({ flag_tc: false });
    expect(large.answers).toHaveLength(60);
    // The resolver of Node falls back to TCP by itself.
    expect(await test.resolver.resolve4('many.example.org')).toHaveLength(60);
  });

  it('follows aliases within the zone, and wildcards', async () => {
    await using test = await startDns();
    await test.put('demo.example.org', 'A', '10.0.0.1');
    await test.put('www.example.org', 'CNAME', 'demo.example.org');
    await test.put('*.any.example.org', 'A', '10.0.0.9');
    expect(await test.resolver.resolve4('www.example.org')).toEqual(['10.0.0.1']);
    expect(await test.resolver.resolve4('whatever.any.example.org')).toEqual(['10.0.0.9']);
  });

  it('survives what is no DNS at all', async () => {
    await using test = await startDns();
    const socket = createSocket('udp4');
    const broken = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0xff];
    socket.send(Buffer.from(broken), test.dns.port, test.dns.host);
    const [message] = (await once(socket, 'message')) as [Buffer];
    socket.close();
    expect(dnsPacket.decode(message)).toMatchObject({ id: 0x1234, rcode: 'FORMERR' });
    expect(await test.overUdp(test.query('example.org', 'NS'))).toMatchObject({ rcode: 'NOERROR' });
  });
});
