import type { Removal } from '../core/plan-membership.ts';
import { reason } from '../core/reason.ts';
import type { Context } from './context.ts';
import type { Look } from './look.ts';
import type { HouseRight } from './unlocked.ts';

/** A learner that has entered the claim is promoted within this time, or its appliance does not mean to; ms. */
const PROMOTION_MS = 15_000;

/**
 * Whether a learner that is to be removed may be promoted at any moment: it answers, and has said in the claim that it
 * becomes a voter (or the claim cannot be read). Nothing makes its own appliance wait, and the removal would meet a voter. An
 * appliance that means to, promotes it within seconds: one that leaves, or is away, does not, and must not hold the slot.
 */
export async function mayBecomeVoter(
  context: Context,
  seen: Look,
  action: Removal,
  /** Since when each learner's removal has been held off by this; ms. */
  heldSince: Map<string, number>,
  signal: AbortSignal,
): Promise<boolean> {
  if (action.reason.code !== 'learner-of-nobody' || !seen.answering.has(action.memberId)) return false;
  const { register, ports } = context;
  const now = ports.clock.now();
  const since = heldSince.get(action.memberId) ?? now;
  heldSince.set(action.memberId, since);
  if (now - since >= PROMOTION_MS) return false;
  // Asked now: what is read once and again may be older than its word.
  if (!(await register.read(0, signal)).known) return true;
  const reading = register.claim();
  if (!reading.known || reading.value.kind !== 'claim') return true;
  return reading.value.claim.voters.some((it) => it.memberId === action.memberId);
}

/** Removes a member under the lock; true: again at once. What it means by now is looked at right before. */
export async function removeMember(
  context: Context,
  right: HouseRight,
  endpoint: string,
  action: Removal,
  signal: AbortSignal,
): Promise<boolean> {
  // Law 5: a learner that has become a voter since it was looked at is not what this removal means.
  const list = await context.ports.admin.memberList(endpoint, { linearizable: true }, signal);
  const member = list.known ? list.value.members.find((it) => it.id === action.memberId) : undefined;
  if (member === undefined || member.learner === action.voter) return list.known;
  if (!(await right.guard(endpoint, signal))) return false;
  const outcome = await context.ports.admin.removeMember(endpoint, action.memberId, signal);
  context.ports.meter.acted('remove-member', outcome.ok ? 'done' : outcome.code);
  if (!outcome.ok && outcome.code !== 'not-found') {
    context.chronicle.trouble('remove-member', reason(outcome.code, outcome.message), {
      memberId: action.memberId,
    });
    return false;
  }
  context.ports.meter.evicted();
  context.chronicle.event('remove-member', action.reason, {
    memberId: action.memberId,
    instanceId: action.instanceId,
  });
  return true;
}
