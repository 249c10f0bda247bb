import { HEARTBEAT_INTERVAL_MS } from '../core/numbers.ts';
import type { UpgradeCode, UpgradePlan } from '../core/plan-upgrade.ts';
import { reason } from '../core/reason.ts';
import { compareVersions } from '../core/versions.ts';
import type { Context } from './context.ts';

/** How soon it is looked whether the member is ready: an instance refresh waits for nothing else. */
const LOOK_MS = 200;

/** A completion can come before the group has the instance waiting: it is tried again this often, so many times. */
const COMPLETION_INTERVAL_MS = 2_000;
const COMPLETION_TRIES = 5;

/** Where nobody knows whether it was completed, it is tried less and less often, down to this: it may be denied for good. */
const UNKNOWN_INTERVAL_MAX_MS = 60_000;

/**
 * What there is to do may be unknown for as long as somebody who steps is silent, or leadership moves; and no step is made
 * while another catches up. Who takes longer than this holds up no launch.
 */
const OBSTACLE_LIMIT_MS = 30_000;

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
 * Completes the launching hook when the claim is formed and the member is a healthy voter of it, so that an instance
 * refresh waits for etcd and not for a boot. Heartbeats go on until then: waiting for birth, quorum or the learner slot is
 * work. Ends when there is no more to do, or no such hook.
 */
export async function completeLaunch(context: Context, signal: AbortSignal): Promise<void> {
  const { clock, hooks } = context.ports;
  let beatAt = clock.now();
  let freeAt = clock.now();
  for (;;) {
    const isObstructed = meetsObstacle(context);
    if (!isObstructed) freeAt = clock.now();
    const mayStep = isObstructed ? clock.now() - freeAt < OBSTACLE_LIMIT_MS : isToStep(context);
    if (context.state.notReady === null && !mayStep) break;
    await clock.sleep(LOOK_MS, signal);
    if (clock.now() - beatAt < HEARTBEAT_INTERVAL_MS) continue;
    beatAt = clock.now();
    const heard = await hooks.heartbeat('launching', signal);
    if (heard.known && heard.value === 'no-hook') return;
  }
  await complete(context, signal);
}

/**
 * Whether the version that this member should have is not the one that it runs: its step is next, in this round, or in one
 * that follows it. One that waits for other images, or for an operator, is as new as it can be: where a refresh launches
 * before it terminates, the last old image goes only when the last launch is complete, and nobody may step beside it before.
 */
function isToStep({ state, ports }: Context): boolean {
  if (state.swap !== null) return true;
  const { upgrade } = state;
  if (upgrade === null) return true;
  const { code } = upgrade.action.reason;
  return (
    code === 'upgrade-settling' ||
    (PENDING.has(code) && (mayWait(upgrade, ports.self.id) || aimsHigher(state)))
  );
}

/** Between 3.5 and 3.7 a member that is first in a round has another before it. */
function aimsHigher({ aim, etcd }: Context['state']): boolean {
  return aim !== null && etcd !== null && compareVersions(aim, etcd.version) > 0;
}

/** Who is still to step is not known while the one who steps is silent. */
function mayWait({ waiting }: UpgradePlan, instanceId: string): boolean {
  return waiting.length === 0 || waiting.includes(instanceId);
}

/** Whether what is in the way of its step, if it has one to make, mostly goes by itself in a moment. */
function meetsObstacle({ state: { swap, upgrade }, ports }: Context): boolean {
  if (swap !== null || upgrade === null) return false;
  const { code } = upgrade.action.reason;
  return code === 'upgrade-unknown' || (PASSING.has(code) && mayWait(upgrade, ports.self.id));
}

async function complete(context: Context, signal: AbortSignal): Promise<void> {
  const { clock, hooks, meter } = context.ports;
  let unknownMs = COMPLETION_INTERVAL_MS;
  for (let tries = 0; tries < COMPLETION_TRIES;) {
    const outcome = await hooks.complete('launching', 'CONTINUE', signal);
    meter.acted('complete-launching', outcome.known ? outcome.value : 'unknown');
    if (!outcome.known) {
      context.chronicle.plan('launch', [reason('launch-unknown', outcome.reason)]);
      await clock.sleep(unknownMs, signal);
      unknownMs = Math.min(2 * unknownMs, UNKNOWN_INTERVAL_MAX_MS);
      continue;
    }
    context.chronicle.done('launch');
    if (outcome.value === 'no-hook') return;
    if (outcome.value === 'done') {
      context.chronicle.event(
        'complete-launching',
        reason('launch-complete', 'the member serves: the group may go on'),
      );
      return;
    }
    tries += 1;
    await clock.sleep(COMPLETION_INTERVAL_MS, signal);
  }
}
