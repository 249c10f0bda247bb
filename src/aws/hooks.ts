import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { AutoScalingCalls } from './calls.ts';
import { ask, clauseOf, failureOf } from './failure.ts';

/** Whose hooks they are. */
export interface HooksOptions {
  readonly instanceId: string;
  /** Name of the own Auto Scaling group; null where the instance is in none: there are no hooks then. */
  readonly group: string | null;
}

export interface HooksDeps {
  readonly autoScaling: AutoScalingCalls;
  /** Milliseconds since some moment; never goes back. */
  readonly now: () => number;
}

/** Which transition of the instance a hook holds. */
export type HookKind = 'launching' | 'terminating';

/**
 * `not-waiting`: the instance is not held by a hook of this kind, or no longer; `no-hook`: the group has none; `to-come`: one
 * is about to hold it. The shape of the daemon's HookOutcome.
 */
export type HookOutcome = 'done' | 'not-waiting' | 'no-hook' | 'to-come';

/**
 * Lifecycle hooks of the own group. Nothing here throws but the caller's abort. That there is nothing to do is only
 * said after Auto Scaling, asked about the instance itself, does not say that it waits: an empty list of hooks that were
 * believed would leave the instance waiting until the hook's timeout ends it.
 */
export interface Hooks {
  /** Lets the transition go on (CONTINUE) or gives the instance up (ABANDON), for every hook of the kind. */
  complete(which: HookKind, result: 'CONTINUE' | 'ABANDON', signal: AbortSignal): Promise<Known<HookOutcome>>;
  /** Asks for more time, for every hook of the kind. */
  heartbeat(which: HookKind, signal: AbortSignal): Promise<Known<HookOutcome>>;
}

/** Hooks are part of a template and change about as often: asked at most once in this time. */
const KEEP_MS = 60_000;

/** "No hooks" may be an empty answer: believed for less long, so that a hook is not left waiting for it. */
const KEEP_NONE_MS = 10_000;

const TRANSITIONS: ReadonlyMap<string, HookKind> = new Map([
  ['autoscaling:EC2_INSTANCE_LAUNCHING', 'launching'],
  ['autoscaling:EC2_INSTANCE_TERMINATING', 'terminating'],
]);

interface Hook {
  readonly name: string;
  readonly kind: HookKind;
}

/** Makes the hooks of one instance. */
export function createHooks({ instanceId, group }: HooksOptions, deps: HooksDeps): Hooks {
  let kept: { readonly at: number; readonly hooks: readonly Hook[] } | null = null;
  const hooksOf = async (name: string, signal: AbortSignal): Promise<Known<readonly Hook[]>> => {
    const keepMs = kept?.hooks.length === 0 ? KEEP_NONE_MS : KEEP_MS;
    if (kept !== null && deps.now() - kept.at < keepMs) return known(kept.hooks);
    const hooks = await discover(deps.autoScaling, name, signal);
    if (hooks.known) kept = { at: deps.now(), hooks: hooks.value };
    return hooks;
  };
  const forEach = async (
    which: HookKind,
    signal: AbortSignal,
    act: (target: Target) => Promise<unknown>,
  ): Promise<Known<HookOutcome>> => {
    if (group === null) return known('no-hook');
    const hooks = await hooksOf(group, signal);
    if (!hooks.known) return hooks;
    const targets = hooks.value.filter((hook) => hook.kind === which);
    let outcome: HookOutcome = targets.length === 0 ? 'no-hook' : 'not-waiting';
    for (const { name } of targets) {
      const taken = await perform(name, signal, () =>
        act({ AutoScalingGroupName: group, LifecycleHookName: name, InstanceId: instanceId }),
      );
      if (!taken.known) return taken;
      if (taken.value) outcome = 'done';
    }
    if (outcome === 'done') return known(outcome);
    const lifecycle = await lifecycleOf(deps.autoScaling, instanceId, which, signal);
    if (!lifecycle.known) return lifecycle;
    const { value: state } = lifecycle;
    if (WAITING[which].has(state)) return unknown(`${instanceId} is ${state}, and no hook holds it`);
    const isToCome = which === 'terminating' && targets.length > 0 && state === DRAINING;
    return known(isToCome ? 'to-come' : outcome);
  };
  return {
    complete: (which, result, signal) =>
      forEach(which, signal, (target) =>
        deps.autoScaling.completeLifecycleAction({ ...target, LifecycleActionResult: result }, signal),
      ),
    heartbeat: (which, signal) =>
      forEach(which, signal, (target) => deps.autoScaling.recordLifecycleActionHeartbeat(target, signal)),
  };
}

/** States in which a hook of the kind holds the instance, or is about to in a moment. */
const WAITING: Readonly<Record<HookKind, ReadonlySet<string>>> = {
  launching: new Set(['Pending', 'Pending:Wait']),
  terminating: new Set(['Terminating:Wait']),
};

/** Where there is a terminating hook, it comes after this: once a load balancer has drained the connections, for minutes. */
const DRAINING = 'Terminating';

/** The lifecycle state of the own instance; empty where it has left its group. */
async function lifecycleOf(
  autoScaling: AutoScalingCalls,
  instanceId: string,
  which: HookKind,
  signal: AbortSignal,
): Promise<Known<string>> {
  const answer = await ask(`Auto Scaling, asked about ${instanceId},`, signal, () =>
    autoScaling.describeAutoScalingInstances({ InstanceIds: [instanceId] }, signal),
  );
  if (!answer.known) return answer;
  const own = (answer.value.AutoScalingInstances ?? []).find(
    (instance) => instance.InstanceId === instanceId,
  );
  if (own?.LifecycleState !== undefined) return known(own.LifecycleState);
  // What has left its group waits for nothing; what is being launched is in it.
  return which === 'terminating' ? known('') : unknown(`Auto Scaling's answer does not show ${instanceId}`);
}

interface Target {
  readonly AutoScalingGroupName: string;
  readonly LifecycleHookName: string;
  readonly InstanceId: string;
}

async function discover(
  autoScaling: AutoScalingCalls,
  group: string,
  signal: AbortSignal,
): Promise<Known<readonly Hook[]>> {
  const answer = await ask(`Auto Scaling's hooks of ${group}`, signal, () =>
    autoScaling.describeLifecycleHooks({ AutoScalingGroupName: group }, signal),
  );
  if (!answer.known) return answer;
  const hooks = (answer.value.LifecycleHooks ?? []).flatMap(
    ({ LifecycleHookName: name, LifecycleTransition }) => {
      const kind = TRANSITIONS.get(LifecycleTransition ?? '');
      return name === undefined || kind === undefined ? [] : [{ name, kind }];
    },
  );
  return known(hooks);
}

/** Known(false): Auto Scaling says that this instance does not wait at this hook, or that the hook is gone. */
async function perform(
  hook: string,
  signal: AbortSignal,
  act: () => Promise<unknown>,
): Promise<Known<boolean>> {
  try {
    await act();
    return known(true);
  } catch (thrown) {
    signal.throwIfAborted();
    const failure = failureOf(thrown);
    if (failure.name === 'ValidationError') return known(false);
    return unknown(`Auto Scaling, asked about hook ${hook}, ${clauseOf(failure)}`);
  }
}
