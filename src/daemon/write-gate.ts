import type { ChangeOutcome, RecordChange } from '../core/records.ts';
import { createBackoff } from './backoff.ts';
import type { Ports } from './ports.ts';

/** Loops that hurry must not send a batch to a Route 53 that fails, throttles or refuses in each of their turns. */
const RETRY = { firstMs: 1_000, mostMs: 30_000 };

/** A failed write says nothing of now where nobody has tried for so long: longer than the longest pause and a call. */
const WRITE_FAILURE_COUNTS_MS = 60_000;

/** So many batches refused against the same records: what is in the way is not among them, and no other batch helps. */
const MOST_REFUSED = 3;

/** Says which batches to send now, by what became of earlier ones. */
export interface WriteGate {
  /** The answer to a batch that it is too early to send; null: send it. */
  early(changes: readonly RecordChange[]): ChangeOutcome | null;
  note(changes: readonly RecordChange[], outcome: ChangeOutcome): void;
  /** A batch that was refused may be right now. */
  recordsChanged(): void;
  /** For how long no batch has been answered, where one was tried lately; ms. */
  silentMs(): number;
}

/** A gate that nothing was sent through yet. */
export function createWriteGate(ports: Pick<Ports, 'clock' | 'random'>): WriteGate {
  const { clock } = ports;
  const retry = createBackoff(ports, RETRY);
  /** Batches that were refused against the records as they are known, the last so many: each may have a token of its own, for days. */
  const refused = new Map<string, ChangeOutcome>();
  const noteRefused = (changes: readonly RecordChange[], outcome: ChangeOutcome): void => {
    const key = JSON.stringify(changes);
    refused.delete(key);
    refused.set(key, outcome);
    const [oldest] = refused.keys();
    if (refused.size > MOST_REFUSED && oldest !== undefined) refused.delete(oldest);
  };
  let failure: { readonly since: number; readonly at: number; readonly message: string } | null = null;
  const silentMs = (): number =>
    failure === null || clock.now() - failure.at > WRITE_FAILURE_COUNTS_MS ? 0 : clock.now() - failure.since;
  const works = (): void => {
    failure = null;
    refused.clear();
    retry.succeeded();
  };
  return {
    early(changes) {
      if (!retry.waits()) return null;
      if (failure !== null) return { kind: 'busy', message: `not sent again yet: ${failure.message}` };
      const last = refused.size < MOST_REFUSED ? undefined : [...refused.values()].at(-1);
      return refused.get(JSON.stringify(changes)) ?? last ?? null;
    },
    note(changes, outcome) {
      if (outcome.kind === 'done') {
        works();
        return;
      }
      if (outcome.kind === 'conflict') {
        failure = null;
        noteRefused(changes, outcome);
      } else {
        const at = clock.now();
        failure = { since: at - silentMs(), at, message: outcome.message };
      }
      retry.failed();
    },
    recordsChanged() {
      if (failure === null) works();
    },
    silentMs,
  };
}
