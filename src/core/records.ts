/** A Route 53 record set. Names are lower case without the final dot; values are as Route 53 writes them (TXT quoted). */
export interface RecordSet {
  readonly name: string;
  readonly type: 'A' | 'SRV' | 'TXT';
  /** Seconds. */
  readonly ttl: number;
  readonly values: readonly string[];
}

/**
 * One change of a batch. There is no UPSERT: a record is replaced by DELETE of the values that were read plus CREATE,
 * in one batch, so that a late or doubled call fails instead of undoing another appliance's work (law 8).
 */
export interface RecordChange {
  readonly action: 'CREATE' | 'DELETE';
  readonly record: RecordSet;
}

/** What became of a batch. */
export type ChangeOutcome =
  /** Route 53 took it. */
  | { readonly kind: 'done' }
  /** Route 53 refused it whole: the records are not what the batch says they are. Read again. */
  | { readonly kind: 'conflict'; readonly message: string }
  /** Nobody knows whether it was taken: no answer, or an error after sending. Read again before doing anything else. */
  | { readonly kind: 'unknown'; readonly message: string }
  /** It was certainly not taken, and may be tried again: throttled, or an earlier request not complete. */
  | { readonly kind: 'busy'; readonly message: string };

/** Whether any of the records under a name are such as only a cluster that has formed gets. */
export function nameServers(records: readonly RecordSet[]): boolean {
  return records.some((it) => it.type === 'SRV');
}

/** [DELETE old, CREATE new]: a compare-and-swap; without an old one, CREATE is it. */
export function swap(before: RecordSet | null, after: RecordSet): readonly RecordChange[] {
  const create: RecordChange = { action: 'CREATE', record: after };
  return before === null ? [create] : [{ action: 'DELETE', record: before }, create];
}
