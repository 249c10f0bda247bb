import type { EtcdExit } from '../../../src/core/local-data.ts';
import { compareVersions } from '../../../src/core/versions.ts';
import type { Binary, IdsPort, ProbePort, ProcessPort } from '../../../src/daemon/ports.ts';
import type { FakeDisk } from '../fake-data.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import type { Calls, Answer, Attempt } from './calls.ts';
import { createCalls, leaderOf } from './calls.ts';
import { createCluster, type EtcdCluster } from './cluster.ts';
import { hearLeader, keepLeading } from './election.ts';
import { occupy } from './busy.ts';
import { type LargeDatabase, NO_TIME } from './large.ts';
import { noteLease, watchLeases } from './leases.ts';
import { isLinked, noteContacts, peerOf } from './links.ts';
import type { EtcdNetwork, EtcdNode, EtcdProcess, Etcds, EtcdWatch } from './node.ts';
import { isAwake } from './node.ts';
import { createProbe } from './probe.ts';
import { createMachine } from './process.ts';
import { publish } from './publish.ts';
import { append, replicate } from './replication.ts';
import { createRequests } from './requests.ts';
import { applyChange, isConfChange, type Change } from './state.ts';
import { keepVersions, noteVersion, whyDies } from './versions.ts';

/** A machine that etcd runs on. */
export interface EtcdHost {
  readonly id: string;
  readonly address: string;
  readonly disk: FakeDisk;
  /** Its image; left out: what the world has. */
  readonly binaries?: EtcdImage;
  /** Whether the machine has power; left out: it has. */
  readonly isOn?: () => boolean;
}

/**
 * How a binary is broken: it ends as it starts, it runs and says nothing to anybody, or it calls unreadable what another
 * version ran on.
 */
export type BinaryFault = 'crashes' | 'mute' | 'unreadable';

/** What is installed on a machine. */
export interface EtcdImage {
  versions: readonly string[];
  readonly bad: Map<string, BinaryFault>;
}

/** All etcd processes of a test, and their clusters. */
export interface EtcdWorld {
  readonly clusters: ReadonlyMap<string, EtcdCluster>;
  /** The processes of one machine. */
  machine(host: EtcdHost): ProcessPort;
  /** The probe, sent from an address. */
  probe(from: string): ProbePort;
  /** The calls that an instance makes. */
  calls(caller: string): Calls;
  /** Sends a call: how it is answered, is up to who runs there then. Ends within etcd's deadline of ours. */
  send<T>(from: string, to: string, attempt: Attempt<T>): Answer<T> | Promise<Answer<T>>;
  processAt(address: string): EtcdProcess | undefined;
  /** Running members of a cluster, with all that they know. */
  nodesOf(clusterId: string): readonly EtcdNode[];
  /** The cluster of a running process. */
  clusterOf(process: EtcdProcess): EtcdCluster | undefined;
  /** SIGKILL. */
  kill(address: string): void;
  /** SIGSTOP, and SIGCONT. */
  freeze(address: string, frozen: boolean): void;
  /** A client has its database defragmented, which takes so long; false: none serves there, or it is busy. */
  defragment(address: string, ms: number): boolean;
  /** Somebody asks for /health: old releases of 3.4 write a request of the old API to the log for it. */
  askHealth(address: string): void;
  /** The id of a member that is added now. */
  newMemberId(peerUrl: string): string;
}

/** What etcd needs to be one. */
export interface EtcdWorldDeps {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly ids: IdsPort;
  readonly watch: EtcdWatch;
  /** Left out: everybody reaches everybody. */
  readonly network?: EtcdNetwork;
  readonly binaries?: readonly Binary[];
  /** Left out: no time to speak of. */
  readonly large?: LargeDatabase;
}

const BINARY: Binary = { version: '3.5.35', minor: '3.5' };
const WHOLE: EtcdNetwork = { reaches: () => true, watch: () => () => undefined };

