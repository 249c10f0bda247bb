import type { PortRange } from '../core/plan-firewall.ts';

/** What an operator configured, as far as the loops need it. */
export interface DaemonOptions {
  /** `<name>.<zone>`, lower case: the name under which exactly one cluster lives. */
  readonly cluster: string;
  readonly bootstrapWaitMs: number;
  /** How often AWS is looked at while all is well; ms. */
  readonly housekeepingIntervalMs: number;
  /** What a birth uses: a version or a minor; null: the newest that is installed. */
  readonly etcdVersion: string | null;
  /** The members are in several regions. */
  readonly far?: boolean;
  /** Left out where the instances of one region know each other by private addresses: no rule of ours is needed. */
  readonly firewall?: {
    /** All active regions. */
    readonly regions: readonly string[];
    /** TCP ports on which members and appliances speak to each other. */
    readonly ports: readonly PortRange[];
    /** Public addresses come from outside within a region, too. */
    readonly withOwnRegion: boolean;
  };
}
