import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startForwarder, type ForwarderOptions, type Way } from '../../../src/sandbox/forwarder.ts';
import { closeServer, listen } from '../../../src/sandbox/listen.ts';

const HOST = '127.0.0.1';
const OPEN: Way = { opens: true, carries: true, delayMs: 0, from: null };
const SHUT: Way = { ...OPEN, carries: false };

/** A client of a forwarder with these ways, to a place where nothing but connections is counted. */
async function subject(options: Pick<ForwarderOptions, 'wayOf' | 'firstRetryMs'>) {
  let arrived = 0;
  const target = createServer((socket) => {
    arrived += 1;
    socket.on('error', () => undefined).end('hello');
  });
  await listen(target, { host: HOST, port: 0 });
  onTestFinished(() => closeServer(target));
  const to = { host: HOST, port: (target.address() as AddressInfo).port };
  const forwarder = await startForwarder({ at: { host: HOST, port: 0 }, to, ...options });
  onTestFinished(() => forwarder.close());
  const client = connect(forwarder.port, HOST);
  onTestFinished(() => void client.destroy());
  return { client, arrived: () => arrived };
}

/** Why a connection ended, as its client sees it. */
async function endOf(client: Socket): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  client.on('error', (error) => resolve('code' in error ? error.code : error));
  client.on('close', () => resolve('ended in order')).resume();
  return await promise;
}

test('who is let in nowhere is given up after as many tries as Linux makes, and keeps nothing open', async () => {
  let looks = 0;
  const wayOf = async () => {
    await Promise.resolve();
    return () => {
      looks += 1;
      return SHUT;
    };
  };
  const startedMs = performance.now();
  const { client, arrived } = await subject({ wayOf, firstRetryMs: 1 });
  expect(await endOf(client)).toBe('ECONNRESET');
  // At once and after 1, 3, 7, 15, 31 and 63; the end after 127.
  expect(looks).toBe(7);
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(120);
  expect(arrived()).toBe(0);
});

test('the last try may be the one that gets through', async () => {
  let looks = 0;
  const wayOf = async () => await Promise.resolve(() => ((looks += 1) < 7 ? SHUT : OPEN));
  const { client, arrived } = await subject({ wayOf, firstRetryMs: 1 });
  expect(await endOf(client)).toBe('ended in order');
  expect([looks >= 7, arrived()]).toEqual([true, 1]);
});

test('a connection of which nobody can tell whose it is is closed', async () => {
  const { client } = await subject({ wayOf: () => Promise.reject(new Error('no table')) });
  expect(await endOf(client)).toMatch(/ECONNRESET|ended in order/);
});
