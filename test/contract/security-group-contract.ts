import {
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DescribeSecurityGroupRulesCommand,
  DescribeSecurityGroupsCommand,
  RevokeSecurityGroupIngressCommand,
  type EC2Client,
  type IpPermission,
  type SecurityGroupRule,
} from '@aws-sdk/client-ec2';
import { expect } from 'vitest';

interface Subject {
  readonly ec2: EC2Client;
}

let names = 0;

/** A security group of its own, tagged; gives its id. */
async function makeGroup({ ec2 }: Subject): Promise<{ readonly GroupId: string; readonly tag: string }> {
  names += 1;
  const tag = `security-group-${names}`;
  const { GroupId = '' } = await ec2.send(
    new CreateSecurityGroupCommand({
      GroupName: tag,
      Description: 'of the contract',
      TagSpecifications: [{ ResourceType: 'security-group', Tags: [{ Key: 'stack', Value: tag }] }],
    }),
  );
  return { GroupId, tag };
}

const tcp = (...cidrs: readonly string[]): IpPermission => ({
  IpProtocol: 'tcp',
  FromPort: 2378,
  ToPort: 2380,
  IpRanges: cidrs.map((CidrIp) => ({ CidrIp, Description: `etcd-appliance: ${CidrIp}` })),
});

async function authorize({ ec2 }: Subject, GroupId: string, permission: IpPermission) {
  const input = { GroupId, IpPermissions: [permission] };
  return (await ec2.send(new AuthorizeSecurityGroupIngressCommand(input))).SecurityGroupRules ?? [];
}

/** The rules for what comes in. */
async function rulesOf({ ec2 }: Subject, GroupId: string): Promise<readonly SecurityGroupRule[]> {
  const Filters = [{ Name: 'group-id', Values: [GroupId] }];
  const { SecurityGroupRules } = await ec2.send(new DescribeSecurityGroupRulesCommand({ Filters }));
  return (SecurityGroupRules ?? []).filter(({ IsEgress }) => IsEgress === false);
}

const cidrs = (rules: readonly SecurityGroupRule[]) => rules.map(({ CidrIpv4 }) => CidrIpv4).toSorted();

