import type { Fleet } from '../core/fleet.ts';
import { isRefused, type Known } from '../core/known.ts';
import { type Reason, reason } from '../core/reason.ts';
import { clientUrl } from '../core/urls.ts';
import { planMember } from '../core/plan-member.ts';
import { planUpgrade } from '../core/plan-upgrade.ts';
import { whyUnhealthy } from '../core/readiness.ts';
import type { UpgradeAnswer } from '../core/upgrade.ts';
import type { Context } from './context.ts';
import { planHouse } from './house.ts';
import type { Look } from './look.ts';
import { look } from './look.ts';
import { observeMember } from './observe-member.ts';
import { decide } from './starter.ts';
import { freshUpgradeMemory, observeUpgrade } from './upgrade-facts.ts';

/** One step of a plan, and why it is taken or not taken. */
export interface PlanStep {
  readonly kind: string;
  readonly code: string;
  readonly sentence: string;
}

/** What the appliance of this instance would do now. */
export interface PlanReport {
  readonly steps: readonly PlanStep[];
  readonly notTaken: readonly PlanStep[];
  /** Clauses naming what could not be had, and why. */
  readonly unknown: readonly string[];
}

const step = (kind: string, why: Reason): PlanStep => ({ kind, code: why.code, sentence: why.sentence });

/**
 * Observes once and plans with the very planners of the loops, without acting: what this instance would do next, what its
 * housekeeping would do if it kept house, and why not more.
 */
export async function explain(context: Context, signal: AbortSignal): Promise<PlanReport> {
  const { ports } = context;
  const own = clientUrl(ports.self.address);
  const status = await ports.admin.status(own, signal);
  // A refusal is an answer: etcd runs here, and the loop of a running member plans.
  if (!status.known && !isRefused(status)) return await explainStart(context, signal);
  const local = await ports.data.read(signal);
  context.state.identity = local.identity;
  if (local.identity === null) {
    const sentence = `etcd runs at ${ports.self.address}, and nothing here says whose data it has: it is not this appliance's`;
    return { steps: [], notTaken: [{ kind: 'member', code: 'foreign-data', sentence }], unknown: [] };
  }
  await context.register.read(0, signal);
  const member = planMember(
    await observeMember(
      context,
      local.identity,
      { servedFormingMs: 0, answeredOnce: true, silentMs: 0, late: { askedAt: 0 } },
      signal,
    ),
  );
  const steps: PlanStep[] = [];
  const notTaken: PlanStep[] = [];
  (member.kind === 'none' ? notTaken : steps).push(
    step(member.kind === 'none' ? 'member' : member.kind, member.reason),
  );
  const house = await explainHouse(context, own, signal);
  const upgrade = await explainUpgrade(context, signal);
  return {
    steps: [...steps, ...house.steps, ...upgrade.steps],
    notTaken: [...notTaken, ...house.notTaken, ...upgrade.notTaken],
    unknown: [...house.unknown, ...upgrade.unknown],
  };
}

/** The upgrade's plan: a step where it is this instance's turn. What the preflight of it lacks is told line by line. */
async function explainUpgrade(context: Context, signal: AbortSignal): Promise<PlanReport> {
  const { self, peers } = context.ports;
  // Only the appliance that runs here can say what its etcd has: who merely looks has started none.
  const asked = await peers.askUpgrade(self.address, { from: self.id, fresh: false }, signal);
  const { upgradeWord } = context;
  const tell = async (cut: AbortSignal): Promise<UpgradeAnswer> =>
    asked.known ? asked.value : await upgradeWord.tell(cut);
  const asRunning: Context = { ...context, upgradeWord: { ...upgradeWord, tell } };
  // Who looks once remembers nothing: what rests on it is told as if it had only just begun.
  const seen = await observeUpgrade(asRunning, freshUpgradeMemory(), { acts: false }, signal);
  if (isRefused(seen))
    return { steps: [], notTaken: [step('upgrade', reason('upgrade-auth', seen.reason))], unknown: [] };
  if (!seen.known) return { steps: [], notTaken: [], unknown: [`the upgrade: ${seen.reason}`] };
  const { action, checks } = planUpgrade(seen.value);
  const isOwn = 'who' in action && action.who === self.id;
  const line = step(isOwn ? action.kind : 'upgrade', action.reason);
  const barring = checks.filter((it) => !it.ok && !action.reason.sentence.includes(it.sentence));
  const others = barring.map((it) => step('upgrade', it));
  return isOwn
    ? { steps: [line], notTaken: others, unknown: [] }
    : { steps: [], notTaken: [line, ...others], unknown: [] };
}

async function explainStart(context: Context, signal: AbortSignal): Promise<PlanReport> {
  const clocks = { waitedMs: 0, standing: { code: '', forMs: 0 } };
  const { action, seen } = await decide(context, { afterCrash: false, damagedStarts: 0 }, clocks, signal);
  const unknown = seen.zone.known ? [] : [`the records: ${seen.zone.reason}`];
  const line = step(action.kind, action.reason);
  return action.kind === 'wait' || action.kind === 'halt'
    ? { steps: [], notTaken: [line], unknown }
    : { steps: [line], notTaken: [], unknown };
}

/** Whom the security groups would let in; nothing where no rule of ours is needed, or the fleet is unknown. */
async function explainRules(
  { firewall }: Context,
  seen: Look,
  fleet: Known<Fleet>,
  signal: AbortSignal,
): Promise<Pick<PlanReport, 'steps' | 'notTaken'>> {
  const members = new Set(seen.list.members.map((it) => it.name));
  const plan = fleet.known ? await firewall.preview(fleet.value, members, signal) : null;
  const acts = (it: Reason): boolean => it.code === 'firewall-opens' || it.code === 'firewall-closes';
  const reasons: readonly Reason[] = plan?.reasons ?? [];
  return {
    steps: reasons.filter(acts).map((it) => step('firewall', it)),
    notTaken: reasons.filter((it) => !acts(it)).map((it) => step('firewall', it)),
  };
}

async function explainHouse(context: Context, own: string, signal: AbortSignal): Promise<PlanReport> {
  const seen = await look(context, own, signal);
  if (!seen.known) return { steps: [], notTaken: [], unknown: [`the members: ${seen.reason}`] };
  const fleet = await context.fleetView.fleet(0, signal);
  const records = context.register.last();
  const house = await planHouse(
    context,
    seen.value,
    { fleet, learnersStalledMs: new Map(), doubtful: new Set(), leaving: new Set() },
    signal,
  );
  const steps: PlanStep[] = [];
  const { action, held } = house.membership;
  if (action !== null) steps.push(step(action.kind, action.reason));
  const notTaken = held.map((it) => step('membership', it));
  const rules = await explainRules(context, seen.value, fleet, signal);
  steps.push(...rules.steps);
  notTaken.push(...rules.notTaken);
  const changes = house.claimChanges.length + house.nameChanges.length;
  for (const it of house.recordReasons) (changes > 0 ? steps : notTaken).push(step('records', it));
  for (const member of seen.value.members) {
    const why = whyUnhealthy({
      status: member.status,
      memberId: member.id,
      highestIndex: seen.value.highestIndex,
    });
    if (why !== null)
      notTaken.push({
        kind: 'name',
        code: 'unhealthy',
        sentence: `${member.name || member.id} is not named for clients: ${why}`,
      });
  }
  const unknown: string[] = [];
  if (!fleet.known) unknown.push(`the fleet: ${fleet.reason}`);
  if (!records.known) unknown.push(`the records: ${records.reason}`);
  return { steps, notTaken, unknown };
}
