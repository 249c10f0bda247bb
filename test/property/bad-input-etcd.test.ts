import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { createAdmin } from '../../src/etcd/admin.ts';
import type { EtcdAdmin } from '../../src/etcd/admin.ts';
import { probeEtcd } from '../../src/etcd/probe.ts';
import { hostileAnswers, httpAnswer, startHostileServer } from '../fixtures/hostile/answers.ts';
import { hostileGrpc, protobuf, startGrpcServer } from '../fixtures/hostile/grpc.ts';
import type { GrpcAnswer } from '../fixtures/hostile/grpc.ts';
import { runs } from '../fixtures/hostile/runs.ts';
import { ownAddress } from '../tools.ts';

/*
 * Whatever speaks where etcd should: no call throws or outlasts its deadline, and an answer that cannot be etcd's is
 * unknown, in one line, never an empty list of members (law 4).
 */

const DEADLINE_MS = 600;
const server = await startGrpcServer();
const admin = createAdmin({ deadlineMs: DEADLINE_MS });
afterAll(async () => {
  admin[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

const calm = new AbortController().signal;
const at = server.endpoint;
const ID = '00000000000000aa';
const CALLS: Readonly<Record<string, (it: EtcdAdmin) => Promise<unknown>>> = {
  memberList: (it) => it.memberList(at, { linearizable: false }, calm),
  status: (it) => it.status(at, calm),
  read: (it) => it.read(at, 'key', { serializable: true }, calm),
  readPrefix: (it) => it.readPrefix(at, 'key', calm),
  addLearner: (it) => it.addLearner(at, 'http://10.0.0.9:2380', calm),
  removeMember: (it) => it.removeMember(at, ID, calm),
  promote: (it) => it.promote(at, ID, calm),
  moveLeader: (it) => it.moveLeader(at, ID, calm),
  grantLease: (it) => it.grantLease(at, 10, calm),
  keepAlive: (it) => it.keepAlive(at, ID, calm),
  revokeLease: (it) => it.revokeLease(at, ID, calm),
  createKey: (it) => it.createKey(at, 'key', 'value', ID, calm),
  put: (it) => it.put(at, 'key', 'value', {}, calm),
};

const HEADER = protobuf([1, 0xc1n], [2, 0xaan], [3, 7], [4, 2]);
const MEMBER = protobuf([1, 0xaan], [2, 'i-0a'], [3, 'http://10.0.0.1:2380'], [4, 'http://10.0.0.1:2379']);
const GOOD = {
  list: protobuf([1, HEADER], [2, MEMBER]),
  added: protobuf([1, HEADER], [2, MEMBER], [3, MEMBER]),
  status: protobuf([1, HEADER], [2, '3.6.16'], [3, 20_480], [4, 0xaan], [5, 9], [6, 2], [7, 9], [10, false]),
  range: protobuf([1, HEADER], [2, protobuf([1, 'key'], [2, 7], [3, 7], [5, 'value'])], [4, 1]),
  lease: protobuf([1, HEADER], [2, 0xaan], [3, 10]),
};

function expectClear(answer: unknown): void {
  const { known, ok, reason, message } = answer as Readonly<Record<string, unknown>>;
  if (known === true || ok === true) return;
  expect(String(reason ?? message)).toMatch(/^[^\r\n]{5,700}$/);
  expect(String(reason ?? message)).not.toMatch(/Cannot read|is not a function|\[object|TypeError|BigInt/);
}

function expectNone(answer: unknown): void {
  const { known, ok } = answer as Readonly<Record<string, unknown>>;
  expect(known ?? ok).toBe(false);
  expectClear(answer);
}

async function answerTo(call: keyof typeof CALLS, said: GrpcAnswer): Promise<unknown> {
  server.say(said);
  return await CALLS[call]?.(admin);
}

const whole = (...messages: readonly Uint8Array[]): GrpcAnswer => ({ messages, status: '0', after: 'end' });

describe.each(Object.keys(CALLS))('%s', (call) => {
  test('whatever comes back, it is an answer or a clear reason', async () => {
    await fc.assert(
      fc.asyncProperty(hostileGrpc(Object.values(GOOD)), async (said) => {
        expectClear(await answerTo(call, said));
      }),
      runs(20),
    );
  });
});

describe.each(['memberList', 'addLearner', 'keepAlive'])('%s', (call) => {
  test.each<[string, GrpcAnswer]>([
    ['nothing at all', { messages: [], status: null, after: 'hang' }],
    ['messages without end', { messages: [Buffer.alloc(100_000)], status: null, after: 'endless' }],
    ['a message longer than is read', whole(protobuf([1, HEADER], [2, Buffer.alloc(6_000_000)]))],
    [
      'a length that no message has',
      { messages: [], raw: Buffer.from([0, 255, 255, 255, 255, 1]), status: '0', after: 'end' },
    ],
    ['the end of the connection', { messages: [], status: null, after: 'goaway' }],
  ])('%s is a clear reason', async (_, said) => {
    expectNone(await answerTo(call, said));
  });
});

// Of MoveLeader the empty message is the answer: who leads then is asked, not believed.
test.each(Object.keys(CALLS).filter((call) => call !== 'moveLeader'))(
  '%s: an empty message is no answer',
  async (call) => {
    expectNone(await answerTo(call, whole(Buffer.alloc(0))));
  },
);

test('what is good is taken', async () => {
  expect(await answerTo('memberList', whole(GOOD.list))).toMatchObject({
    known: true,
    value: { clusterId: '00000000000000c1', answeredBy: ID, members: [{ id: ID, name: 'i-0a' }] },
  });
  expect(await answerTo('status', whole(GOOD.status))).toMatchObject({
    known: true,
    value: { memberId: ID },
  });
});

test.each([
  ['no members', protobuf([1, HEADER])],
  ['no cluster id', protobuf([1, protobuf([2, 0xaan])], [2, MEMBER])],
  ['a member without an id', protobuf([1, HEADER], [2, protobuf([2, 'i-0a'], [3, 'http://10.0.0.1:2380'])])],
  ['a member without a peer URL', protobuf([1, HEADER], [2, protobuf([1, 0xaan], [2, 'i-0a'])])],
  ['one member twice', protobuf([1, HEADER], [2, MEMBER], [2, MEMBER])],
])('a list with %s is no list', async (_, message) => {
  const answer = await answerTo('memberList', whole(message));
  expect(answer).toMatchObject({ known: false });
  expectClear(answer);
});

test('a list of more members than a cluster has is read within its time', async () => {
  const many = Array.from({ length: 20_000 }, (_, nth) =>
    protobuf(
      [1, BigInt(nth + 1)],
      [2, `i-${nth}`],
      [3, `http://10.0.0.1:${nth}`],
      [4, `http://10.0.0.1:${nth}`],
    ),
  );
  const message = protobuf([1, HEADER], ...many.map((member) => [2, member] as const));
  expectClear(await answerTo('memberList', whole(message)));
});

describe('the probe', () => {
  const address = ownAddress();
  const VERSION = '{"etcdserver":"3.6.16","etcdcluster":"3.6.0"}';
  const MEMBERS = '[{"id":170,"peerURLs":["http://10.0.0.1:2380"],"name":"i-0a","clientURLs":[]}]';
  const STATUS = '{"header":{"cluster_id":"193","member_id":"170","revision":"7"},"version":"3.6.16"}';

  test('whatever speaks there, it is etcd or silent, with ids that are some and a clear reason', async () => {
    await using client = await startHostileServer(address, 2379);
    await using peer = await startHostileServer(address, 2380);
    await fc.assert(
      fc.asyncProperty(
        hostileAnswers([VERSION, STATUS]),
        hostileAnswers([VERSION, MEMBERS]),
        async (byClient, byPeer) => {
          client.say(byClient);
          peer.say(byPeer);
          const found = await probeEtcd(address, calm);
          if (found.kind === 'silent') expect(found.reason).toMatch(/^[^\r\n]{5,700}$/);
          else
            for (const id of [found.clusterId, found.memberId])
              expect(id ?? '0'.repeat(16)).toMatch(/^[0-9a-f]{16}$/);
        },
      ),
      runs(20),
    );
  });

  test.each([
    [
      'a number too large for an id',
      '{"header":{"cluster_id":"99999999999999999999","member_id":"18446744073709551616"}}',
    ],
    ['an id below zero', '{"header":{"cluster_id":"-1","member_id":"-1"}}'],
  ])('%s is no id', async (_, body) => {
    await using client = await startHostileServer(address, 2379);
    client.say({ bytes: httpAnswer(body), after: 'end' });
    expect(await probeEtcd(address, calm)).toMatchObject({ kind: 'silent' });
  });

  test('an answer that changes the protocol is let go', async () => {
    await using client = await startHostileServer(address, 2379);
    const bytes = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';
    for (const after of ['end', 'hold'] as const) {
      client.say({ bytes, after });
      const found = await probeEtcd(address, calm);
      expect(found).toMatchObject({ kind: 'silent', reason: expect.stringContaining('without an answer') });
    }
  });

  test.each<[string, string]>([
    ['a body without end', `HTTP/1.1 200 X\r\n\r\n${'a'.repeat(1_000)}`],
    ['a head without end', `HTTP/1.1 200 X\r\nx: ${'y'.repeat(2_000)}`],
    ['heads of information without end', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(40)],
  ])('%s is let go', async (_, bytes) => {
    await using client = await startHostileServer(address, 2379);
    client.say({ bytes, after: 'endless' });
    const found = await probeEtcd(address, calm);
    expect(found).toMatchObject({ kind: 'silent', reason: expect.stringMatching(/^[^\r\n]{5,700}$/) });
    expect(client.written()).toBeLessThan(100_000_000);
  });
});
