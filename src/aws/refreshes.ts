import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { AutoScalingCalls, RefreshCalls } from './calls.ts';
import { ask, clauseOf, failureOf } from './failure.ts';

/** An instance refresh as Auto Scaling tells of it. */
export interface Refresh {
  readonly id: string;
  /** Auto Scaling's word: Pending, InProgress, Successful, Failed, Cancelled, … */
  readonly status: string;
  /** Whether it still replaces, or is to. */
  readonly active: boolean;
  /** Null: not told yet. */
  readonly percent: number | null;
  /** Why it waits or failed; null: not told. */
  readonly why: string | null;
}

/** The instance refreshes of one group. */
export interface Refreshes {
  /** Whether each new instance is held until its appliance says that its member serves. */
  waitsForMembers(signal: AbortSignal): Promise<Known<boolean>>;
  /** The newest; null: there was none. */
  last(signal: AbortSignal): Promise<Known<Refresh | null>>;
  /** Starts one, and gives its id; null: one is under way already, which is as good. */
  start(signal: AbortSignal): Promise<Known<string | null>>;
}

/** Whether a group can be told by its ARN; the region is asked there. Null: it is no ARN of a group. */
export function readGroupArn(arn: string): { readonly region: string; readonly name: string } | null {
  const found =
    /^arn:[^:]+:autoscaling:([^:]+):[^:]*:autoScalingGroup:[^:]*:autoScalingGroupName\/(.+)$/.exec(arn);
  const [, region, name] = found ?? [];
  return region === undefined || name === undefined ? null : { region, name };
}

const ENDED: ReadonlySet<string> = new Set([
  'Successful',
  'Failed',
  'Cancelled',
  'RollbackFailed',
  'RollbackSuccessful',
]);

/**
 * A new instance comes before an old one goes, so that the voters are never fewer than before; a single voter could not go
 * otherwise. The launching hook waits for the member, so the time that AWS would wait blindly is none. Each instance is
 * replaced, whatever AWS thinks of its template: an image may be new under an old name.
 */
const PREFERENCES = {
  MinHealthyPercentage: 100,
  MaxHealthyPercentage: 110,
  InstanceWarmup: 0,
  SkipMatching: false,
};

/** The refreshes of the group `name`. */
export function createRefreshes(
  { name }: { readonly name: string },
  { autoScaling }: { readonly autoScaling: Pick<AutoScalingCalls, 'describeLifecycleHooks'> & RefreshCalls },
): Refreshes {
  const group = { AutoScalingGroupName: name };
  return {
    waitsForMembers: async (signal) => {
      const answer = await ask(`Auto Scaling's hooks of ${name}`, signal, () =>
        autoScaling.describeLifecycleHooks(group, signal),
      );
      if (!answer.known) return answer;
      const hooks = answer.value.LifecycleHooks ?? [];
      return known(hooks.some((it) => it.LifecycleTransition === 'autoscaling:EC2_INSTANCE_LAUNCHING'));
    },
    last: async (signal) => {
      const answer = await ask(`Auto Scaling's refreshes of ${name}`, signal, () =>
        autoScaling.describeInstanceRefreshes({ ...group, MaxRecords: 1 }, signal),
      );
      if (!answer.known) return answer;
      const [newest] = answer.value.InstanceRefreshes ?? [];
      if (newest === undefined) return known(null);
      const { InstanceRefreshId: id, Status: status, PercentageComplete, StatusReason } = newest;
      if (id === undefined || status === undefined)
        return unknown(`Auto Scaling describes a refresh of ${name} incompletely`);
      const percent = PercentageComplete ?? null;
      return known({ id, status, active: !ENDED.has(status), percent, why: StatusReason ?? null });
    },
    start: async (signal) => {
      try {
        const started = await autoScaling.startInstanceRefresh(
          { ...group, Preferences: PREFERENCES },
          signal,
        );
        return known(started.InstanceRefreshId ?? null);
      } catch (thrown) {
        signal.throwIfAborted();
        const failure = failureOf(thrown);
        return failure.name === 'InstanceRefreshInProgress' ||
          failure.name === 'InstanceRefreshInProgressFault'
          ? known(null)
          : unknown(`Auto Scaling, asked to refresh ${name}, ${clauseOf(failure)}`);
      }
    },
  };
}
