import type { Self } from '../../src/core/fleet.ts';
import { clientUrl, peerUrl } from '../../src/core/urls.ts';
import type { Context } from '../../src/daemon/context.ts';
import { createContext } from '../../src/daemon/context.ts';
import type { Ports } from '../../src/daemon/ports.ts';
import { etcdIds } from '../../src/etcd/ids.ts';
import { createFakeData, createFakeDisk, type FakeDisk } from './fake-data.ts';
import { createEtcdAdmin } from './etcd/admin.ts';
import type { EtcdCluster } from './etcd/cluster.ts';
import type { MembershipChange } from './etcd/node.ts';
import { createEtcdWorld, type EtcdWorld } from './etcd/world.ts';
import { createFakeInspect } from './fake-inspect.ts';
import { createFakeFirewall } from './fake-firewall.ts';
import { createFakeFleet, type FakeFleet } from './fake-fleet.ts';
import { createFakeHooks, type FakeHooks } from './fake-hooks.ts';
import { createFakeMetadata, type FakeMetadata } from './fake-metadata.ts';
import { createFakeZone, type FakeZone } from './fake-zone.ts';
import { createNetwork, type Network, type Place, type Traffic } from './network.ts';
import { createSeededRandom } from './seeded-random.ts';
import { soonOn } from './soon.ts';
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts';
import { createWire } from './wire.ts';

/** The cluster's name on every bench. */
export const NAME = 'main.example.org';

/** The token of the cluster that `form` founds. */
export const TOKEN = 'a-token';

/** One instance of a bench. */
export interface Host {
  readonly self: Self;
  readonly disk: FakeDisk;
  readonly hooks: FakeHooks;
  readonly metadata: FakeMetadata;
  readonly ports: Ports;
  /** What a real appliance makes of these ports; its loops do not run. */
  readonly context: Context;
  /** Client URL of its etcd. */
  readonly url: string;
}

/** A few instances, and what the parts of an appliance are tried on, one at a time, on virtual time. */
export interface Bench {
  readonly clock: VirtualClock;
  readonly zone: FakeZone;
  readonly aws: FakeFleet;
  readonly etcd: EtcdWorld;
  /** Between the etcds; whoever asks one reaches it. */
  readonly network: Network;
  readonly hosts: readonly [Host, ...Host[]];
  readonly log: string[];
  readonly changes: MembershipChange[];
  host(index: number): Host;
  /** Founds a cluster on all hosts and waits for its leader. */
  form(): Promise<EtcdCluster>;
  /** The value of a promise that needs time to pass. */
  soon<T>(work: Promise<T>): Promise<T>;
}

/** A signal that never comes. */
export const NEVER = new AbortController().signal;

/** A bench with so many instances, all of them in the group and running. */
export function createBench(count = 1, seed = 1): Bench {
  const random = createSeededRandom(seed);
  const clock = createVirtualClock();
  const wire = createWire(clock, random.fork());
  const zone = createFakeZone('example.org');
  const aws = createFakeFleet();
  aws.setDesired(count);
  const log: string[] = [];
  const changes: MembershipChange[] = [];
  const network = createNetwork(createSeededRandom(seed));
  const etcd = createEtcdWorld({
    clock,
    network,
    random: random.fork(),
    ids: etcdIds,
    watch: {
      started: () => undefined,
      ended: () => undefined,
      changed: (it) => changes.push(it),
    },
  });
  const addHost = (index: number): Host => {
    const self = {
      id: `i-0${index + 1}`,
      region: 'eu-central-1',
      zone: 'eu-central-1a',
      address: `10.0.0.${index + 1}`,
      stack: 'etcd-cluster-main',
    };
    aws.add({ id: self.id, address: self.address });
    const disk = createFakeDisk();
    const hooks = createFakeHooks();
    const metadata = createFakeMetadata();
    const line = (fields: object, message: string): void => {
      log.push(`${self.id} ${message} ${JSON.stringify(fields)}`);
    };
    const ports: Ports = {
      clock,
      random: random.fork(),
      log: { debug: line, info: line, warn: line, error: line },
      meter: {
        planned: () => undefined,
        acted: () => undefined,
        restarted: () => undefined,
        evicted: () => undefined,
        dnsWritten: () => undefined,
        ticked: () => undefined,
      },
      self,
      metadata,
      fleet: aws.port(self.id),
      firewall: createFakeFirewall(),
      hooks,
      zone: zone.port(NAME),
      admin: createEtcdAdmin(self, { etcd, wire }),
      probe: etcd.probe(self.address),
      process: etcd.machine({ id: self.id, address: self.address, disk }),
      data: createFakeData(disk),
      inspect: createFakeInspect(),
      ids: etcdIds,
      peers: {
        askBirth: () => Promise.reject(new Error('nobody is asked here')),
        askUpgrade: () => Promise.resolve({ known: false, reason: 'nobody is asked here' }),
      },
    };
    const options = {
      cluster: NAME,
      bootstrapWaitMs: 120_000,
      housekeepingIntervalMs: 120_000,
      etcdVersion: null,
    };
    const url = clientUrl(self.address);
    return { self, disk, hooks, metadata, ports, context: createContext(options, ports), url };
  };
  const [first, ...others] = Array.from({ length: count }, (_, index) => addHost(index));
  if (first === undefined) throw new Error('a bench has at least one host');
  const hosts: readonly [Host, ...Host[]] = [first, ...others];

  return {
    clock,
    zone,
    aws,
    etcd,
    network,
    hosts,
    log,
    changes,
    soon: soonOn(clock),
    host(index) {
      const host = hosts[index];
      if (host === undefined) throw new Error(`no host ${index}`);
      return host;
    },
    async form() {
      const cluster = hosts.map(({ self }) => ({ name: self.id, peerUrl: peerUrl(self.address) }));
      for (const { ports, self } of hosts) {
        const initial = { state: 'new' as const, cluster, token: TOKEN };
        const started = await ports.process.start(
          { version: '3.5.35', name: self.id, address: self.address, initial },
          NEVER,
        );
        if (!started.known) throw new Error(started.reason);
      }
      const urls = cluster.map((it) => it.peerUrl);
      const id = etcdIds.clusterId(urls, TOKEN);
      await clock.until(
        () => hosts.every(({ self }) => etcd.processAt(self.address)?.serving === true),
        10_000,
      );
      const formed = etcd.clusters.get(id);
      if (formed === undefined || formed.leader === null) throw new Error('no cluster was formed');
      return formed;
    },
  };
}

/** Cuts what etcds say to their peers, from one address to another. Gives the way to mend it. */
export function cutPeers(
  bench: Bench,
  from: Place,
  to: Place | null,
  back: 'both ways' | 'one way',
): () => void {
  const traffic: readonly Traffic[] = ['peer'];
  const goes = (one: Place, other: Place): boolean => one === from && (to === null || other === to);
  const concerns = (one: Place, other: Place): boolean =>
    goes(one, other) || (back === 'both ways' && goes(other, one));
  return bench.network.cut({ traffic, concerns });
}
