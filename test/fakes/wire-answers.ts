import type { WireAnswer } from './wire-server.ts';

/** An instance as test answers describe it. */
export interface WireInstance {
  readonly id: string;
  readonly state?: string;
  readonly address?: string | null;
  readonly publicAddress?: string;
  /** Id of the one that it is in. */
  readonly securityGroup?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** EC2's DescribeInstances. */
export function ec2Answer(instances: readonly WireInstance[], nextToken = ''): WireAnswer {
  const items = instances.map(
    ({
      id,
      state = 'running',
      address = '10.0.0.1',
      publicAddress,
      securityGroup = 'sg-0',
      tags = {},
    }) => `<item><instancesSet><item>
      <instanceId>${id}</instanceId><instanceState><code>16</code><name>${state}</name></instanceState>
      ${address === null ? '' : `<privateIpAddress>${address}</privateIpAddress>`}
      ${publicAddress === undefined ? '' : `<ipAddress>${publicAddress}</ipAddress>`}
      <groupSet><item><groupId>${securityGroup}</groupId></item></groupSet>
      <tagSet>${Object.entries(tags)
        .map(([key, value]) => `<item><key>${key}</key><value>${value}</value></item>`)
        .join('')}</tagSet>
    </item></instancesSet></item>`,
  );
  const next = nextToken === '' ? '' : `<nextToken>${nextToken}</nextToken>`;
  return {
    body: `<?xml version="1.0"?><DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
      <requestId>r</requestId><reservationSet>${items.join('')}</reservationSet>${next}</DescribeInstancesResponse>`,
  };
}

/** A group as test answers describe it: `instances` maps an id to its lifecycle state. */
export interface WireGroup {
  readonly name: string;
  readonly desired: number;
  readonly stack?: string;
  readonly instances: Readonly<Record<string, string>>;
}

/** Auto Scaling's DescribeAutoScalingGroups. */
export function groupsAnswer(groups: readonly WireGroup[], nextToken = ''): WireAnswer {
  const members = groups.map(
    ({ name, desired, stack, instances }) => `<member>
      <AutoScalingGroupName>${name}</AutoScalingGroupName><AutoScalingGroupARN>arn:${name}</AutoScalingGroupARN>
      <MinSize>0</MinSize><MaxSize>9</MaxSize><DesiredCapacity>${desired}</DesiredCapacity>
      <Tags>${stack === undefined ? '' : `<member><Key>aws:cloudformation:stack-name</Key><Value>${stack}</Value></member>`}</Tags>
      <Instances>${Object.entries(instances)
        .map(
          ([
            id,
            lifecycle,
          ]) => `<member><InstanceId>${id}</InstanceId><AvailabilityZone>eu-central-1a</AvailabilityZone>
          <LifecycleState>${lifecycle}</LifecycleState><HealthStatus>Healthy</HealthStatus></member>`,
        )
        .join('')}</Instances></member>`,
  );
  const next = nextToken === '' ? '' : `<NextToken>${nextToken}</NextToken>`;
  return autoScalingAnswer(
    'DescribeAutoScalingGroups',
    `<AutoScalingGroups>${members.join('')}</AutoScalingGroups>${next}`,
  );
}

/** Any answer of Auto Scaling. */
export function autoScalingAnswer(action: string, result: string): WireAnswer {
  return {
    body: `<${action}Response xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/"><${action}Result>${result}</${action}Result>
      <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></${action}Response>`,
  };
}

/** A security group as test answers describe it; `permissions` is the XML of its rules. */
export interface WireSecurityGroup {
  readonly id: string;
  readonly stack?: string;
  readonly permissions?: string;
}

/** EC2's DescribeSecurityGroups. */
export function securityGroupsAnswer(groups: readonly WireSecurityGroup[], nextToken = ''): WireAnswer {
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

/** A rule for securityGroupsAnswer: `ranges` maps a CIDR block to its description, empty for none. */
export function wirePermission(
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

/** EC2's word that it did what this action asks. */
export function ec2Done(action: string): WireAnswer {
  return {
    body: `<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><return>true</return></${action}Response>`,
  };
}

/** An error as EC2 words it. */
export function ec2Error(status: number, code: string): WireAnswer {
  return {
    status,
    body: `<Response><Errors><Error><Code>${code}</Code><Message>no</Message></Error></Errors><RequestID>r</RequestID></Response>`,
  };
}

/** An error as Auto Scaling and Route 53 word it. */
export function queryError(status: number, code: string, message = 'no'): WireAnswer {
  return {
    status,
    body: `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
  };
}

/** A record set as test answers describe it. */
export interface WireRecord {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number;
  readonly values: readonly string[];
  readonly setIdentifier?: string;
}

/** Route 53's ListResourceRecordSets; `next` is the name that a further page begins with. */
export function recordsAnswer(
  records: readonly WireRecord[],
  next?: { name: string; type: string },
): WireAnswer {
  const sets = records.map(
    ({
      name,
      type,
      ttl = 60,
      values,
      setIdentifier,
    }) => `<ResourceRecordSet><Name>${name}</Name><Type>${type}</Type>
      ${setIdentifier === undefined ? '' : `<SetIdentifier>${setIdentifier}</SetIdentifier><Weight>1</Weight>`}
      <TTL>${ttl}</TTL><ResourceRecords>${values
        .map((value) => `<ResourceRecord><Value>${value}</Value></ResourceRecord>`)
        .join('')}</ResourceRecords></ResourceRecordSet>`,
  );
  const cut =
    next === undefined
      ? '<IsTruncated>false</IsTruncated>'
      : `<IsTruncated>true</IsTruncated><NextRecordName>${next.name}</NextRecordName><NextRecordType>${next.type}</NextRecordType>`;
  return route53Answer(
    'ListResourceRecordSetsResponse',
    `<ResourceRecordSets>${sets.join('')}</ResourceRecordSets>${cut}<MaxItems>300</MaxItems>`,
  );
}

/** Route 53's ListHostedZonesByName. */
export function zonesAnswer(zones: readonly { id: string; name: string; private?: boolean }[]): WireAnswer {
  const items = zones.map((zone) => hostedZone(zone));
  return route53Answer(
    'ListHostedZonesByNameResponse',
    `<HostedZones>${items.join('')}</HostedZones><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems>`,
  );
}

/** Route 53's GetHostedZone. */
export function zoneAnswer(zone: { id: string; name: string; private?: boolean }): WireAnswer {
  return route53Answer('GetHostedZoneResponse', hostedZone(zone));
}

/** Route 53's word for a change that it took. */
export const CHANGE_TAKEN: WireAnswer = route53Answer(
  'ChangeResourceRecordSetsResponse',
  '<ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo>',
);

function hostedZone(zone: { id: string; name: string; private?: boolean }): string {
  return `<HostedZone><Id>/hostedzone/${zone.id}</Id><Name>${zone.name}</Name><CallerReference>c</CallerReference>
    <Config><PrivateZone>${String(zone.private === true)}</PrivateZone></Config></HostedZone>`;
}

function route53Answer(element: string, content: string): WireAnswer {
  return {
    body: `<?xml version="1.0"?><${element} xmlns="https://route53.amazonaws.com/doc/2013-04-01/">${content}</${element}>`,
  };
}
