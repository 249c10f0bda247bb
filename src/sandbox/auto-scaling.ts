import { changes, type RegionContext, type QueryAction } from './api.ts';
import { AUTO_SCALING_VIEWS } from './auto-scaling-views.ts';
import { CloudError, notSimulated, validationError } from './cloud-error.ts';
import { checkDesired } from './group-requests.ts';
import type { HookRequest } from './model.ts';
import { randomUuid } from './random.ts';
import { isoTime, type QueryParams, type XmlNode } from './wire-query.ts';
import type { Group } from './world.ts';

type Result = Readonly<Record<string, XmlNode>>;

const MAX_SIZE = 10_000;
const GROUP_NAME = 'AutoScalingGroupName';

function activity(context: RegionContext, groupName: string, description: string): XmlNode {
  return {
    ActivityId: randomUuid(context.region.random),
    AutoScalingGroupName: groupName,
    Description: description,
    Cause: `At ${isoTime(context.region.clock.now())} a user request came.`,
    StartTime: isoTime(context.region.clock.now()),
    StatusCode: 'InProgress',
    Progress: 0,
  };
}

function setDesiredCapacity(params: QueryParams, context: RegionContext): Result {
  const name = params.need(GROUP_NAME);
  const desired = params.int('DesiredCapacity', 0, MAX_SIZE);
  params.ignore('HonorCooldown');
  params.done();
  if (desired === null) throw validationError('DesiredCapacity is required');
  const group = context.region.groups.need(name);
  checkDesired(group, desired);
  context.region.groups.update({ ...group, desired });
  return {};
}

/** The group with new bounds: a desired capacity that was not given follows them, one that was must lie within. */
function resized(group: Group, min: number | null, max: number | null, desired: number | null): Group {
  const low = min ?? group.min;
  const high = max ?? group.max;
  if (low > high)
    throw validationError(
      `Max bound, ${String(high)}, must be greater than or equal to min bound, ${String(low)}`,
    );
  if (desired !== null && (desired < low || desired > high)) {
    throw validationError(
      `Desired capacity:${String(desired)} must be between the specified min size:${String(low)} and max size:${String(high)}`,
    );
  }
  return { ...group, min: low, max: high, desired: desired ?? Math.min(high, Math.max(low, group.desired)) };
}

function updateGroup(params: QueryParams, context: RegionContext): Result {
  const name = params.need(GROUP_NAME);
  const min = params.int('MinSize', 0, MAX_SIZE);
  const max = params.int('MaxSize', 0, MAX_SIZE);
  const desired = params.int('DesiredCapacity', 0, MAX_SIZE);
  const zones = params.list('AvailabilityZones');
  params.ignore('DefaultCooldown', 'HealthCheckType', 'HealthCheckGracePeriod');
  params.done();
  const group = resized(context.region.groups.need(name), min, max, desired);
  const unknown = zones.find((zone) => !context.region.zones.includes(zone));
  if (unknown !== undefined) throw validationError(`Invalid availability zone: ${unknown}`);
  context.region.groups.update(zones.length === 0 ? group : { ...group, zones });
  return {};
}

function readHook(params: QueryParams): HookRequest {
  const transition = params.need('LifecycleTransition');
  if (
    transition !== 'autoscaling:EC2_INSTANCE_LAUNCHING' &&
    transition !== 'autoscaling:EC2_INSTANCE_TERMINATING'
  ) {
    throw validationError(`Invalid lifecycle transition ${transition}`);
  }
  const defaultResult = params.text('DefaultResult') ?? 'ABANDON';
  if (defaultResult !== 'CONTINUE' && defaultResult !== 'ABANDON') {
    throw validationError(`Invalid default result ${defaultResult}: use CONTINUE or ABANDON`);
  }
  const timeout = params.int('HeartbeatTimeout', 30, 7_200) ?? 3_600;
  params.ignore('NotificationTargetARN', 'NotificationMetadata', 'RoleARN');
  return {
    name: params.need('LifecycleHookName'),
    transition,
    heartbeatTimeoutMs: timeout * 1000,
    defaultResult,
  };
}

