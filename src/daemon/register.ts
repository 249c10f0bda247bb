import type { ClaimReading } from '../core/claim.ts';
import { readClaim } from '../core/claim.ts';
import type { Known } from '../core/known.ts';
import { known, unknown } from '../core/known.ts';
import { namesOf } from '../core/names.ts';
import type { ChangeOutcome, RecordChange, RecordSet } from '../core/records.ts';
import type { Ports } from './ports.ts';

/** The zone's records under the name, with the age of what is known, so that Route 53 is asked no more than needed. */
export interface Register {
  /**
   * The records, asked anew where the last known answer is older than `maxAgeMs`; after a failure no sooner than a second
   * later.
   */
  read(maxAgeMs: number, signal: AbortSignal): Promise<Known<readonly RecordSet[]>>;
  /** The last known answer, however old; no call. */
  last(): Known<readonly RecordSet[]>;
  /** The claim in the last known answer. */
  claim(): Known<ClaimReading>;
  /** Sends a batch. What it made is known afterwards without asking; after a conflict or a doubt the next read asks. */
  change(changes: readonly RecordChange[], signal: AbortSignal): Promise<ChangeOutcome>;
  /** The next read asks. */
  forget(): void;
  /** For how long the same claim, or none, has been seen; ms. */
  claimStoodMs(): number;
  /** For how long Route 53 has neither been read nor written with success; 0 while it works; ms. */
  silentMs(): number;
}

/** Loops that hurry must not ask a Route 53 that fails or throttles in each of their turns. */
const READ_RETRY_MS = 1_000;

/** A register over the zone port. It is a cache and no memory: nothing rests on it that a later read could not say. */
export function createRegister(ports: Pick<Ports, 'zone' | 'clock'>, cluster: string): Register {
  const { zone, clock } = ports;
  const claimName = namesOf(cluster).claim;
  let records: Known<readonly RecordSet[]> = unknown('Route 53 was not asked yet');
  let readAt = Number.NEGATIVE_INFINITY;
  let stale = false;
  let claimText: string | null = null;
  let claimSince = clock.now();
  let failingSince: number | null = null;
  let lastFailure: { readonly at: number; readonly answer: Known<never> } | null = null;

  const keep = (value: readonly RecordSet[]): void => {
    records = known(value);
    const text = value.find((it) => it.name === claimName && it.type === 'TXT')?.values.join('\n') ?? '';
    if (text !== claimText) {
      claimText = text;
      claimSince = clock.now();
    }
  };
  const succeeded = (): void => {
    failingSince = null;
  };
  const failed = (at: number): void => {
    failingSince ??= at;
  };

  return {
    async read(maxAgeMs, signal) {
      const at = clock.now();
      if (records.known && !stale && at - readAt <= maxAgeMs) return records;
      if (lastFailure !== null && at - lastFailure.at < READ_RETRY_MS) return lastFailure.answer;
      const answer = await zone.list(signal);
      if (!answer.known) {
        failed(at);
        lastFailure = { at: clock.now(), answer };
        return answer;
      }
      lastFailure = null;
      succeeded();
      stale = false;
      readAt = at;
      keep(answer.value);
      return answer;
    },
    last: () => records,
    claim: () => (records.known ? known(readClaim(claimName, records.value)) : records),
    async change(changes, signal) {
      const at = clock.now();
      const outcome = await zone.change(changes, signal);
      if (outcome.kind === 'done') {
        succeeded();
        if (records.known) keep(applied(records.value, changes));
      } else {
        // A conflict means that the records are not what was read; a doubt, that nobody knows.
        stale = true;
        if (outcome.kind === 'conflict') succeeded();
        else failed(at);
      }
      return outcome;
    },
    forget() {
      stale = true;
    },
    claimStoodMs: () => clock.now() - claimSince,
    silentMs: () => (failingSince === null ? 0 : clock.now() - failingSince),
  };
}

/** The records after a batch that was taken. */
function applied(records: readonly RecordSet[], changes: readonly RecordChange[]): readonly RecordSet[] {
  const key = (it: RecordSet): string => `${it.name} ${it.type}`;
  const sets = new Map(records.map((it) => [key(it), it]));
  for (const { action, record } of changes) {
    if (action === 'DELETE') sets.delete(key(record));
    else sets.set(key(record), record);
  }
  return [...sets.values()];
}
