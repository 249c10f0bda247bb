import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { closeServer, listen } from '../../src/sandbox/listen.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { holdNewcomers } from '../e2e/newcomers.ts';
import { divert } from './wires.ts';

/** What instances ask of each other: the appliance's face, etcd's clients, raft. */
const PORTS = [2378, 2379, 2380] as const;

interface Place {
  readonly address: string;
  readonly port: number;
}

interface Proxy extends AsyncDisposable {
  readonly place: Place;
}

interface Way {
  readonly from: Place;
  readonly to: Place;
}

/** An instance, and what its peers reach it by. */
interface SlowInstance {
  readonly instanceId: string;
  readonly ways: readonly Way[];
}

/** Links that are slow, for as long as they are not disposed of. */
export interface SlowLinks extends AsyncDisposable {
  /** From now on, one way. */
  readonly delay: (ms: number) => void;
}

/**
 * Makes all links between instances slow: whatever one says to another arrives `firstMs` later, and so does the answer.
 * For a sandbox in namespaces whose instances are still to come. (A proxy does it: not every kernel has netem.)
 */
export function slowLinks(sandbox: Sandbox, firstMs: number): SlowLinks {
  let delayMs = firstMs;
  const host = sandbox.addresses.dns.address;
  const made = new AsyncDisposableStack();
  const present: SlowInstance[] = [];

  const join = async (instanceId: string): Promise<void> => {
    const { instances } = sandbox.cloud.describe();
    const address = instances.find((one) => one.instanceId === instanceId)?.address ?? '';
    const ways = await Promise.all(
      PORTS.map(async (port) => {
        const proxy = made.use(await startProxy({ address, port }, host, () => delayMs));
        return { from: { address, port }, to: proxy.place };
      }),
    );
    const runs = (id: string): boolean =>
      sandbox.cloud.describe().instances.some((one) => one.instanceId === id && one.state === 'running');
    const slow = async (id: string, { from, to }: Way): Promise<void> => {
      // Whoever has ended meanwhile has no network to change.
      await divert(sandbox, id, from, to).catch((error: unknown) => {
        if (runs(id)) throw error;
      });
    };
    for (const peer of present.filter((one) => runs(one.instanceId))) {
      await Promise.all([
        ...ways.map(async (way) => slow(peer.instanceId, way)),
        ...peer.ways.map(async (way) => slow(instanceId, way)),
      ]);
    }
    present.push({ instanceId, ways });
  };
  let joining: Promise<unknown> = Promise.resolve();
  // On a busy machine its etcd could be connected before its links are slow, and stay so.
  holdNewcomers(sandbox, async (instanceId) => {
    joining = joining.then(async () => join(instanceId));
    await joining;
  });
  made.defer(async () => {
    await joining;
  });
  return {
    delay: (ms) => (delayMs = ms),
    [Symbol.asyncDispose]: async () => made.disposeAsync(),
  };
}

async function startProxy(target: Place, host: string, delayMs: () => number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const peer = connect(target.port, target.address);
    for (const socket of [client, peer]) {
      sockets.add(socket.on('close', () => sockets.delete(socket)));
      socket.on('error', () => undefined);
    }
    pipeLate(client, peer, delayMs);
    pipeLate(peer, client, delayMs);
  });
  await listen(server, { host, port: 0 });
  const { port } = server.address() as AddressInfo;
  return {
    place: { address: host, port },
    [Symbol.asyncDispose]: async () => {
      const closed = closeServer(server);
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** What is said, the end of it and a broken connection all come over so much later, in their order. */
function pipeLate(from: Socket, to: Socket, delayMs: () => number): void {
  // Each after the one before, and not each by a timer of its own: of two timers that end in the same moment, one that was set
  // for longer may come second. Once a link was slowed less, bytes overtook bytes, and etcd read nonsense.
  let before: Promise<unknown> = Promise.resolve();
  const later = (act: () => void): void => {
    const dueMs = performance.now() + delayMs();
    before = before.then(async () => {
      const leftMs = dueMs - performance.now();
      if (leftMs > 0) await delay(leftMs);
      act();
    });
  };
  from.on('data', (chunk: Buffer) => later(() => void to.write(chunk)));
  from.on('end', () => later(() => void to.end()));
  from.on('close', (broken) => later(() => void (broken ? to.resetAndDestroy() : to.end())));
}
