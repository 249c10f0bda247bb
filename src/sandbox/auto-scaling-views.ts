import { reads, type RegionContext, type QueryAction } from './api.ts';
import { CloudError, notSimulated } from './cloud-error.ts';
import { activeMembers } from './group-rules.ts';
import type { HookRequest } from './model.ts';
import { isoTime, matchesFilter, page, type QueryParams, type XmlNode } from './wire-query.ts';
import type { Group, Member, Refresh } from './world.ts';

const INSTANCE_TYPE = 'm7g.medium';
const TEMPLATE = { LaunchTemplateId: 'lt-0a0b0c0d0e0f00000', LaunchTemplateName: 'sandbox', Version: '1' };

type Result = Readonly<Record<string, XmlNode>>;

function badToken(): CloudError {
  return new CloudError('InvalidNextToken', 'The NextToken value is not valid.');
}

function pageSize(params: QueryParams, context: RegionContext, usual: number, most: number): number {
  const asked = params.int('MaxRecords', 1, most) ?? usual;
  const forced = context.region.settings().pageSize;
  return forced > 0 ? Math.min(asked, forced) : asked;
}

function zoneOf(member: Member, context: RegionContext): string {
  return context.world.instances.get(member.instanceId)?.zone ?? '';
}

function memberXml(member: Member, context: RegionContext): Readonly<Record<string, XmlNode>> {
  return {
    InstanceId: member.instanceId,
    InstanceType: INSTANCE_TYPE,
    AvailabilityZone: zoneOf(member, context),
    LifecycleState: member.lifecycle,
    HealthStatus: member.health,
    ProtectedFromScaleIn: false,
    LaunchTemplate: TEMPLATE,
  };
}

function tagsXml(group: Group): XmlNode {
  return {
    member: group.tags.map((tag) => ({
      ResourceId: group.name,
      ResourceType: 'auto-scaling-group',
      Key: tag.key,
      Value: tag.value,
      PropagateAtLaunch: tag.propagate,
    })),
  };
}

function groupXml(group: Group, context: RegionContext): XmlNode {
  const shown = context.show.of(group.members, (member) => member.instanceId === context.asking);
  return {
    AutoScalingGroupName: group.name,
    AutoScalingGroupARN: group.arn,
    LaunchTemplate: TEMPLATE,
    MinSize: group.min,
    MaxSize: group.max,
    DesiredCapacity: group.desired,
    DefaultCooldown: 300,
    AvailabilityZones: { member: group.zones },
    LoadBalancerNames: '',
    TargetGroupARNs: '',
    HealthCheckType: 'EC2',
    HealthCheckGracePeriod: 0,
    Instances: { member: shown.map((member) => memberXml(member, context)) },
    CreatedTime: isoTime(group.createdAtMs),
    SuspendedProcesses: '',
    VPCZoneIdentifier: group.zones.map((zone) => `subnet-${zone.slice(-1).repeat(8)}`).join(','),
    EnabledMetrics: '',
    Tags: tagsXml(group),
    TerminationPolicies: { member: ['Default'] },
    NewInstancesProtectedFromScaleIn: false,
    ...(group.deleting ? { Status: 'Delete in progress' } : {}),
  };
}

function passes(
  group: Group,
  filter: { readonly name: string; readonly values: readonly string[] },
): boolean {
  const has = (value: string, of: readonly string[]): boolean => of.some((one) => matchesFilter(value, one));
  const key = filter.name.startsWith('tag:') ? filter.name.slice('tag:'.length) : null;
  if (key !== null) {
    const values = group.tags.filter((tag) => tag.key === key).map((tag) => tag.value);
    return filter.values.some((value) => has(value, values));
  }
  if (filter.name === 'tag-key')
    return filter.values.some((value) =>
      has(
        value,
        group.tags.map((tag) => tag.key),
      ),
    );
  if (filter.name === 'tag-value') {
    return filter.values.some((value) =>
      has(
        value,
        group.tags.map((tag) => tag.value),
      ),
    );
  }
  throw notSimulated(`the filter ${filter.name} of DescribeAutoScalingGroups`);
}

function describeGroups(params: QueryParams, context: RegionContext): Result {
  const names = params.list('AutoScalingGroupNames');
  const filters = params
    .objects('Filters')
    .map((it) => ({ name: it.need('Name'), values: it.list('Values') }));
  const size = pageSize(params, context, 50, 100);
  const token = params.text('NextToken');
  params.ignore('IncludeInstances');
  params.done();
  const found = [...context.world.groups.values()].filter(
    (group) =>
      (names.length === 0 || names.includes(group.name)) && filters.every((filter) => passes(group, filter)),
  );
  const shown = context.show.how === 'empty' ? [] : found;
  const { items, nextToken } = page(shown, size, token, (group) => group.name, badToken);
  return {
    AutoScalingGroups: { member: items.map((group) => groupXml(group, context)) },
    NextToken: nextToken,
  };
}