/** A new hook, or an old one with what was given changed. */
function changedHook(group: Group, params: QueryParams): HookRequest {
  const name = params.need('LifecycleHookName');
  const before = group.hooks.find((hook) => hook.name === name);
  if (before === undefined) return readHook(params);
  const transition = params.text('LifecycleTransition');
  if (transition !== null && transition !== before.transition) {
    throw validationError(`The lifecycle transition of the hook ${name} cannot be changed`);
  }
  const timeout = params.int('HeartbeatTimeout', 30, 7_200);
  const result = params.text('DefaultResult');
  return {
    ...before,
    ...(timeout === null ? {} : { heartbeatTimeoutMs: timeout * 1000 }),
    ...(result === 'CONTINUE' || result === 'ABANDON' ? { defaultResult: result } : {}),
  };
}

function putHook(params: QueryParams, context: RegionContext): Result {
  const group = context.region.groups.need(params.need(GROUP_NAME));
  const hook = changedHook(group, params);
  params.done();
  const others = group.hooks.filter((it) => it.name !== hook.name);
  context.region.groups.update({ ...group, hooks: [...others, hook] });
  return {};
}

function deleteHook(params: QueryParams, context: RegionContext): Result {
  const name = params.need(GROUP_NAME);
  const hook = params.need('LifecycleHookName');
  params.done();
  context.region.groups.deleteHook(name, hook);
  return {};
}

function readAction(params: QueryParams) {
  const action = {
    hookName: params.need('LifecycleHookName'),
    instanceId: params.text('InstanceId'),
    token: params.text('LifecycleActionToken'),
  };
  if (action.instanceId === null && action.token === null) {
    throw validationError('Either InstanceId or LifecycleActionToken is required');
  }
  return action;
}

function completeAction(params: QueryParams, context: RegionContext): Result {
  const name = params.need(GROUP_NAME);
  const result = params.need('LifecycleActionResult');
  const action = readAction(params);
  params.done();
  context.region.groups.complete(name, action, result);
  return {};
}

function heartbeat(params: QueryParams, context: RegionContext): Result {
  const name = params.need(GROUP_NAME);
  const action = readAction(params);
  params.done();
  context.region.groups.heartbeat(name, action);
  return {};
}

function terminateInstance(params: QueryParams, context: RegionContext): Result {
  const instanceId = params.need('InstanceId');
  const decrement = params.flag('ShouldDecrementDesiredCapacity');
  params.done();
  if (decrement === null) throw validationError('ShouldDecrementDesiredCapacity is required');
  const { group } = context.region.groups.ofInstance(instanceId);
  context.region.groups.terminate(instanceId, decrement);
  return { Activity: activity(context, group.name, `Terminating EC2 instance: ${instanceId}`) };
}

function setHealth(params: QueryParams, context: RegionContext): Result {
  const instanceId = params.need('InstanceId');
  const health = params.need('HealthStatus');
  params.ignore('ShouldRespectGracePeriod');
  params.done();
  if (health !== 'Healthy' && health !== 'Unhealthy')
    throw validationError(`Invalid health status ${health}`);
  context.region.groups.setHealth(instanceId, health);
  return {};
}

