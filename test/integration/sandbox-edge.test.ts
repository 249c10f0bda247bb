import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createEdge, type Edge } from '../../src/sandbox/edge.ts';
import { closeServer, listen } from '../../src/sandbox/listen.ts';
import type { Machine } from '../../src/sandbox/model.ts';
import { createLoopbackNetwork } from '../../src/sandbox/network.ts';

/*
 * Public addresses on loopback: real sockets of real processes. An instance that answers is a server of this file on its
 * private address; an instance that asks is a small process of its own, which is told by its DATA_DIR.
 */

/** This process's own, so that files that run at the same time have others; above all networks of sandboxes. */
const NETWORK = `127.${150 + (process.pid % 100)}`;
const PORT = 2379;

let stateDir: string;
let edge: Edge;
let ends: (() => Promise<unknown>)[];
/** What the rules let in: INSTANCE ADDRESS. */
let admitted: Set<string>;
let distanceMs: number;

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'edge-'));
  ends = [];
  admitted = new Set();
  distanceMs = 0;
  edge = createEdge(createLoopbackNetwork(NETWORK), {
    stateDir,
    regions: ['here', 'there'],
    rangesOf: () => [],
    admits: (id, address, port) => port === PORT && admitted.has(`${id} ${address}`),
    distanceMs: () => distanceMs,
  });
});

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  await edge.close();
  await rm(stateDir, { recursive: true, force: true });
});

function machineOf(name: string, region: string, host: number): Machine {
  return {
    instanceId: `i-${name}`,
    region,
    zone: `${region}a`,
    address: `${NETWORK}.1.${host}`,
    publicAddress: `${NETWORK}.101.${host}`,
    stackName: 'etcd-demo',
    groupName: 'etcd-demo',
    launchedAtMs: 0,
    metadataEndpoint: '',
  };
}

async function machine(name: string, region: string, host: number): Promise<Machine> {
  const made = machineOf(name, region, host);
  await edge.attach(made);
  return made;
}

/** Answers every line with the address that it comes from, and the line. */
async function answers({ address }: Machine): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (line) => socket.write(`${socket.remoteAddress ?? ''} ${String(line)}`));
  });
  await listen(server, { host: address, port: PORT });
  ends.push(() => closeServer(server));
  return server;
}

interface Talk {
  /** What was answered, one line. */
  readonly say: (text: string) => Promise<string>;
  readonly ended: Promise<string>;
}

const ASKER = `
const { connect } = require('node:net');
const socket = connect(Number(process.argv[2]), process.argv[1]);
socket.on('data', (data) => process.stdout.write(data));
socket.on('error', (error) => process.stdout.write(error.code + '\\n'));
socket.on('close', () => process.exit());
process.stdin.pipe(socket);
`;

