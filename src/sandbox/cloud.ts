import { CloudError } from './cloud-error.ts';
import { createFaults, type FaultSource } from './faults.ts';
import { createGroups, type Groups } from './groups.ts';
import { createInstances, type Instances, type MachineRunner } from './instances.ts';
import type {
  Clock,
  Cloud,
  CloudSettings,
  CloudSnapshot,
  EventLog,
  GroupRequest,
  GroupSnapshot,
  InstanceSnapshot,
} from './model.ts';
import { HEX, randomText } from './random.ts';
import { checkSettings } from './settings.ts';
import { createStore, type Group, type GroupTag, type Store } from './world.ts';
import { createZones, sortedRecords, sortedZones, type Zones } from './zones.ts';

export interface Place {
  readonly region: string;
  readonly zones: readonly string[];
  readonly account: string;
  readonly network: string;
}

/** The parts behind the wire; only the sandbox's own servers use them. */
export interface CloudParts {
  readonly place: Place;
  readonly clock: Clock;
  readonly random: () => number;
  readonly settings: () => CloudSettings;
  readonly events: EventLog;
  readonly store: Store;
  readonly instances: Instances;
  readonly groups: Groups;
  readonly zones: Zones;
  readonly faults: FaultSource;
  /** A group as a request describes it, with the tags that CloudFormation would give it. */
  readonly newGroup: (request: GroupRequest, tags: readonly GroupTag[]) => Group;
  readonly cloud: Cloud;
  readonly close: () => void;
}

export interface CloudDeps {
  readonly place: Place;
  readonly clock: Clock;
  readonly random: () => number;
  readonly events: EventLog;
  readonly runner: MachineRunner;
}

/**
 * Quick by default: what makes a demo or a test wait is asked for. Only the rate of Route 53 is as real as can be, because
 * the whole birth is built around it: a rehearsal that is gentler than AWS would hide a birth that asks too often.
 */
export const DEFAULT_SETTINGS: CloudSettings = {
  launchDelayMs: 200,
  terminationDelayMs: 200,
  shutdownGraceMs: 30_000,
  healthCheckMs: 1_000,
  scalingDelayMs: 0,
  unknownAfterLaunchMs: 0,
  terminatedVisibleMs: 3_600_000,
  stalenessMs: {},
  route53PendingMs: 1_000,
  route53RateLimit: 5,
  route53BusyMs: 0,
  zonesWithoutCapacity: [],
  pageSize: 0,
  reuseAddresses: false,
};

function groupSnapshot(group: Group): GroupSnapshot {
  const { name, arn, stackName, min, max, desired, zones, hooks } = group;
  return {
    name,
    arn,
    stackName,
    min,
    max,
    desired,
    zones,
    hooks,
    instances: group.members.map((it) => it.instanceId),
  };
}

function snapshot(parts: Omit<CloudParts, 'cloud' | 'close'>): CloudSnapshot {
  const world = parts.store.world();
  const instances = [...world.instances.values()].map((instance): InstanceSnapshot => {
    const member = world.groups.get(instance.groupName)?.members.find((it) => it.instanceId === instance.id);
    return {
      instanceId: instance.id,
      groupName: instance.groupName,
      zone: instance.zone,
      address: instance.address,
      state: instance.state,
      lifecycleState: member?.lifecycle ?? null,
      health: member?.health ?? 'Healthy',
      launchedAtMs: instance.launchedAtMs,
    };
  });
  return {
    nowMs: parts.clock.now(),
    instances,
    groups: [...world.groups.values()].map(groupSnapshot),
    zones: sortedZones(world).map((zone) => ({
      id: zone.id,
      name: zone.name,
      private: zone.private,
      records: sortedRecords(zone),
    })),
    faults: parts.faults.list(),
    settings: parts.settings(),
  };
}