function describeInstances(params: QueryParams, context: RegionContext): Result {
  const ids = params.list('InstanceIds');
  const size = pageSize(params, context, 50, 50);
  const token = params.text('NextToken');
  params.done();
  const all = [...context.world.groups.values()].flatMap((group) =>
    group.members.map((member) => ({ group, member })),
  );
  const found = all.filter(({ member }) => ids.length === 0 || ids.includes(member.instanceId));
  const shown = context.show.of(found, ({ member }) => member.instanceId === context.asking);
  const { items, nextToken } = page(shown, size, token, ({ member }) => member.instanceId, badToken);
  return {
    AutoScalingInstances: {
      member: items.map(({ group, member }) => ({
        ...memberXml(member, context),
        AutoScalingGroupName: group.name,
        HealthStatus: member.health.toUpperCase(),
      })),
    },
    NextToken: nextToken,
  };
}

function hookXml(group: Group, hook: HookRequest): XmlNode {
  const timeout = Math.round(hook.heartbeatTimeoutMs / 1000);
  return {
    LifecycleHookName: hook.name,
    AutoScalingGroupName: group.name,
    LifecycleTransition: hook.transition,
    HeartbeatTimeout: timeout,
    GlobalTimeout: Math.min(48 * 3600, 100 * timeout),
    DefaultResult: hook.defaultResult,
  };
}

function needShown(name: string, context: RegionContext): Group {
  const group = context.world.groups.get(name);
  if (group === undefined) {
    throw new CloudError(
      'ValidationError',
      `AutoScalingGroup name not found - AutoScalingGroup '${name}' not found`,
    );
  }
  return group;
}

function describeHooks(params: QueryParams, context: RegionContext): Result {
  const name = params.need('AutoScalingGroupName');
  const names = params.list('LifecycleHookNames');
  params.done();
  const group = needShown(name, context);
  const found = group.hooks.filter((hook) => names.length === 0 || names.includes(hook.name));
  return {
    LifecycleHooks: { member: context.show.of(found, () => true).map((hook) => hookXml(group, hook)) },
  };
}

function refreshXml(group: Group, refresh: Refresh): XmlNode {
  const waiting =
    refresh.status === 'InProgress'
      ? group.desired - activeMembers(group).filter((member) => member.lifecycle === 'InService').length
      : 0;
  const left = Math.min(refresh.total, refresh.remaining.length + Math.max(0, waiting));
  const done = refresh.total === 0 ? 100 : Math.floor((100 * (refresh.total - left)) / refresh.total);
  return {
    InstanceRefreshId: refresh.id,
    AutoScalingGroupName: group.name,
    Status: refresh.status,
    StartTime: isoTime(refresh.startedAtMs),
    EndTime: refresh.endedAtMs === null ? undefined : isoTime(refresh.endedAtMs),
    PercentageComplete: refresh.status === 'Successful' ? 100 : done,
    InstancesToUpdate: refresh.status === 'Successful' ? 0 : left,
    Preferences: {
      MinHealthyPercentage: refresh.minHealthyPercentage,
      MaxHealthyPercentage: refresh.maxHealthyPercentage,
      InstanceWarmup: Math.round(refresh.warmupMs / 1000),
      SkipMatching: false,
    },
  };
}

function describeRefreshes(params: QueryParams, context: RegionContext): Result {
  const name = params.need('AutoScalingGroupName');
  const ids = params.list('InstanceRefreshIds');
  const size = pageSize(params, context, 50, 100);
  const token = params.text('NextToken');
  params.done();
  const group = needShown(name, context);
  const found = group.refreshes.filter((refresh) => ids.length === 0 || ids.includes(refresh.id));
  const shown = context.show.of(found, () => true);
  const { items, nextToken } = page(shown, size, token, (refresh) => refresh.id, badToken);
  return { InstanceRefreshes: { member: items.map((it) => refreshXml(group, it)) }, NextToken: nextToken };
}

/** What Auto Scaling shows. */
export const AUTO_SCALING_VIEWS: Readonly<Record<string, QueryAction>> = {
  DescribeAutoScalingGroups: reads(describeGroups),
  DescribeAutoScalingInstances: reads(describeInstances),
  DescribeLifecycleHooks: reads(describeHooks),
  DescribeInstanceRefreshes: reads(describeRefreshes),
};
