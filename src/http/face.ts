import type { BirthAnswer } from '../core/birth.ts';
import type { UpgradeAnswer } from '../core/upgrade.ts';

/** What a caller of `/birth` says of itself: an epoch to look for in the register (0: none), and who asks. A hint only. */
export interface BirthHint {
  readonly epoch: number;
  readonly from: string | null;
}

/** The answer of a health check; the reason is a sentence, for `ok`, too. */
export interface Check {
  readonly ok: boolean;
  readonly reason: string;
}

/** One line of the members table: what etcd says, joined with what the group says. Null where neither knows. */
export interface MemberRow {
  readonly instanceId: string | null;
  readonly memberId: string | null;
  readonly role: 'leader' | 'voter' | 'learner' | 'none';
  /** Unknown, too, where it is too long ago that it was looked at. */
  readonly health: 'healthy' | 'unhealthy' | 'unknown';
  readonly region: string | null;
  readonly zone: string | null;
  readonly address: string | null;
  readonly lifecycle: string | null;
  readonly state: string | null;
  readonly raftIndex: number | null;
  readonly version: string | null;
  readonly dbSizeBytes: number | null;
}

/** Answer of `/members`. */
export interface MembersView {
  /** When the members were last looked at, ISO 8601; null: never. */
  readonly observedAt: string | null;
  /** When AWS last said what is shown of the instances, to whoever asked, ISO 8601; null: never. */
  readonly fleetObservedAt: string | null;
  readonly clusterId: string | null;
  readonly members: readonly MemberRow[];
  /** Clauses naming what could not be had, and why. */
  readonly unknown: readonly string[];
}

/** One sentence of the plan. */
export interface PlanLine {
  readonly code: string;
  readonly sentence: string;
}

/** Something that happened. */
export interface EventLine {
  readonly at: string;
  readonly level: string;
  readonly component: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What an appliance plans for the upgrade of its cluster. */
export interface UpgradePlanView {
  readonly plan: PlanLine | null;
  readonly checks: readonly (PlanLine & { readonly ok: boolean })[];
  /** Instances that are still to step in this round, in their order. */
  readonly waiting: readonly string[];
}

/** Answer of `/status`. */
export interface StatusView {
  readonly version: string;
  readonly instanceId: string;
  readonly region: string;
  readonly zone: string;
  readonly address: string;
  /** The cluster's DNS name, or the stack's name where there is no zone. */
  readonly cluster: string;
  /** What the appliance is doing, in a sentence. */
  readonly phase: string;
  readonly claim: { readonly state: 'forming' | 'formed' | 'reseeding'; readonly epoch: number } | null;
  readonly observedAt: string | null;
  /** The last observation as it was, for people and tools. */
  readonly observation: unknown;
  readonly plan: readonly PlanLine[];
  /** Null: there is nothing to upgrade, or this member has no say yet. */
  readonly upgrade: UpgradePlanView | null;
  /** The last 100, the newest last. */
  readonly events: readonly EventLine[];
}

/** Answer of `/upgrade`: what this instance has, and, for people, what its appliance plans. */
export interface UpgradeView extends UpgradeAnswer, UpgradePlanView {}

/** All that the HTTP server shows. Plain functions over what is in memory: none may ask the network. */
export interface Face {
  birth(hint: BirthHint): BirthAnswer | Promise<BirthAnswer>;
  /** `fresh`: something changed since it was last asked, and is to be looked at now. Reads the own disk. */
  upgrade(fresh: boolean): Promise<UpgradeView>;
  members(): MembersView;
  status(): StatusView;
  /** Whether the appliance itself works: its loops turn. Says nothing about etcd, nor about quorum (law 7). */
  health(): Check;
  /** Whether this member serves clients (design.md section 5, readiness). */
  ready(): Check;
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}
