import { connect } from 'node:net';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { createPeers } from '../../src/http/peers.ts';
import type { Peers } from '../../src/http/peers.ts';
import { PATHS } from '../../src/http/routes.ts';
import { startFaceServer } from '../../src/http/server.ts';
import type { FaceServer, FaceServerOptions } from '../../src/http/server.ts';
import type { Face } from '../../src/http/face.ts';
import { BIRTH_ANSWER, UPGRADE_VIEW, createFakeFace } from '../fakes/face.ts';
import { hostileAnswers, httpAnswer, startHostileServer } from '../fixtures/hostile/answers.ts';
import type { HostileAnswer } from '../fixtures/hostile/answers.ts';
import { attack, attacks } from '../fixtures/hostile/requests.ts';
import type { Attack } from '../fixtures/hostile/requests.ts';
import { runs } from '../fixtures/hostile/runs.ts';
import { eventually } from '../tools.ts';

/*
 * Whatever clients do to the appliance's port, the appliance lives, the next one is served, and no client keeps a place
 * for ever: the group's own health check comes through the same port.
 */

const servers: FaceServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(options: Partial<FaceServerOptions> = {}, changes: Partial<Face> = {}) {
  const face = createFakeFace(changes);
  const warnings: string[] = [];
  const log = { warn: (_fields: object, message: string) => void warnings.push(message) };
  const limits = { address: '127.0.0.1', port: 0, closeGraceMs: 0, ...options };
  const server = await startFaceServer(limits, { face, log });
  servers.push(server);
  return { port: server.port, warnings, hints: face.hints };
}

const HEALTH: Attack = {
  pieces: ['GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  ending: 'fin',
};

/** How a client looks while it holds a connection and does nothing more. */
function hold(port: number, bytes: string): Socket {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined).resume();
  socket.write(bytes);
  return socket;
}

async function healthy(port: number): Promise<boolean> {
  return (await attack({ port }, HEALTH).catch(() => ({ statuses: [] }))).statuses[0] === 200;
}

/** Each page, and those that are told something. */
const TARGETS = [...PATHS, '/birth?epoch=1&from=i-0', '/upgrade?fresh=1', '/upgrade?fresh=1&from=i-0'];

test('whatever is thrown at it, it answers the next one, fails nowhere and warns of nothing', async () => {
  const { port, warnings, hints } = await start({ limitMs: 2_000 });
  await fc.assert(
    fc.asyncProperty(attacks({ paths: TARGETS }), async (thrown) => {
      const { statuses } = await attack({ port }, thrown);
      expect(statuses).not.toContain(500);
      expect(await healthy(port)).toBe(true);
    }),
    runs(200),
  );
  expect(warnings).toEqual([]);
  // What a stranger says of itself ends up in the log.
  for (const { epoch, from } of hints) {
    expect(Number.isSafeInteger(epoch)).toBe(true);
    expect(from ?? 'i').toMatch(/^[\w.-]{1,64}$/);
  }
});

test('whatever the hint is, it is a number and a word, or nothing', async () => {
  const { port, hints } = await start();
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), async (epoch, from) => {
      const query = new URLSearchParams({ epoch, from: from.toWellFormed() }).toString();
      const pieces = [`GET /birth?${query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`];
      const { statuses } = await attack({ port }, { pieces, ending: 'fin' });
      expect([200, 400]).toContain(statuses[0]);
    }),
    runs(100),
  );
  for (const { epoch, from } of hints)
    expect([epoch, from ?? 'i']).toEqual([expect.any(Number), expect.stringMatching(/^[\w.-]+$/)]);
});

