import type { Reason } from './reason.ts';
import { reason } from './reason.ts';

/**
 * What is written beside the data directory, flushed before etcd first runs on it, and never guessed afterwards.
 * It is how a start tells its own data from another instance's, another epoch's or another cluster's.
 */
export interface DataIdentity {
  readonly format: 1;
  readonly instanceId: string;
  /** The initial-cluster token of the epoch that these data belong to. */
  readonly token: string;
  readonly epoch: number;
  /** Null until known: computed for a founder, read from the member list for a joiner. Hex, 16 digits. */
  readonly clusterId: string | null;
  readonly memberId: string | null;
  /** Whether this appliance saw the claim of these data formed (or joined a formed one). */
  readonly formed: boolean;
  /** False only where it is known that this member never had a vote: it joined as a learner, and was not promoted yet. */
  readonly voter: boolean;
  /** Version of the etcd binary that last ran on the data, as 3.5.35; null before the first run. */
  readonly version: string | null;
  /** The step to that version that is not over; null, or left out: there is none. */
  readonly step?: KeptStep | null;
  /** After so few entries the etcd that was last started on the data takes a snapshot, to clear its log; null, or left out: as usual. */
  readonly snapshotCount?: number | null;
  /** Whether etcd called the data unreadable when it last ended on them, as far as that could be written; left out: it did not. */
  readonly damaged?: boolean;
  /** Where the claim's register is: `route53:<zone id>/<record name>`. A name has one register. */
  readonly register: string;
}

/**
 * A step to another etcd, kept beside the data: whether the way back is due must be known where no quorum answers, and to
 * the next life of the appliance.
 */
export interface KeptStep {
  readonly from: string;
  readonly to: string;
  /** Null: it goes on; else it is taken back for this reason, and etcd's record does not say so yet. */
  readonly why: string | null;
}

/**
 * A founder's mark as kept on disk: it is flushed before the TXT record is made, and again before etcd is run. No nonce is
 * ever in use for two starts: one that was started under is forgotten, and another takes its place.
 */
export interface LocalMark {
  /** Null: of no epoch yet. Where it was not started, the register alone says of which epoch it is. */
  readonly token: string | null;
  readonly nonce: string;
  readonly started: boolean;
}

/** A mark of no epoch yet: its nonce is offered to who claims. */
export function offeredMark(nonce: string): LocalMark {
  return { token: null, nonce, started: false };
}

/** The nonce of a mark under which etcd was never started, whatever epoch it was made for; null where there is none. */
export function unusedNonce(mark: LocalMark | null): string | null {
  return mark === null || mark.started ? null : mark.nonce;
}

/** Data moved beside the data directory. */
export interface AsideEntry {
  readonly directory: string;
  readonly identity: DataIdentity | null;
  /** ISO 8601, when it was moved. */
  readonly at: string;
  readonly reason: string;
}

/** What the disk holds. */
export interface LocalData {
  /** Whether etcd's data directory holds a write-ahead log or a database. */
  readonly present: boolean;
  readonly identity: DataIdentity | null;
  readonly mark: LocalMark | null;
  readonly aside: readonly AsideEntry[];
}

/** How an etcd process ended, with what its last lines told. The exit code alone tells nothing. */
export interface EtcdExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** It logged that it was permanently removed from the cluster. */
  readonly saysRemoved: boolean;
  /** It named the write-ahead log or the database unreadable. */
  readonly saysDamaged: 'wal' | 'database' | null;
  /** It never began: its peers list other members than it was told to join. So it wrote nothing that a member holds. */
  readonly saysOtherMembers?: boolean;
  /** It refused to run: the cluster, or its data, are a newer version's. So it wrote nothing. */
  readonly saysTooOld?: boolean;
  /** It found no room on the disk, by its own word or the disk's. */
  readonly saysFull?: boolean;
  /** The last fatal or panic line, shortened; empty where there was none. */
  readonly lastWords: string;
}

/**
 * Why this instance's data may not be gone on with, etcd running or not: a name has one register, and they belong to
 * another than the one configured. Null where they do not.
 */
export function registerMoved(
  identity: DataIdentity | null,
  instanceId: string,
  register: string,
): Reason<'register-moved'> | null {
  if (identity === null || identity.instanceId !== instanceId || identity.register === register) return null;
  return reason(
    'register-moved',
    `these data belong to the claim at ${identity.register}, and ${register} is configured: a name has one register; configure the first, or move the data away`,
  );
}
