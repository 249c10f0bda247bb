import { describe, expect, test } from 'vitest';
import { createFirewall } from '../../src/aws/firewall.ts';
import type { IngressRule } from '../../src/core/plan-firewall.ts';
import { ec2Answer, ec2Error } from '../fakes/wire-answers.ts';
import { wireAwsForTest } from '../fakes/wire-aws.ts';
import type { WireAnswer, WireRequest } from '../fakes/wire-server.ts';

const never = new AbortController().signal;
const REGION = 'eu-west-1';

interface WireGroup {
  readonly id: string;
  readonly stack?: string;
  readonly permissions?: string;
}

/** EC2's DescribeSecurityGroups. */
function groupsAnswer(groups: readonly WireGroup[], nextToken = ''): WireAnswer {
  const items = groups.map(
    ({ id, stack = 'etcd-demo', permissions = '' }) => `<item><groupId>${id}</groupId>
      <ipPermissions>${permissions}</ipPermissions>
      <tagSet><item><key>aws:cloudformation:stack-name</key><value>${stack}</value></item></tagSet></item>`,
  );
  return {
    body: `<?xml version="1.0"?><DescribeSecurityGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
      <requestId>r</requestId><securityGroupInfo>${items.join('')}</securityGroupInfo>
      ${nextToken === '' ? '' : `<nextToken>${nextToken}</nextToken>`}</DescribeSecurityGroupsResponse>`,
  };
}

function permission(
  protocol: string,
  from: number,
  to: number,
  ranges: Readonly<Record<string, string>>,
): string {
  const listed = Object.entries(ranges).map(
    ([cidr, words]) =>
      `<item><cidrIp>${cidr}</cidrIp>${words === '' ? '' : `<description>${words}</description>`}</item>`,
  );
  return `<item><ipProtocol>${protocol}</ipProtocol><fromPort>${from}</fromPort><toPort>${to}</toPort>
    <groups/><ipRanges>${listed.join('')}</ipRanges><ipv6Ranges/><prefixListIds/></item>`;
}

function done(action: string): WireAnswer {
  return {
    body: `<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><return>true</return></${action}Response>`,
  };
}

async function firewallOf(answer: (request: WireRequest, earlier: number) => WireAnswer) {
  const { clients, server } = await wireAwsForTest(answer);
  return { firewall: createFirewall('etcd-demo', clients), server };
}

function rule(address: string): IngressRule {
  return { from: 2378, to: 2380, address, description: `for ${address}` };
}

describe('the group of a region', () => {
  test('is the one of the stack, with its rules for single addresses', async () => {
    const { firewall, server } = await firewallOf(() =>
      groupsAnswer([
        {
          id: 'sg-1',
          permissions:
            permission('tcp', 2378, 2380, {
              '10.1.0.1/32': 'one',
              '10.1.0.2/32': '',
              '10.2.0.0/16': 'many',
            }) +
            permission('udp', 2378, 2380, { '10.1.0.3/32': 'udp' }) +
            permission('tcp', 2379, 2379, { '10.1.0.4/32': 'four' }),
        },
        { id: 'sg-0', stack: 'etcd-demo-2' },
      ]),
    );
    expect(await firewall.group(REGION, [], never)).toEqual({
      known: true,
      value: {
        id: 'sg-1',
        rules: [
          { from: 2378, to: 2380, address: '10.1.0.1', description: 'one' },
          { from: 2378, to: 2380, address: '10.1.0.2', description: '' },
          { from: 2379, to: 2379, address: '10.1.0.4', description: 'four' },
        ],
      },
    });
    const [request] = server.requests;
    expect(request?.region).toBe(REGION);
    expect(Object.fromEntries(request?.params ?? [])).toMatchObject({
      Action: 'DescribeSecurityGroups',
      'Filter.1.Name': 'tag:aws:cloudformation:stack-name',
      'Filter.1.Value.1': 'etcd-demo',
    });
  });

  test('is none where the stack has none, and unknown where EC2 does not say', async () => {
    const none = await firewallOf(() => groupsAnswer([]));
    expect(await none.firewall.group(REGION, [], never)).toEqual({ known: true, value: null });
    const silent = await firewallOf(() => ec2Error(400, 'UnauthorizedOperation'));
    expect(await silent.firewall.group(REGION, [], never)).toMatchObject({
      known: false,
      reason: expect.stringContaining('UnauthorizedOperation') as string,
    });
  });

  test('is looked for on every page', async () => {
    const { firewall } = await firewallOf(({ params }) =>
      params.get('NextToken') === 'more' ? groupsAnswer([{ id: 'sg-2' }]) : groupsAnswer([], 'more'),
    );
    expect(await firewall.group(REGION, [], never)).toMatchObject({ value: { id: 'sg-2' } });
  });

  test.each([
    { used: 'sg-2', found: { id: 'sg-2' } },
    { used: 'sg-9', found: null },
  ])('is of several the one that the instances are in: $used', async ({ used, found }) => {
    const { firewall } = await firewallOf(({ params }) =>
      params.get('Action') === 'DescribeInstances'
        ? ec2Answer([{ id: 'i-1', securityGroup: used }])
        : groupsAnswer([{ id: 'sg-2' }, { id: 'sg-1' }]),
    );
    const group = await firewall.group(REGION, ['i-1'], never);
    expect(group.known && group.value).toEqual(found === null ? null : { ...found, rules: [] });
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
    const { outcome, requests } = await change(() => done(action));
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

  test('sends them one by one where one of them is so already', async () => {
    const sent: string[] = [];
    const { outcome } = await change(({ params }) => {
      const addresses = [...params].flatMap(([key, value]) => (key.endsWith('CidrIp') ? [value] : []));
      sent.push(addresses.join());
      return addresses.includes('10.1.0.1/32') ? ec2Error(400, fine) : done(action);
    });
    expect(outcome).toEqual({ kind: 'done' });
    expect(sent).toEqual(['10.1.0.1/32,10.1.0.2/32', '10.1.0.1/32', '10.1.0.2/32']);
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
    const { firewall, server } = await firewallOf(() => done(action));
    expect(await firewall[kind](REGION, 'sg-1', [], never)).toEqual({ kind: 'done' });
    expect(server.requests).toEqual([]);
  });
});
