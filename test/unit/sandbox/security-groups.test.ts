import {
  AuthorizeSecurityGroupIngressCommand,
  CreateTagsCommand,
  DescribeInstancesCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  RevokeSecurityGroupIngressCommand,
  paginateDescribeSecurityGroupRules,
  type IpPermission,
  type SecurityGroupRule,
} from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { createClients, startCloud, startGroup, type TestCloud } from './cloud-fixture.ts';

async function started(settings: Parameters<typeof startCloud>[0] = {}) {
  const test = await startCloud(settings);
  await startGroup(test, { desired: 1 });
  const [group] = test.cloud.describe().securityGroups;
  return { ...test, GroupId: group?.id ?? '' };
}

type Started = TestCloud & { readonly GroupId: string };

const tcp = (...cidrs: readonly string[]): IpPermission => ({
  IpProtocol: 'tcp',
  FromPort: 2378,
  ToPort: 2380,
  IpRanges: cidrs.map((CidrIp) => ({ CidrIp, Description: `etcd-appliance ${CidrIp}` })),
});

async function authorize({ ec2, GroupId }: Started, ...permissions: readonly IpPermission[]) {
  const input = { GroupId, IpPermissions: [...permissions] };
  return (await ec2.send(new AuthorizeSecurityGroupIngressCommand(input))).SecurityGroupRules ?? [];
}

async function rulesOf({ ec2, GroupId }: Started) {
  const Filters = [{ Name: 'group-id', Values: [GroupId] }];
  const { SecurityGroupRules } = await ec2.send(new DescribeSecurityGroupRulesCommand({ Filters }));
  return SecurityGroupRules ?? [];
}

const cidrsOf = (rules: readonly SecurityGroupRule[]) => rules.flatMap(({ CidrIpv4 }) => CidrIpv4 ?? []);

describe('the security group of a stack', () => {
  it('is tagged as CloudFormation tags it, and is on the stack’s instances', async () => {
    await using test = await started();
    const stack = { Name: 'tag:aws:cloudformation:stack-name', Values: ['etcd-demo'] };
    const { SecurityGroups } = await test.ec2.send(new DescribeSecurityGroupsCommand({ Filters: [stack] }));
    expect(SecurityGroups).toMatchObject([
      { GroupId: test.GroupId, GroupName: 'etcd-demo-EtcdSecurityGroup', OwnerId: '123456789012' },
    ]);
    expect(SecurityGroups?.[0]?.IpPermissions).toMatchObject([
      { IpProtocol: 'tcp', FromPort: 2379, ToPort: 2379, IpRanges: [{ CidrIp: '127.78.0.0/24' }] },
      { IpProtocol: 'tcp', FromPort: 2378, ToPort: 2380, UserIdGroupPairs: [{ GroupId: test.GroupId }] },
    ]);
    const { Reservations } = await test.ec2.send(new DescribeInstancesCommand({}));
    expect(Reservations?.[0]?.Instances?.[0]?.SecurityGroups).toEqual([
      { GroupId: test.GroupId, GroupName: 'etcd-demo-EtcdSecurityGroup' },
    ]);
  });

  it('is one for all groups of the stack, and another for another stack or region', async () => {
    await using test = await startCloud({}, ['eu-central-1', 'eu-west-1']);
    const sizes = { min: 0, max: 1, desired: 0 };
    for (const name of ['one', 'two']) test.cloud.createGroup({ ...sizes, name, stackName: 'a' });
    test.cloud.createGroup({ ...sizes, name: 'three', stackName: 'b' });
    test.cloud.createGroup({ ...sizes, name: 'one', stackName: 'a', region: 'eu-west-1' });
    const { securityGroups } = test.cloud.describe();
    expect(securityGroups.map(({ region, name }) => `${region} ${name}`)).toEqual([
      'eu-central-1 a-EtcdSecurityGroup',
      'eu-central-1 b-EtcdSecurityGroup',
      'eu-west-1 a-EtcdSecurityGroup',
    ]);
    const there = createClients(test.awsEndpoint, 'AKIAOPERATOR', 'eu-west-1');
    const { SecurityGroups } = await there.ec2.send(new DescribeSecurityGroupsCommand({}));
    expect(SecurityGroups).toHaveLength(1);
    there.destroy();
  });
});

