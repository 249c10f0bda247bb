import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { ChangeResourceRecordSetsCommand } from '@aws-sdk/client-route-53';
import type { Change, ResourceRecordSet } from '@aws-sdk/client-route-53';
import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { eventually } from '../tools.ts';
import { runs } from '../fixtures/hostile/runs.ts';
import { startCloud } from '../unit/sandbox/cloud-fixture.ts';

/*
 * Whatever packet comes in, the sandbox's DNS lives, answers the next query, and answers no answer: two servers that did
 * would never stop.
 */

const cloud = await startCloud();
afterAll(() => cloud[Symbol.asyncDispose]());

const zone = cloud.cloud.createZone('example.org');
const sets: readonly ResourceRecordSet[] = [
  { Name: 'a.example.org', Type: 'A', TTL: 60, ResourceRecords: [{ Value: '10.0.0.1' }] },
  { Name: 'loop.example.org', Type: 'CNAME', TTL: 60, ResourceRecords: [{ Value: 'loop.example.org' }] },
  { Name: '*.wild.example.org', Type: 'A', TTL: 60, ResourceRecords: [{ Value: '10.0.0.2' }] },
  {
    Name: 'long.example.org',
    Type: 'TXT',
    TTL: 60,
    ResourceRecords: Array.from({ length: 90 }, (_, at) => ({ Value: `"${at}${'x'.repeat(240)}"` })),
  },
];
async function create(...all: readonly ResourceRecordSet[]): Promise<void> {
  const Changes = all.map((it): Change => ({ Action: 'CREATE', ResourceRecordSet: it }));
  await cloud.route53.send(
    new ChangeResourceRecordSetsCommand({ HostedZoneId: zone, ChangeBatch: { Changes } }),
  );
}
await create(...sets);

const PROPER = dnsPacket.encode({
  type: 'query',
  id: 4711,
  questions: [{ type: 'A', name: 'a.example.org' }],
});

/** Sends packets and then a proper query; gives all answers up to that query's. */
async function overUdp(packets: readonly Uint8Array[]): Promise<readonly Buffer[]> {
  const socket = createSocket('udp4');
  const answers: Buffer[] = [];
  try {
    socket.on('message', (message: Buffer) => answers.push(message));
    for (const packet of [...packets, PROPER]) socket.send(packet, cloud.dns.port, cloud.dns.host);
    await eventually(() => answers.some((it) => it.length > 12 && it.readUInt16BE(0) === 4711));
    return answers;
  } finally {
    socket.close();
  }
}

/** Sends bytes over TCP, in two pieces, and then asks properly on another connection. */
async function overTcp(bytes: Uint8Array, cut: number): Promise<void> {
  const socket = connect(cloud.dns.port, cloud.dns.host);
  socket.on('error', () => undefined);
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.write(bytes.subarray(0, cut));
  socket.end(bytes.subarray(cut));
  await closed;
  const asking = connect(cloud.dns.port, cloud.dns.host);
  asking.write(framed(PROPER));
  const [answer] = (await once(asking, 'data')) as [Buffer];
  asking.destroy();
  expect(dnsPacket.streamDecode(answer).answers).toHaveLength(1);
}

function framed(packet: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(packet.length);
  return Buffer.concat([length, packet]);
}

const name = fc.oneof(
  fc.constantFrom('a.example.org', 'loop.example.org', 'x.wild.example.org', 'long.example.org', 'org', '.'),
  fc.string({ maxLength: 60, unit: fc.constantFrom('a', 'b', '.', '\\', '*', ' ', '0') }),
);
const query = fc
  .record({
    id: fc.nat(4000),
    flags: fc.nat(0x7fff),
    questions: fc.array(
      fc.record({ name, type: fc.constantFrom('A', 'SRV', 'TXT', 'CNAME', 'ANY', 'AXFR', 'SOA', 'OPT') }),
      { maxLength: 3 },
    ),
  })
  .map((it) => {
    try {
      return dnsPacket.encode({ type: 'query', ...it } as dnsPacket.Packet);
    } catch {
      return Buffer.alloc(12);
    }
  });
/** Queries, with some bytes of them replaced, cut off or added. */
const mangled = fc
  .tuple(query, fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 }), fc.nat(120), fc.uint8Array())
  .map(([whole, changes, end, more]) => {
    const packet = Buffer.from(whole.subarray(0, Math.max(end, 4)));
    for (const [at, byte] of changes) if (at < packet.length && at > 1) packet[at] = byte;
    return Buffer.concat([packet, more]);
  });
const packets = fc.oneof(query, mangled, mangled, fc.uint8Array({ maxLength: 600 }));

