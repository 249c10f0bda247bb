import type { BirthAnswer, EtcdAtHand } from './birth.ts';
import type { Claim } from './claim.ts';
import type { Fleet, InstanceEvidence, Self } from './fleet.ts';
import type { DiskRoom, LogReplay } from './inspection.ts';
import type { Known } from './known.ts';
import type { LocalData, LocalMark } from './local-data.ts';
import type { MemberList } from './members.ts';
import type { RetentionCode } from './plan-retention.ts';
import type { Reason } from './reason.ts';
import type { RecordChange, RecordSet } from './records.ts';

/*
 * The vocabulary of a start: what is observed before etcd runs, and what may be done then. Facts that cost calls are
 * asked on demand: a planner that needs one that was not asked in this tick says `ask`, and is asked again with it.
 */

/** Facts that are only gathered when a planner asks for them. */
export type StartFact =
  'fleet' | 'probes' | 'births' | 'quorum' | 'evidence' | 'own-address' | 'preflight' | 'room' | 'log';

/**
 * A member that answers, and lets nobody in who has no user (authentication is on). To a linearizable read etcd says so only
 * with a quorum behind it, and does not say which cluster it is of. `reason` is a clause with etcd's own word.
 */
export interface Refusal {
  readonly endpoint: string;
  readonly reason: string;
}

/** Whether the cluster in question gave a linearizable answer. */
export type QuorumAnswer =
  | { readonly kind: 'answers'; readonly endpoint: string; readonly list: MemberList }
  /** Nobody did; `foreign` are cluster ids that answered though another was asked for, `refused` who lets nobody in. */
  | { readonly kind: 'nobody'; readonly foreign: readonly string[]; readonly refused: readonly Refusal[] };

/** What keeps etcd from starting here. `why` is a clause. */
export interface Obstacle {
  /**
   * `disk-short`: there is too little room, and data set aside may make some. `downgrade`: etcd takes in nobody until its
   * downgrade is over.
   */
  readonly kind: 'disk-short' | 'downgrade' | 'other';
  readonly why: string;
}

/** Everything known at one moment before etcd runs. */
export interface StartObservation {
  readonly self: Self;
  /** `<name>.<zone>`. */
  readonly cluster: string;
  /** Where the claim is kept, as configured now. */
  readonly register: string;
  readonly local: LocalData;
  /** Starts in a row in which etcd named its data unreadable. */
  readonly damagedStarts: number;
  /** Whether the last etcd of this life found no room on the disk. */
  readonly endedFull: boolean;
  /** All record sets at and under the name. */
  readonly zone: Known<readonly RecordSet[]>;
  /** The cluster id that a forming claim's token and founders give; null without such a claim. */
  readonly formingClusterId: string | null;
  /** For how long this appliance has seen the very claim that stands there now, or none; ms. */
  readonly claimStoodMs: number;
  /** For how long this appliance has been without data and without a cluster; ms. */
  readonly waitedMs: number;
  /** For how long the last plan's reason has been the same; ms. */
  readonly standing: { readonly code: string; readonly forMs: number };
  /** Randomness for this tick. */
  readonly freshToken: string;
  readonly freshNonce: string;
  readonly bootstrapWaitMs: number;

  readonly fleet?: Known<Fleet>;
  /** Addresses of the fleet (the own one left out) at which something speaks etcd; and where the same did before, while AWS showed it. */
  readonly probes?: readonly { readonly address: string; readonly clusterId: string | null }[];
  /** Answers of the other joinable instances' appliances, by instance id; and of holders that AWS showed before, and shows no more. */
  readonly births?: ReadonlyMap<string, Known<BirthAnswer>>;
  /** Of the own instance; told with the births. */
  readonly etcd?: EtcdAtHand;
  /** Of a formed claim's cluster; beside a forming one of its own cluster first, else of any; without a claim, of any. */
  readonly quorum?: QuorumAnswer;
  /** Of the claim's voters. */
  readonly evidence?: ReadonlyMap<string, InstanceEvidence>;
  /** The member that answers at the own address though no etcd of ours runs; null: nothing does. */
  readonly ownAddress?: { readonly memberId: string | null } | null;
  /** What keeps etcd from starting here; null: nothing. */
  readonly preflight?: Obstacle | null;
  /** On the disk that the data are on. */
  readonly room?: Known<DiskRoom>;
  /** What a start on the own data would replay. */
  readonly log?: Known<LogReplay>;
}

/** Why a start does, or does not, go on. */
export type StartCode =
  | 'ask'
  | 'register-moved'
  | 'own-data'
  | 'own-data-claim-unknown'
  | 'own-data-quorum-lost'
  | 'own-data-refused'
  | 'own-data-forming'
  | 'own-data-no-claim'
  | 'foreign-data'
  | 'never-born'
  | 'other-cluster'
  | 'removed-while-away'
  | 'damaged-data'
  | 'damaged-data-kept'
  | 'data-beside-forming'
  | 'data-beside-formed'
  | 'claim-unknown'
  | 'claim-unreadable'
  | 'name-taken'
  | 'reseeding'
  | 'stale-mark'
  | 'fleet-unknown'
  | 'not-joinable'
  | 'cluster-without-claim'
  | 'etcd-without-quorum'
  | 'records-without-claim'
  | 'instance-holds-data'
  | 'fleet-incomplete'
  | 'birth-versions'
  | 'not-my-turn'
  | 'birth'
  | 'birth-of-majority'
  | 'forming-replaced'
  | 'forming-wait'
  | 'forming-lost'
  | 'mark'
  | 'found'
  | 'late-founder'
  | 'data-lost'
  | 'groups-gone'
  | 'quorum-lost'
  | 'start-refused'
  | 'answers-as-me'
  | 'preflight-failed'
  | RetentionCode
  | 'member-without-data'
  | 'enter-group'
  | 'join'
  | 'join-unread';

/** One step of a start. */
export type StartAction = { readonly reason: Reason<StartCode> } & (
  | { readonly kind: 'ask'; readonly facts: readonly StartFact[] }
  | { readonly kind: 'wait' }
  /** An operator's mistake that waiting cannot mend: end with the exit code for configuration. */
  | { readonly kind: 'halt' }
  | { readonly kind: 'set-aside' }
  /** Delete data set aside, to make room. */
  | { readonly kind: 'discard'; readonly directory: string }
  /** Forget the mark on disk; another, of no epoch yet, takes its place. */
  | { readonly kind: 'clear-mark'; readonly mark: LocalMark }
  /** Start etcd on the data that are there. */
  | { readonly kind: 'start-data' }
  /** Change the register; on success `hint` tells the founders' addresses of the new epoch. */
  | {
      readonly kind: 'register';
      readonly changes: readonly RecordChange[];
      /** Flushed to disk before the batch is sent. */
      readonly mark: LocalMark | null;
      /** Whether the register is read anew before the next step, though it is known what the batch made of it. */
      readonly readAgain: boolean;
      readonly hint: { readonly epoch: number; readonly addresses: readonly string[] } | null;
    }
  /** Start etcd with `new`, the claim's token and its founders. */
  | { readonly kind: 'found'; readonly claim: Claim; readonly mark: LocalMark }
  | { readonly kind: 'remove-own'; readonly endpoint: string; readonly memberId: string }
  /** Add oneself as a learner and start with `existing`. */
  | { readonly kind: 'join'; readonly endpoint: string; readonly claim: Pick<Claim, 'token' | 'epoch'> }
);