describe('rules', () => {
  it('are added with ids, descriptions and tags, shown, and removed by id', async () => {
    await using test = await started();
    const before = await rulesOf(test);
    const { SecurityGroupRules: made = [] } = await test.ec2.send(
      new AuthorizeSecurityGroupIngressCommand({
        GroupId: test.GroupId,
        IpPermissions: [tcp('198.51.100.1/32', '198.51.100.2/32')],
        TagSpecifications: [{ ResourceType: 'security-group-rule', Tags: [{ Key: 'of', Value: 'me' }] }],
      }),
    );
    expect(made).toMatchObject(
      ['198.51.100.1/32', '198.51.100.2/32'].map((CidrIpv4) => ({
        SecurityGroupRuleId: expect.stringMatching(/^sgr-0[0-9a-f]{16}$/),
        GroupId: test.GroupId,
        IsEgress: false,
        FromPort: 2378,
        ToPort: 2380,
        CidrIpv4,
        Description: `etcd-appliance ${CidrIpv4}`,
        Tags: [{ Key: 'of', Value: 'me' }],
      })),
    );
    expect(await rulesOf(test)).toEqual([...before, ...made]);
    const [gone, stays] = made;
    const SecurityGroupRuleIds = [gone?.SecurityGroupRuleId ?? ''];
    const revoke = () =>
      test.ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId: test.GroupId, SecurityGroupRuleIds }));
    expect((await revoke()).RevokedSecurityGroupRules).toMatchObject([{ CidrIpv4: '198.51.100.1/32' }]);
    expect(await rulesOf(test)).toEqual([...before, stays]);
    await expect(revoke()).rejects.toMatchObject({ name: 'InvalidSecurityGroupRuleId.NotFound' });
  });

  it('are not added twice, whatever their description; and then none of the request is', async () => {
    await using test = await started();
    await authorize(test, tcp('198.51.100.1/32'));
    const twin = { ...tcp('198.51.100.2/32', '198.51.100.1/32') };
    await expect(authorize(test, twin)).rejects.toMatchObject({
      name: 'InvalidPermission.Duplicate',
      message:
        'the specified rule "peer: 198.51.100.1/32, TCP, from port: 2378, to port: 2380, ALLOW" already exists',
    });
    await expect(authorize(test, tcp('192.0.2.1/32', '192.0.2.1/32'))).rejects.toMatchObject({
      name: 'InvalidParameterValue',
    });
    expect(cidrsOf(await rulesOf(test))).toEqual(['127.78.0.0/24', '198.51.100.1/32']);
  });

  it('are removed by what they permit, all or none of them', async () => {
    await using test = await started();
    await authorize(test, tcp('198.51.100.1/32', '198.51.100.2/32'));
    const revoke = (permission: IpPermission) =>
      test.ec2.send(
        new RevokeSecurityGroupIngressCommand({ GroupId: test.GroupId, IpPermissions: [permission] }),
      );
    await expect(revoke(tcp('198.51.100.1/32', '198.51.100.3/32'))).rejects.toMatchObject({
      name: 'InvalidPermission.NotFound',
    });
    await revoke(tcp('198.51.100.1/32'));
    expect(cidrsOf(await rulesOf(test))).toEqual(['127.78.0.0/24', '198.51.100.2/32']);
  });

  it('are not more than the group takes', async () => {
    await using test = await started({ rulesPerSecurityGroup: 4 });
    await authorize(test, tcp('198.51.100.1/32'));
    await expect(authorize(test, tcp('198.51.100.2/32', '198.51.100.3/32'))).rejects.toMatchObject({
      name: 'RulesPerSecurityGroupLimitExceeded',
    });
    await authorize(test, tcp('198.51.100.2/32'));
  });

  it.each([
    { what: 'a range beyond IPv4', permission: tcp('198.51.100.256/32') },
    { what: 'bits beyond the prefix', permission: tcp('198.51.100.1/24') },
    { what: 'no range', permission: tcp('198.51.100.1') },
    { what: 'ports the wrong way round', permission: { ...tcp('198.51.100.1/32'), FromPort: 2381 } },
    {
      what: 'a description of forbidden characters',
      permission: { ...tcp(), IpRanges: [{ CidrIp: '198.51.100.1/32', Description: 'a "quote"' }] },
    },
    {
      what: 'a description of 256 characters',
      permission: { ...tcp(), IpRanges: [{ CidrIp: '198.51.100.1/32', Description: 'x'.repeat(256) }] },
    },
  ])('are refused with $what', async ({ permission }) => {
    await using test = await started();
    await expect(authorize(test, permission)).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  });

  it('come in pages, and by tag', async () => {
    await using test = await started({ pageSize: 2 });
    const made = await authorize(test, tcp('192.0.2.1/32', '192.0.2.2/32', '192.0.2.3/32'));
    const found: number[] = [];
    for await (const page of paginateDescribeSecurityGroupRules({ client: test.ec2 }, {})) {
      found.push(page.SecurityGroupRules?.length ?? 0);
    }
    expect(found).toEqual([2, 2, 1]);
    const [id = ''] = made.map((rule) => rule.SecurityGroupRuleId ?? '');
    await test.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'of', Value: 'me' }] }));
    const lost = new CreateTagsCommand({ Resources: ['sgr-00000000000000000'], Tags: [{ Key: 'of' }] });
    await expect(test.ec2.send(lost)).rejects.toMatchObject({ name: 'InvalidID' });
    const Filters = [{ Name: 'tag:of', Values: ['m*'] }];
    const { SecurityGroupRules } = await test.ec2.send(new DescribeSecurityGroupRulesCommand({ Filters }));
    expect(SecurityGroupRules?.map((rule) => rule.SecurityGroupRuleId)).toEqual([id]);
  });

  it('and groups that are not there are refused by their names', async () => {
    await using test = await started();
    const lost = { ...test, GroupId: 'sg-00000000000000000' };
    await expect(authorize(lost, tcp('192.0.2.1/32'))).rejects.toMatchObject({
      name: 'InvalidGroup.NotFound',
    });
    const describeLost = test.ec2.send(new DescribeSecurityGroupsCommand({ GroupIds: [lost.GroupId] }));
    await expect(describeLost).rejects.toMatchObject({ name: 'InvalidGroup.NotFound' });
    const SecurityGroupRuleIds = ['sgr-00000000000000000'];
    const describeRule = test.ec2.send(new DescribeSecurityGroupRulesCommand({ SecurityGroupRuleIds }));
    await expect(describeRule).rejects.toMatchObject({ name: 'InvalidSecurityGroupRuleId.NotFound' });
  });
});
