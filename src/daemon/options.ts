/** What an operator configured, as far as the loops need it. */
export interface DaemonOptions {
  /** `<name>.<zone>`, lower case: the name under which exactly one cluster lives. */
  readonly cluster: string;
  readonly bootstrapWaitMs: number;
  /** How often AWS is looked at while all is well; ms. */
  readonly housekeepingIntervalMs: number;
  /** What a birth uses: a version or a minor; null: the newest that is installed. */
  readonly etcdVersion: string | null;
}
