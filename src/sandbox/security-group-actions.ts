import { changes, reads, type QueryAction, type RegionContext } from './api.ts';
import { CloudError, notSimulated } from './cloud-error.ts';
import { passes, readFilters } from './filters.ts';
import { VPC_ID, type NewRule } from './security-groups.ts';
import { page, type QueryParams, type XmlNode } from './wire-query.ts';
import type { Permission, RuleSource, SecurityGroup, SecurityRule, Tags } from './world.ts';

type Result = Readonly<Record<string, XmlNode>>;

const MAX_PAGE = 1_000;
/** What EC2 lets a rule's description be. Source: IpRange in its API reference. */
const DESCRIPTION = /^[a-zA-Z0-9. _\-:/()#,@[\]+=&;{}!$*]{0,255}$/;

function invalid(message: string): CloudError {
  return new CloudError('InvalidParameterValue', message);
}

/** An IPv4 range; one with bits beyond its prefix is refused here, so that nobody comes to depend on what becomes of it. */
function readCidr(text: string): string {
  const [, address = '', length = ''] = /^(\d+\.\d+\.\d+\.\d+)\/(\d{1,2})$/.exec(text) ?? [];
  const octets = address.split('.').map(Number);
  if (address === '' || octets.some((octet) => octet > 255) || Number(length) > 32)
    throw invalid(`CIDR block ${text} is malformed`);
  const bits = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  if (bits % 2 ** (32 - Number(length)) !== 0) throw invalid(`CIDR block ${text} is malformed`);
  return text;
}

function readDescription(params: QueryParams): string {
  const text = params.text('Description') ?? '';
  if (DESCRIPTION.test(text)) return text;
  throw invalid(
    'Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*',
  );
}

function readPorts(params: QueryParams, protocol: string): { fromPort: number; toPort: number } {
  const [fromPort, toPort] = [params.int('FromPort', -1, 65_535), params.int('ToPort', -1, 65_535)];
  if (protocol !== 'tcp' && protocol !== 'udp') return { fromPort: fromPort ?? -1, toPort: toPort ?? -1 };
  if (fromPort === null || toPort === null || fromPort < 0 || fromPort > toPort)
    throw invalid(`Invalid value 'ports ${fromPort} to ${toPort}' for portRange.`);
  return { fromPort, toPort };
}

/** `IpPermissions.N`: one rule for each of its sources. */
function readPermissions(params: QueryParams): readonly NewRule[] {
  const rules = params.objects('IpPermissions').flatMap((permission) => {
    const protocol = permission.need('IpProtocol');
    const ports = readPorts(permission, protocol);
    const rule = (source: RuleSource, description: string) => ({ protocol, ...ports, source, description });
    return [
      ...permission
        .objects('IpRanges')
        .map((range) => rule({ cidr: readCidr(range.need('CidrIp')) }, readDescription(range))),
      ...permission.objects('Groups').map((group) => {
        group.ignore('UserId');
        return rule({ groupId: group.need('GroupId') }, readDescription(group));
      }),
    ];
  });
  return rules;
}

function readTags(params: QueryParams, type: string): Tags {
  const tags = params.objects('TagSpecification').flatMap((specification) => {
    const of = specification.need('ResourceType');
    if (of !== type) throw invalid(`'${of}' is not a valid taggable resource type for this operation.`);
    return specification.objects('Tag').map((tag) => [tag.need('Key'), tag.text('Value') ?? ''] as const);
  });
  if (tags.some(([key]) => key.toLowerCase().startsWith('aws:')))
    throw invalid(`Tag keys starting with 'aws:' are reserved for internal use`);
  return Object.fromEntries(tags);
}

function tagXml(tags: Tags): XmlNode {
  return { item: Object.entries(tags).map(([key, value]) => ({ key, value })) };
}

/** What every answer says of a rule. */
function bareRuleXml(groupId: string, rule: SecurityRule): Result {
  return {
    securityGroupRuleId: rule.id,
    groupId,
    isEgress: false,
    ipProtocol: rule.protocol,
    fromPort: rule.fromPort,
    toPort: rule.toPort,
    ...('cidr' in rule.source ? { cidrIpv4: rule.source.cidr } : {}),
    ...descriptionXml(rule),
  };
}

function ruleXml(group: SecurityGroup, rule: SecurityRule, account: string): XmlNode {
  const { source } = rule;
  return {
    ...bareRuleXml(group.id, rule),
    groupOwnerId: account,
    ...('cidr' in source ? {} : { referencedGroupInfo: { groupId: source.groupId, userId: account } }),
    tagSet: tagXml(rule.tags),
  };
}

/** Of one that is gone EC2 says less, and whom it named in another way. Source: RevokedSecurityGroupRule in its API reference. */
function revokedXml(groupId: string, rule: SecurityRule): XmlNode {
  const { source } = rule;
  return {
    ...bareRuleXml(groupId, rule),
    ...('cidr' in source ? {} : { referencedGroupId: source.groupId }),
  };
}

/** The rules as EC2 shows them in a group: those of the same ports together. */
function permissionsXml(rules: readonly SecurityRule[], account: string): XmlNode {
  const portsOf = ({ protocol, fromPort, toPort }: Permission): string => `${protocol} ${fromPort} ${toPort}`;
  const together = Map.groupBy(rules, portsOf);
  return {
    item: [...together.values()].flatMap((same) => {
      const [first] = same;
      if (first === undefined) return [];
      const { protocol, fromPort, toPort } = first;
      return {
        ipProtocol: protocol,
        ...(protocol === '-1' ? {} : { fromPort, toPort }),
        ipRanges: { item: same.flatMap((rule) => rangeXml(rule)) },
        ipv6Ranges: '',
        prefixListIds: '',
        groups: { item: same.flatMap((rule) => peerXml(rule, account)) },
      };
    }),
  };
}

function descriptionXml({ description }: SecurityRule): Result {
  return description === '' ? {} : { description };
}

function rangeXml(rule: SecurityRule): readonly XmlNode[] {
  return 'cidr' in rule.source ? [{ cidrIp: rule.source.cidr, ...descriptionXml(rule) }] : [];
}

function peerXml(rule: SecurityRule, account: string): readonly XmlNode[] {
  if ('cidr' in rule.source) return [];
  return [{ groupId: rule.source.groupId, userId: account, ...descriptionXml(rule) }];
}

const EVERYTHING_OUT: XmlNode = {
  item: [{ ipProtocol: '-1', ipRanges: { item: [{ cidrIp: '0.0.0.0/0' }] } }],
};

function groupXml(group: SecurityGroup, account: string): XmlNode {
  return {
    ownerId: account,
    groupId: group.id,
    groupName: group.name,
    groupDescription: group.description,
    vpcId: VPC_ID,
    ipPermissions: permissionsXml(group.rules, account),
    ipPermissionsEgress: EVERYTHING_OUT,
    tagSet: tagXml(group.tags),
  };
}

/** Which page of a list is asked for. Read before `done`. */
function pageOf(params: QueryParams, context: RegionContext) {
  const size = params.int('MaxResults', 5, MAX_PAGE);
  const token = params.text('NextToken');
  const forced = context.region.settings().pageSize;
  const limit = Math.min(size ?? MAX_PAGE, forced > 0 ? forced : MAX_PAGE);
  const bad = (): CloudError => invalid('Invalid value for nextToken');
  return <T extends { readonly id: string }>(items: readonly T[]) =>
    page(items, limit, token, ({ id }) => id, bad);
}

/** Whether a group is one of the asking instance. */
function isOwn({ world, asking }: RegionContext, group: SecurityGroup): boolean {
  return world.instances.get(asking ?? '')?.securityGroupIds.includes(group.id) === true;
}

function describeGroups(params: QueryParams, context: RegionContext): Result {
  const [ids, names, filters] = [params.list('GroupId'), params.list('GroupName'), readFilters(params)];
  const paged = pageOf(params, context);
  params.done();
  const all = [...context.world.securityGroups.values()];
  const missing = ids.find((id) => !all.some((group) => group.id === id));
  if (missing !== undefined)
    throw new CloudError('InvalidGroup.NotFound', `The security group '${missing}' does not exist`);
  const found = all.filter(
    (group) =>
      (ids.length === 0 || ids.includes(group.id)) &&
      (names.length === 0 || names.includes(group.name)) &&
      passes('DescribeSecurityGroups', filters, group.tags, (filter) => {
        if (filter === 'group-id') return [group.id];
        if (filter === 'group-name') return [group.name];
        return filter === 'vpc-id' ? [VPC_ID] : null;
      }),
  );
  const { items, nextToken } = paged(context.show.of(found, (group) => isOwn(context, group)));
  const shown = items.map((group) => groupXml(group, context.region.account));
  return { securityGroupInfo: { item: shown }, nextToken };
}

function describeRules(params: QueryParams, context: RegionContext): Result {
  const [ids, filters] = [params.list('SecurityGroupRuleId'), readFilters(params)];
  const paged = pageOf(params, context);
  params.done();
  const all = [...context.world.securityGroups.values()].flatMap((group) =>
    group.rules.map((rule) => ({ id: rule.id, group, rule })),
  );
  const missing = ids.find((id) => !all.some((one) => one.id === id));
  if (missing !== undefined) {
    const message = `The security group rule ID '${missing}' does not exist`;
    throw new CloudError('InvalidSecurityGroupRuleId.NotFound', message);
  }
  const found = all.filter(
    ({ id, group, rule }) =>
      (ids.length === 0 || ids.includes(id)) &&
      passes('DescribeSecurityGroupRules', filters, rule.tags, (filter) => {
        if (filter === 'group-id') return [group.id];
        return filter === 'security-group-rule-id' ? [id] : null;
      }),
  );
  const { items, nextToken } = paged(context.show.of(found, ({ group }) => isOwn(context, group)));
  const shown = items.map(({ group, rule }) => ruleXml(group, rule, context.region.account));
  return { securityGroupRuleSet: { item: shown }, nextToken };
}

function createGroup(params: QueryParams, context: RegionContext): Result {
  const group = { name: params.need('GroupName'), description: params.need('GroupDescription') };
  const tags = readTags(params, 'security-group');
  params.ignore('VpcId');
  params.done();
  const { id } = context.region.securityGroups.create({ ...group, tags });
  return { return: true, groupId: id, tagSet: tagXml(tags) };
}

function authorize(params: QueryParams, context: RegionContext): Result {
  const { securityGroups, account } = context.region;
  const [id, rules] = [params.need('GroupId'), readPermissions(params)];
  const tags = readTags(params, 'security-group-rule');
  params.done();
  if (rules.length === 0) throw missingRules();
  const made = securityGroups.authorize(id, rules, tags);
  const group = securityGroups.need(id);
  return {
    return: true,
    securityGroupRuleSet: { item: made.map((rule) => ruleXml(group, rule, account)) },
  };
}

function revoke(params: QueryParams, context: RegionContext): Result {
  const { securityGroups } = context.region;
  const [id, ruleIds] = [params.need('GroupId'), params.list('SecurityGroupRuleId')];
  const permissions = readPermissions(params);
  params.done();
  if (ruleIds.length > 0 && permissions.length > 0)
    throw notSimulated('rule ids together with permissions in RevokeSecurityGroupIngress');
  if (ruleIds.length === 0 && permissions.length === 0) throw missingRules();
  const gone =
    ruleIds.length > 0
      ? securityGroups.revokeByIds(id, ruleIds)
      : securityGroups.revokeMatching(id, permissions);
  return {
    return: true,
    revokedSecurityGroupRuleSet: { item: gone.map((rule) => revokedXml(id, rule)) },
  };
}

function missingRules(): CloudError {
  return new CloudError(
    'MissingParameter',
    'Either ipPermissions or securityGroupRuleIds should be provided.',
  );
}

/** Security groups as far as the appliance and its operator call them: what comes in. */
export const SECURITY_GROUP_ACTIONS: Readonly<Record<string, QueryAction>> = {
  DescribeSecurityGroups: reads(describeGroups),
  DescribeSecurityGroupRules: reads(describeRules),
  CreateSecurityGroup: changes(createGroup),
  AuthorizeSecurityGroupIngress: changes(authorize),
  RevokeSecurityGroupIngress: changes(revoke),
};
