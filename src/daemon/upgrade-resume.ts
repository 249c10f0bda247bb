import type { KeptStep } from '../core/local-data.ts';
import { CLAIM_READ_INTERVAL_MS } from '../core/numbers.ts';
import { lookThrough } from './look.ts';
import type { Held } from './upgrade-acts.ts';
import { endpointsOf, nameAgain } from './upgrade-acts.ts';
import { comeUp, isLeaving, regain } from './upgrade-run.ts';
import { watchSwap } from './swap-etcd.ts';
import { conclude, recordTakenBack } from './upgrade-way-back.ts';

/** A step, and whose data it was begun on. */
interface LeftStep extends KeptStep {
  readonly memberId: string | null;
}

/** The step that an earlier life of this appliance began and did not end, as it is kept beside the data; null: none. */
export async function leftStep({ context, signal }: Held): Promise<LeftStep | null> {
  const { present, identity } = await context.ports.data.read(signal);
  const step = present && identity?.instanceId === context.ports.self.id ? identity.step : null;
  return step == null ? null : { ...step, memberId: identity?.memberId ?? null };
}

/**
 * Goes on with a step that an earlier life began: the etcd of it runs, or is about to be started on its data. Where it comes
 * up, the step is over; else it is taken back, as that life would have done. That life took it out of the client names.
 */
export async function resumeStep(left: Held, { memberId, ...step }: LeftStep): Promise<void> {
  const { from, to, why } = step;
  const how = { version: to, snapshotCount: null, step };
  const swap = why === null ? watchSwap(left.context, how, { memberId }) : null;
  const held = await withMembers(left);
  if (swap !== null) await conclude(held, { from, to }, await comeUp(held, swap));
  else await recordTakenBack(held, step, `${why}; etcd ${from} runs again`);
  if ((await regain(held)) && !isLeaving(held.context)) await nameAgain(held);
}

/**
 * Whom that life knew: how far the others are, and who could give the lock while the own etcd is silent. The claim says where
 * they are, and the first voter that answers who they are; where none does, there is no quorum, or not without this member.
 */
async function withMembers(held: Held): Promise<Held> {
  const { context, members, signal } = held;
  await context.register.read(CLAIM_READ_INTERVAL_MS, signal);
  const seen = await lookThrough(context, endpointsOf(context, members), signal);
  return seen.known ? { ...held, members: seen.value.members } : held;
}
