import { votersOf } from '../core/members.ts';
import type { Removal } from '../core/plan-membership.ts';
import { whyShort } from '../core/plan-membership.ts';
import { planRemoval } from '../core/plan-removal.ts';
import { reason } from '../core/reason.ts';
import type { Context } from './context.ts';
import { type Look, stillHealthy } from './look.ts';
import type { HouseRight } from './unlocked.ts';

/**
 * Whether a removal waits, since it would meet a voter; reads the claim where the rule asks for it. `heldSince`: since when
 * each learner's removal has been held off; ms.
 */
export async function mayBecomeVoter(
  context: Context,
  seen: Look,
  action: Removal,
  heldSince: Map<string, number>,
  signal: AbortSignal,
): Promise<boolean> {
  const now = context.ports.clock.now();
  const since = heldSince.get(action.memberId) ?? now;
  const facts = { action, answers: seen.answering.has(action.memberId), heldForMs: now - since };
  const verdict = planRemoval(facts);
  if (verdict !== 'ask') return verdict === 'hold';
  heldSince.set(action.memberId, since);
  return planRemoval({ ...facts, claimed: await isClaimed(context, action.memberId, signal) }) === 'hold';
}

/** Whether the claim lists a member as a voter; null: it cannot be read. Asked now: what was read before may be older than its word. */
async function isClaimed(context: Context, memberId: string, signal: AbortSignal): Promise<boolean | null> {
  const { register } = context;
  if (!(await register.read(0, signal)).known) return null;
  return register.standing()?.voters.some((it) => it.memberId === memberId) ?? null;
}

/** Removes a member of a look under the lock; true: again at once. What it means by now is looked at right before. */
export async function removeMember(
  context: Context,
  right: HouseRight,
  seen: Look,
  action: Removal,
  signal: AbortSignal,
): Promise<boolean> {
  const endpoint = seen.through;
  if (!(await right.guard(signal))) return false;
  // Law 5: the others may leave while who is silent is waited for.
  const healthy = action.voter ? await stillHealthy(context, seen, action.memberId, signal) : [];
  // A learner that has become a voter since it was looked at is not what this removal means. Looked at last, as no lock keeps
  // a learner from its promotion, nor a voter from leaving.
  const list = await context.ports.admin.memberList(endpoint, { linearizable: true }, signal);
  const member = list.known ? list.value.members.find((it) => it.id === action.memberId) : undefined;
  if (!list.known || member === undefined || member.learner === action.voter) return list.known;
  const others = votersOf(list.value.members).filter((it) => it !== member);
  const well = others.filter((it) => healthy.includes(it.id));
  const short = action.voter ? whyShort(action.instanceId, well.length, others.length) : null;
  if (short !== null) {
    context.chronicle.plan('membership', [short]);
    return false;
  }
  // Law 8: whoever was frozen while it looked has no right any more.
  if (!right.isTimely()) return false;
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