function startRefresh(params: QueryParams, context: RegionContext): Result {
  const name = params.need(GROUP_NAME);
  const strategy = params.text('Strategy') ?? 'Rolling';
  const min = params.int('Preferences.MinHealthyPercentage', 0, 100) ?? 90;
  const max = params.int('Preferences.MaxHealthyPercentage', 100, 200) ?? 100;
  const warmup = params.int('Preferences.InstanceWarmup', 0, 21_600) ?? 0;
  if (params.flag('Preferences.SkipMatching') === true)
    throw notSimulated('SkipMatching of StartInstanceRefresh');
  if (params.flag('Preferences.AutoRollback') === true)
    throw notSimulated('AutoRollback of StartInstanceRefresh');
  params.done();
  if (strategy !== 'Rolling') throw notSimulated(`the refresh strategy ${strategy}`);
  if (max - min > 100)
    throw validationError(
      'The difference between MaxHealthyPercentage and MinHealthyPercentage is above 100',
    );
  const id = randomUuid(context.region.random);
  context.region.groups.startRefresh(name, {
    id,
    status: 'InProgress',
    startedAtMs: context.region.clock.now(),
    endedAtMs: null,
    minHealthyPercentage: min,
    maxHealthyPercentage: max,
    warmupMs: warmup * 1000,
    remaining: [],
    total: 0,
  });
  return { InstanceRefreshId: id };
}

function cancelRefresh(params: QueryParams, context: RegionContext): Result {
  const name = params.need(GROUP_NAME);
  params.done();
  return { InstanceRefreshId: context.region.groups.cancelRefresh(name) };
}

function createGroup(params: QueryParams, context: RegionContext): Result {
  const name = params.need(GROUP_NAME);
  const min = params.int('MinSize', 0, MAX_SIZE);
  const max = params.int('MaxSize', 0, MAX_SIZE);
  const desired = params.int('DesiredCapacity', 0, MAX_SIZE);
  const zones = params.list('AvailabilityZones');
  const hooks = params.objects('LifecycleHookSpecificationList').map(readHook);
  const tags = params.objects('Tags').map((tag) => {
    tag.ignore('ResourceId', 'ResourceType');
    return {
      key: tag.need('Key'),
      value: tag.text('Value') ?? '',
      propagate: tag.flag('PropagateAtLaunch') === true,
    };
  });
  params.ignore('LaunchTemplate', 'LaunchConfigurationName', 'VPCZoneIdentifier', 'HealthCheckType');
  params.ignore('HealthCheckGracePeriod', 'DefaultCooldown');
  params.done();
  if (min === null || max === null) throw validationError('MinSize and MaxSize are required');
  if (tags.some((tag) => tag.key.toLowerCase().startsWith('aws:'))) {
    throw new CloudError('ValidationError', `Tag keys starting with 'aws:' are reserved for internal use`);
  }
  const request = {
    name,
    stackName: tags.find((tag) => tag.key === 'StackName')?.value ?? name,
    min,
    max,
    desired: desired ?? min,
    hooks,
    ...(zones.length === 0 ? {} : { zones }),
  };
  context.region.groups.create(context.region.newGroup(request, tags));
  return {};
}

function deleteGroup(params: QueryParams, context: RegionContext): Result {
  const name = params.need(GROUP_NAME);
  const force = params.flag('ForceDelete') === true;
  params.done();
  context.region.groups.remove(name, force);
  return {};
}

/** Auto Scaling as far as the appliance and its operator call it. */
export const AUTO_SCALING_ACTIONS: Readonly<Record<string, QueryAction>> = {
  ...AUTO_SCALING_VIEWS,
  SetDesiredCapacity: changes(setDesiredCapacity),
  UpdateAutoScalingGroup: changes(updateGroup),
  CreateAutoScalingGroup: changes(createGroup),
  DeleteAutoScalingGroup: changes(deleteGroup),
  TerminateInstanceInAutoScalingGroup: changes(terminateInstance),
  SetInstanceHealth: changes(setHealth),
  PutLifecycleHook: changes(putHook),
  DeleteLifecycleHook: changes(deleteHook),
  CompleteLifecycleAction: changes(completeAction),
  RecordLifecycleActionHeartbeat: changes(heartbeat),
  StartInstanceRefresh: changes(startRefresh),
  CancelInstanceRefresh: changes(cancelRefresh),
};
