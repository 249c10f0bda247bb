import type { EtcdExit } from '../../src/core/local-data.ts';
import { clientUrl, hostOf, peerUrl } from '../../src/core/urls.ts';
import type { Known } from '../../src/core/known.ts';
import { known, unknown } from '../../src/core/known.ts';
import type {
  Binary,
  EtcdStart,
  IdsPort,
  ProbePort,
  ProcessPort,
  RunningEtcd,
} from '../../src/daemon/ports.ts';
import { EtcdCluster } from './etcd-cluster.ts';
import type { FakeDisk, EtcdFiles } from './fake-data.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** A process of etcd, and what it has come to. */
export interface EtcdProcess {
  readonly pid: number;
  readonly name: string;
  readonly address: string;
  readonly version: string;
  readonly disk: FakeDisk;
  /** Null until it has read its disk, or found out whom to join. */
  files: EtcdFiles | null;
  alive: boolean;
  frozen: boolean;
  /** Whether clients are answered: never before it has published itself once, and so never before there was a quorum. */
  serving: boolean;
  /** Since when its peers have it connected; null while they do not. */
  connectedSince: number | null;
}

/** What happened that a test may want to know, at the moment when it happens. */
export interface EtcdWatch {
  started(instanceId: string, start: EtcdStart): void;
  ended(instanceId: string, exit: EtcdExit): void;
}

/** All etcd processes of a test, and their clusters. */
export interface FakeEtcd {
  readonly clusters: ReadonlyMap<string, EtcdCluster>;
  /** The processes of one machine. */
  machine(host: { readonly id: string; readonly address: string; readonly disk: FakeDisk }): ProcessPort;
  readonly probe: ProbePort;
  processAt(address: string): EtcdProcess | undefined;
  /** Ends with the process. */
  untilEnd(process: EtcdProcess): Promise<unknown>;
  /** The cluster of a running process. */
  clusterOf(process: EtcdProcess): EtcdCluster | undefined;
  /** SIGKILL. */
  kill(address: string): void;
  /** SIGSTOP, and SIGCONT. */
  freeze(address: string, frozen: boolean): void;
}

/** What etcd needs to be one. */
export interface FakeEtcdDeps {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly ids: IdsPort;
  readonly watch: EtcdWatch;
  readonly binaries?: readonly Binary[];
}

const BINARY: Binary = { version: '3.5.35', minor: '3.5' };

