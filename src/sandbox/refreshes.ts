import { CloudError } from './cloud-error.ts';
import { activeMembers, activeRefresh, refreshStep } from './group-rules.ts';
import type { Clock, EventLog } from './model.ts';
import type { Group, Member, Refresh, RegionStore } from './world.ts';

export interface RefreshesDeps {
  readonly store: RegionStore;
  readonly clock: Clock;
  readonly events: EventLog;
  readonly later: (delayMs: number, run: () => void) => void;
  readonly reconcile: (groupName: string) => void;
  readonly beginLeaving: (groupName: string, member: Member) => void;
}

export interface Refreshes {
  /** Throws InstanceRefreshInProgress where one runs. */
  readonly start: (group: Group, refresh: Refresh) => void;
  /** Gives the id of the refresh; what it began goes on. Throws ActiveInstanceRefreshNotFound. */
  readonly cancel: (group: Group) => string;
  /** Takes the next step of a running refresh; true where it changed something at once. */
  readonly step: (group: Group) => boolean;
}

/** Instance refreshes: the members of a group replaced one batch after another. */
export function createRefreshes(deps: RefreshesDeps): Refreshes {
  const { store, clock, events } = deps;

  const put = (group: Group, refresh: Refresh): void => {
    const others = group.refreshes.filter((it) => it.id !== refresh.id);
    store.setGroup({ ...group, refreshes: [refresh, ...others] });
    events.emit('refresh', {
      groupName: group.name,
      id: refresh.id,
      status: refresh.status,
      left: refresh.remaining.length,
    });
  };

  return {
    start(group, refresh) {
      if (activeRefresh(group) !== undefined) {
        throw new CloudError(
          'InstanceRefreshInProgress',
          'An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.',
        );
      }
      const remaining = activeMembers(group).map((member) => member.instanceId);
      put(group, { ...refresh, remaining, total: remaining.length });
    },
    cancel(group) {
      const refresh = activeRefresh(group);
      if (refresh === undefined) {
        throw new CloudError(
          'ActiveInstanceRefreshNotFound',
          `No in progress or pending Instance Refresh found for Auto Scaling group ${group.name}`,
        );
      }
      put(group, { ...refresh, status: 'Cancelled', endedAtMs: clock.now() });
      return refresh.id;
    },
    step(group) {
      const refresh = activeRefresh(group);
      if (refresh === undefined) return false;
      const step = refreshStep(group, refresh, clock.now());
      switch (step.kind) {
        case 'replace': {
          put(group, { ...refresh, remaining: refresh.remaining.filter((id) => id !== step.instanceId) });
          const member = group.members.find((it) => it.instanceId === step.instanceId);
          if (member !== undefined) deps.beginLeaving(group.name, member);
          return true;
        }
        case 'done':
          put(group, { ...refresh, status: 'Successful', endedAtMs: clock.now(), remaining: [] });
          return false;
        case 'wait':
          if (step.untilMs !== null) {
            deps.later(step.untilMs - clock.now(), () => {
              deps.reconcile(group.name);
            });
          }
          return false;
      }
    },
  };
}
