import { describe, expect, test } from 'vitest';
import { createFirewall } from '../../src/aws/firewall.ts';
import type { IngressRule } from '../../src/core/plan-firewall.ts';
import { ec2Answer, ec2Done, ec2Error, securityGroupsAnswer, wirePermission } from '../fakes/wire-answers.ts';
import type { WireSecurityGroup } from '../fakes/wire-answers.ts';
import { wireAwsForTest } from '../fakes/wire-aws.ts';
import type { WireAnswer, WireRequest } from '../fakes/wire-server.ts';

const never = new AbortController().signal;
const REGION = 'eu-west-1';

async function firewallOf(answer: (request: WireRequest, earlier: number) => WireAnswer) {
  const { clients, server } = await wireAwsForTest(answer);
  return { firewall: createFirewall('etcd-demo', clients), server };
}

function rule(address: string): IngressRule {
  return { from: 2378, to: 2380, address, description: `for ${address}` };
}

/** EC2, where these groups stand, and each of these instances is in the group that it is given. */
function ec2Of(groups: readonly WireSecurityGroup[], instances: Readonly<Record<string, string>>) {
  const described = Object.entries(instances).map(([id, securityGroup]) => ({ id, securityGroup }));
  return ({ params }: WireRequest): WireAnswer =>
    params.get('Action') === 'DescribeInstances' ? ec2Answer(described) : securityGroupsAnswer(groups);
}

describe('the groups of a region', () => {
  test('are those of the stack, with their rules for single addresses', async () => {
    const permissions =
      wirePermission('tcp', 2378, 2380, { '10.1.0.1/32': 'one', '10.1.0.2/32': '', '10.2.0.0/16': 'many' }) +
      wirePermission('udp', 2378, 2380, { '10.1.0.3/32': 'udp' }) +
      wirePermission('tcp', 2379, 2379, { '10.1.0.4/32': 'four' });
    const { firewall, server } = await firewallOf(
      ec2Of(
        [
          { id: 'sg-1', permissions },
          { id: 'sg-0', stack: 'etcd-demo-2' },
        ],
        { 'i-1': 'sg-1', 'i-2': 'sg-0' },
      ),
    );
    expect(await firewall.groups(REGION, ['i-1', 'i-2'], never)).toEqual({
      known: true,
      value: [
        {
          id: 'sg-1',
          rules: [
            { from: 2378, to: 2380, address: '10.1.0.1', description: 'one' },
            { from: 2378, to: 2380, address: '10.1.0.2', description: '' },
            { from: 2379, to: 2379, address: '10.1.0.4', description: 'four' },
          ],
        },
      ],
    });
    expect(server.requests.map((it) => it.region)).toEqual([REGION, REGION]);
    const question = server.requests.find((it) => it.params.get('Action') === 'DescribeSecurityGroups');
    expect(Object.fromEntries(question?.params ?? [])).toMatchObject({
      'Filter.1.Name': 'tag:aws:cloudformation:stack-name',
      'Filter.1.Value.1': 'etcd-demo',
    });
  });

  test.each([
    { name: 'the one that they are in', instances: { 'i-1': 'sg-2', 'i-2': 'sg-2' }, found: ['sg-2'] },
    {
      name: 'both in the middle of a roll',
      instances: { 'i-1': 'sg-2', 'i-2': 'sg-1' },
      found: ['sg-1', 'sg-2'],
    },
    { name: 'none where they are in another', instances: { 'i-1': 'sg-9', 'i-2': 'sg-9' }, found: [] },
  ])('are of several $name', async ({ instances, found }) => {
    const { firewall } = await firewallOf(ec2Of([{ id: 'sg-1' }, { id: 'sg-2' }, { id: 'sg-3' }], instances));
    const groups = await firewall.groups(REGION, ['i-1', 'i-2'], never);
    expect(groups).toEqual({ known: true, value: found.map((id) => ({ id, rules: [] })) });
  });

  test('are none where the one of the stack is in use by nobody', async () => {
    const { firewall } = await firewallOf(ec2Of([{ id: 'sg-1' }], { 'i-1': 'sg-9' }));
    expect(await firewall.groups(REGION, ['i-1'], never)).toEqual({ known: true, value: [] });
  });

  test.each([{ shown: {} }, { shown: { 'i-1': 'sg-1' } }])(
    'are unknown where EC2 does not show each instance, as of i-1 and i-2 $shown',
    async ({ shown }) => {
      const { firewall } = await firewallOf(ec2Of([{ id: 'sg-1' }], shown));
      expect(await firewall.groups(REGION, ['i-1', 'i-2'], never)).toMatchObject({ known: false });
    },
  );

  test.each(['DescribeSecurityGroups', 'DescribeInstances'])(
    'are unknown where %s is refused',
    async (refused) => {
      const all = ec2Of([{ id: 'sg-1' }], { 'i-1': 'sg-1' });
      const { firewall } = await firewallOf((request) =>
        request.params.get('Action') === refused ? ec2Error(400, 'UnauthorizedOperation') : all(request),
      );
      expect(await firewall.groups(REGION, ['i-1'], never)).toMatchObject({
        known: false,
        reason: expect.stringContaining('UnauthorizedOperation') as string,
      });
    },
  );

  test('are looked for on every page', async () => {
    const all = ec2Of([{ id: 'sg-2' }], { 'i-1': 'sg-2' });
    const { firewall } = await firewallOf((request) => {
      const isFirst =
        request.params.get('Action') === 'DescribeSecurityGroups' && !request.params.has('NextToken');
      return isFirst ? securityGroupsAnswer([], 'more') : all(request);
    });
    expect(await firewall.groups(REGION, ['i-1'], never)).toMatchObject({ value: [{ id: 'sg-2' }] });
  });

  test('are not asked for where there are no instances', async () => {
    const { firewall, server } = await firewallOf(() => securityGroupsAnswer([{ id: 'sg-1' }]));
    expect(await firewall.groups(REGION, [], never)).toEqual({ known: true, value: [] });
    expect(server.requests).toEqual([]);
  });
});