/** A world without any etcd. */
export function createFakeEtcd(deps: FakeEtcdDeps): FakeEtcd {
  const { clock, random } = deps;
  const binaries = deps.binaries ?? [BINARY];
  const clusters = new Map<string, EtcdCluster>();
  const processes = new Map<string, EtcdProcess>();
  const exits = new Map<EtcdProcess, PromiseWithResolvers<EtcdExit>>();
  let pids = 100;

  const clusterOf = (process: EtcdProcess): EtcdCluster | undefined =>
    process.files === null ? undefined : clusters.get(process.files.clusterId);
  const processOf = (memberId: string): EtcdProcess | undefined =>
    [...processes.values()].find((it) => it.files?.memberId === memberId);
  const isUp = (memberId: string): boolean => {
    const process = processOf(memberId);
    return process !== undefined && process.alive && !process.frozen && process.connectedSince !== null;
  };
  const presence = {
    isUp,
    connectedMs: (memberId: string): number => {
      const since = processOf(memberId)?.connectedSince ?? null;
      return isUp(memberId) && since !== null ? clock.now() - since : 0;
    },
  };
  const ensureCluster = (id: string): EtcdCluster => {
    const there = clusters.get(id);
    if (there !== undefined) return there;
    const made = new EtcdCluster(id, {
      clock,
      random: random.fork(),
      presence,
      onTurn: () => tendAll(id),
    });
    clusters.set(id, made);
    return made;
  };
  const end = (process: EtcdProcess, exit: Partial<EtcdExit>, handedOver = false): void => {
    if (!process.alive) return;
    process.alive = false;
    process.serving = false;
    process.connectedSince = null;
    if (processes.get(process.address) === process) processes.delete(process.address);
    const whole = { code: null, signal: null, saysRemoved: false, saysDamaged: null, lastWords: '', ...exit };
    exits.get(process)?.resolve(whole);
    deps.watch.ended(process.name, whole);
    clusterOf(process)?.reconsider(handedOver);
  };
  const removed = (process: EtcdProcess): void =>
    end(process, {
      code: random.int(0, 1),
      saysRemoved: true,
      lastWords: 'the member has been permanently removed from the cluster',
    });

  /** What etcd does by itself once its cluster has a leader: learn that it was removed, catch up, publish, serve. */
  const tend = (process: EtcdProcess): void => {
    const cluster = clusterOf(process);
    const { files } = process;
    if (cluster === undefined || files === null || !process.alive || process.frozen) return;
    if (cluster.leader === null) return;
    const member = cluster.find(files.memberId);
    if (member === undefined) {
      clock.after(100, () => {
        if (cluster.find(files.memberId) === undefined) removed(process);
      });
      return;
    }
    const publishes = !process.serving || member.clientUrls.length === 0;
    if (!publishes && (!member.learner || member.caughtUp)) return;
    clock.after(member.learner && !member.caughtUp ? random.int(50, 3_000) : random.int(10, 80), () => {
      if (!process.alive || process.frozen || cluster.leader === null) return;
      const now = cluster.find(files.memberId);
      if (now === undefined) return tend(process);
      now.caughtUp = true;
      files.appliedIndex = cluster.index;
      cluster.publish(now.id, process.name, clientUrl(process.address));
      process.serving = true;
    });
  };
  const tendAll = (clusterId: string): void => {
    for (const it of processes.values()) if (it.files?.clusterId === clusterId) tend(it);
  };
  const connect = (process: EtcdProcess): void => {
    process.connectedSince = clock.now();
    clusterOf(process)?.reconsider();
    tend(process);
  };

  const boot = (process: EtcdProcess, start: EtcdStart): void => {
    if (!process.alive) return;
    const files = start.initial === null ? process.disk.etcd : filesOf(process, start.initial);
    if (files === null || typeof files === 'string') {
      end(process, { code: 1, lastWords: files ?? 'no data' });
      return;
    }
    if (files.unreadable) {
      end(process, { code: 2, saysDamaged: 'wal', lastWords: 'walpb: crc mismatch' });
      return;
    }
    process.disk.etcd = files;
    process.files = files;
    connect(process);
  };
  /** What an etcd without data makes of its initial flags; a string says why it does not start. */
  const filesOf = (process: EtcdProcess, initial: NonNullable<EtcdStart['initial']>): EtcdFiles | string => {
    const own = peerUrl(process.address);
    const urls = initial.cluster.map((it) => it.peerUrl);
    if (!urls.includes(own)) return "couldn't find local name in the initial cluster configuration";
    const fresh = (clusterId: string, memberId: string): EtcdFiles => ({
      clusterId,
      memberId,
      appliedIndex: 0,
      unreadable: false,
    });
    const peers = urls.filter((it) => it !== own).flatMap((it) => processes.get(hostOf(it)) ?? []);
    const answering = peers.filter((it) => it.alive && !it.frozen && it.files !== null);
    if (initial.state === 'new') {
      const clusterId = deps.ids.clusterId(urls, initial.token);
      const memberId = deps.ids.memberId(own, initial.token);
      const isNew = !clusters.has(clusterId);
      const cluster = ensureCluster(clusterId);
      if (isNew) {
        for (const { name, peerUrl: url } of initial.cluster) {
          const id = deps.ids.memberId(url, initial.token);
          cluster.members.push({ id, name, peerUrls: [url], clientUrls: [], learner: false, caughtUp: true });
        }
      }
      const started = (cluster.find(memberId)?.clientUrls.length ?? 0) > 0;
      const asked = answering.some((it) => it.files?.clusterId === clusterId);
      if (started && asked) return `member ${memberId} has already been bootstrapped`;
      return fresh(clusterId, memberId);
    }
    const cluster = answering.map(clusterOf).find((it) => it !== undefined);
    if (cluster === undefined) return 'could not retrieve cluster information from the given URLs';
    const there = cluster.members.flatMap((it) => it.peerUrls).sort();
    if (there.join() !== [...urls].sort().join()) return 'member count is unequal';
    const member = cluster.members.find((it) => it.peerUrls.includes(own));
    return member === undefined ? 'not a member' : fresh(cluster.id, member.id);
  };

  const handle = (process: EtcdProcess): RunningEtcd => ({
    pid: process.pid,
    version: process.version,
    seeded: () => false,
    exited: exits.get(process)?.promise ?? Promise.reject(new Error('no such process')),
    async stop(graceMs) {
      const { promise } = exits.get(process) ?? Promise.withResolvers<EtcdExit>();
      if (process.frozen) clock.after(graceMs, () => end(process, { signal: 'SIGKILL' }));
      else clock.after(random.int(10, 300), () => end(process, { code: 0 }, true));
      return await promise;
    },
  });

  return {
    clusters,
    clusterOf,
    untilEnd: async (process) => await exits.get(process)?.promise,
    processAt: (address) => processes.get(address),
    kill(address) {
      const process = processes.get(address);
      if (process !== undefined) end(process, { signal: 'SIGKILL' });
    },
    freeze(address, frozen) {
      const process = processes.get(address);
      if (process === undefined || process.frozen === frozen) return;
      process.frozen = frozen;
      if (!frozen && process.files !== null) connect(process);
      else clusterOf(process)?.reconsider();
    },
    probe: {
      async probe(address, signal) {
        const process = processes.get(address);
        if (process !== undefined && !process.frozen && process.files !== null) {
          return { kind: 'answers', clusterId: process.files.clusterId, memberId: process.files.memberId };
        }
        if (process?.frozen === true) await clock.sleep(1_000, signal);
        return { kind: 'silent', reason: process === undefined ? 'connection refused' : 'no answer in 1 s' };
      },
    },
    machine: ({ id, address, disk }) => ({
      binaries: async () => await Promise.resolve(binaries),
      preflight: async () => await Promise.resolve(null),
      async adopt() {
        await Promise.resolve();
        const process = processes.get(address);
        return process === undefined ? null : handle(process);
      },
      async start(start): Promise<Known<RunningEtcd>> {
        await Promise.resolve();
        if (processes.has(address)) return unknown('an etcd runs on these data already');
        if (start.initial !== null && disk.etcd !== null)
          return unknown('there are data: not started as new');
        if (start.initial === null && disk.etcd === null) return unknown('there are no data');
        const process: EtcdProcess = {
          pid: (pids += 1),
          name: id,
          address,
          version: start.version,
          disk,
          files: null,
          alive: true,
          frozen: false,
          serving: false,
          connectedSince: null,
        };
        processes.set(address, process);
        exits.set(process, Promise.withResolvers<EtcdExit>());
        deps.watch.started(id, start);
        clock.after(random.int(10, 60), () => boot(process, start));
        return known(handle(process));
      },
    }),
  };
}
