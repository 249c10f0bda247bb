import { hostOf, clientUrl, peerUrl } from '../../../src/core/urls.ts';
import type { EtcdExit } from '../../../src/core/local-data.ts';
import type { AdminPort, EtcdStart, ProcessPort, RunningEtcd } from '../../../src/daemon/ports.ts';
import { etcdIds } from '../../../src/etcd/ids.ts';
import { createFakeDisk, type FakeDisk } from '../fake-data.ts';
import { createNetwork, type Network } from '../network.ts';
import { createSeededRandom } from '../seeded-random.ts';
import { soonOn } from '../soon.ts';
import { createVirtualClock, type VirtualClock } from '../virtual-clock.ts';
import { createWire } from '../wire.ts';
import { createEtcdAdmin } from './admin.ts';
import type { EtcdCluster } from './cluster.ts';
import type { LargeDatabase } from './large.ts';
import type { EtcdNode } from './node.ts';
import { createEtcdWorld, type EtcdWorld } from './world.ts';

const NEVER = new AbortController().signal;
/** Where the lab's own calls come from. */
const CALLER = { id: 'lab', address: '10.0.9.1' };

/** One machine of a lab. */
export interface EtcdLabHost {
  readonly name: string;
  readonly address: string;
  readonly endpoint: string;
  readonly peerUrl: string;
  readonly disk: FakeDisk;
  readonly process: ProcessPort;
  running: RunningEtcd | null;
  exit: EtcdExit | null;
}

/** As what etcd is started; left out: the lab's version, and its own default. */
export interface EtcdLabRun {
  readonly version?: string;
  readonly snapshotCount?: number;
}

/** Machines that run nothing but modelled etcds, on virtual time. */
export interface EtcdLab {
  readonly clock: VirtualClock;
  readonly network: Network;
  readonly etcd: EtcdWorld;
  readonly admin: AdminPort;
  readonly hosts: readonly EtcdLabHost[];
  host(index: number): EtcdLabHost;
  /** What runs on a host. Throws where nothing does. */
  node(index: number): EtcdNode;
  /** Starts etcd there; `null`: on its data. */
  start(index: number, initial: EtcdStart['initial'], how?: EtcdLabRun): Promise<void>;
  /** The words of a birth of the first hosts. */
  founding(count: number, token?: string): NonNullable<EtcdStart['initial']>;
  /** A cluster of the first hosts, all of them serving. */
  found(count: number, token?: string): Promise<EtcdCluster>;
  /** SIGTERM, the end, and a start on the data as this version, until it serves or has ended. */
  swap(index: number, how: EtcdLabRun): Promise<void>;
  /** The value of a promise that needs time to pass. */
  soon<T>(work: Promise<T>): Promise<T>;
}

/** A lab with so many machines; `large`: how slow a database makes etcd that is filled. */
export function createEtcdLab(count: number, seed = 1, version = '3.5.35', large?: LargeDatabase): EtcdLab {
  const random = createSeededRandom(seed);
  const clock = createVirtualClock();
  const network = createNetwork(random.fork());
  const watch = { started: () => undefined, ended: () => undefined };
  const etcd = createEtcdWorld({
    clock,
    random: random.fork(),
    ids: etcdIds,
    watch,
    network,
    ...(large === undefined ? {} : { large }),
  });
  const hosts = Array.from({ length: count }, (_, index): EtcdLabHost => {
    const [id, address, disk] = [`n${index + 1}`, `10.0.0.${index + 1}`, createFakeDisk()];
    const process = etcd.machine({ id, address, disk });
    const urls = { endpoint: clientUrl(address), peerUrl: peerUrl(address) };
    return { name: id, address, ...urls, disk, process, running: null, exit: null };
  });
  const host = (index: number): EtcdLabHost => {
    const found = hosts[index];
    if (found === undefined) throw new Error(`no host ${index}`);
    return found;
  };
  const start: EtcdLab['start'] = async (index, initial, how = {}) => {
    const it = host(index);
    const { name, address } = it;
    const begun = await it.process.start({ version, name, address, initial, ...how }, NEVER);
    if (!begun.known) throw new Error(begun.reason);
    it.running = begun.value;
    it.exit = null;
    void begun.value.exited.then((exit) => {
      if (it.running !== begun.value) return;
      it.running = null;
      it.exit = exit;
    });
  };
  const founding: EtcdLab['founding'] = (size, token = 'a-token') => ({
    state: 'new',
    cluster: hosts.slice(0, size).map(({ name, peerUrl: url }) => ({ name, peerUrl: url })),
    token,
  });
  return {
    clock,
    network,
    etcd,
    admin: createEtcdAdmin(CALLER, { etcd, wire: createWire(clock, random.fork()) }),
    hosts,
    host,
    soon: soonOn(clock),
    start,
    founding,
    async swap(index, how) {
      const it = host(index);
      if (it.running !== null) await soonOn(clock)(it.running.stop(10_000));
      await start(index, null, how);
      const serves = (): boolean => etcd.processAt(it.address)?.serving === true;
      await clock.until(() => it.exit !== null || serves(), 20_000);
    },
    node(index) {
      const node = etcd.processAt(host(index).address)?.node;
      if (node === null || node === undefined) throw new Error(`nothing runs on host ${index}`);
      return node;
    },
    async found(size, token) {
      const initial = founding(size, token);
      for (let index = 0; index < size; index += 1) await start(index, initial);
      const serves = (url: string): boolean => etcd.processAt(hostOf(url))?.serving === true;
      if (!(await clock.until(() => initial.cluster.every((it) => serves(it.peerUrl)), 20_000)))
        throw new Error('no cluster was formed');
      const cluster = etcd.clusters.get(host(0).disk.etcd?.clusterId ?? '');
      if (cluster === undefined) throw new Error('there is no cluster');
      return cluster;
    },
  };
}