/** A world without any etcd. */
export function createEtcdWorld(deps: EtcdWorldDeps): EtcdWorld {
  const { clock, random, ids, watch } = deps;
  const network = deps.network ?? WHOLE;
  const clusters = new Map<string, EtcdCluster>();
  const processes = new Map<string, EtcdProcess>();
  const exits = new Map<EtcdProcess, PromiseWithResolvers<EtcdExit>>();
  const stirred = new Set<string>();
  let stirring = false;
  let requests = 0;

  const nodesOf = (clusterId: string): readonly EtcdNode[] => {
    const nodes: EtcdNode[] = [];
    for (const { node } of processes.values())
      if (node !== null && node.files.clusterId === clusterId) nodes.push(node);
    return nodes;
  };
  const stir = (clusterId: string): void => {
    stirred.add(clusterId);
    if (stirring) return;
    stirring = true;
    for (const id of stirred) {
      stirred.delete(id);
      settle(etcds, id);
    }
    stirring = false;
  };
  const stirSoon = (clusterId: string): void => {
    if (stirred.has(clusterId)) return;
    stirred.add(clusterId);
    if (!stirring) clock.after(0, () => stir(clusterId));
  };
  const newMemberId = (peerUrl: string): string =>
    // etcd mixes the second in, and has no cluster token at hand.
    ids.memberId(peerUrl, String(Math.floor(Date.parse(clock.wallTime()) / 1_000)));
  const clusterFor = (node: EtcdNode): EtcdCluster => {
    const { clusterId } = node.files;
    const there = clusters.get(clusterId);
    if (there !== undefined) return there;
    const made = createCluster(etcds, node.files, newMemberId);
    clusters.set(clusterId, made);
    return made;
  };

  const etcds: Etcds = {
    clock,
    random,
    network,
    processes,
    large: deps.large ?? NO_TIME,
    nodesOf,
    stir,
    occupy(process, kind, ms) {
      occupy(etcds, process, kind, ms);
      watch.isBusy?.(process.name, kind, ms);
    },
    nextRequest: () => (requests += 1),
    apply(node, entry) {
      const { change, request } = entry;
      const { files } = node;
      const cluster = clusterFor(node);
      const death = whyDies(node, change);
      if (death !== null) {
        etcds.end(node.process, death);
        return;
      }
      const isFirst = entry.index > cluster.state.index;
      const hadQuorum = isFirst && isConfChange(change) && cluster.hasQuorum();
      const versionBefore = files.state.clusterVersion;
      const result = applyChange(files.state, change);
      noteVersion(node, versionBefore);
      cluster.sees(files);
      if (isFirst && isConfChange(change) && result.refusal === null && result.member !== null) {
        const { kind } = change;
        watch.changed?.({ kind, caller: entry.caller, cluster, member: result.member, hadQuorum });
      }
      noteLease(etcds, node, change);
      node.doomed ||= files.state.removed.has(files.memberId);
      const waiter = request === 0 ? undefined : node.waiters.get(request);
      node.waiters.delete(request);
      waiter?.(result);
      if (isConfChange(change) || isOfInterest(change) || node.process.requests.size > 0)
        stirSoon(files.clusterId);
    },
    end(process, exit) {
      if (!process.alive) return;
      const { node } = process;
      process.alive = false;
      process.serving = false;
      process.node = null;
      if (node !== null) stop(node);
      if (processes.get(process.address) === process) processes.delete(process.address);
      const whole = {
        code: null,
        signal: null,
        saysRemoved: false,
        saysDamaged: null,
        lastWords: '',
        ...exit,
      };
      exits.get(process)?.resolve(whole);
      watch.ended(process.name, whole);
      for (const it of process.requests) it.lost();
      if (node !== null) stirSoon(node.files.clusterId);
    },
  };
  network.watch(() => {
    for (const id of clusters.keys()) stir(id);
  });
  const booted = (node: EtcdNode): void => {
    clusterFor(node).sees(node.files);
    // Who was removed while it was cut off may run on, and speaks to nobody.
    const members = clusterFor(node);
    const running = nodesOf(node.files.clusterId)
      .filter((it) => members.find(it.files.memberId) !== undefined)
      .map((it) => it.process.version);
    watch.runs?.(node.process.name, running);
    stir(node.files.clusterId);
  };

  return {
    clusters,
    nodesOf,
    newMemberId,
    calls: (caller) => createCalls(etcds, caller),
    send: createRequests(etcds),
    probe: (from) => createProbe(etcds, from),
    processAt: (address) => processes.get(address),
    clusterOf: ({ files }) => (files === null ? undefined : clusters.get(files.clusterId)),
    kill(address) {
      const process = processes.get(address);
      if (process !== undefined) etcds.end(process, { signal: 'SIGKILL' });
    },
    freeze(address, frozen) {
      const process = processes.get(address);
      if (process === undefined || process.frozen === frozen) return;
      process.frozen = frozen;
      if (!frozen) thaw(etcds, process);
      else if (process.node !== null) stir(process.node.files.clusterId);
    },
    defragment(address, ms) {
      const process = processes.get(address);
      if (process?.serving !== true || process.frozen || process.busy !== null) return false;
      etcds.occupy(process, 'defragments', ms);
      return true;
    },
    askHealth(address) {
      const { node, serving, version } = processes.get(address) ?? {
        node: null,
        serving: false,
        version: '',
      };
      if (node === null || !serving || compareVersions(version, '3.4.29') >= 0) return;
      const leader = leaderOf(etcds, node);
      if (leader !== null) append(etcds, leader, { kind: 'old-request' }, 0, '');
    },
    machine: (host) =>
      createMachine(host, {
        etcds,
        ids,
        binaries: deps.binaries ?? [BINARY],
        watch,
        processes,
        exits,
        booted,
      }),
  };
}

