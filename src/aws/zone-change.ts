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
    for (;;) {
      sofar = { kind: 'unknown', message: `no answer within ${limitMs} ms` };
      const outcome = await once(deps.calls, input, inner);
      if (outcome.kind !== 'busy' || !outcome.again) return outcomeOf(outcome);
      sofar = outcomeOf(outcome);
      // 0.1 to 0.3 s (design.md section 4): appliances that met once must not meet again.
      await deps.sleep(100 + 200 * deps.fraction(), inner);
    }
  };
  try {
    return await withDeadline(limitMs, signal, tries);
  } catch {
    signal.throwIfAborted();
    return sofar;
  }
}

type Tried = Exclude<ChangeOutcome, { kind: 'busy' }> | { kind: 'busy'; message: string; again: boolean };

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

/** Refusals that pass by themselves. */
const PASSING: ReadonlySet<string> = new Set([
  'PriorRequestNotComplete',
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
  if (PASSING.has(failure.name)) return { kind: 'busy', message, again: true };
  if (failure.notSent) return { kind: 'busy', message, again: false };
  if (failure.status !== null && failure.status >= 400 && failure.status < 500) {
    return { kind: 'busy', message, again: false };
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
