import type { ChangeOutcome, RecordChange } from '../core/records.ts';
import type { Route53Calls } from './calls.ts';
import { withDeadline } from './deadline.ts';
import { clauseOf, failureOf } from './failure.ts';
import type { Failure } from './failure.ts';
import { LIMITS } from './limits.ts';

export interface ChangeDeps {
  readonly calls: Route53Calls;
  /** In [0, 1). */
  readonly fraction: () => number;
  /** Ends after `ms`, or rejects with the signal's reason. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** For all tries together; default is that of one call. */
  readonly deadlineMs?: number;
}

/**
 * Changes record sets, all or nothing. Tried again only after answers that say that nothing was taken, and only until
 * the deadline: a batch that may have been taken is never sent twice, because its own success would look like a
 * conflict.
 */
export async function changeRecords(
  zoneId: string,
  changes: readonly RecordChange[],
  deps: ChangeDeps,
  signal: AbortSignal,
): Promise<ChangeOutcome> {
  if (changes.length === 0) return { kind: 'done' };
  const input = {
    HostedZoneId: zoneId,
    ChangeBatch: { Changes: changes.map((change) => sdkChange(change)) },
  };
  const limitMs = deps.deadlineMs ?? LIMITS.callDeadlineMs;
  // What is known while no request is under way; a deadline during a request leaves "unknown".
  let sofar: ChangeOutcome = { kind: 'busy', message: `not sent within ${limitMs} ms` };
  const tries = async (inner: AbortSignal): Promise<ChangeOutcome> => {
    for (let refusals = 0; ; refusals += 1) {
      sofar = { kind: 'unknown', message: `no answer within ${limitMs} ms` };
      const outcome = await once(deps.calls, input, inner);
      const pauseMs = outcome.kind === 'busy' ? pauseAfter(outcome.because, refusals, deps.fraction()) : null;
      if (pauseMs === null) return outcomeOf(outcome);
      sofar = outcomeOf(outcome);
      await deps.sleep(pauseMs, inner);
    }
  };
  try {
    return await withDeadline(limitMs, signal, tries);
  } catch {
    signal.throwIfAborted();
    return sofar;
  }
}

/** Why a batch was not taken: another change of the zone goes on, too many requests, or what asking again cannot mend. */
type Because = 'prior' | 'throttled' | 'refused';

type Tried = Exclude<ChangeOutcome, { kind: 'busy' }> | { kind: 'busy'; message: string; because: Because };

/** Tries of one batch that Route 53 throttles: more of them are what it complains of. */
const THROTTLED_TRIES = 3;

/**
 * The pause before the next try, in ms; null: none. Appliances that met once at a change of the zone must not meet again
 * (design.md section 4): 0.1 to 0.3 s. Throttling is of the whole account: full jitter below a bound that doubles.
 */
function pauseAfter(because: Because, refusals: number, fraction: number): number | null {
  if (because === 'prior') return 100 + 200 * fraction;
  if (because === 'refused' || refusals >= THROTTLED_TRIES - 1) return null;
  return 200 * 2 ** refusals * fraction;
}

function outcomeOf(tried: Tried): ChangeOutcome {
  return tried.kind === 'busy' ? { kind: 'busy', message: tried.message } : tried;
}

async function once(
  calls: Route53Calls,
  input: Parameters<Route53Calls['changeResourceRecordSets']>[0],
  signal: AbortSignal,
): Promise<Tried> {
  try {
    await calls.changeResourceRecordSets(input, signal);
    return { kind: 'done' };
  } catch (thrown) {
    return classify(failureOf(thrown));
  }
}

const THROTTLES: ReadonlySet<string> = new Set([
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
]);

/**
 * Which of the four a failure is. Route 53 says InvalidChangeBatch both where the records are not what the batch says
 * and where the batch is malformed; the message tells, and either way nothing was taken. Any other 4xx is a refusal
 * (no rights, no such zone); an answer of the server's own failure, or none, leaves it open.
 */
export function classify(failure: Failure): Tried {
  const message = `Route 53 ${clauseOf(failure)}`;
  if (failure.name === 'InvalidChangeBatch') return { kind: 'conflict', message: failure.message };
  if (failure.name === 'PriorRequestNotComplete') return { kind: 'busy', message, because: 'prior' };
  if (THROTTLES.has(failure.name)) return { kind: 'busy', message, because: 'throttled' };
  if (failure.notSent) return { kind: 'busy', message, because: 'refused' };
  if (failure.status !== null && failure.status >= 400 && failure.status < 500) {
    return { kind: 'busy', message, because: 'refused' };
  }
  return { kind: 'unknown', message };
}

function sdkChange({ action, record }: RecordChange) {
  return {
    Action: action,
    ResourceRecordSet: {
      Name: `${record.name}.`,
      Type: record.type,
      TTL: record.ttl,
      ResourceRecords: record.values.map((value) => ({ Value: value })),
    },
  };
}
