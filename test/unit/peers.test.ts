import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createPeers } from '../../src/http/peers.ts';
import { startFaceServer } from '../../src/http/server.ts';
import { BIRTH_ANSWER, createFakeFace } from '../fakes/face.ts';

const HINT = { epoch: 3, from: 'i-0b' };
const NEVER = new AbortController().signal;

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Asks a peer that answers as `listener` does. */
async function askBehind(listener: RequestListener, options: { limitMs?: number; maxBytes?: number } = {}) {
  const server = createServer(listener);
  const port = await listen(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return createPeers({ port, ...options }).askBirth('127.0.0.1', HINT, NEVER);
}

describe('askBirth', () => {
  test('gets what a real face says, and hands on its hint', async () => {
    const face = createFakeFace();
    const log = { warn: () => undefined };
    const server = await startFaceServer({ address: '127.0.0.1', port: 0 }, { face, log });
    onTestFinished(() => server.close());
    const answer = await createPeers({ port: server.port }).askBirth('127.0.0.1', HINT, NEVER);
    expect(answer).toEqual({ known: true, value: BIRTH_ANSWER });
    expect(face.hints).toEqual([HINT]);
  });

  test('a refused connection is told from silence', async () => {
    const closed = createTcpServer();
    const port = await listen(closed);
    closed.close();
    await once(closed, 'close');
    const refused = await createPeers({ port }).askBirth('127.0.0.1', HINT, NEVER);
    expect(refused).toEqual({
      known: false,
      reason: `127.0.0.1 port ${port} refuses the connection; no appliance runs there (yet)`,
    });
    const silent = await askBehind(() => undefined, { limitMs: 50 });
    expect(silent).toEqual({
      known: false,
      reason: expect.stringMatching(/gave no answer within 0\.05 s; is the port open/),
    });
  });

  test('the limit holds for a body that drips, too', async () => {
    const drips = await askBehind((_request, response) => void response.write('{'), { limitMs: 50 });
    expect(drips).toEqual({ known: false, reason: expect.stringContaining('gave no answer within') });
  });

  test('garbage on the port is unknown', async () => {
    const server = createTcpServer((socket: Socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    const port = await listen(server);
    onTestFinished(() => void server.close());
    const answer = await createPeers({ port }).askBirth('127.0.0.1', HINT, NEVER);
    expect(answer).toEqual({ known: false, reason: expect.stringContaining('broke off (') });
  });

  test('an answer that changes the protocol is unknown', async () => {
    const server = createTcpServer(
      (socket: Socket) =>
        void socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
    );
    const port = await listen(server);
    onTestFinished(() => void server.close());
    const answer = await createPeers({ port }).askBirth('127.0.0.1', HINT, NEVER);
    expect(answer).toEqual({ known: false, reason: expect.stringContaining('without an answer') });
  });

  test('a body cut short is unknown', async () => {
    const cut = await askBehind((_request, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write(JSON.stringify(BIRTH_ANSWER));
      setImmediate(() => response.destroy());
    });
    expect(cut.known).toBe(false);
  });

  test.each([404, 500, 503, 302, 204])('status %i is unknown', async (status) => {
    const answer = await askBehind((_request, response) => void response.writeHead(status).end());
    expect(answer).toEqual({
      known: false,
      reason: expect.stringContaining(`answered with status ${status}`),
    });
  });

  test('an answer above the size limit is unknown', async () => {
    const big = { ...BIRTH_ANSWER, stack: 'x'.repeat(2000) };
    const answer = await askBehind((_request, response) => void response.end(JSON.stringify(big)), {
      maxBytes: 1000,
    });
    expect(answer).toEqual({ known: false, reason: expect.stringContaining('larger than 1000 bytes') });
  });

  test('the signal ends it, with its reason', async () => {
    const asked = Promise.withResolvers<void>();
    const server = createServer(() => asked.resolve());
    const port = await listen(server);
    onTestFinished(() => void server.close());
    const controller = new AbortController();
    const answer = createPeers({ port }).askBirth('127.0.0.1', HINT, controller.signal);
    await asked.promise;
    controller.abort(new Error('shutting down'));
    await expect(answer).rejects.toThrow('shutting down');
    await expect(createPeers({ port }).askBirth('127.0.0.1', HINT, controller.signal)).rejects.toThrow(
      'shutting down',
    );
  });
});

describe('validation', () => {
  const VALID = { instanceId: 'i-0a', stack: 's', data: null, aside: [], mark: null, epoch: 0 };

  test('the least, and fields of a later version, are accepted', async () => {
    const answer = await askBehind(
      (_request, response) => void response.end(JSON.stringify({ ...VALID, later: 1 })),
    );
    // What an older version does not offer, it makes itself.
    expect(answer).toEqual({ known: true, value: { ...VALID, nonce: null, etcd: null } });
  });

  test.each([
    { body: '', said: 'not JSON' },
    { body: 'null', said: 'the whole is no object' },
    { body: '[]', said: 'the whole is no object' },
    { body: '{}', said: 'instanceId is no text, stack is no text, data is no object' },
    ...(['instanceId', 'stack', 'data', 'aside', 'mark', 'epoch'] as const).map((key) => ({
      body: JSON.stringify({ ...VALID, [key]: undefined }),
      said: key,
    })),
    ...([1, '', 'a'.repeat(31), 'a'.repeat(33), 'G'.repeat(32)] as const).map((nonce) => ({
      body: JSON.stringify({ ...VALID, nonce }),
      said: 'nonce is not 32 hex digits',
    })),
    ...(
      [
        [false, 'etcd is no object'],
        [{}, 'etcd.installed is no list, etcd.wanted is no text'],
        [{ installed: ['3.5.35'] }, 'etcd.wanted is no text'],
        [{ installed: [3], wanted: null }, 'etcd.installed[0] is no text'],
        [{ installed: ['3.5.35'], wanted: 'newest' }, 'etcd.wanted is no version'],
      ] as const
    ).map(([etcd, said]) => ({ body: JSON.stringify({ ...VALID, etcd }), said })),
    { body: JSON.stringify({ ...VALID, data: false }), said: 'data is no object' },
    { body: JSON.stringify({ ...VALID, data: {} }), said: 'data.token' },
    {
      body: JSON.stringify({ ...VALID, data: { token: 'a', clusterId: 1, formed: true } }),
      said: 'data.clusterId',
    },
    {
      body: JSON.stringify({ ...VALID, data: { token: 'a', clusterId: null, formed: 'no' } }),
      said: 'data.formed',
    },
    { body: JSON.stringify({ ...VALID, aside: {} }), said: 'aside is no list' },
    { body: JSON.stringify({ ...VALID, aside: [null] }), said: 'aside[0] is no object' },
    { body: JSON.stringify({ ...VALID, mark: { token: null, started: true } }), said: 'mark.token' },
    { body: JSON.stringify({ ...VALID, mark: { token: 't' } }), said: 'mark.started' },
    { body: JSON.stringify({ ...VALID, epoch: -1 }), said: 'epoch' },
    { body: JSON.stringify({ ...VALID, epoch: '1' }), said: 'epoch' },
    { body: JSON.stringify({ ...VALID, instanceId: '' }), said: 'instanceId' },
  ])('$body is unknown: $said', async ({ body, said }) => {
    const answer = await askBehind((_request, response) => void response.end(body));
    expect(answer).toEqual({ known: false, reason: expect.stringContaining(said) });
  });
});
