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

const NO_CUT: NetworkCut = { peers: [], aws: false };

/**
 * Gives each machine that has a public address a forwarder on it. As on EC2, whoever comes by it is seen by its own public
 * address, and let in by rules that name that address: rules that name a security group mean private addresses alone.
 * Whoever is no instance (an operator) is let in, and is near. Between private addresses nothing is changed.
 */
export function createEdge(network: MachineNetwork, deps: EdgeDeps): Edge {
  const ownerOf = createSocketOwners(deps.stateDir);
  const machines = new Map<string, Machine>();
  const forwarders = new Map<string, readonly Forwarder[]>();
  const cuts = new Map<string, NetworkCut>();
  let isolated: ReadonlySet<string> = new Set();

  const areApart = (one: string, other: string): boolean =>
    one !== other && (isolated.has(one) || isolated.has(other));

  /** Cuts a machine off from what it was cut off from itself, and from what its region was. */
  const applyCuts = async ({ instanceId, region }: Machine): Promise<void> => {
    const { peers, aws } = cuts.get(instanceId) ?? NO_CUT;
    const beyond = deps.regions.filter((other) => areApart(region, other)).flatMap(deps.rangesOf);
    await network.cut(instanceId, {
      aws,
      peers: peers === 'all' ? peers : [...peers, ...peers.flatMap(publicOf), ...beyond],
    });
  };
  const publicOf = (address: string): readonly string[] => {
    const machine = [...machines.values()].find((one) => one.address === address);
    return machine?.publicAddress == null ? [] : [machine.publicAddress];
  };

  const callerOf = async (client: Socket): Promise<Machine | null> => {
    const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = client;
    if (network.partitions) {
      return [...machines.values()].find(({ address }) => address === remoteAddress) ?? null;
    }
    const near = { address: localAddress, port: localPort };
    const far = { address: remoteAddress, port: remotePort };
    return machines.get((await ownerOf(near, far)) ?? '') ?? null;
  };

  const wayBetween = (caller: Machine | null, machine: Machine, port: number): Way => {
    if (caller === null) return { opens: true, carries: true, delayMs: 0, from: null };
    const far = caller.region !== machine.region;
    const from = caller.publicAddress;
    return {
      opens: from !== null && deps.admits(machine.instanceId, from, port),
      carries: !areApart(caller.region, machine.region),
      delayMs: far ? deps.distanceMs() : 0,
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

  const close = async (instanceId: string): Promise<void> => {
    const open = forwarders.get(instanceId) ?? [];
    forwarders.delete(instanceId);
    machines.delete(instanceId);
    cuts.delete(instanceId);
    await Promise.all(open.map((forwarder) => forwarder.close()));
  };

  return {
    ...network,
    attach: async (machine) => {
      await network.attach(machine);
      machines.set(machine.instanceId, machine);
      if (machine.publicAddress !== null) await open(machine, machine.publicAddress);
      if (network.partitions && isolated.size > 0) await applyCuts(machine);
    },
    detach: async (machine) => {
      await close(machine.instanceId);
      await network.detach(machine);
    },
    close: async () => {
      await Promise.all([...machines.keys()].map(close));
      await network.close();
    },
    cut: async (instanceId, cut) => {
      const machine = machines.get(instanceId);
      if (machine === undefined || !network.partitions) return network.cut(instanceId, cut);
      cuts.set(instanceId, cut);
      await applyCuts(machine);
    },
    isolate: async (regions) => {
      isolated = regions;
      for (const forwarder of [...forwarders.values()].flat()) forwarder.look();
      if (network.partitions) await Promise.all([...machines.values()].map(applyCuts));
    },
  };
}
