import { CloudError, validationError } from './cloud-error.ts';
import { activeMembers, isLeaving, victim, wantedSize, zoneForLaunch } from './group-rules.ts';
import { createHooks, type ActionName, type Hooks } from './hooks.ts';
import type { Instances } from './instances.ts';
import type { Cancel, Clock, CloudSettings, EventLog, LifecycleState } from './model.ts';
import { createRefreshes } from './refreshes.ts';
import type { Group, Instance, Member, Refresh, RegionStore } from './world.ts';

export interface GroupsDeps {
  readonly store: RegionStore;
  readonly clock: Clock;
  readonly settings: () => CloudSettings;
  readonly events: EventLog;
  readonly random: () => number;
  readonly instances: Instances;
}

/** What keeps the groups as they should be. Every verb throws a CloudError where AWS would refuse. */
export interface Groups {
  readonly need: (name: string) => Group;
  readonly ofInstance: (instanceId: string) => { readonly group: Group; readonly member: Member };
  readonly create: (group: Group) => void;
  /** Replaces a group's sizes, zones or hooks; what follows from that happens after the scaling delay. */
  readonly update: (group: Group) => void;
  readonly remove: (name: string, force: boolean) => void;
  readonly terminate: (instanceId: string, decrement: boolean) => void;
  readonly setHealth: (instanceId: string, health: Member['health']) => void;
  readonly complete: (groupName: string, action: ActionName, result: string) => void;
  readonly heartbeat: (groupName: string, action: ActionName) => void;
  readonly deleteHook: (groupName: string, hookName: string) => void;
  readonly startRefresh: (groupName: string, refresh: Refresh) => void;
  readonly cancelRefresh: (groupName: string) => string;
  /** An instance reached running or terminated. */
  readonly instanceChanged: (instance: Instance) => void;
  readonly close: () => void;
}

