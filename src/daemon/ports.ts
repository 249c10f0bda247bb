import type { BirthAnswer } from '../core/birth.ts';
import type { Ec2Evidence, Fleet, Self } from '../core/fleet.ts';
import type { DiskRoom, LogReplay, V2Content } from '../core/inspection.ts';
import type { Known } from '../core/known.ts';
import type { DataIdentity, EtcdExit, LocalData, LocalMark } from '../core/local-data.ts';
import type { MemberAlarm, MemberList, MemberStatus, MemberVersions } from '../core/members.ts';
import type { UpgradeAnswer } from '../core/upgrade.ts';
import type { IngressRule, SecurityGroup } from '../core/plan-firewall.ts';
import type { Obstacle } from '../core/start.ts';
import type { ChangeOutcome, RecordChange, RecordSet } from '../core/records.ts';

/*
 * All that a daemon has of the world. The real ones are in aws/, etcd/ and http/, wired in app.ts; a test hands it fakes,
 * and a simulator runs a whole fleet in one process on virtual time.
 *
 * Invariants of every port:
 * - no call throws for what is normal weather (an outage, a refusal): that is a value. A throw is a bug or an abort.
 * - every call ends by itself, within the deadline that its adapter sets; the signal ends it earlier.
 * - a port may go silent for good (its machine was killed): the promise then never settles, and nothing behind it runs.
 */

/** Time. Monotonic, so that a deadline holds whatever the wall clock does. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /** ISO 8601, for people only: no decision rests on it. */
  wallTime(): string;
  /** Ends after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Randomness. */
export interface Random {
  /** In [0, 1). */
  fraction(): number;
  /** 128 bits as 32 hex digits. */
  token(): string;
}

/** Structured log: a static message, and fields. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What the daemon counts. */
export interface Meter {
  planned(code: string): void;
  acted(kind: string, result: string): void;
  restarted(): void;
  evicted(): void;
  dnsWritten(result: string): void;
  ticked(loop: string, seconds: number): void;
}

/** EC2 metadata of the own instance. */
export interface MetadataPort {
  /** Auto Scaling's target state; null outside a group. */
  targetState(signal: AbortSignal): Promise<Known<string | null>>;
  spotNotice(signal: AbortSignal): Promise<Known<{ readonly action: string; readonly time: string } | null>>;
}

/** The fleet, asked of AWS. */
export interface FleetPort {
  /** Complete, with the asking instance in it; else unknown. */
  observe(signal: AbortSignal): Promise<Known<Fleet>>;
  /**
   * EC2's word on instances, each asked in its own region, or in all active ones where that is null; an answer without the
   * asking instance is unknown. Who is not in the answer, nothing is known of.
   */
  evidence(
    instances: readonly { readonly id: string; readonly region: string | null }[],
    signal: AbortSignal,
  ): Promise<Known<ReadonlyMap<string, Ec2Evidence>>>;
}

/** What became of rules that were to be added or removed. */
export type FirewallOutcome =
  | { readonly kind: 'done' }
  /**
   * `stale`: none of several was removed, as one is gone already: what was read is old. `full`: the group takes no more rules.
   * `unknown`: no answer came, they may stand or not.
   */
  | { readonly kind: 'stale' | 'full' | 'refused' | 'unknown'; readonly message: string };

/** The stack's security groups. */
export interface FirewallPort {
  /** Those that `instances` (ids) of the region are in; unknown where EC2 does not show each of these. */
  groups(
    region: string,
    instances: readonly string[],
    signal: AbortSignal,
  ): Promise<Known<readonly SecurityGroup[]>>;
  /** A rule that stands already is fine. */
  open(
    region: string,
    groupId: string,
    rules: readonly IngressRule[],
    signal: AbortSignal,
  ): Promise<FirewallOutcome>;
  /** A rule that is gone already is fine where it is the only one. One call: who removes several looks at the lock anew. */
  close(
    region: string,
    groupId: string,
    rules: readonly IngressRule[],
    signal: AbortSignal,
  ): Promise<FirewallOutcome>;
}

/**
 * `not-waiting`: no hook of this kind holds the instance, or none does any more; `no-hook`: the group has none; `to-come`: one is
 * about to, when a load balancer has drained the instance's connections.
 */
export type HookOutcome = 'done' | 'not-waiting' | 'no-hook' | 'to-come';

/** Lifecycle hooks of the own group. */
export interface HooksPort {
  complete(
    which: 'launching' | 'terminating',
    result: 'CONTINUE' | 'ABANDON',
    signal: AbortSignal,
  ): Promise<Known<HookOutcome>>;
  heartbeat(which: 'launching' | 'terminating', signal: AbortSignal): Promise<Known<HookOutcome>>;
}

/** The hosted zone: the register of the claim, and the names. */
export interface ZonePort {
  /** Where the register is, as kept beside the data. */
  readonly register: string;
  /** All record sets at and under the cluster's name. */
  list(signal: AbortSignal): Promise<Known<readonly RecordSet[]>>;
  /** All or nothing. */
  change(changes: readonly RecordChange[], signal: AbortSignal): Promise<ChangeOutcome>;
}