/** What everybody of a cluster makes of how things are now. */
function settle(etcds: Etcds, clusterId: string): void {
  const nodes = etcds.nodesOf(clusterId).filter(isAwake);
  for (const it of nodes) {
    noteContacts(etcds, it);
    learnRemoval(etcds, it);
  }
  for (const it of nodes) if (it.role === 'leader') keepLeading(etcds, it, nodes);
  for (const it of nodes) hearLeader(etcds, it, nodes);
  for (const it of nodes) if (it.role === 'leader') replicate(etcds, it);
  for (const it of nodes) {
    if (!isAwake(it)) continue;
    if (it.role === 'leader') watchLeases(etcds, it);
    keepVersions(etcds, it);
    publish(etcds, it);
    for (const request of it.process.requests) request.retry();
  }
}

/** A member learns that it was removed by its log, or from any peer that it still knows. */
function learnRemoval(etcds: Etcds, node: EtcdNode): void {
  const { files, process } = node;
  for (const id of files.state.members.keys()) {
    if (node.doomed) break;
    const peer = peerOf(etcds, node, id);
    if (peer === null || !peer.files.state.removed.has(files.memberId)) continue;
    node.doomed = isLinked(etcds, node, peer);
  }
  if (!node.doomed || process.stopping) return;
  process.stopping = true;
  const busyMs = (process.busy?.until ?? 0) - etcds.clock.now();
  etcds.clock.after(Math.max(100, busyMs), () =>
    etcds.end(process, {
      code: etcds.random.int(0, 1),
      saysRemoved: true,
      lastWords: 'the member has been permanently removed from the cluster',
    }),
  );
}

/** What came to it while it was frozen, it answers with its old beliefs; then it hears how things are. */
function thaw(etcds: Etcds, process: EtcdProcess): void {
  const { node } = process;
  if (process.stopping) {
    etcds.end(process, { signal: 'SIGTERM' });
    return;
  }
  if (node === null) return;
  node.election?.cancel();
  node.election = null;
  for (const it of process.requests) it.retry();
  etcds.clock.after(etcds.random.int(1, 30), () => etcds.stir(node.files.clusterId));
}

/** Whether everybody looks again when it is applied. */
function isOfInterest({ kind }: Change): boolean {
  return kind === 'publish' || kind === 'version' || kind === 'downgrade';
}

/** Nothing of it runs any more. */
function stop(node: EtcdNode): void {
  node.election?.cancel();
  const { cancelStepDown, leaseWatch, cancelRound, publishing, versionLook, storageLook } = node;
  const timers = [cancelStepDown, leaseWatch?.cancel, cancelRound, publishing, versionLook, storageLook];
  for (const cancel of timers) cancel?.();
  node.waiters.clear();
}
