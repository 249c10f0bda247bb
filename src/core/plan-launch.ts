import type { Fleet } from './fleet.ts';
import { isJoinable } from './fleet.ts';
import type { Known } from './known.ts';
import type { UpgradeCode, UpgradePlan } from './plan-upgrade.ts';
import { compareVersions } from './versions.ts';

/** What there is to wait for beyond that a new member serves. */
export interface LaunchObservation {
  /** Instance id. */
  readonly self: string;
  /** Whether its etcd runs, or is about to run, otherwise than its data say. */
  readonly steps: boolean;
  /** The last plan of an upgrade; null: nobody looked yet. */
  readonly upgrade: UpgradePlan | null;
  /** The fleet as AWS shows it, where the plan says that images bar the step. */
  readonly fleet: Known<Fleet>;
  /** The version that it runs, and the one that its instance aims at; null: unknown. */
  readonly runs: string | null;
  readonly aim: string | null;
}

/** `step`: until it runs the etcd that it can have by now; `obstacle`: for a while, as what bars its step mostly goes by itself. */
export type LaunchHold = 'step' | 'obstacle' | 'nothing';

/** How long an obstacle holds a launch up; ms. Who steps may be silent, or catch up, for longer. */
export const LAUNCH_OBSTACLE_LIMIT_MS = 30_000;

/** What a round goes on with by itself. */
const PENDING: ReadonlySet<UpgradeCode> = new Set([
  'upgrade-step',
  'upgrade-clear',
  'upgrade-bring-snapshot',
  'upgrade-locked',
  'upgrade-orphaned',
]);

/** What mostly goes by itself: who joins becomes a voter, who leaves or has lost its power is gone, who restarts is back. */
const PASSING: ReadonlySet<UpgradeCode> = new Set(['upgrade-learner', 'upgrade-unhealthy', 'upgrade-silent']);

/**
 * What holds up the launch of a member that serves (design.md, "Lifecycle hooks"): that the version that it should have is not
 * the one that it runs, and its step is next, in this round, or in one that follows it. One that waits for other images, or
 * for an operator, is as new as it can be: where a refresh launches before it terminates, the last old image goes only when
 * the last launch is complete, and nobody may step beside it before. Where it terminates first, all that have the old image
 * may be about to leave, before they know of it themselves.
 */
export function launchHold(seen: LaunchObservation): LaunchHold {
  const { steps, upgrade } = seen;
  if (steps || upgrade === null) return 'step';
  const { code } = upgrade.action.reason;
  if (code === 'upgrade-settling') return 'step';
  if (code === 'upgrade-unknown') return 'obstacle';
  if (PENDING.has(code)) return mayWait(upgrade, seen.self) || aimsHigher(seen) ? 'step' : 'nothing';
  const passes = PASSING.has(code) || (code === 'upgrade-lacks' && areLeaving(upgrade.lacking, seen.fleet));
  return passes && mayWait(upgrade, seen.self) ? 'obstacle' : 'nothing';
}

/** Whether the group means none of these to carry a member any more. */
function areLeaving(instances: readonly string[], fleet: Known<Fleet>): boolean {
  if (!fleet.known) return false;
  const staying = new Set(fleet.value.instances.filter(isJoinable).map((it) => it.id));
  return instances.every((id) => !staying.has(id));
}

/** Who is still to step is not known while the one who steps is silent. */
function mayWait({ waiting }: UpgradePlan, instanceId: string): boolean {
  return waiting.length === 0 || waiting.includes(instanceId);
}

/** Between 3.5 and 3.7 a member that is first in a round has another before it. */
function aimsHigher({ aim, runs }: LaunchObservation): boolean {
  return aim !== null && runs !== null && compareVersions(aim, runs) > 0;
}