/** The result of a call that changes etcd. */
export type AdminOutcome<T = unknown> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: AdminRefusal; readonly message: string };

/** etcd's refusals, by what they mean to the caller. */
export type AdminRefusal =
  | 'peer-url-exists'
  | 'too-many-learners'
  | 'unhealthy-cluster'
  | 'not-enough-started'
  | 'not-found'
  | 'not-in-sync'
  | 'not-a-learner'
  | 'not-leader'
  | 'learner-refuses'
  | 'downgrade-in-progress'
  | 'no-answer'
  | 'other';

/** A key as read. */
export interface KeyValue {
  readonly key: string;
  readonly value: string;
  readonly createRevision: string;
  readonly modRevision: string;
}

/** A comparison that an etcd transaction carries: the lock's key still has this create revision (law 8). */
export interface Fence {
  readonly key: string;
  readonly createRevision: string;
}

/** etcd's client API, one endpoint at a time, no retries. An endpoint is a client URL. */
export interface AdminPort {
  /**
   * `confirmed`: the caller has just had a linearizable answer to a read through this member, and a list of now is
   * linearizable, too; before 3.5 etcd has no other way.
   */
  memberList(
    endpoint: string,
    options: { readonly linearizable: boolean; readonly confirmed?: boolean },
    signal: AbortSignal,
  ): Promise<Known<MemberList>>;
  status(endpoint: string, signal: AbortSignal): Promise<Known<MemberStatus>>;
  read(
    endpoint: string,
    key: string,
    options: { readonly serializable: boolean },
    signal: AbortSignal,
  ): Promise<Known<KeyValue | null>>;
  readPrefix(endpoint: string, prefix: string, signal: AbortSignal): Promise<Known<readonly KeyValue[]>>;
  addLearner(
    endpoint: string,
    peerUrl: string,
    signal: AbortSignal,
  ): Promise<AdminOutcome<{ readonly memberId: string; readonly list: MemberList }>>;
  removeMember(endpoint: string, memberId: string, signal: AbortSignal): Promise<AdminOutcome>;
  promote(endpoint: string, memberId: string, signal: AbortSignal): Promise<AdminOutcome>;
  moveLeader(endpoint: string, targetId: string, signal: AbortSignal): Promise<AdminOutcome>;
  grantLease(endpoint: string, ttlSeconds: number, signal: AbortSignal): Promise<Known<string>>;
  /** Known(false): the lease is gone. */
  keepAlive(endpoint: string, leaseId: string, signal: AbortSignal): Promise<Known<boolean>>;
  revokeLease(endpoint: string, leaseId: string, signal: AbortSignal): Promise<Known<boolean>>;
  /** Creates the key where it does not exist; null: it exists. */
  createKey(
    endpoint: string,
    key: string,
    value: string,
    leaseId: string,
    signal: AbortSignal,
  ): Promise<Known<{ readonly createRevision: string } | null>>;
  /** Known(false): the fence is broken, nothing was written. */
  put(
    endpoint: string,
    key: string,
    value: string,
    options: { readonly leaseId?: string; readonly fence?: Fence },
    signal: AbortSignal,
  ): Promise<Known<boolean>>;
  /** Local to the member, over plain HTTP: it is told without quorum, too. */
  versions(endpoint: string, signal: AbortSignal): Promise<Known<MemberVersions>>;
  /** Goes through etcd's log, so it needs a quorum and is not for every tick (MemberStatus.errors names alarms, too). */
  alarms(endpoint: string, signal: AbortSignal): Promise<Known<readonly MemberAlarm[]>>;
  /** Needs a quorum, and writes nothing. */
  authEnabled(endpoint: string, signal: AbortSignal): Promise<Known<boolean>>;
  /**
   * `version` is the target (`3.5`, `3.5.0`); `cancel` does not look at it. What came of it is read by `versions`: an
   * enabled downgrade is under way after the answer, not done.
   */
  downgrade(
    endpoint: string,
    action: DowngradeAction,
    version: string,
    signal: AbortSignal,
  ): Promise<AdminOutcome>;
}

/** A step of etcd's own downgrade; `validate` changes nothing. */
export type DowngradeAction = 'validate' | 'enable' | 'cancel';

/** What speaks at an address on etcd's ports. */
export type Probe =
  /** Nothing listens, or nothing there is etcd. */
  | { readonly kind: 'silent'; readonly reason: string }
  /** Something answers as etcd, with or without quorum; its ids where it told them. */
  | { readonly kind: 'answers'; readonly clusterId: string | null; readonly memberId: string | null };

/** Asks whether etcd speaks at an address (client and peer port), in at most a second. */
export interface ProbePort {
  probe(address: string, signal: AbortSignal): Promise<Probe>;
}

/** One installed etcd. */
export interface Binary {
  readonly version: string;
  readonly minor: string;
}

