import { reason } from '../core/reason.ts';
import type { ChangeOutcome, RecordChange } from '../core/records.ts';
import type { Context } from './context.ts';

/** What became of the claim's changes, and of the names'; where there were none of a kind, they are done. */
export interface NamedOutcome {
  readonly claim: ChangeOutcome;
  readonly names: ChangeOutcome;
}

/**
 * Sends the claim's changes and the names' in one batch: Route 53 takes five requests a second from the whole account.
 * Where it refuses the batch, the claim's go alone, and that is said: a record of somebody else's in a name's place (an
 * alias, a CNAME) is not among the records that were read, and must not keep the cluster from being promised.
 */
export async function changeClaimAndNames(
  context: Pick<Context, 'register' | 'chronicle'>,
  claim: readonly RecordChange[],
  names: readonly RecordChange[],
  signal: AbortSignal,
): Promise<NamedOutcome> {
  const { register, chronicle } = context;
  const whole = await register.change([...claim, ...names], signal);
  if (claim.length === 0) return { claim: { kind: 'done' }, names: whole };
  // Only after a conflict is it certain that nothing was taken.
  if (names.length === 0 || whole.kind !== 'conflict') return { claim: whole, names: whole };
  const alone = await register.change(claim, signal);
  if (alone.kind === 'done')
    chronicle.trouble(
      'records',
      reason('names-refused', `Route 53 took the claim and refuses the names: ${whole.message}`),
    );
  return { claim: alone, names: whole };
}
