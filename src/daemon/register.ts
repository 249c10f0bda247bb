import type { Claim, ClaimReading } from '../core/claim.ts';
import { readClaim } from '../core/claim.ts';
import type { Known, Unknown } from '../core/known.ts';
import { known, unknown } from '../core/known.ts';
import { namesOf } from '../core/names.ts';
import { RECORDS_SETTLE_MS } from '../core/numbers.ts';
import type { ChangeOutcome, RecordChange, RecordSet } from '../core/records.ts';
import { createBackoff } from './backoff.ts';
import type { Ports } from './ports.ts';
import { createWriteGate } from './write-gate.ts';

/** The zone's records under the name, with the age of what is known, so that Route 53 is asked no more than needed. */
export interface Register {
  /**
   * The records, asked anew where the last known answer is older than `maxAgeMs`; after failures only after a pause that
   * grows.
   */
  read(maxAgeMs: number, signal: AbortSignal): Promise<Known<readonly RecordSet[]>>;
  /** The last known answer, however old; no call. */
  last(): Known<readonly RecordSet[]>;
  /** The same where its question was sent at this time on the clock or later, with what our batches have made of it since. */
  lastSince(at: number): Known<readonly RecordSet[]>;
  /**
   * Whether the last known answer was asked for so shortly after a change that it may be from before it, and that time is over
   * by now. Changes are our batches, and, at this time on the clock, what others wrote until then.
   */
  isYoung(at: number): boolean;
  /** The claim in the last known answer. */
  claim(): Known<ClaimReading>;
  /** That claim where one stands there and can be read; null: none does, or nobody knows. */
  standing(): Claim | null;
  /**
   * Sends a batch. What it made is known afterwards without asking; after a conflict or a doubt the next read asks. While
   * Route 53 takes nothing, and for a batch that it refused against the records as they are, no call is made in a pause
   * that grows: the answer is "busy", or that conflict again.
   */
  change(changes: readonly RecordChange[], signal: AbortSignal): Promise<ChangeOutcome>;
  /** The next read asks. */
  forget(): void;
  /** For how long the same claim, or none, has been seen; ms. */
  claimStoodMs(): number;
  /** That the last question was not answered, why, and how long ago one was; null: it was answered, or nobody asked; ms. */
  unread(): { readonly forMs: number; readonly reason: string } | null;
  /** For how long Route 53 has not been read, or has not taken a batch, the longer of the two; 0 while it works; ms. */
  silentMs(): number;
}

/** Loops that hurry must not ask a Route 53 that fails in each of their turns. */
const READ_RETRY = { firstMs: 1_000, mostMs: 30_000 };

/** A register over the zone port. It is a cache and no memory: nothing rests on it that a later read could not say. */
export function createRegister(ports: Pick<Ports, 'zone' | 'clock' | 'random'>, cluster: string): Register {
  const { zone, clock } = ports;
  const claimName = namesOf(cluster).claim;
  let records: Known<readonly RecordSet[]> = unknown('Route 53 was not asked yet');
  let readAt = Number.NEGATIVE_INFINITY;
  let stale = false;
  /** When a batch of ours was last taken, as far as is known. */
  let changedAt = Number.NEGATIVE_INFINITY;
  /** Raised where what a list says that is under way may be the past. */
  let generation = 0;
  /** What the records say of the claim: they are read once, and the claim is asked for in every tick of every loop. */
  let reading: { readonly of: readonly RecordSet[]; readonly claim: ClaimReading } | null = null;
  let claimText: string | null = null;
  let claimSince = clock.now();
  let readFailure: { readonly since: number; readonly answer: Unknown } | null = null;
  const readRetry = createBackoff(ports, READ_RETRY);
  const writes = createWriteGate(ports);

  const keep = (value: readonly RecordSet[]): void => {
    if (!records.known || JSON.stringify(records.value) !== JSON.stringify(value)) writes.recordsChanged();
    records = known(value);
    const text = value.find((it) => it.name === claimName && it.type === 'TXT')?.values.join('\n') ?? '';
    if (text !== claimText) {
      claimText = text;
      claimSince = clock.now();
    }
  };

  const claim = (): Known<ClaimReading> => {
    if (!records.known) return records;
    if (reading?.of !== records.value)
      reading = { of: records.value, claim: readClaim(claimName, records.value) };
    return known(reading.claim);
  };

  return {
    async read(maxAgeMs, signal) {
      const at = clock.now();
      if (records.known && !stale && at - readAt <= maxAgeMs) return records;
      if (readFailure !== null && readRetry.waits()) return readFailure.answer;
      const began = generation;
      const answer = await zone.list(signal);
      if (!answer.known) {
        readFailure = { since: readFailure?.since ?? at, answer };
        readRetry.failed();
        return answer;
      }
      readFailure = null;
      readRetry.succeeded();
      // A list that was sent before a change of ours, or before a list that was faster, must not undo what is known.
      if (records.known && (generation !== began || at < readAt)) return records;
      stale = generation !== began;
      readAt = at;
      keep(answer.value);
      return answer;
    },
    last: () => records,
    lastSince: (at) => (readAt >= at ? records : unknown('Route 53 has not answered since')),
    isYoung(at) {
      const since = Math.max(at, changedAt);
      const settlesAt = since + RECORDS_SETTLE_MS;
      return readAt >= since && readAt < settlesAt && clock.now() >= settlesAt;
    },
    claim,
    standing() {
      const read = claim();
      return read.known && read.value.kind === 'claim' ? read.value.claim : null;
    },
    async change(changes, signal) {
      if (changes.length === 0) return { kind: 'done' };
      const early = writes.early(changes);
      if (early !== null) return early;
      const before = records;
      const outcome = await zone.change(changes, signal);
      writes.note(changes, outcome);
      generation += 1;
      // A batch whose answer is lost may have been taken.
      if (outcome.kind === 'done' || outcome.kind === 'unknown') changedAt = clock.now();
      if (outcome.kind === 'done' && records === before) {
        if (records.known) keep(applied(records.value, changes));
      } else {
        // A conflict means that the records are not what was read; a doubt, or a list in between, that nobody knows.
        stale = true;
      }
      return outcome;
    },
    forget() {
      stale = true;
      generation += 1;
    },
    claimStoodMs: () => clock.now() - claimSince,
    unread: () =>
      readFailure === null ? null : { forMs: clock.now() - readAt, reason: readFailure.answer.reason },
    silentMs: () => Math.max(readFailure === null ? 0 : clock.now() - readFailure.since, writes.silentMs()),
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
