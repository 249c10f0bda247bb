import type { EtcdExit } from '../../../src/core/local-data.ts';
import type { Member } from '../../../src/core/members.ts';
import type { EtcdStart } from '../../../src/daemon/ports.ts';
import type { FakeDisk } from '../fake-data.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import type { EtcdCluster } from './cluster.ts';
import type { EtcdFiles, Entry } from './files.ts';
import type { LargeDatabase } from './large.ts';
import type { Result } from './state.ts';

/** What etcd does for so long that it applies nothing, and answers no client, meanwhile. */
export interface EtcdBusy {
  readonly kind: 'defragments' | 'restores';
  readonly since: number;
  /** When it is done, if nothing stops it; ms. */
  readonly until: number;
}

/** A process of etcd, and what it has come to. */
export interface EtcdProcess {
  readonly pid: number;
  readonly name: string;
  readonly address: string;
  /** Of the binary that runs. */
  readonly version: string;
  readonly disk: FakeDisk;
  /** Entries after which it takes a snapshot. */
  readonly snapshotCount: number;
  alive: boolean;
  frozen: boolean;
  /** SIGTERM was sent. */
  stopping: boolean;
  /** Whether clients are answered: never before it has published itself once, and so never before there was a quorum. */
  serving: boolean;
  /** Since when, on the clock; of one that does not serve it says nothing. */
  servingSince: number;
  /** When it begins to run, and for how long it reads a large database until then: both are drawn as it starts; ms. */
  readonly bootsAt: number;
  readonly readsMs: number;
  /** Null: it applies what comes, and answers. */
  busy: EtcdBusy | null;
  /** Whether it took a snapshot of the leader in this run. */
  seeded: boolean;
  /** Null until it has read its disk, or found out whom to join. */
  files: EtcdFiles | null;
  node: EtcdNode | null;
  /** Calls that it has not answered yet. */
  readonly requests: Set<PendingRequest>;
}

/** A call at a process. */
export interface PendingRequest {
  /** Tries it, as something may have changed. */
  retry(): void;
  /** The process has ended. */
  lost(): void;
}

/** How a peer is connected, as one member sees it. */
export interface Contact {
  readonly pid: number;
  readonly since: number;
  /** When it counts as lost, as nothing comes through any more; null while it does. */
  brokenAt: number | null;
}

/** What a running etcd has in its memory: raft's roles and timers, the leases' ends, who waits for what. */
export interface EtcdNode {
  readonly process: EtcdProcess;
  readonly files: EtcdFiles;
  readonly bootedAt: number;
  role: 'follower' | 'leader';
  /** Who leads, as far as it knows. */
  leader: string | null;
  /** Whether the leader's heartbeats come now, and until when they came; ms. */
  hears: boolean;
  heardAt: number;
  election: { readonly at: number; readonly cancel: () => void } | null;
  /** Whether it has shortened its first wait for a leader, as etcd does once two peers are connected. */
  hurried: boolean;
  /** A leader without a quorum gives up then. */
  cancelStepDown: (() => void) | null;
  /** As leader: how far each other member is known to have the log. */
  readonly progress: Map<string, number>;
  readonly contacts: Map<string, Contact>;
  /** As leader: when each lease ends; ms. */
  readonly leaseEnds: Map<string, number>;
  /** As leader: the next look at them, for the end of one at that time; ms. */
  leaseWatch: { readonly end: number; readonly cancel: () => void } | null;
  cancelRound: (() => void) | null;
  /** Entries reach it only after this moment, 0: at once. */
  lagsUntil: number;
  /** A snapshot of the leader is on its way to it. */
  awaitsSnapshot: boolean;
  readonly waiters: Map<number, (result: Result) => void>;
  publishing: (() => void) | null;
  /** Its next look at the versions, where it would change something. */
  versionLook: (() => void) | null;
  /** The same at what its own data are. */
  storageLook: (() => void) | null;
  /** It knows that it was removed, and is about to end. */
  doomed: boolean;
}

/** A change of the members, at the moment when the first member applies it. */
export interface MembershipChange {
  readonly kind: 'add' | 'remove' | 'promote';
  /** Instance id of the appliance that asked for it. */
  readonly caller: string;
  readonly cluster: EtcdCluster;
  readonly member: Member;
  /** Whether the cluster had a quorum before. */
  readonly hadQuorum: boolean;
}

/** What happened that a test may want to know, at the moment when it happens. */
export interface EtcdWatch {
  started(instanceId: string, start: EtcdStart): void;
  /** It founds a cluster: its directory is there, and its log has no entry yet. */
  founds?(instanceId: string): void;
  ended(instanceId: string, exit: EtcdExit): void;
  changed?(change: MembershipChange): void;
  /** A member begins to run; the versions of all that run of its cluster. */
  runs?(instanceId: string, versions: readonly string[]): void;
  /** It answers nobody for so long: it reads a large database as it starts, or does something else with it; ms. */
  isBusy?(instanceId: string, what: 'starts' | EtcdBusy['kind'], ms: number): void;
}

/** Who reaches whom, of the network only what etcd needs. */
export interface EtcdNetwork {
  reaches(from: string, to: string, traffic: 'peer' | 'client'): boolean;
  /** Is told whenever who reaches whom may have changed. */
  watch(listener: () => void): () => void;
}

/** All etcds, as their parts know them. */
export interface Etcds {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly network: EtcdNetwork;
  readonly processes: ReadonlyMap<string, EtcdProcess>;
  readonly large: LargeDatabase;
  /** Running members of a cluster, frozen ones among them. */
  nodesOf(clusterId: string): readonly EtcdNode[];
  /** Somebody came, went or was cut off: everybody of the cluster looks what that means. */
  stir(clusterId: string): void;
  end(process: EtcdProcess, exit: Partial<EtcdExit>): void;
  /** It does this for so long from now on. */
  occupy(process: EtcdProcess, kind: EtcdBusy['kind'], ms: number): void;
  /** Applies the next entry at a member. */
  apply(node: EtcdNode, entry: Entry): void;
  nextRequest(): number;
}

/** What a start makes of files. */
export function createNode(process: EtcdProcess, files: EtcdFiles, now: number): EtcdNode {
  return {
    process,
    files,
    bootedAt: now,
    role: 'follower',
    leader: null,
    hears: false,
    heardAt: Number.NEGATIVE_INFINITY,
    election: null,
    hurried: false,
    cancelStepDown: null,
    progress: new Map(),
    contacts: new Map(),
    leaseEnds: new Map(),
    leaseWatch: null,
    cancelRound: null,
    lagsUntil: 0,
    awaitsSnapshot: false,
    waiters: new Map(),
    publishing: null,
    versionLook: null,
    storageLook: null,
    doomed: files.state.removed.has(files.memberId),
  };
}

/** Whether it does anything now. */
export function isAwake({ process }: EtcdNode): boolean {
  return process.alive && !process.frozen;
}