describe('no client keeps its place', () => {
  const LARGE = { status: () => ({ ...createFakeFace().status(), observation: 'x'.repeat(12_000_000) }) };

  test.each([
    ['says nothing', ''],
    ['says half a line', 'GET /hea'],
    ['says half a head', 'GET / HTTP/1.1\r\nhost:'],
    ['announces a body and sends none', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n'],
    [
      'sends a body without end',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    ],
    [
      'waits for leave to send',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n',
    ],
  ])('one that %s', async (_, bytes) => {
    const { port } = await start({ limitMs: 200 });
    const held = Array.from({ length: 300 }, () => hold(port, bytes));
    await eventually(() => held.every((it) => it.closed || it.readableEnded), 10_000);
    expect(await healthy(port)).toBe(true);
  });

  test('one that drips a byte at a time', async () => {
    const { port } = await start({ limitMs: 300 });
    const socket = hold(port, 'GET / HTTP/1.1\r\nx: ');
    const drip = setInterval(() => socket.write('y'), 10);
    await eventually(() => socket.closed, 5_000);
    clearInterval(drip);
  });

  test('one that asks for a page and does not read it', async () => {
    // Held for twice as long: more than any pause between two asks.
    const { port } = await start({ limitMs: 2_000, mostConnections: 4 }, LARGE);
    const ask = 'GET /status HTTP/1.1\r\nHost: x\r\n\r\n';
    for (let held = 0; held < 4; held += 1) hold(port, ask).pause();
    // Asked from the first moment on: on a busy machine the first may be let go before the last has read a byte.
    await eventually(async () => !(await healthy(port)));
    await eventually(() => healthy(port));
  });

  test('one that asks ten thousand times in one breath, and reads nothing', async () => {
    const { port } = await start();
    const socket = hold(port, 'GET /status HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(10_000)).pause();
    expect(await healthy(port)).toBe(true);
    socket.destroy();
  });
});

describe('asking another appliance', () => {
  const good = JSON.stringify(BIRTH_ANSWER);
  const never = new AbortController().signal;
  const peersAt = (port: number): Peers => createPeers({ port, limitMs: 500 });
  const ask = async (port: number) => peersAt(port).askBirth('127.0.0.1', { epoch: 1, from: 'i-0a' }, never);
  const askUpgrade = async (port: number) =>
    peersAt(port).askUpgrade('127.0.0.1', { from: 'i-0a', fresh: true }, never);

  test.each([
    { what: 'its birth', ask, whole: good },
    { what: 'an upgrade', ask: askUpgrade, whole: JSON.stringify(UPGRADE_VIEW) },
  ])('whatever comes back of $what, it is a whole answer or a clear reason', async ({ ask: asks, whole }) => {
    await using server = await startHostileServer();
    server.say({ bytes: httpAnswer(whole), after: 'end' });
    let fields: readonly string[] = [];
    // The limit is short for the sake of those who say nothing: on a busy machine a whole answer may come after it.
    await eventually(async () => {
      const told = await asks(server.port);
      fields = told.known ? Object.keys(told.value).toSorted() : [];
      return told.known;
    });
    expect(fields.length).toBeGreaterThan(3);
    await fc.assert(
      fc.asyncProperty(hostileAnswers([whole]), async (said) => {
        server.say(said);
        const answer = await asks(server.port);
        if (!answer.known) expect(answer.reason).toMatch(/^[^\r\n]{10,700}$/);
        // No field that is missing may read as "no data".
        else expect(Object.keys(answer.value).toSorted()).toEqual(fields);
      }),
      runs(80),
    );
  });

  test.each<[string, HostileAnswer['after'], string]>([
    ['a body without end', 'endless', `HTTP/1.1 200 X\r\n\r\n${'a'.repeat(1_000)}`],
    ['a body that stops', 'hold', `HTTP/1.1 200 X\r\ncontent-length: 9999\r\n\r\n${good}`],
    ['a head without end', 'endless', `HTTP/1.1 200 X\r\nx: ${'y'.repeat(2_000)}`],
    ['heads of information without end', 'endless', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(40)],
    ['a page', 'end', httpAnswer('<html>\n<body>Sign in</body></html>')],
    ['a list as deep as it goes', 'end', httpAnswer('['.repeat(60_000))],
    ['a refusal without end', 'endless', `HTTP/1.1 500 X\r\n\r\n${'a'.repeat(1_000)}`],
  ])('%s is let go', async (_, after, bytes) => {
    await using server = await startHostileServer();
    server.say({ bytes, after });
    expect(await ask(server.port)).toEqual({
      known: false,
      reason: expect.stringMatching(/^[^\r\n]{10,700}$/) as string,
    });
    await eventually(() => server.openConnections() === 0);
    expect(server.written()).toBeLessThan(50_000_000);
  });
});
