import type { Socket } from 'node:net';
import { startForwarder, type Forwarder, type Way } from './forwarder.ts';
import type { Machine } from './model.ts';
import type { MachineNetwork, NetworkCut } from './network.ts';
import { createSocketOwners } from './socket-owners.ts';

/** What instances ask of each other: the appliance's face, etcd's clients, its peers. */
const PORTS = [2378, 2379, 2380] as const;

export interface EdgeDeps {
  /** Where the machines' folders are: by them a process is told to be one of a machine. */
  readonly stateDir: string;
  /** Whether the security groups of an instance let this address in at this port. */
  readonly admits: (instanceId: string, address: string, port: number) => boolean;
  readonly regions: readonly string[];
  /** All addresses of a region's instances, as address ranges. */
  readonly rangesOf: (region: string) => readonly string[];
  /** How long everything takes from one region to another, one way. */
  readonly distanceMs: () => number;
}

/** The network with public addresses: they lead to the private ones, as far as rules, distance and cuts between regions let them. */
export interface Edge extends MachineNetwork {
  /**
   * Cuts these regions off from all others, for the instances that are still to come as well; replaces what was cut before.
   * Where machines have no network of their own, between public addresses alone.
   */
  readonly isolate: (regions: ReadonlySet<string>) => Promise<void>;
}

type Machines = ReadonlyMap<string, Machine>;

/**
 * Gives each machine that has a public address a forwarder on it. As on EC2, whoever comes by it is seen by its own public
 * address, and let in by rules that name that address: rules that name a security group mean private addresses alone.
 * Whoever is no instance (an operator) is let in, and is near. Between private addresses nothing is changed.
 */
export function createEdge(network: MachineNetwork, deps: EdgeDeps): Edge {
  const machines = new Map<string, Machine>();
  const forwarders = new Map<string, readonly Forwarder[]>();
  /** When a machine is all there; nothing of it is undone before that. Never rejects. */
  const arrivals = new Map<string, Promise<void>>();
  const callerOf = createCallers(network, deps.stateDir, machines);
  const borders = createBorders(network, deps, machines);

  const wayBetween = (caller: Machine | null, machine: Machine, port: number): Way => {
    if (caller === null) return { opens: true, carries: true, delayMs: 0, from: null };
    const from = caller.publicAddress;
    return {
      opens: from !== null && deps.admits(machine.instanceId, from, port),
      carries: !borders.areApart(caller.region, machine.region),
      delayMs: caller.region === machine.region ? 0 : deps.distanceMs(),
      from,
    };
  };

  const open = async (machine: Machine, host: string): Promise<void> => {
    const made: Forwarder[] = [];
    forwarders.set(machine.instanceId, made);
    for (const port of PORTS) {
      const wayOf = async (client: Socket) => {
        const caller = await callerOf(client);
        return () => wayBetween(caller, machine, port);
      };
      made.push(await startForwarder({ at: { host, port }, to: { host: machine.address, port }, wayOf }));
    }
  };

  const arrive = async (machine: Machine): Promise<void> => {
    await network.attach(machine);
    machines.set(machine.instanceId, machine);
    if (machine.publicAddress !== null) await open(machine, machine.publicAddress);
    await borders.arrived(machine);
  };

  const close = async (instanceId: string): Promise<void> => {
    await arrivals.get(instanceId);
    arrivals.delete(instanceId);
    const made = forwarders.get(instanceId) ?? [];
    forwarders.delete(instanceId);
    machines.delete(instanceId);
    borders.forget(instanceId);
    await Promise.all(made.map((forwarder) => forwarder.close()));
  };

  return {
    ...network,
    attach: async (machine) => {
      const arriving = arrive(machine);
      const arrived = arriving.catch(() => undefined);
      arrivals.set(machine.instanceId, arrived);
      await arriving;
    },
    detach: async (machine) => {
      await close(machine.instanceId);
      await network.detach(machine);
    },
    close: async () => {
      await Promise.all([...arrivals.keys()].map(close));
      await network.close();
    },
    cut: borders.cut,
    isolate: async (regions) => {
      const done = borders.isolate(regions);
      for (const forwarder of [...forwarders.values()].flat()) forwarder.look();
      await done;
    },
  };
}

/** Tells which machine a connection comes from; null where from none. */
function createCallers(network: MachineNetwork, stateDir: string, machines: Machines) {
  const ownerOf = createSocketOwners(stateDir);
  return async (client: Socket): Promise<Machine | null> => {
    const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = client;
    if (network.partitions) {
      return [...machines.values()].find(({ address }) => address === remoteAddress) ?? null;
    }
    const far = { address: remoteAddress, port: remotePort };
    const id = await ownerOf({ address: localAddress, port: localPort }, far);
    return machines.get(id ?? '') ?? null;
  };
}

const NO_CUT: NetworkCut = { peers: [], aws: false };

/** What is cut off from what: machines by themselves, and with their regions. */
function createBorders(network: MachineNetwork, deps: EdgeDeps, machines: Machines) {
  const cuts = new Map<string, NetworkCut>();
  let isolated: ReadonlySet<string> = new Set();

  const areApart = (one: string, other: string): boolean =>
    one !== other && (isolated.has(one) || isolated.has(other));

  const publicOf = (address: string): readonly string[] =>
    [...machines.values()].flatMap((machine) =>
      machine.address === address && machine.publicAddress !== null ? [machine.publicAddress] : [],
    );

  const apply = async ({ instanceId, region }: Machine): Promise<void> => {
    const { peers, aws } = cuts.get(instanceId) ?? NO_CUT;
    const beyond = deps.regions.filter((other) => areApart(region, other)).flatMap(deps.rangesOf);
    const all = peers === 'all' ? peers : [...peers, ...peers.flatMap(publicOf), ...beyond];
    await network.cut(instanceId, { aws, peers: all });
  };

  return {
    areApart,
    arrived: async (machine: Machine): Promise<void> => {
      if (network.partitions && isolated.size > 0) await apply(machine);
    },
    cut: async (instanceId: string, cut: NetworkCut): Promise<void> => {
      const machine = machines.get(instanceId);
      // It says itself what it cannot do.
      if (machine === undefined || !network.partitions) return network.cut(instanceId, cut);
      cuts.set(instanceId, cut);
      await apply(machine);
    },
    isolate: async (regions: ReadonlySet<string>): Promise<void> => {
      isolated = regions;
      if (network.partitions) await Promise.all([...machines.values()].map(apply));
    },
    forget: (instanceId: string): void => {
      cuts.delete(instanceId);
    },
  };
}