function newGroup(deps: CloudDeps, request: GroupRequest, tags: readonly GroupTag[]): Group {
  const { place, random, clock } = deps;
  const id = [8, 4, 4, 4, 12].map((length) => randomText(random, length, HEX)).join('-');
  const zones = request.zones ?? place.zones;
  const unknown = zones.find((zone) => !place.zones.includes(zone));
  if (unknown !== undefined) throw new CloudError('ValidationError', `Invalid availability zone: ${unknown}`);
  if (!(request.min <= request.desired && request.desired <= request.max)) {
    throw new CloudError(
      'ValidationError',
      `Desired capacity:${String(request.desired)} must be between the specified min size:${String(request.min)} and max size:${String(request.max)}`,
    );
  }
  return {
    name: request.name,
    arn: `arn:aws:autoscaling:${place.region}:${place.account}:autoScalingGroup:${id}:autoScalingGroupName/${request.name}`,
    stackName: request.stackName,
    createdAtMs: clock.now(),
    min: request.min,
    max: request.max,
    desired: request.desired,
    zones,
    hooks: request.hooks ?? [],
    tags,
    members: [],
    refreshes: [],
    deleting: false,
  };
}

/** The tags that a group of a CloudFormation stack has and gives to its instances. */
function stackTags(request: GroupRequest): readonly GroupTag[] {
  const tags: Readonly<Record<string, string>> = {
    Name: request.stackName,
    StackName: request.stackName,
    'aws:cloudformation:stack-name': request.stackName,
    'aws:cloudformation:logical-id': 'AppServer',
  };
  return Object.entries(tags).map(([key, value]) => ({ key, value, propagate: true }));
}

/** A refusal where a desired capacity lies outside of the group's bounds, in Auto Scaling's words. */
export function checkDesired(group: Group, desired: number): void {
  if (!Number.isInteger(desired)) {
    throw new CloudError('ValidationError', `DesiredCapacity ${String(desired)} is not a whole number`);
  }
  const outside = desired > group.max ? ['above', 'max', group.max] : ['below', 'min', group.min];
  if (desired <= group.max && desired >= group.min) return;
  const [where, which, bound] = outside.map(String);
  throw new CloudError(
    'ValidationError',
    `New SetDesiredCapacity value ${String(desired)} is ${where ?? ''} ${which ?? ''} value ${bound ?? ''} for the AutoScalingGroup.`,
  );
}

/** The simulated cloud without its servers: state machines, and the operator's verbs. */
export function createCloud(deps: CloudDeps, initial: Partial<CloudSettings> = {}): CloudParts {
  const { clock, random, events, place } = deps;
  let current: CloudSettings = { ...DEFAULT_SETTINGS, ...initial };
  const settings = (): CloudSettings => current;
  const store = createStore(clock);
  const faults = createFaults({ events, random });
  const shared = { store, clock, settings, events, random };
  const instances = createInstances({
    ...shared,
    ...place,
    runner: deps.runner,
    changed: (instance) => {
      groups.instanceChanged(instance);
    },
  });
  const groups: Groups = createGroups({ ...shared, instances });
  const zones = createZones(shared);
  const parts = {
    ...shared,
    place,
    faults,
    instances,
    groups,
    zones,
    newGroup: (request: GroupRequest, tags: readonly GroupTag[]) => newGroup(deps, request, tags),
  };
  const cloud: Cloud = {
    createGroup(request) {
      groups.create(newGroup(deps, request, stackTags(request)));
    },
    setDesired(name, desired) {
      const group = groups.need(name);
      checkDesired(group, desired);
      groups.update({ ...group, desired });
    },
    terminateInstance(instanceId, options = {}) {
      if (options.decrement === undefined) instances.terminate(instanceId, 'Client.UserInitiatedShutdown');
      else groups.terminate(instanceId, options.decrement);
    },
    powerCut: instances.powerCut,
    createZone(name, options = {}) {
      const made = zones.create({
        name,
        private: options.private === true,
        callerReference: randomText(random, 16, HEX),
        comment: '',
      });
      return made.zone.id;
    },
    describe: () => snapshot(parts),
    settings,
    changeSettings(changes) {
      checkSettings(changes);
      current = { ...current, ...changes };
      events.emit('settings', JSON.parse(JSON.stringify(changes)));
      return current;
    },
    faults,
    events,
  };
  const close = (): void => {
    groups.close();
    instances.close();
  };
  return { ...parts, cloud, close };
}