function isResponse(packet: Uint8Array): boolean {
  return ((packet[2] ?? 0) & 0x80) !== 0;
}

const HEADER = [0x01, 0x23, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
const KEPT: Readonly<Record<string, readonly number[]>> = {
  nothing: [],
  'one byte': [7],
  'a header that promises questions that are not there': HEADER,
  'a name that points at itself': [...HEADER, 0xc0, 12, 0, 1, 0, 1],
  'two names that point at each other': [...HEADER, 0xc0, 14, 0xc0, 12, 0, 1, 0, 1],
  'a name that points behind the end': [...HEADER, 0xc0, 0xff, 0, 1, 0, 1],
  'a label longer than the packet': [...HEADER, 63, 97],
  'a name of 300 labels': [
    ...HEADER,
    ...Array.from({ length: 600 }, (_, at) => (at % 2 === 0 ? 1 : 97)),
    0,
    0,
    1,
    0,
    1,
  ],
  'an update (opcode 5)': [0x01, 0x23, 0x28, 0x00, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1],
  '65535 questions': [0x01, 0x23, 0x01, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0, 1],
};

describe('over UDP', () => {
  test('whatever comes in, every query gets at most one answer, and the next one its own', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(packets, { minLength: 1, maxLength: 8 }), async (all) => {
        const answers = await overUdp(all);
        expect(answers.every(isResponse)).toBe(true);
        expect(answers.length).toBeLessThanOrEqual(1 + all.filter((it) => !isResponse(it)).length);
      }),
      runs(150),
    );
  });

  test.each(Object.entries(KEPT))('%s', async (_, bytes) => {
    expect((await overUdp([Buffer.from(bytes)])).length).toBeLessThanOrEqual(2);
  });

  test('what is not a query, but an answer, gets none', async () => {
    const response = dnsPacket.encode({
      type: 'response',
      id: 5,
      questions: [{ type: 'A', name: 'a.example.org' }],
    });
    const broken = Buffer.concat([response.subarray(0, 12), Buffer.from([0xc0, 0xff])]);
    expect(await overUdp([response, broken])).toHaveLength(1);
  });

  test('an opcode that is not a query is not implemented', async () => {
    const [first] = await overUdp([Buffer.from(KEPT['an update (opcode 5)'] ?? [])]);
    expect((first?.[3] ?? 0) & 0xf).toBe(4);
  });
});

describe('over TCP', () => {
  test('whatever comes in, the next one is answered', async () => {
    const streams = fc.array(
      fc.oneof(
        packets.map(framed),
        fc.uint8Array().map((it) => Buffer.from(it)),
      ),
      { maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(streams, fc.nat(300), async (all, cut) => overTcp(Buffer.concat(all), cut)),
      runs(100),
    );
  });

  test('an answer larger than a message can be says that it was cut', async () => {
    const host = (at: number): string => `${`${at}${'y'.repeat(40)}.`.repeat(5)}org`;
    const many = (Type: 'TXT' | 'MX' | 'SRV', value: (at: number) => string) => ({
      Name: 'big.example.org',
      Type,
      TTL: 60,
      ResourceRecords: Array.from({ length: 120 }, (_, at) => ({ Value: value(at) })),
    });
    await create(many('TXT', (at) => `"${at}${'x'.repeat(230)}"`));
    await create(many('MX', (at) => `${at} ${host(at)}`));
    await create(many('SRV', (at) => `0 0 ${at} ${host(at)}`));
    const socket = connect(cloud.dns.port, cloud.dns.host);
    socket.write(
      framed(
        dnsPacket.encode({
          type: 'query',
          id: 2,
          questions: [{ type: 'ANY' as 'A', name: 'big.example.org' }],
        }),
      ),
    );
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    expect(dnsPacket.streamDecode(answer)).toMatchObject({ flag_tc: true, answers: [] });
  });

  test('who asks without end and reads nothing is let go', async () => {
    const socket = connect(cloud.dns.port, cloud.dns.host);
    socket.on('error', () => undefined);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const long = framed(
      dnsPacket.encode({ type: 'query', id: 1, questions: [{ type: 'TXT', name: 'long.example.org' }] }),
    );
    const many = Buffer.concat(Array.from({ length: 2_000 }, () => long));
    const before = process.memoryUsage();
    // 22 KB of answers for 34 bytes of question: 880 MB of answers in all, which nobody reads.
    for (let sent = 0; sent < 20; sent += 1) socket.write(many);
    await overTcp(framed(PROPER), 3);
    const { arrayBuffers } = process.memoryUsage();
    expect(arrayBuffers - before.arrayBuffers).toBeLessThan(50_000_000);
    socket.destroy();
    await closed;
  });
});
