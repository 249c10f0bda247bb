import type { Reason } from '../core/reason.ts';
import { reason } from '../core/reason.ts';
import type { ChangeOutcome } from '../core/records.ts';
import { changeClaimAndNames } from './change-names.ts';
import type { Context } from './context.ts';
import type { HouseMemory } from './house-memory.ts';
import type { HousePlan } from './house.ts';
import type { HouseRight } from './unlocked.ts';

/** After a batch that was not taken; doubling. */
const WRITE_PAUSE_MS = 2_000;

/** Where that stops doubling. */
const WRITE_PAUSE_MAX_MS = 30_000;

/** Sends what the plan changes of claim and names, under the right to keep house; true where the records are as planned. */
export async function writeRecords(
  context: Context,
  right: HouseRight,
  plan: HousePlan,
  memory: HouseMemory,
  signal: AbortSignal,
): Promise<boolean> {
  const { claimChanges, nameChanges } = plan;
  const { ports, chronicle, register } = context;
  const count = claimChanges.length + nameChanges.length;
  if (count === 0) {
    memory.writeFailures = 0;
    return true;
  }
  if (ports.clock.now() < memory.writeAfter) return false;
  if (!(await right.guard(signal))) return false;
  const { claim, names } = await changeClaimAndNames(context, claimChanges, nameChanges, signal);
  ports.meter.dnsWritten(names.kind);
  if (claim.kind === 'done' && names.kind === 'done') {
    memory.writeFailures = 0;
    chronicle.event('records', reason('records-written', `${count} changes in one batch`));
    return true;
  }
  const failed = claim.kind === 'done' ? names : claim;
  memory.writeFailures += 1;
  memory.writeAfter = ports.clock.now() + writePauseMs(failed.kind, memory.writeFailures);
  // Where the claim went alone, that was said.
  const alone = claimChanges.length > 0 && claim.kind === 'done';
  if (failed.kind !== 'done' && !alone)
    chronicle.trouble('records', troubleOf(failed, claimChanges.length === 0, memory));
  await register.read(0, signal);
  return false;
}

/** A conflict is tried once more at once, with what is read then; all else less and less often. */
function writePauseMs(kind: ChangeOutcome['kind'], failures: number): number {
  const doublings = kind === 'conflict' ? failures - 2 : failures - 1;
  return doublings < 0 ? 0 : Math.min(WRITE_PAUSE_MAX_MS, WRITE_PAUSE_MS * 2 ** Math.min(doublings, 10));
}

/** Names that are refused again with what was read anew: what is in their way is not among the records. */
function troubleOf(
  failed: Exclude<ChangeOutcome, { kind: 'done' }>,
  onlyNames: boolean,
  memory: HouseMemory,
): Reason {
  return failed.kind === 'conflict' && onlyNames && memory.writeFailures > 1
    ? reason('names-refused', `Route 53 refuses the names: ${failed.message}`)
    : reason(failed.kind, failed.message);
}
