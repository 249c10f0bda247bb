import type { Known } from './known.ts';
import { valueOr } from './known.ts';

/** EC2's word for an instance's state. */
export type Ec2State = 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped';

/** What EC2 answered when asked for one id: its state, or that it does not know the id. */
export type Ec2Evidence = Ec2State | 'not-found';

/** One instance of the fleet: Auto Scaling says who, EC2 says where and in which state. */
export interface Instance {
  readonly id: string;
  readonly region: string;
  readonly zone: string;
  /** ARN of its Auto Scaling group. */
  readonly group: string;
  /** Auto Scaling's lifecycle state, as it came: new words appear, and an unknown one is never joinable. */
  readonly lifecycle: string;
  /** Null while EC2 does not show the instance (yet). */
  readonly state: Ec2State | null;
  /** The address that etcd advertises; null while EC2 does not show one. */
  readonly address: string | null;
  /** Its private address where it is known by its public one, or the other way round. An instance may have had it before. */
  readonly otherAddress?: string;
}

/** One Auto Scaling group of the stack. */
export interface Group {
  readonly arn: string;
  readonly name: string;
  readonly region: string;
  readonly desired: number;
}

/** The instances of the group or groups that carry the stack's name. A complete answer: a partial one is unknown. */
export interface Fleet {
  readonly groups: readonly Group[];
  readonly instances: readonly Instance[];
}

/** Who the appliance is, from metadata and tags; never changes while it runs. */
export interface Self {
  readonly id: string;
  readonly region: string;
  readonly zone: string;
  readonly address: string;
  /** The stack's name, from CloudFormation's tag or from configuration. */
  readonly stack: string;
}

/** By which of its addresses an instance is known to the others. */
export type Advertise = 'private' | 'public';

/** All regions of the cluster, the own one first: it counts, named or not. */
export function regionsWith(own: string, active: readonly string[]): readonly string[] {
  return [...new Set([own, ...active])];
}

const JOINABLE: ReadonlySet<string> = new Set(['Pending', 'Pending:Wait', 'Pending:Proceed', 'InService']);

/** Whether the group means this instance to carry a member (design.md section 1: any other state, known or new, does not). */
export function isJoinable(instance: Instance): boolean {
  return JOINABLE.has(instance.lifecycle);
}

/** Desired instances over all groups. */
export function desiredSize(fleet: Fleet): number {
  return fleet.groups.reduce((sum, group) => sum + group.desired, 0);
}

/** What is known about an instance's end, gathered over time by the daemon that asks. */
export interface InstanceEvidence {
  /** The last answer of EC2 in the instance's own region. */
  readonly ec2: Known<Ec2Evidence>;
  /** For how long, in ms, every known answer has been "not found"; 0 where the last was another. */
  readonly notFoundForMs: number;
  /**
   * For how long, in ms, no known answer of Auto Scaling has listed it, while every known one of EC2 was `stopped`; 0 where the
   * last was not so, or none is known.
   */
  readonly unlistedForMs: number;
}

/** An id that EC2 has not known in every known answer over this time is gone: a launch is visible within seconds. */
export const NOT_FOUND_IS_GONE_MS = 60 * 60_000;

/**
 * A stopped instance that no known answer has listed over this time is no longer its group's. One answer may be partial or
 * old, and a stopped instance that is still listed may be started again with its disk.
 */
export const UNLISTED_IS_LEFT_MS = 60_000;

/** Terminated for certain (design.md section 1): the one state of an instance that can never become untrue. */
export function isTerminatedForCertain(evidence: InstanceEvidence): boolean {
  const state = valueOr(evidence.ec2, null);
  if (state === 'shutting-down' || state === 'terminated') return true;
  return state === 'not-found' && evidence.notFoundForMs >= NOT_FOUND_IS_GONE_MS;
}
