import { changes, reads, type RegionContext, type QueryAction } from './api.ts';
import { CloudError, notSimulated } from './cloud-error.ts';
import type { Ec2State } from './model.ts';
import { passes, readFilters } from './filters.ts';
import { SECURITY_GROUP_ACTIONS } from './security-group-actions.ts';
import { VPC_ID } from './security-groups.ts';
import { isoTime, matchesFilter, page, type QueryParams, type XmlNode } from './wire-query.ts';
import type { Instance, RegionWorld } from './world.ts';

const STATE_CODES: Readonly<Record<Ec2State, number>> = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

const IMAGE_ID = 'ami-0e7c0d0a9d0b1c2d3';
const INSTANCE_TYPE = 'm7g.medium';
const MAX_PAGE = 1_000;

/** The values that a filter other than one of tags compares with. */
function filtered(instance: Instance, name: string): readonly string[] | null {
  switch (name) {
    case 'instance-id':
      return [instance.id];
    case 'instance-state-name':
      return [instance.state];
    case 'instance-state-code':
      return [String(STATE_CODES[instance.state])];
    case 'availability-zone':
      return [instance.zone];
    case 'private-ip-address':
      return instance.state === 'terminated' ? [] : [instance.address];
    case 'ip-address':
      return [shownPublicAddress(instance) ?? []].flat();
    default:
      return null;
  }
}

/** The public address comes when the instance runs, and is given back when it has ended. */
function shownPublicAddress({ state, publicAddress }: Instance): string | null {
  return state === 'running' || state === 'shutting-down' ? publicAddress : null;
}

/** Instances that EC2 knows by now and still remembers. */
function visibleInstances(world: RegionWorld, { region }: RegionContext): readonly Instance[] {
  const nowMs = region.clock.now();
  const settings = region.settings();
  return [...world.instances.values()].filter(
    (instance) =>
      nowMs - instance.launchedAtMs >= settings.unknownAfterLaunchMs &&
      (instance.terminatedAtMs === null || nowMs - instance.terminatedAtMs < settings.terminatedVisibleMs),
  );
}

function notFound(ids: readonly string[]): CloudError {
  const message =
    ids.length === 1
      ? `The instance ID '${ids[0] ?? ''}' does not exist`
      : `The instance IDs '${ids.join(', ')}' do not exist`;
  return new CloudError('InvalidInstanceID.NotFound', message);
}

function checkIds(ids: readonly string[], known: readonly Instance[]): void {
  const malformed = ids.find((id) => !/^i-[0-9a-f]{8}(?:[0-9a-f]{9})?$/.test(id));
  if (malformed !== undefined) {
    throw new CloudError('InvalidInstanceID.Malformed', `Invalid id: "${malformed}"`);
  }
  const missing = ids.filter((id) => !known.some((instance) => instance.id === id));
  if (missing.length > 0) throw notFound(missing);
}

function stateXml(state: Ec2State): XmlNode {
  return { code: STATE_CODES[state], name: state };
}

function tagXml(tags: Readonly<Record<string, string>>): XmlNode {
  return { item: Object.entries(tags).map(([key, value]) => ({ key, value })) };
}

function privateDnsName(instance: Instance, region: string): string {
  return `ip-${instance.address.replace(/\./g, '-')}.${region}.compute.internal`;
}

function instanceXml(instance: Instance, context: RegionContext): XmlNode {
  const over = instance.state === 'terminated';
  const publicAddress = shownPublicAddress(instance);
  const code = instance.reason.split(':')[0] ?? '';
  return {
    instanceId: instance.id,
    imageId: IMAGE_ID,
    instanceState: stateXml(instance.state),
    privateDnsName: over ? '' : privateDnsName(instance, context.region.name),
    dnsName: '',
    reason: instance.reason,
    amiLaunchIndex: 0,
    instanceType: INSTANCE_TYPE,
    launchTime: isoTime(instance.launchedAtMs),
    placement: { availabilityZone: instance.zone, groupName: '', tenancy: 'default' },
    ...(over ? {} : { subnetId: `subnet-${instance.zone.slice(-1).repeat(8)}`, vpcId: VPC_ID }),
    ...(over ? {} : { privateIpAddress: instance.address }),
    ...(publicAddress === null ? {} : { ipAddress: publicAddress }),
    groupSet: {
      item: instance.securityGroupIds.map((groupId) => ({
        groupId,
        groupName: context.world.securityGroups.get(groupId)?.name ?? '',
      })),
    },
    ...(instance.reason === '' ? {} : { stateReason: { code, message: instance.reason } }),
    architecture: 'arm64',
    rootDeviceType: 'ebs',
    rootDeviceName: '/dev/xvda',
    tagSet: tagXml(instance.tags),
    metadataOptions: {
      state: 'applied',
      httpTokens: 'required',
      httpPutResponseHopLimit: 2,
      httpEndpoint: 'enabled',
    },
  };
}