/** A process of an instance that connects to a public address. */
function asks(who: Machine, whom: Machine): Talk {
  const child: ChildProcess = spawn(process.execPath, ['-e', ASKER, whom.publicAddress ?? '', String(PORT)], {
    env: { DATA_DIR: join(stateDir, who.instanceId, 'data') },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  ends.push(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('no pipes');
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const line = await lines.next();
    return line.done === true ? 'the end' : line.value;
  };
  return {
    say: async (text) => {
      stdin.write(`${text}\n`);
      return next();
    },
    get ended() {
      return next();
    },
  };
}

/** How long something takes, in milliseconds. */
async function time(run: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await run();
  return performance.now() - startedMs;
}

describe('a public address', () => {
  test('leads to the private one, and shows the public address of the instance that asks', async () => {
    const [one, other] = [await machine('one', 'here', 10), await machine('other', 'there', 11)];
    await answers(other);
    admitted.add(`${other.instanceId} ${one.publicAddress}`);
    expect(await asks(one, other).say('hello')).toBe(`${one.publicAddress} hello`);
  });

  test('lets nobody in whom no rule names, and whoever waits as soon as one does', async () => {
    const [one, other] = [await machine('one', 'here', 10), await machine('other', 'here', 11)];
    await answers(other);
    const talk = asks(one, other);
    const said = talk.say('hello');
    const sooner = await Promise.race([said, asks(other, other).say('me'), pause(400)]);
    expect(sooner).toBe('nothing');
    admitted.add(`${other.instanceId} ${one.publicAddress}`);
    expect(await said).toBe(`${one.publicAddress} hello`);
    admitted.clear();
    expect(await talk.say('still here'), 'what was let in stays').toContain('still here');
  });

  test('lets an operator in, who is no instance', async () => {
    const one = await machine('one', 'here', 10);
    await answers(one);
    const socket = connect(PORT, one.publicAddress ?? '');
    socket.write('hello');
    expect(await once(socket, 'data').then(String)).toBe('127.0.0.1 hello');
    socket.destroy();
  });

  test('is as far as its region: everything takes the distance, one way, and the connection there and back', async () => {
    const [one, near] = [await machine('one', 'here', 10), await machine('near', 'here', 11)];
    const far = await machine('far', 'there', 12);
    distanceMs = 300;
    for (const peer of [near, far]) {
      await answers(peer);
      admitted.add(`${peer.instanceId} ${one.publicAddress}`);
    }
    const [close, away] = [asks(one, near), asks(one, far)];
    const first = await time(() => away.say('hello'));
    expect(first).toBeGreaterThanOrEqual(4 * 300);
    const second = await time(() => away.say('hello'));
    expect(second).toBeGreaterThanOrEqual(2 * 300);
    expect(second).toBeLessThan(first);
    await close.say('hello');
    expect(await time(() => close.say('hello'))).toBeLessThan(second);
  });

  test('is gone with its machine: who was connected hears of it, and nobody gets in', async () => {
    const [one, other] = [await machine('one', 'here', 10), await machine('other', 'here', 11)];
    await answers(other);
    admitted.add(`${other.instanceId} ${one.publicAddress}`);
    const talk = asks(one, other);
    await talk.say('hello');
    await edge.detach(other);
    expect(await talk.ended).toMatch(/the end|ECONNRESET/);
    expect(await asks(one, other).ended).toBe('ECONNREFUSED');
  });

  test.each([
    { what: 'its machine is gone', end: (one: Machine) => edge.detach(one) },
    { what: 'the sandbox ends', end: () => edge.close() },
  ])('listens nowhere when $what before it was all there', async ({ end }) => {
    const one = machineOf('one', 'here', 10);
    const [attached] = await Promise.allSettled([edge.attach(one), end(one)]);
    expect(attached.status).toBe('fulfilled');
    for (const port of [2378, 2379, 2380]) {
      const free = createServer();
      await listen(free, { host: one.publicAddress ?? '', port });
      await closeServer(free);
    }
  });

  test('says that nothing listens on the private one', async () => {
    const [one, other] = [await machine('one', 'here', 10), await machine('other', 'here', 11)];
    admitted.add(`${other.instanceId} ${one.publicAddress}`);
    expect(await asks(one, other).ended).toMatch(/ECONNRESET|the end/);
  });
});

test('a region that is cut off is silent, not gone: what was said meanwhile comes when it is mended', async () => {
  const [one, near] = [await machine('one', 'here', 10), await machine('near', 'here', 11)];
  const far = await machine('far', 'there', 12);
  for (const peer of [near, far]) {
    await answers(peer);
    admitted.add(`${peer.instanceId} ${one.publicAddress}`);
  }
  const [close, away] = [asks(one, near), asks(one, far)];
  await away.say('before');
  await edge.isolate(new Set(['there']));
  const said = away.say('during');
  expect(await close.say('near')).toContain('near');
  expect(await Promise.race([said, pause(300)])).toBe('nothing');
  await edge.isolate(new Set());
  expect(await said).toBe(`${one.publicAddress} during`);
});

/** Long enough for an answer that comes at all. */
async function pause(ms: number): Promise<'nothing'> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms);
  await promise;
  return 'nothing';
}