describe.each([
  { kind: 'open', action: 'AuthorizeSecurityGroupIngress', fine: 'InvalidPermission.Duplicate' },
  { kind: 'close', action: 'RevokeSecurityGroupIngress', fine: 'InvalidPermission.NotFound' },
] as const)('to $kind', ({ kind, action, fine }) => {
  const change = async (answer: (request: WireRequest, earlier: number) => WireAnswer) => {
    const { firewall, server } = await firewallOf(answer);
    const outcome = await firewall[kind](REGION, 'sg-1', [rule('10.1.0.1'), rule('10.1.0.2')], never);
    return { outcome, requests: server.requests };
  };

  test('sends all rules at once', async () => {
    const { outcome, requests } = await change(() => ec2Done(action));
    expect(outcome).toEqual({ kind: 'done' });
    expect(requests).toHaveLength(1);
    const params = Object.fromEntries(requests[0]?.params ?? []);
    expect(params).toMatchObject({
      Action: action,
      GroupId: 'sg-1',
      'IpPermissions.1.IpProtocol': 'tcp',
      'IpPermissions.1.FromPort': '2378',
      'IpPermissions.1.ToPort': '2380',
      'IpPermissions.1.IpRanges.1.CidrIp': '10.1.0.1/32',
      'IpPermissions.2.IpRanges.1.CidrIp': '10.1.0.2/32',
    });
    expect(params['IpPermissions.1.IpRanges.1.Description']).toBe(
      kind === 'open' ? 'for 10.1.0.1' : undefined,
    );
  });

  test('is done where the only rule is so already', async () => {
    const { firewall, server } = await firewallOf(() => ec2Error(400, fine));
    expect(await firewall[kind](REGION, 'sg-1', [rule('10.1.0.1')], never)).toEqual({ kind: 'done' });
    expect(server.requests).toHaveLength(1);
  });

  test.each([
    { status: 400, code: 'RulesPerSecurityGroupLimitExceeded', outcome: 'full' },
    { status: 403, code: 'UnauthorizedOperation', outcome: 'refused' },
    { status: 400, code: 'InvalidGroup.NotFound', outcome: 'refused' },
    { status: 500, code: 'InternalError', outcome: 'unknown' },
  ])('is $outcome where EC2 says $code', async ({ status, code, outcome: kindOf }) => {
    const { outcome } = await change(() => ec2Error(status, code));
    expect(outcome).toMatchObject({ kind: kindOf, message: expect.stringContaining(code) as string });
  });

  test('asks nothing where there is nothing to do', async () => {
    const { firewall, server } = await firewallOf(() => ec2Done(action));
    expect(await firewall[kind](REGION, 'sg-1', [], never)).toEqual({ kind: 'done' });
    expect(server.requests).toEqual([]);
  });
});

describe('where one of several rules is so already', () => {
  const change = async (kind: 'open' | 'close', fine: string, action: string) => {
    const sent: string[] = [];
    const { firewall } = await firewallOf(({ params }) => {
      const addresses = [...params].flatMap(([key, value]) => (key.endsWith('CidrIp') ? [value] : []));
      sent.push(addresses.join());
      return addresses.includes('10.1.0.1/32') ? ec2Error(400, fine) : ec2Done(action);
    });
    const outcome = await firewall[kind](REGION, 'sg-1', [rule('10.1.0.1'), rule('10.1.0.2')], never);
    return { outcome, sent };
  };

  test('they are opened one by one: that does no harm, however late', async () => {
    expect(await change('open', 'InvalidPermission.Duplicate', 'AuthorizeSecurityGroupIngress')).toEqual({
      outcome: { kind: 'done' },
      sent: ['10.1.0.1/32,10.1.0.2/32', '10.1.0.1/32', '10.1.0.2/32'],
    });
  });

  test('none is closed, in one call: each needs its own look at the lock', async () => {
    expect(await change('close', 'InvalidPermission.NotFound', 'RevokeSecurityGroupIngress')).toEqual({
      outcome: { kind: 'stale', message: expect.stringContaining('InvalidPermission.NotFound') as string },
      sent: ['10.1.0.1/32,10.1.0.2/32'],
    });
  });
});