function describeInstances(params: QueryParams, context: RegionContext): Readonly<Record<string, XmlNode>> {
  const ids = params.list('InstanceId');
  const filters = readFilters(params);
  const size = params.int('MaxResults', 5, MAX_PAGE);
  const token = params.text('NextToken');
  params.done();
  if (ids.length > 0 && (size !== null || token !== null)) {
    throw new CloudError(
      'InvalidParameterCombination',
      'The parameter instancesSet cannot be used with the parameter maxResults',
    );
  }
  const known = visibleInstances(context.world, context);
  checkIds(ids, known);
  const found = known.filter(
    (it) =>
      (ids.length === 0 || ids.includes(it.id)) &&
      passes('DescribeInstances', filters, it.tags, (filter) => filtered(it, filter)),
  );
  const shown = context.show.of(found, (it) => it.id === context.asking);
  const forced = context.region.settings().pageSize;
  const limit = ids.length > 0 ? MAX_PAGE : Math.min(size ?? MAX_PAGE, forced > 0 ? forced : MAX_PAGE);
  const bad = (): CloudError => new CloudError('InvalidParameterValue', 'Invalid value for nextToken');
  const { items, nextToken } = page(shown, limit, token, (it) => it.id, bad);
  return {
    reservationSet: {
      item: items.map((instance) => ({
        reservationId: instance.reservationId,
        ownerId: context.region.account,
        groupSet: '',
        instancesSet: { item: [instanceXml(instance, context)] },
        requesterId: 'AIDAAUTOSCALING',
      })),
    },
    nextToken,
  };
}

function terminateInstances(params: QueryParams, context: RegionContext): Readonly<Record<string, XmlNode>> {
  const ids = params.list('InstanceId');
  params.done();
  if (ids.length === 0)
    throw new CloudError('MissingParameter', 'The request must contain the parameter InstanceId');
  const { store, instances } = context.region;
  checkIds(ids, visibleInstances(store.world(), context));
  const stateOf = (id: string): Ec2State => store.world().instances.get(id)?.state ?? 'terminated';
  return {
    instancesSet: {
      item: ids.map((instanceId) => {
        const previous = stateOf(instanceId);
        instances.terminate(instanceId, 'Client.UserInitiatedShutdown: User initiated shutdown');
        return { instanceId, currentState: stateXml(stateOf(instanceId)), previousState: stateXml(previous) };
      }),
    },
  };
}

function createTags(params: QueryParams, context: RegionContext): Readonly<Record<string, XmlNode>> {
  const ids = params.list('ResourceId');
  const tags = params.objects('Tag').map((tag) => [tag.need('Key'), tag.text('Value') ?? ''] as const);
  params.done();
  const reserved = tags.find(([key]) => key.toLowerCase().startsWith('aws:'));
  if (reserved !== undefined) {
    throw new CloudError(
      'InvalidParameterValue',
      `Tag keys starting with 'aws:' are reserved for internal use`,
    );
  }
  const other = ids.find((id) => !/^(?:i|sg|sgr)-/.test(id));
  if (other !== undefined)
    throw notSimulated(`tags of ${other}, only those of instances and security groups`);
  const instances = ids.filter((id) => id.startsWith('i-'));
  checkIds(instances, visibleInstances(context.region.store.world(), context));
  for (const id of ids) {
    const of = instances.includes(id) ? context.region.instances : context.region.securityGroups;
    of.setTags(id, Object.fromEntries(tags));
  }
  return { return: true };
}

function tagFilter(
  tag: { readonly id: string; readonly key: string; readonly value: string },
  name: string,
): string {
  switch (name) {
    case 'resource-id':
      return tag.id;
    case 'resource-type':
      return 'instance';
    case 'key':
      return tag.key;
    case 'value':
      return tag.value;
    default:
      throw notSimulated(`the filter ${name} of DescribeTags`);
  }
}

function describeTags(params: QueryParams, context: RegionContext): Readonly<Record<string, XmlNode>> {
  const filters = readFilters(params);
  const size = params.int('MaxResults', 5, MAX_PAGE);
  const token = params.text('NextToken');
  params.done();
  const all = visibleInstances(context.world, context).flatMap((instance) =>
    Object.entries(instance.tags).map(([key, value]) => ({ id: instance.id, key, value })),
  );
  const found = all.filter((tag) =>
    filters.every((filter) =>
      filter.values.some((value) => matchesFilter(value, tagFilter(tag, filter.name))),
    ),
  );
  const shown = context.show.of(found, (tag) => tag.id === context.asking);
  const forced = context.region.settings().pageSize;
  const limit = Math.min(size ?? MAX_PAGE, forced > 0 ? forced : MAX_PAGE);
  const bad = (): CloudError => new CloudError('InvalidParameterValue', 'Invalid value for nextToken');
  const { items, nextToken } = page(shown, limit, token, (tag) => `${tag.id} ${tag.key}`, bad);
  return {
    tagSet: {
      item: items.map(({ id, key, value }) => ({ resourceId: id, resourceType: 'instance', key, value })),
    },
    nextToken,
  };
}

/** EC2 as far as the appliance and its operator call it. */
export const EC2_ACTIONS: Readonly<Record<string, QueryAction>> = {
  ...SECURITY_GROUP_ACTIONS,
  DescribeInstances: reads(describeInstances),
  DescribeTags: reads(describeTags),
  TerminateInstances: changes(terminateInstances),
  CreateTags: changes(createTags),
};
