import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { closeServer, listen } from '../../src/sandbox/listen.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { textOf } from '../e2e/fields.ts';
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

/**
 * Makes all links between instances slow: whatever one says to another arrives `delayMs` later, and so does the answer.
 * For a sandbox in namespaces whose instances are still to come. (A proxy does it: not every kernel has netem.)
 */
export function slowLinks(sandbox: Sandbox, delayMs: number): AsyncDisposable {
  const host = sandbox.addresses.dns.address;
  const made = new AsyncDisposableStack();
  const present: SlowInstance[] = [];

  const join = async (instanceId: string): Promise<void> => {
    if (present.some((one) => one.instanceId === instanceId)) return;
    const { instances } = sandbox.cloud.describe();
    const address = instances.find((one) => one.instanceId === instanceId)?.address ?? '';
    const ways = await Promise.all(
      PORTS.map(async (port) => {
        const proxy = made.use(await startProxy({ address, port }, host, delayMs));
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
      for (const way of ways) await slow(peer.instanceId, way);
      for (const way of peer.ways) await slow(instanceId, way);
    }
    present.push({ instanceId, ways });
  };
  let joining: Promise<unknown> = Promise.resolve();
  // The first that a machine does, long before it asks a peer.
  sandbox.cloud.events.subscribe(({ type, fields }) => {
    if (type !== 'process-start' || fields['process'] !== 'appliance') return;
    joining = joining.then(() => join(textOf(fields, 'instanceId')));
  });
  made.defer(async () => {
    await joining;
  });
  return made;
}

async function startProxy(target: Place, host: string, delayMs: number): Promise<Proxy> {
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
function pipeLate(from: Socket, to: Socket, delayMs: number): void {
  from.on('data', (chunk: Buffer) => setTimeout(() => to.write(chunk), delayMs));
  from.on('end', () => setTimeout(() => to.end(), delayMs));
  from.on('close', (broken) => setTimeout(() => (broken ? to.resetAndDestroy() : to.end()), delayMs));
}
