import { createServer, type RequestListener, type Server } from 'node:http';
import { createApiListener } from './api-server.ts';
import { createSystemClock } from './clock.ts';
import { createCloud } from './cloud.ts';
import { createDnsServer, type Listening } from './dns.ts';
import { createEventLog } from './events.ts';
import type { BareMachine, MachineRunner } from './instances.ts';
import { closeServer, listen } from './listen.ts';
import { createMetadataListener } from './metadata.ts';
import type { Clock, Cloud, CloudSettings, EventLog, Hypervisor } from './model.ts';
import { createRandom } from './random.ts';
import { regionPlaces } from './regions.ts';
import { admits } from './security-groups.ts';
import { findInstance } from './world.ts';

export type { Listening } from './dns.ts';

/** Where a machine's metadata is served, and how the machine itself reaches it (the same where absent). */
export interface MetadataPlace extends Listening {
  readonly endpoint?: string;
}

export interface CloudServerOptions {
  readonly hypervisor: Hypervisor;
  readonly settings?: Partial<CloudSettings>;
  /** First two octets of all addresses. Default 127.78. */
  readonly network?: string;
  /** Default: eu-central-1 alone. */
  readonly regions?: readonly string[];
  /** Where the AWS endpoint listens. Default NETWORK.0.1:4566; port 0 takes a free one. */
  readonly aws?: Listening;
  /** Where DNS listens, UDP and TCP. Default NETWORK.0.2:5353. */
  readonly dns?: Listening;
  /** Where a machine's metadata listens. Default: its own address, port 1338. */
  readonly metadata?: (machine: BareMachine) => MetadataPlace;
  readonly clock?: Clock;
  readonly events?: EventLog;
  /** The same seed gives the same ids, tokens and chances. Default: another each time. */
  readonly seed?: number;
}

export interface CloudServer {
  readonly cloud: Cloud;
  /** Whether the security groups of an instance let this address in at this TCP port. */
  readonly admits: (instanceId: string, address: string, port: number) => boolean;
  /** All addresses that a region's instances ever get, private and public, as address ranges. */
  readonly rangesOf: (region: string) => readonly string[];
  /** Binds AWS and DNS. Throws where an address is taken. */
  readonly start: () => Promise<{ readonly awsEndpoint: string; readonly dns: Listening }>;
  /** Ends all listeners and timers; the machines are the hypervisor's to end. */
  readonly close: () => Promise<void>;
}

const METADATA_PORT = 1338;
export const DEFAULT_REGIONS = ['eu-central-1'] as const;

async function serve(
  listener: RequestListener,
  at: Listening,
): Promise<{ server: Server; endpoint: string }> {
  const server = createServer(listener);
  await listen(server, at);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : at.port;
  return { server, endpoint: `http://${at.host}:${String(port)}` };
}

/** One metadata server a machine, from before it boots until nothing of it lives. */
function withMetadata(
  hypervisor: Hypervisor,
  open: (machine: BareMachine) => Promise<{ server: Server; endpoint: string }>,
) {
  const servers = new Map<string, Server>();
  let closed = false;
  const close = async (instanceId: string): Promise<void> => {
    const server = servers.get(instanceId);
    servers.delete(instanceId);
    if (server !== undefined) await closeServer(server);
  };
  const runner: MachineRunner = {
    async boot(machine) {
      const { server, endpoint } = await open(machine);
      servers.set(machine.instanceId, server);
      if (closed) {
        await close(machine.instanceId);
        throw new Error(`the cloud was closed while ${machine.instanceId} booted`);
      }
      await hypervisor.boot({ ...machine, metadataEndpoint: endpoint });
    },
    async shutdown(instanceId, graceMs) {
      await hypervisor.shutdown(instanceId, graceMs);
      await close(instanceId);
    },
    async powerCut(instanceId) {
      await hypervisor.powerCut(instanceId);
      await close(instanceId);
    },
  };
  return {
    runner,
    closeAll: async (): Promise<void> => {
      closed = true;
      await Promise.all([...servers.keys()].map(close));
    },
  };
}

/** The simulated cloud behind its servers: the AWS endpoint, DNS, and one metadata service a machine. */
export function createCloudServer(options: CloudServerOptions): CloudServer {
  const network = options.network ?? '127.78';
  const clock = options.clock ?? createSystemClock();
  const events = options.events ?? createEventLog(clock);
  const places = regionPlaces({ regions: options.regions ?? DEFAULT_REGIONS, network });
  const placeOf =
    options.metadata ?? ((machine: BareMachine) => ({ host: machine.address, port: METADATA_PORT }));
  const metadata = withMetadata(options.hypervisor, async (machine) => {
    const where: MetadataPlace = placeOf(machine);
    const region = parts.regions.get(machine.region);
    if (region === undefined)
      throw new Error(`${machine.instanceId} is of the unknown region ${machine.region}`);
    const listener = createMetadataListener(region, parts.faults, machine.instanceId);
    const { server, endpoint } = await serve(listener, where);
    return { server, endpoint: where.endpoint ?? endpoint };
  });
  const seed = options.seed ?? Date.now() % 2 ** 32;
  const parts = createCloud(
    {
      places,
      clock,
      events,
      random: createRandom(seed),
      runner: metadata.runner,
      clients: `${network}.0.0/24`,
    },
    options.settings,
  );
  const dns = createDnsServer(parts.store);
  let aws: Server | null = null;

  return {
    cloud: parts.cloud,
    admits(instanceId, address, port) {
      const found = findInstance(parts.store.world(), instanceId);
      const region = parts.regions.get(found?.region ?? '');
      if (found === null || region === undefined) return false;
      const ids = found.instance.securityGroupIds;
      return ids.some((id) => admits(region.securityGroups.need(id), address, port));
    },
    rangesOf: (region) => parts.regions.get(region)?.addresses.ranges ?? [],
    async start() {
      const bound = await serve(
        createApiListener(parts),
        options.aws ?? { host: `${network}.0.1`, port: 4566 },
      );
      aws = bound.server;
      try {
        const where = await dns.start(options.dns ?? { host: `${network}.0.2`, port: 5353 });
        return { awsEndpoint: bound.endpoint, dns: where };
      } catch (error) {
        aws = null;
        await closeServer(bound.server);
        throw error;
      }
    },
    async close() {
      parts.close();
      const server = aws;
      aws = null;
      await Promise.all([
        dns.close(),
        metadata.closeAll(),
        ...(server === null ? [] : [closeServer(server)]),
      ]);
    },
  };
}
