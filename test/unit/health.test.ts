import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { askHealth } from '../../src/app-health.ts';
import type { Face } from '../../src/http/face.ts';
import { startFaceServer } from '../../src/http/server.ts';
import { runMain as main } from '../fakes/command.ts';
import { createFakeFace } from '../fakes/face.ts';
import { freePort } from '../tools.ts';

/** An appliance's face on a port of its own. */
async function face(changes: Partial<Face>): Promise<number> {
  const log = { warn: () => undefined };
  const deps = { face: createFakeFace(changes), log };
  const server = await startFaceServer({ address: '127.0.0.1', port: 0 }, deps);
  onTestFinished(() => server.close());
  return server.port;
}

/** Something else on a port, which answers every connection with these bytes, or never. */
async function stranger(bytes: string | null): Promise<number> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    if (bytes !== null) socket.end(bytes);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('asking the own appliance', () => {
  const question = { addresses: ['127.0.0.1'], path: '/healthz', limitMs: 2_000 } as const;

  test.each([
    { what: 'nobody', bytes: undefined, said: 'ECONNREFUSED' },
    { what: 'a web server', bytes: 'HTTP/1.1 200 OK\r\n\r\n<html>', said: 'is no appliance' },
    {
      what: 'another web server',
      bytes: 'HTTP/1.1 404 No\r\n\r\n{"ok":true,"reason":"x"}',
      said: 'status 404',
    },
    { what: 'other JSON', bytes: 'HTTP/1.1 200 OK\r\n\r\n{"ok":"yes","reason":1}', said: 'is no appliance' },
    { what: 'a flood', bytes: `HTTP/1.1 200 OK\r\n\r\n${' '.repeat(20_000)}`, said: 'no appliance' },
    {
      what: 'another protocol',
      bytes: 'HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
      said: '',
    },
  ])('$what on the port is no answer', async ({ bytes, said }) => {
    const port = bytes === undefined ? await freePort() : await stranger(bytes);
    const { check, silence } = await askHealth({ ...question, port });
    expect(check).toBeNull();
    expect(silence).toEqual([expect.stringMatching(/^127\.0\.0\.1: ./)]);
    expect(silence[0]).toContain(said);
  });

  test('who takes the connection and says nothing is waited for as long as the limit', async () => {
    const port = await stranger(null);
    const { check, silence } = await askHealth({ ...question, port, limitMs: 50 });
    expect({ check, silence }).toEqual({ check: null, silence: ['127.0.0.1: no answer in 0.05 s'] });
  });

  test('one address that answers is enough, and the others are not waited for', async () => {
    const port = await face({ health: () => ({ ok: true, reason: 'the loops turn' }) });
    const silent = createServer(() => undefined).listen(port, '127.0.0.2');
    await once(silent, 'listening');
    onTestFinished(() => silent.close().closeAllConnections());
    const addresses = ['127.0.0.2', '127.0.0.1', '127.0.0.3'];
    const { check } = await askHealth({ ...question, addresses, port, limitMs: 60_000 });
    expect(check).toEqual({ ok: true, reason: 'the loops turn' });
  });

  test('who has no address hears nothing', async () => {
    expect(await askHealth({ ...question, addresses: [], port: 1 })).toEqual({ check: null, silence: [] });
  });
});

describe('the verb', () => {
  test.each([
    { words: ['health'], health: true, ready: false, code: 0, said: 'alive' },
    { words: ['health'], health: false, ready: true, code: 1, said: 'alive' },
    { words: ['health', '--ready'], health: false, ready: true, code: 0, said: 'serves' },
    { words: ['health', '--ready'], health: true, ready: false, code: 1, said: 'serves' },
  ])('$words, alive $health, ready $ready: $code', async ({ words, health, ready, code, said }) => {
    const port = await face({
      health: () => ({ ok: health, reason: 'alive' }),
      ready: () => ({ ok: ready, reason: 'serves' }),
    });
    // Without LISTEN_ADDRESS it is looked for on every address of the machine.
    expect(await main(words, { STATUS_PORT: String(port) })).toEqual({ code, out: `${said}\n`, err: '' });
  });

  test('no appliance: 69, and where it was looked for', async () => {
    const port = await freePort('127.0.0.9');
    const answer = await main(['health'], { STATUS_PORT: String(port), LISTEN_ADDRESS: '127.0.0.9' });
    expect(answer).toEqual({
      code: 69,
      out: '',
      err: `etcd-appliance: no appliance answers on port ${port} (127.0.0.9: ECONNREFUSED): has it started?\n`,
    });
  });
});
