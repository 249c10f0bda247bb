import type { Member } from '../core/members.ts';
import { isStarted } from '../core/members.ts';
import { LOOK_INTERVAL_MS } from '../core/numbers.ts';
import type { UpgradeCode, UpgradePlan } from '../core/plan-upgrade.ts';
import type { UpgradeMember, UpgradeRecord } from '../core/upgrade.ts';
import { planPace } from '../core/upgrade-pace.ts';
import { standingOf } from '../core/upgrade-standing.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import { readUpgradeRecord } from './upgrade-look.ts';

/** While an upgrade is on its way, and while there is nothing to do; an operator's word rings. */
const LOOK_MS = 1_000;
const IDLE_LOOK_MS = 30_000;

/** What etcd keeps of an upgrade, and who is a member: whatever changes there may bring it on. */
export function newsOf(
  record: UpgradeRecord,
  members: readonly Pick<UpgradeMember, 'id' | 'learner' | 'started'>[],
): string {
  return JSON.stringify([record, members.map(({ id, learner, started }) => [id, learner, started])]);
}

/**
 * How long the next look can wait, after a look that came to this plan; `news` is what etcd said in it, null where it was not
 * asked or did not tell. Ends at once when the bell rings.
 */
export function createUpgradePace(
  context: Context,
): (plan: UpgradePlan | null, news: string | null, signal: AbortSignal) => Promise<void> {
  const { upgradeBell, ports } = context;
  let stands: { readonly code: UpgradeCode; readonly since: number } | null = null;
  return async (plan, news, signal) => {
    const now = ports.clock.now();
    const code = plan?.action.reason.code ?? 'upgrade-done';
    const still = plan !== null && standingOf(plan.action) === 'stands' && news !== null;
    if (!still) stands = null;
    else if (stands?.code !== code) stands = { code, since: now };
    const pace = planPace(code, stands === null ? null : now - stands.since);
    if (pace === 'on-news') await untilOther(context, news, signal);
    else await upgradeBell.wait(pace === 'rarely' ? IDLE_LOOK_MS : LOOK_MS, signal);
  };
}

/** Waits as where there is nothing to do, or until etcd says something else, or nothing any more. */
async function untilOther(context: Context, news: string | null, signal: AbortSignal): Promise<void> {
  const { upgradeBell, ports } = context;
  const until = ports.clock.now() + IDLE_LOOK_MS;
  while (ports.clock.now() < until) {
    if (await upgradeBell.wait(LOOK_INTERVAL_MS, signal)) return;
    if ((await readNews(context, signal)) !== news) return;
  }
}

async function readNews({ ports }: Context, signal: AbortSignal): Promise<string | null> {
  const own = clientUrl(ports.self.address);
  const record = await readUpgradeRecord(ports, own, signal);
  if (!record.known) return null;
  const list = await ports.admin.memberList(own, { linearizable: true, confirmed: true }, signal);
  return list.known ? newsOf(record.value, list.value.members.map(startedOrNot)) : null;
}

function startedOrNot(member: Member): Pick<UpgradeMember, 'id' | 'learner' | 'started'> {
  return { ...member, started: isStarted(member) };
}