/** What a start of etcd needs; how it is spelled for the binary's version is the adapter's business. */
export interface EtcdStart {
  /** Version of an installed binary. */
  readonly version: string;
  readonly name: string;
  readonly address: string;
  readonly initial:
    | {
        readonly state: 'new' | 'existing';
        readonly cluster: readonly { readonly name: string; readonly peerUrl: string }[];
        readonly token: string;
      }
    /** Data are there: etcd takes its membership from them. */
    | null;
  /** Entries after which etcd takes a raft snapshot; null or left out: etcd's own default. */
  readonly snapshotCount?: number | null;
  /** Heartbeat and election timeout; left out: etcd's own defaults. An operator's flags win. */
  readonly timing?: { readonly heartbeatMs: number; readonly electionMs: number };
}

/** A running etcd. */
export interface RunningEtcd {
  readonly pid: number;
  readonly version: string;
  /** Ends with the process, never rejects. */
  readonly exited: Promise<EtcdExit>;
  /** Whether it said in this run that it put a snapshot of the leader in place. */
  seeded(): boolean;
  /** Whether it said that it defragments its database, and not that it has: it answers no client meanwhile. */
  defragments(): boolean;
  /** Whether it said that it puts a snapshot of the leader in place, and not that it has: it answers no client meanwhile. */
  restores(): boolean;
  /** SIGTERM, then SIGKILL after the grace; ends with the process. */
  stop(graceMs: number): Promise<EtcdExit>;
}

/** The etcd processes of this machine. */
export interface ProcessPort {
  binaries(signal: AbortSignal): Promise<readonly Binary[]>;
  start(start: EtcdStart, signal: AbortSignal): Promise<Known<RunningEtcd>>;
  /** An etcd of this data directory that runs already, left by an earlier appliance; null where there is none. */
  adopt(signal: AbortSignal): Promise<RunningEtcd | null>;
  /** What would keep etcd from starting: a missing binary, a full disk, a port in use; null where nothing. */
  preflight(version: string, address: string, signal: AbortSignal): Promise<Obstacle | null>;
}

/** The data on this machine's disk. */
export interface DataPort {
  read(signal: AbortSignal): Promise<LocalData>;
  /** Flushed when it resolves. */
  writeIdentity(identity: DataIdentity, signal: AbortSignal): Promise<void>;
  /** Flushed when it resolves. */
  writeMark(mark: LocalMark | null, signal: AbortSignal): Promise<void>;
  /** Moves data and identity beside the data directory; nothing is deleted. */
  setAside(reason: string, signal: AbortSignal): Promise<void>;
  /** Deletes one folder of data that were set aside; no other. */
  discard(directory: string, signal: AbortSignal): Promise<void>;
}

/** What a step to another minor has to know of this machine. It reads, and writes nothing; etcd may run meanwhile. */
export interface InspectPort {
  /** Takes 3.5's `etcdutl`, and seconds where the log is long; unknown where it is not installed. */
  v2Content(signal: AbortSignal): Promise<Known<V2Content>>;
  /** Raft index of the newest snapshot file; null: there is none. */
  snapshotIndex(signal: AbortSignal): Promise<Known<number | null>>;
  /** Reads the log, up to a few hundred MB of it: for a preflight, not for every tick. */
  logReplay(signal: AbortSignal): Promise<Known<LogReplay>>;
  disk(signal: AbortSignal): Promise<Known<DiskRoom>>;
  /** Size of the database's file; unknown where there is none. */
  databaseBytes(signal: AbortSignal): Promise<Known<number>>;
  /** Why the binary of this very version cannot be run, asked of it now, whatever was listed before; null: it can. */
  binary(version: string, signal: AbortSignal): Promise<Obstacle | null>;
}

/** How etcd derives ids from what a birth uses. */
export interface IdsPort {
  memberId(peerUrl: string, token: string): string;
  clusterId(peerUrls: readonly string[], token: string): string;
}

/** What an asker of `/upgrade` says: who it is, and whether something has changed that the other should look at now. */
export interface UpgradeHint {
  readonly from: string;
  readonly fresh: boolean;
}

/** The other appliances, over HTTP. */
export interface PeersPort {
  /** Asks one appliance for its birth answer; `hint` is an epoch that it should look for in the register, 0 for none. */
  askBirth(
    address: string,
    hint: { readonly epoch: number; readonly from: string },
    signal: AbortSignal,
  ): Promise<Known<BirthAnswer>>;
  /** Asks one appliance what its instance has, as far as an upgrade rests on it. */
  askUpgrade(address: string, hint: UpgradeHint, signal: AbortSignal): Promise<Known<UpgradeAnswer>>;
}

/** All ports of one appliance. */
export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  readonly self: Self;
  readonly metadata: MetadataPort;
  readonly fleet: FleetPort;
  readonly firewall: FirewallPort;
  readonly hooks: HooksPort;
  readonly zone: ZonePort;
  readonly admin: AdminPort;
  readonly probe: ProbePort;
  readonly process: ProcessPort;
  readonly data: DataPort;
  readonly inspect: InspectPort;
  readonly ids: IdsPort;
  readonly peers: PeersPort;
}