/** The Auto Scaling state machine: sizes, lifecycle states, hooks, health and refreshes. */
export function createGroups(deps: GroupsDeps): Groups {
  const { store, clock, settings, events, instances } = deps;
  const timers = new Set<Cancel>();
  let open = true;
  let lookScheduled = false;

  const later = (delayMs: number, run: () => void): void => {
    const cancel = clock.after(delayMs, () => {
      timers.delete(cancel);
      if (open) run();
    });
    timers.add(cancel);
  };

  const need = (name: string): Group => {
    const group = store.world().groups.get(name);
    if (group === undefined) {
      throw validationError(`AutoScalingGroup name not found - AutoScalingGroup '${name}' not found`);
    }
    return group;
  };

  const ofInstance = (instanceId: string): { readonly group: Group; readonly member: Member } => {
    for (const group of store.world().groups.values()) {
      const member = group.members.find((it) => it.instanceId === instanceId);
      if (member !== undefined) return { group, member };
    }
    throw validationError(`Instance Id not found - No managed instance found for instance ID: ${instanceId}`);
  };

  const setMember = (groupName: string, member: Member): void => {
    const group = need(groupName);
    const members = group.members.map((it) => (it.instanceId === member.instanceId ? member : it));
    store.setGroup({ ...group, members });
  };

  const enter = (groupName: string, member: Member, lifecycle: LifecycleState): Member => {
    const next: Member = {
      ...member,
      lifecycle,
      inServiceAtMs: lifecycle === 'InService' ? clock.now() : member.inServiceAtMs,
    };
    setMember(groupName, next);
    events.emit('lifecycle-state', { groupName, instanceId: member.instanceId, state: lifecycle });
    return next;
  };

  const forget = (groupName: string, instanceId: string): void => {
    const group = need(groupName);
    store.setGroup({ ...group, members: group.members.filter((it) => it.instanceId !== instanceId) });
    events.emit('lifecycle-state', { groupName, instanceId, state: 'Terminated' });
    reconcile(groupName);
  };

  const endInstance = (groupName: string, member: Member): void => {
    enter(groupName, member, 'Terminating:Proceed');
    const instance = store.world().instances.get(member.instanceId);
    if (instance === undefined || instance.state === 'terminated') forget(groupName, member.instanceId);
    else instances.terminate(member.instanceId, 'Client.UserInitiatedShutdown: by Auto Scaling');
  };

  const beginLeaving = (groupName: string, before: Member): void => {
    const group = need(groupName);
    if (isLeaving(before)) return;
    hooks.abandonWaits(before);
    const member = enter(groupName, { ...before, waits: [] }, 'Terminating');
    const waitFor = group.deleting
      ? []
      : group.hooks.filter((hook) => hook.transition === 'autoscaling:EC2_INSTANCE_TERMINATING');
    if (waitFor.length === 0) endInstance(groupName, member);
    else hooks.begin(groupName, enter(groupName, member, 'Terminating:Wait'), waitFor);
  };

  const hooks: Hooks = createHooks({
    ...deps,
    setMember,
    finished(groupName, instanceId, abandoned) {
      const member = need(groupName).members.find((it) => it.instanceId === instanceId);
      if (member?.lifecycle === 'Terminating:Wait') endInstance(groupName, member);
      if (member?.lifecycle === 'Pending:Wait') {
        if (abandoned) beginLeaving(groupName, member);
        else enter(groupName, enter(groupName, member, 'Pending:Proceed'), 'InService');
      }
      reconcile(groupName);
    },
  });

  const arrive = (groupName: string, member: Member): void => {
    const waitFor = need(groupName).hooks.filter(
      (hook) => hook.transition === 'autoscaling:EC2_INSTANCE_LAUNCHING',
    );
    if (waitFor.length === 0) enter(groupName, member, 'InService');
    else hooks.begin(groupName, enter(groupName, member, 'Pending:Wait'), waitFor);
  };

  /** One launch; false where no zone has capacity. */
  const launchOne = (group: Group): boolean => {
    const zone = zoneForLaunch(group, store.world().instances, settings());
    const launched = zone === null ? 'no capacity in any zone' : instances.launch(group, zone);
    if (typeof launched === 'string') {
      events.emit('launch-failed', { groupName: group.name, reason: launched });
      return false;
    }
    const member: Member = {
      instanceId: launched.id,
      lifecycle: 'Pending',
      health: 'Healthy',
      waits: [],
      inServiceAtMs: null,
    };
    store.setGroup({ ...group, members: [...group.members, member] });
    enter(group.name, member, 'Pending');
    return true;
  };

  /** Makes one change towards what the group should be; false where none is due or possible now. */
  const stepOnce = (name: string): boolean => {
    const group = store.world().groups.get(name);
    if (group === undefined) return false;
    if (group.deleting && group.members.length === 0) {
      store.removeGroup(name);
      events.emit('group-deleted', { groupName: name });
      return false;
    }
    const sick = activeMembers(group).find((member) => member.health === 'Unhealthy');
    if (sick !== undefined) {
      beginLeaving(name, sick);
      return true;
    }
    const active = activeMembers(group).length;
    if (active < wantedSize(group)) return launchOne(group);
    if (active > wantedSize(group)) {
      const member = victim(group, store.world().instances);
      if (member === null) return false;
      beginLeaving(name, member);
      return true;
    }
    return refreshes.step(group);
  };

  let busy = false;
  const reconcile = (name: string): void => {
    if (busy || !open) return;
    busy = true;
    try {
      while (stepOnce(name)) continue;
    } finally {
      busy = false;
    }
  };

  /** The health check: members whose instance died are unhealthy, and what could not be launched is tried again. */
  const look = (): void => {
    for (const group of store.world().groups.values()) {
      for (const member of activeMembers(group)) {
        const state = store.world().instances.get(member.instanceId)?.state;
        if (state === 'pending' || state === 'running') continue;
        events.emit('health', { groupName: group.name, instanceId: member.instanceId, health: 'Unhealthy' });
        setMember(group.name, { ...member, health: 'Unhealthy' });
      }
      reconcile(group.name);
    }
    later(settings().healthCheckMs, look);
  };

  const settle = (name: string): void => {
    if (!lookScheduled) {
      lookScheduled = true;
      later(settings().healthCheckMs, look);
    }
    later(settings().scalingDelayMs, () => {
      reconcile(name);
    });
  };

  const refreshes = createRefreshes({ store, clock, events, later, reconcile, beginLeaving });

  return {
    need,
    ofInstance,
    create(group) {
      if (store.world().groups.has(group.name)) {
        throw new CloudError(
          'AlreadyExists',
          `AutoScalingGroup by this name already exists - A group with the name ${group.name} already exists`,
        );
      }
      store.setGroup(group);
      events.emit('group-created', { groupName: group.name, desired: group.desired });
      settle(group.name);
    },
    update(group) {
      store.setGroup(group);
      settle(group.name);
    },
    remove(name, force) {
      const group = need(name);
      if (group.members.length > 0 && !force) {
        throw new CloudError(
          'ResourceInUse',
          'You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.',
        );
      }
      store.setGroup({ ...group, deleting: true, desired: 0, min: 0 });
      hooks.dropAll(need(name));
      reconcile(name);
    },
    terminate(instanceId, decrement) {
      const { group, member } = ofInstance(instanceId);
      if (decrement && group.desired <= group.min) {
        throw validationError(
          `Currently, desiredSize equals minSize (${String(group.min)}). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.`,
        );
      }
      if (decrement && !isLeaving(member)) store.setGroup({ ...group, desired: group.desired - 1 });
      beginLeaving(group.name, member);
      reconcile(group.name);
    },
    setHealth(instanceId, health) {
      const { group, member } = ofInstance(instanceId);
      setMember(group.name, { ...member, health });
      settle(group.name);
    },
    complete(groupName, action, result) {
      hooks.complete(need(groupName), action, result);
    },
    heartbeat(groupName, action) {
      hooks.heartbeat(need(groupName), action);
    },
    deleteHook(groupName, hookName) {
      const group = need(groupName);
      if (!group.hooks.some((hook) => hook.name === hookName)) {
        throw validationError(`No Lifecycle Hook found with name ${hookName} for group ${groupName}`);
      }
      hooks.drop(group, hookName);
      const now = need(groupName);
      store.setGroup({ ...now, hooks: now.hooks.filter((hook) => hook.name !== hookName) });
    },
    startRefresh: (groupName, refresh) => {
      refreshes.start(need(groupName), refresh);
      settle(groupName);
    },
    cancelRefresh(groupName) {
      const id = refreshes.cancel(need(groupName));
      settle(groupName);
      return id;
    },
    instanceChanged(instance) {
      const group = store.world().groups.get(instance.groupName);
      const member = group?.members.find((it) => it.instanceId === instance.id);
      if (group === undefined || member === undefined) return;
      if (instance.state === 'running' && member.lifecycle === 'Pending') arrive(group.name, member);
      if (instance.state === 'terminated' && member.lifecycle === 'Terminating:Proceed')
        forget(group.name, instance.id);
      reconcile(group.name);
    },
    close() {
      open = false;
      hooks.close();
      for (const cancel of timers) cancel();
    },
  };
}