/** What EC2 does about security groups, each as its documentation says, by name. */
export const SECURITY_GROUPS: Readonly<Record<string, (aws: Subject) => Promise<void>>> = {
  'a security group is found by its tag, and by a filter for its id': async (aws) => {
    const { GroupId, tag } = await makeGroup(aws);
    for (const filter of [
      { Name: 'tag:stack', Values: [tag] },
      { Name: 'group-id', Values: [GroupId] },
    ]) {
      const command = new DescribeSecurityGroupsCommand({ Filters: [filter] });
      const { SecurityGroups } = await aws.ec2.send(command);
      expect(SecurityGroups).toMatchObject([{ GroupId, GroupName: tag, IpPermissions: [] }]);
    }
  },
  'an unknown security group is InvalidGroup.NotFound': async (aws) => {
    const GroupIds = ['sg-00000000000000000'];
    const call = aws.ec2.send(new DescribeSecurityGroupsCommand({ GroupIds }));
    await expect(call).rejects.toMatchObject({ name: 'InvalidGroup.NotFound' });
  },
  'a rule comes back with an id, its ports, its range and its description': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    const made = await authorize(aws, GroupId, tcp('198.51.100.1/32'));
    const expected = {
      SecurityGroupRuleId: expect.stringMatching(/^sgr-/),
      GroupId,
      IpProtocol: 'tcp',
      FromPort: 2378,
      ToPort: 2380,
      CidrIpv4: '198.51.100.1/32',
      Description: 'etcd-appliance: 198.51.100.1/32',
    };
    expect(made).toMatchObject([expected]);
    expect(await rulesOf(aws, GroupId)).toMatchObject([
      { ...expected, SecurityGroupRuleId: made[0]?.SecurityGroupRuleId },
    ]);
  },
  'rules of the same ports are shown together in their group, each with its description': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    await authorize(aws, GroupId, tcp('198.51.100.1/32'));
    await authorize(aws, GroupId, tcp('198.51.100.2/32'));
    const command = new DescribeSecurityGroupsCommand({ GroupIds: [GroupId] });
    const { SecurityGroups } = await aws.ec2.send(command);
    const permissions = SecurityGroups?.[0]?.IpPermissions ?? [];
    expect(permissions).toMatchObject([{ IpProtocol: 'tcp', FromPort: 2378, ToPort: 2380 }]);
    expect(permissions[0]?.IpRanges).toEqual(tcp('198.51.100.1/32', '198.51.100.2/32').IpRanges);
  },
  'a rule that is there is InvalidPermission.Duplicate': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    await authorize(aws, GroupId, tcp('198.51.100.1/32'));
    const again = authorize(aws, GroupId, tcp('198.51.100.1/32'));
    await expect(again).rejects.toMatchObject({ name: 'InvalidPermission.Duplicate' });
  },
  'a rule that is there but for its description is InvalidPermission.Duplicate': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    await authorize(aws, GroupId, tcp('198.51.100.1/32'));
    const other = { ...tcp(), IpRanges: [{ CidrIp: '198.51.100.1/32', Description: 'another' }] };
    const again = authorize(aws, GroupId, other);
    await expect(again).rejects.toMatchObject({ name: 'InvalidPermission.Duplicate' });
  },
  'of a request with one duplicate no rule is added': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    await authorize(aws, GroupId, tcp('198.51.100.1/32'));
    const both = authorize(aws, GroupId, tcp('198.51.100.2/32', '198.51.100.1/32'));
    await expect(both).rejects.toMatchObject({ name: 'InvalidPermission.Duplicate' });
    expect(cidrs(await rulesOf(aws, GroupId))).toEqual(['198.51.100.1/32']);
  },
  'a rule is removed by its id, and no other with it': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    const [first] = await authorize(aws, GroupId, tcp('198.51.100.1/32', '198.51.100.2/32'));
    const SecurityGroupRuleIds = [first?.SecurityGroupRuleId ?? ''];
    await aws.ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, SecurityGroupRuleIds }));
    expect(await rulesOf(aws, GroupId)).toHaveLength(1);
    expect(cidrs(await rulesOf(aws, GroupId))).not.toContain(first?.CidrIpv4);
  },
  'removing a rule by an unknown id is InvalidSecurityGroupRuleId.NotFound': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    const SecurityGroupRuleIds = ['sgr-00000000000000000'];
    const call = aws.ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, SecurityGroupRuleIds }));
    await expect(call).rejects.toMatchObject({ name: 'InvalidSecurityGroupRuleId.NotFound' });
  },
  'a rule is removed by what it permits, whatever its description': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    await authorize(aws, GroupId, tcp('198.51.100.1/32', '198.51.100.2/32'));
    const bare = { ...tcp(), IpRanges: [{ CidrIp: '198.51.100.1/32' }] };
    await aws.ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId, IpPermissions: [bare] }));
    expect(cidrs(await rulesOf(aws, GroupId))).toEqual(['198.51.100.2/32']);
  },
  'removing what no rule permits is InvalidPermission.NotFound': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    const input = { GroupId, IpPermissions: [tcp('198.51.100.1/32')] };
    const call = aws.ec2.send(new RevokeSecurityGroupIngressCommand(input));
    await expect(call).rejects.toMatchObject({ name: 'InvalidPermission.NotFound' });
  },
  'the instances of a group may be let in, by the id of the group': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    const peers = { ...tcp(), IpRanges: [], UserIdGroupPairs: [{ GroupId }] };
    await authorize(aws, GroupId, peers);
    expect((await rulesOf(aws, GroupId))[0]?.ReferencedGroupInfo).toMatchObject({ GroupId });
  },
  'a malformed address range is refused': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    const call = authorize(aws, GroupId, tcp('198.51.100.256/32'));
    await expect(call).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  },
  'a description of forbidden characters is refused': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    const odd = { ...tcp(), IpRanges: [{ CidrIp: '198.51.100.1/32', Description: 'a "quote"' }] };
    await expect(authorize(aws, GroupId, odd)).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  },
  'a security group takes 60 rules and no more': async (aws) => {
    const { GroupId } = await makeGroup(aws);
    const many = Array.from({ length: 60 }, (_, host) => `198.51.100.${host}/32`);
    await authorize(aws, GroupId, tcp(...many));
    const more = authorize(aws, GroupId, tcp('192.0.2.1/32'));
    await expect(more).rejects.toMatchObject({ name: 'RulesPerSecurityGroupLimitExceeded' });
  },
};
