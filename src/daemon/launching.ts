import { unknown } from '../core/known.ts';
import { BUSY_AWS_INTERVAL_MS, HEARTBEAT_INTERVAL_MS } from '../core/numbers.ts';
import type { LaunchObservation } from '../core/plan-launch.ts';
import { LAUNCH_OBSTACLE_LIMIT_MS, launchHold } from '../core/plan-launch.ts';
import { reason } from '../core/reason.ts';
import type { Context } from './context.ts';

/** How soon it is looked whether the member is ready: an instance refresh waits for nothing else. */
const LOOK_MS = 200;

/** A completion can come before the group has the instance waiting: it is tried again this often, so many times. */
const COMPLETION_INTERVAL_MS = 2_000;
const COMPLETION_TRIES = 5;

/** Where nobody knows whether it was completed, it is tried less and less often, down to this: it may be denied for good. */
const UNKNOWN_INTERVAL_MAX_MS = 60_000;

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
    const hold = launchHold(await observe(context, signal));
    if (hold !== 'obstacle') freeAt = clock.now();
    const isHeld =
      hold === 'step' || (hold === 'obstacle' && clock.now() - freeAt < LAUNCH_OBSTACLE_LIMIT_MS);
    if (context.state.notReady === null && !isHeld) break;
    await clock.sleep(LOOK_MS, signal);
    if (clock.now() - beatAt < HEARTBEAT_INTERVAL_MS) continue;
    beatAt = clock.now();
    const heard = await hooks.heartbeat('launching', signal);
    if (heard.known && heard.value === 'no-hook') return;
  }
  await complete(context, signal);
}

async function observe(
  { state, ports, fleetView }: Context,
  signal: AbortSignal,
): Promise<LaunchObservation> {
  // AWS is asked only once nothing but images is in the way.
  const isBarred = state.notReady === null && state.upgrade?.action.reason.code === 'upgrade-lacks';
  const fleet = isBarred ? await fleetView.fleet(BUSY_AWS_INTERVAL_MS, signal) : unknown('not needed');
  const { swap, upgrade, etcd, aim } = state;
  return { self: ports.self.id, steps: swap !== null, upgrade, fleet, runs: etcd?.version ?? null, aim };
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
