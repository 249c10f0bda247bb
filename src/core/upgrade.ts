import type { EtcdAtHand } from './birth.ts';
import type { LogReplay, V2Content } from './inspection.ts';
import type { Known } from './known.ts';
import type { MemberAlarm, MemberVersions } from './members.ts';

/** What an appliance says of its instance, as far as an upgrade of the cluster rests on it (`/upgrade`). */
export interface UpgradeAnswer extends EtcdAtHand {
  readonly instanceId: string;
  readonly v2: Known<V2Content>;
  readonly replay: Known<LogReplay>;
  /** Of the disk that the data are on. */
  readonly freeBytes: Known<number>;
}

/** One member: etcd's word on it, and its appliance's. */
export interface UpgradeMember {
  readonly id: string;
  /** Instance id; the member id where it has no name yet. */
  readonly name: string;
  readonly learner: boolean;
  readonly started: boolean;
  /** Null: a voter that serves; else why it does not, as a clause. */
  readonly unhealthy: string | null;
  /** Of the etcd that runs; null: it does not answer. */
  readonly version: string | null;
  /** Version of its database's schema; null: not told, or before 3.6. No step down without it, where the old etcd is 3.6 or newer. */
  readonly storage?: string | null;
  readonly appliedIndex: number;
  readonly dbSizeBytes: number;
  readonly answer: Known<UpgradeAnswer>;
}

/** The step that somebody began under the lock and has not ended. */
export interface UpgradeStep {
  /** Instance id. */
  readonly by: string;
  readonly from: string;
  readonly to: string;
  /** Wall time, for people. */
  readonly at: string;
}

/** A step that was taken back, or what was to make way for it and did not: `to` is what the step is for. */
export interface FailedStep extends UpgradeStep {
  readonly why: string;
}

/** What etcd keeps of an upgrade; each part is a key of its own, so that no two writers share one. */
export interface UpgradeRecord {
  /** What an operator aims at, a version or a minor, whatever is configured; null: each instance's `ETCD_VERSION` counts. */
  readonly to: string | null;
  /** An operator said so, and when; null: it goes on. */
  readonly paused: { readonly at: string } | null;
  readonly step: UpgradeStep | null;
  readonly failed: FailedStep | null;
}

/** Whom the names of clients should give, and do not, or the other way round; instance ids. */
export interface Misnamed {
  /** They serve, and no client is sent to them yet. */
  readonly unnamed: readonly string[];
  /** Clients are sent to them, and they are members no more. */
  readonly gone: readonly string[];
  /** For how long there have been any; ms. */
  readonly forMs: number;
}

/** What an upgrade is planned from. All of it is asked in one look. */
export interface UpgradeObservation {
  readonly members: readonly UpgradeMember[];
  readonly leaderId: string | null;
  /** What the own etcd says of the cluster: its version, which it raises when all members run a newer minor, and a downgrade. */
  readonly versions: Known<Pick<MemberVersions, 'cluster' | 'downgradeTarget'>>;
  readonly alarms: Known<readonly MemberAlarm[]>;
  readonly auth: Known<boolean>;
  readonly record: Known<UpgradeRecord>;
  /** Who holds the upgrade lock; null: nobody. */
  readonly lockedBy: string | null;
  /** For how long the one that plans has seen just two voters; ms. Null, or left out: there are others, or nobody counts. */
  readonly pairForMs?: number | null;
  /** Where clients are sent wrongly, as the one that plans has seen it while nobody steps. Null, or left out: nowhere, or nobody counts. */
  readonly misnamed?: Misnamed | null;
  /** For how long the one that plans has seen a downgrade under way at which nobody else works; ms. 0, or left out: there is none, or nobody counts. */
  readonly downgradeIdleForMs?: number;
  /** For how long the step that is recorded has been seen without a lock; ms. */
  readonly orphanedForMs: number;
  /**
   * Why the one that plans gave up its last turn before it stopped anything, as a clause, while it pauses after that. Null, or
   * left out: it did not, or has paused long enough.
   */
  readonly gaveUp?: string | null;
  /** The instance that plans. */
  readonly self: string;
  /** Whether its etcd runs so as to clear its log, and nobody works at that any more; left out: it does not. */
  readonly clears?: boolean;
}

/** One line of the preflight of a step. */
export interface Check {
  readonly code: CheckCode;
  readonly ok: boolean;
  /** Where it is not ok: what is missing, and what to do. */
  readonly sentence: string;
}

/** What is looked at before a step. */
export type CheckCode =
  | 'upgrade-silent'
  | 'upgrade-unstarted'
  | 'upgrade-learner'
  | 'upgrade-unhealthy'
  | 'upgrade-lacks'
  | 'upgrade-release'
  | 'upgrade-patch'
  | 'upgrade-auth'
  | 'upgrade-v2'
  | 'upgrade-snapshot'
  | 'upgrade-alarm'
  | 'upgrade-disk';
