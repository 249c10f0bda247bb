import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { exitCodeOf } from '../../src/errors.ts';
import type { Face } from '../../src/http/face.ts';
import { startFaceServer } from '../../src/http/server.ts';
import type { FaceServerOptions } from '../../src/http/server.ts';
import { BIRTH_ANSWER, createFakeFace } from '../fakes/face.ts';

async function start(changes: Partial<Face> = {}, options: Partial<FaceServerOptions> = {}) {
  const face = createFakeFace(changes);
  const warnings: string[] = [];
  const log = { warn: (_fields: object, message: string) => void warnings.push(message) };
  const server = await startFaceServer({ address: '127.0.0.1', port: 0, ...options }, { face, log });
  onTestFinished(() => server.close());
  return { face, warnings, server, url: `http://127.0.0.1:${server.port}` };
}

/** Sends bytes as they are, and gives all that comes back until the server ends the connection. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(bytes);
  return text(socket).catch(() => '');
}

describe('pages', () => {
  test.each(['/members', '/status', '/healthz', '/birth'])('%s is JSON', async (path) => {
    const { url } = await start();
    const response = await fetch(url + path);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toBeTypeOf('object');
  });

  test('/birth answers, and passes the hint on', async () => {
    const { url, face } = await start();
    expect(await (await fetch(`${url}/birth?epoch=7&from=i-0b`)).json()).toEqual(BIRTH_ANSWER);
    await fetch(`${url}/birth?from=${encodeURIComponent('<b>')}`);
    expect(face.hints).toEqual([
      { epoch: 7, from: 'i-0b' },
      { epoch: 0, from: null },
    ]);
  });

  test.each(['-1', '1.5', 'x', '99999999999999999'])('/birth refuses the epoch %s', async (epoch) => {
    const { url, face } = await start();
    expect((await fetch(`${url}/birth?epoch=${epoch}`)).status).toBe(400);
    expect(face.hints).toEqual([]);
  });

  test('/readyz and /healthz say no with 503 and the reason', async () => {
    const { url } = await start({ health: () => ({ ok: false, reason: 'the housekeeper stands still' }) });
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { ok: false, reason: 'the member is a learner' },
    ]);
    expect((await fetch(`${url}/healthz`)).status).toBe(503);
  });

  test('/metrics is what the registry says', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4');
    expect(await response.text()).toBe('up 1\n');
  });

  test('/ tells of an upgrade where there is one: the plan, who is left, and what is amiss', async () => {
    const status = createFakeFace().status();
    const without = await (await fetch((await start()).url)).text();
    expect(without).not.toContain('Upgrade');
    const upgrade = {
      plan: { code: 'upgrade-auth', sentence: 'no step to etcd 3.5: authentication is on' },
      checks: [
        { code: 'upgrade-auth', ok: false, sentence: 'authentication is <on>' },
        { code: 'upgrade-disk', ok: true, sentence: 'every disk has room' },
      ],
      waiting: ['i-0b', 'i-0a'],
    };
    const { url } = await start({ status: () => ({ ...status, upgrade }) });
    const html = await (await fetch(url)).text();
    expect(html).toContain('<h2>Upgrade</h2>');
    expect(html).toContain('No step to etcd 3.5: authentication is on.');
    expect(html).toContain('Still to step in this round: i-0b, i-0a.');
    expect(html).toContain('upgrade-auth</span> Authentication is &lt;on&gt;.');
    expect(html).toContain('1 of 2 checks pass');
    expect(html).not.toContain('Every disk has room');
  });

  test('/ is a page that needs no script, with every text escaped', async () => {
    const status = createFakeFace().status();
    const { url } = await start({ status: () => ({ ...status, phase: `<script>alert("x")</script>&'` }) });
    const response = await fetch(url);
    const html = await response.text();
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(html).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;');
    expect(html).not.toContain('<script');
    expect(html).toContain('All members are healthy.');
    expect(html).toContain('127.78.1.10');
  });
});

describe('methods and paths', () => {
  test('HEAD is GET without the body', async () => {
    const { url } = await start();
    const got = await fetch(`${url}/members`);
    const head = await fetch(`${url}/members`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(await got.text())));
    expect(await head.text()).toBe('');
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('%s is 405', async (method) => {
    const { url } = await start();
    const response = await fetch(`${url}/members`, {
      method,
      ...(method === 'GET' ? {} : { body: 'x'.repeat(9) }),
    });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD');
  });

  test.each(['/nothing', '/members/', '/../etc/passwd', '//', '/%00', '/constructor', '/status/x?y'])(
    '%s is 404',
    async (path) => {
      const { server } = await start();
      const answer = await raw(server.port, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 404 /);
      expect(answer).toContain('no such page; there are / /birth');
    },
  );
});

describe('against bad clients', () => {
  test.each([
    { name: 'no HTTP', bytes: '\u0000\u0001\u0002garbage\r\n\r\n', said: /^HTTP\/1\.1 400 / },
    { name: 'TLS', bytes: '\u0016\u0003\u0001\u0002\u0000\u0001', said: /^HTTP\/1\.1 400 / },
    {
      name: 'endless headers',
      bytes: `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`,
      said: /^HTTP\/1\.1 431 /,
    },
    { name: 'a long path', bytes: `GET /${'y'.repeat(20_000)} HTTP/1.1\r\n\r\n`, said: /^HTTP\/1\.1 431 / },
    {
      name: 'a URL',
      bytes: 'GET http://evil/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      said: /^HTTP\/1\.1 400 /,
    },
    { name: 'no host', bytes: 'GET / HTTP/1.1\r\n\r\n', said: /^HTTP\/1\.1 400 / },
    {
      name: 'a body',
      bytes: `POST /birth HTTP/1.1\r\nhost: x\r\ncontent-length: 999999\r\n\r\n${'z'.repeat(9999)}`,
      said: /^HTTP\/1\.1 405 /,
    },
    {
      name: 'two lengths',
      bytes: 'GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
      said: /^HTTP\/1\.1 400 /,
    },
    {
      name: 'an upgrade',
      bytes: 'GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\r\n',
      said: /^HTTP\/1\.1 200 /,
    },
    { name: 'CONNECT', bytes: 'CONNECT evil:80 HTTP/1.1\r\nhost: x\r\n\r\n', said: /^$/ },
  ])('$name is refused, and the next one served', async ({ bytes, said }) => {
    const { server, url } = await start();
    expect(await raw(server.port, bytes)).toMatch(said);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  test('a client that sends nothing, or half a request, is cut off at the limit', async () => {
    const { server } = await start({}, { limitMs: 100 });
    expect(await raw(server.port, 'GET / HTTP/1.1\r\nhost:')).toMatch(/^HTTP\/1\.1 408|^$|^HTTP\/1\.1 400/);
  });

  test('a client that resets in the middle of its answer is no news', async () => {
    const held = Promise.withResolvers<never>();
    held.promise.catch(() => undefined);
    const asked = Promise.withResolvers<void>();
    const { server, url, warnings } = await start({
      birth: () => {
        asked.resolve();
        return held.promise;
      },
    });
    const socket = connect(server.port, '127.0.0.1');
    socket.write('GET /birth HTTP/1.1\r\nhost: x\r\n\r\n');
    await asked.promise;
    socket.resetAndDestroy();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(warnings).toEqual([]);
  });
});

describe('against a bad face', () => {
  test.each(['/members', '/'])(
    '%s of a face that throws is 500, without the secret, and logged',
    async (path) => {
      const { url, warnings } = await start({
        members: () => {
          throw new Error('internal detail');
        },
      });
      const response = await fetch(url + path);
      expect(response.status).toBe(500);
      expect(await response.text()).not.toContain('internal detail');
      expect(warnings).toEqual(['a page could not be made']);
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
    },
  );

  test('what JSON cannot say is 500', async () => {
    const status = createFakeFace().status();
    const { url } = await start({ status: () => ({ ...status, observation: { index: 1n } }) });
    expect((await fetch(`${url}/status`)).status).toBe(500);
  });

  test('a face that never answers is 503 at the limit', async () => {
    const { url } = await start({ birth: () => new Promise(() => undefined) }, { limitMs: 50 });
    const response = await fetch(`${url}/birth`);
    expect([response.status, await response.json()]).toEqual([503, { error: 'no answer within 0.05 s' }]);
  });
});

describe('start and close', () => {
  test('an address in use is an error that names the cure', async () => {
    const { server } = await start();
    const failure = await start({}, { port: server.port }).catch((error: unknown) => error);
    expect(exitCodeOf(failure)).toBe(69);
    expect(String(failure)).toContain(`port ${server.port}; free the port or configure STATUS_PORT`);
  });

  test('close lets an answer in flight end, and takes no new ones', async () => {
    const asked = Promise.withResolvers<void>();
    const go = Promise.withResolvers<typeof BIRTH_ANSWER>();
    const { server, url } = await start({
      birth: () => {
        asked.resolve();
        return go.promise;
      },
    });
    const inFlight = fetch(`${url}/birth`);
    await asked.promise;
    const closed = server.close();
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    go.resolve(BIRTH_ANSWER);
    expect((await inFlight).status).toBe(200);
    await closed;
    await server.close();
  });

  test('close cuts what does not end', async () => {
    const { server } = await start({}, { closeGraceMs: 20 });
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET /healthz HTTP/1.1\r\nhost:');
    socket.on('error', () => undefined);
    const ended = once(socket, 'close');
    await server.close();
    await ended;
  });
});
