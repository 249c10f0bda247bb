import {
  CancelInstanceRefreshCommand,
  CompleteLifecycleActionCommand,
  CreateAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
  DescribeAutoScalingInstancesCommand,
  DescribeInstanceRefreshesCommand,
  DescribeLifecycleHooksCommand,
  PutLifecycleHookCommand,
  RecordLifecycleActionHeartbeatCommand,
  SetDesiredCapacityCommand,
  SetInstanceHealthCommand,
  StartInstanceRefreshCommand,
  TerminateInstanceInAutoScalingGroupCommand,
  UpdateAutoScalingGroupCommand,
  paginateDescribeAutoScalingGroups,
  type AutoScalingClient,
  type AutoScalingGroup,
} from '@aws-sdk/client-auto-scaling';
import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  TerminateInstancesCommand,
  paginateDescribeInstances,
  type EC2Client,
  type Instance,
} from '@aws-sdk/client-ec2';
import {
  ChangeResourceRecordSetsCommand,
  CreateHostedZoneCommand,
  GetChangeCommand,
  GetHostedZoneCommand,
  ListHostedZonesByNameCommand,
  ListResourceRecordSetsCommand,
  type Change,
  type ChangeAction,
  type ListResourceRecordSetsCommandOutput,
  type RRType,
  type ResourceRecordSet,
  type Route53Client,
} from '@aws-sdk/client-route-53';
import { expect } from 'vitest';
import { eventually } from '../tools.ts';
import { SECURITY_GROUPS } from './security-group-contract.ts';

/** Something that speaks as AWS does, and what a group needs there that AWS has other services for. */
export interface AwsSubject {
  readonly ec2: EC2Client;
  readonly autoScaling: AutoScalingClient;
  readonly route53: Route53Client;
  /** What its state machines may take; one that never gets there must not hold the suite up. */
  readonly settleMs: number;
  /** An existing launch template and the subnets of three zones. */
  readonly launch: { readonly template: string; readonly subnets: string };
}

type Behaviour = (aws: AwsSubject) => Promise<void>;

let names = 0;

/** A name that no other behaviour uses. */
function fresh(prefix: string): string {
  names += 1;
  return `${prefix}-${String(names)}`;
}

async function makeGroup(
  aws: AwsSubject,
  desired: number,
  tag?: { readonly key: string; readonly value: string },
): Promise<string> {
  const AutoScalingGroupName = fresh('group');
  await aws.autoScaling.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName,
      MinSize: 1,
      MaxSize: 6,
      DesiredCapacity: desired,
      LaunchTemplate: { LaunchTemplateName: aws.launch.template, Version: '1' },
      VPCZoneIdentifier: aws.launch.subnets,
      ...(tag === undefined ? {} : { Tags: [{ Key: tag.key, Value: tag.value, PropagateAtLaunch: true }] }),
    }),
  );
  await serving(aws, AutoScalingGroupName, desired);
  return AutoScalingGroupName;
}

async function groupOf(aws: AwsSubject, name: string): Promise<AutoScalingGroup | undefined> {
  const command = new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [name] });
  return (await aws.autoScaling.send(command)).AutoScalingGroups?.[0];
}

/** Asks until there is an answer. */
async function answered<T>(aws: AwsSubject, ask: () => Promise<T | undefined>): Promise<T> {
  let answer: T | undefined;
  await eventually(async () => {
    answer = await ask();
    return answer !== undefined;
  }, aws.settleMs);
  if (answer === undefined) throw new Error('no answer');
  return answer;
}

/** Waits until exactly so many members are InService and nothing else is there; gives their ids. */
async function serving(
  aws: AwsSubject,
  name: string,
  count: number,
  without: readonly string[] = [],
): Promise<readonly string[]> {
  return answered(aws, async () => {
    const members = (await groupOf(aws, name))?.Instances ?? [];
    const ids = members.map((it) => it.InstanceId ?? '');
    const right =
      members.every((it) => it.LifecycleState === 'InService') && !ids.some((id) => without.includes(id));
    return right && ids.length === count ? ids : undefined;
  });
}

async function instances(aws: AwsSubject, input: object): Promise<readonly Instance[]> {
  const { Reservations } = await aws.ec2.send(new DescribeInstancesCommand(input));
  return (Reservations ?? []).flatMap((it) => it.Instances ?? []);
}

const byId = (...ids: readonly string[]) => ({ Filters: [{ Name: 'instance-id', Values: [...ids] }] });
const UNKNOWN_ID = 'i-0123456789abcdef0';

const GROUPS: Readonly<Record<string, Behaviour>> = {
  'a group launches its members, and EC2 describes them with addresses and the group as a tag': async (
    aws,
  ) => {
    const name = await makeGroup(aws, 3);
    const ids = await serving(aws, name, 3);
    const found = await instances(aws, {
      Filters: [{ Name: 'tag:aws:autoscaling:groupName', Values: [name] }],
    });
    expect(found.map((it) => it.InstanceId).toSorted()).toEqual(ids.toSorted());
    expect(found.every((it) => it.State?.Name === 'running' && it.PrivateIpAddress !== undefined)).toBe(true);
    expect(new Set(found.map((it) => it.PrivateIpAddress)).size).toBe(3);
  },
  'the members of a group are spread over its zones': async (aws) => {
    const name = await makeGroup(aws, 3);
    const zones = (await groupOf(aws, name))?.Instances?.map((it) => it.AvailabilityZone);
    expect(new Set(zones).size).toBe(3);
  },
  'DescribeInstances comes in pages': async (aws) => {
    const ids = await serving(aws, await makeGroup(aws, 6), 6);
    const found: string[] = [];
    let pages = 0;
    for await (const page of paginateDescribeInstances({ client: aws.ec2, pageSize: 5 }, {})) {
      pages += 1;
      found.push(
        ...(page.Reservations ?? []).flatMap((it) => (it.Instances ?? []).map((one) => one.InstanceId ?? '')),
      );
    }
    expect(pages).toBeGreaterThan(1);
    expect(new Set(found).size).toBe(found.length);
    expect(found).toEqual(expect.arrayContaining([...ids]));
  },
  'describing by ids fails as a whole where one is unknown; filtering by id does not': async (aws) => {
    const [id = ''] = await serving(aws, await makeGroup(aws, 1), 1);
    await expect(instances(aws, { InstanceIds: [id, UNKNOWN_ID] })).rejects.toMatchObject({
      name: 'InvalidInstanceID.NotFound',
    });
    expect(await instances(aws, byId(id, UNKNOWN_ID))).toHaveLength(1);
  },
  'a user cannot set tags of the prefix aws:': async (aws) => {
    const [id = ''] = await serving(aws, await makeGroup(aws, 1), 1);
    const tag = (Key: string) =>
      aws.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key, Value: 'v' }] }));
    await tag('mine');
    expect((await instances(aws, byId(id)))[0]?.Tags).toContainEqual({ Key: 'mine', Value: 'v' });
    await expect(tag('aws:mine')).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  },
  'the group of an unknown name is no group, not an error': async (aws) => {
    expect(await groupOf(aws, 'no-such-group')).toBeUndefined();
  },
  'a group grows and shrinks with its desired capacity': async (aws) => {
    const name = await makeGroup(aws, 1);
    const desire = (DesiredCapacity: number) =>
      aws.autoScaling.send(new SetDesiredCapacityCommand({ AutoScalingGroupName: name, DesiredCapacity }));
    await desire(3);
    await serving(aws, name, 3);
    await desire(2);
    await serving(aws, name, 2);
  },
  'a desired capacity outside of the bounds is refused': async (aws) => {
    const AutoScalingGroupName = await makeGroup(aws, 1);
    const call = aws.autoScaling.send(
      new SetDesiredCapacityCommand({ AutoScalingGroupName, DesiredCapacity: 7 }),
    );
    await expect(call).rejects.toMatchObject({ name: 'ValidationError' });
  },
  'raising the minimum raises the desired capacity': async (aws) => {
    const AutoScalingGroupName = await makeGroup(aws, 1);
    await aws.autoScaling.send(new UpdateAutoScalingGroupCommand({ AutoScalingGroupName, MinSize: 2 }));
    await serving(aws, AutoScalingGroupName, 2);
    expect((await groupOf(aws, AutoScalingGroupName))?.DesiredCapacity).toBe(2);
  },
  'an instance that EC2 terminated is described as that, and replaced': async (aws) => {
    const name = await makeGroup(aws, 2);
    const [gone = ''] = await serving(aws, name, 2);
    await aws.ec2.send(new TerminateInstancesCommand({ InstanceIds: [gone] }));
    await serving(aws, name, 2, [gone]);
    await eventually(async () => (await instances(aws, byId(gone)))[0]?.State?.Name === 'terminated');
  },
  'a terminated instance is described without an address': async (aws) => {
    const name = await makeGroup(aws, 2);
    const [gone = ''] = await serving(aws, name, 2);
    await aws.ec2.send(new TerminateInstancesCommand({ InstanceIds: [gone] }));
    await eventually(async () => (await instances(aws, byId(gone)))[0]?.State?.Name === 'terminated');
    expect((await instances(aws, byId(gone)))[0]?.PrivateIpAddress).toBeUndefined();
  },
  'a group terminates a member, replacing it or shrinking': async (aws) => {
    const name = await makeGroup(aws, 2);
    const end = (InstanceId: string, ShouldDecrementDesiredCapacity: boolean) =>
      aws.autoScaling.send(
        new TerminateInstanceInAutoScalingGroupCommand({ InstanceId, ShouldDecrementDesiredCapacity }),
      );
    const [first = ''] = await serving(aws, name, 2);
    await end(first, false);
    const [second = ''] = await serving(aws, name, 2, [first]);
    await end(second, true);
    await serving(aws, name, 1, [second]);
    expect((await groupOf(aws, name))?.DesiredCapacity).toBe(1);
  },
  'an unhealthy member is replaced': async (aws) => {
    const name = await makeGroup(aws, 2);
    const [sick = ''] = await serving(aws, name, 2);
    await aws.autoScaling.send(new SetInstanceHealthCommand({ InstanceId: sick, HealthStatus: 'Unhealthy' }));
    await serving(aws, name, 2, [sick]);
  },
  'members are known by their instance, with the health in capitals': async (aws) => {
    const AutoScalingGroupName = await makeGroup(aws, 1);
    const InstanceIds = [...(await serving(aws, AutoScalingGroupName, 1))];
    const { AutoScalingInstances } = await aws.autoScaling.send(
      new DescribeAutoScalingInstancesCommand({ InstanceIds }),
    );
    const expected = { AutoScalingGroupName, InstanceId: InstanceIds[0], LifecycleState: 'InService' };
    expect(AutoScalingInstances).toMatchObject([{ ...expected, HealthStatus: 'HEALTHY' }]);
  },
  'hooks are put and shown': async (aws) => {
    const hook = {
      AutoScalingGroupName: await makeGroup(aws, 1),
      LifecycleHookName: 'ready',
      LifecycleTransition: 'autoscaling:EC2_INSTANCE_LAUNCHING',
      HeartbeatTimeout: 300,
      DefaultResult: 'CONTINUE',
    };
    await aws.autoScaling.send(new PutLifecycleHookCommand(hook));
    const { AutoScalingGroupName } = hook;
    const shown = await aws.autoScaling.send(new DescribeLifecycleHooksCommand({ AutoScalingGroupName }));
    expect(shown.LifecycleHooks).toMatchObject([hook]);
  },
  'a launching hook holds an instance until its action is completed, once': async (aws) => {
    const AutoScalingGroupName = await makeGroup(aws, 1);
    const hook = { AutoScalingGroupName, LifecycleHookName: 'ready' };
    const LifecycleTransition = 'autoscaling:EC2_INSTANCE_LAUNCHING';
    await aws.autoScaling.send(new PutLifecycleHookCommand({ ...hook, LifecycleTransition }));
    await aws.autoScaling.send(new SetDesiredCapacityCommand({ AutoScalingGroupName, DesiredCapacity: 2 }));
    const InstanceId = await answered(aws, async () => {
      const members = (await groupOf(aws, AutoScalingGroupName))?.Instances ?? [];
      return members.find((it) => it.LifecycleState === 'Pending:Wait')?.InstanceId;
    });
    const complete = () =>
      aws.autoScaling.send(
        new CompleteLifecycleActionCommand({ ...hook, InstanceId, LifecycleActionResult: 'CONTINUE' }),
      );
    await complete();
    await serving(aws, AutoScalingGroupName, 2);
    await expect(complete()).rejects.toMatchObject({ name: 'ValidationError' });
  },
  'DescribeAutoScalingGroups comes in pages': async (aws) => {
    const wanted = [await makeGroup(aws, 1), await makeGroup(aws, 1), await makeGroup(aws, 1)];
    const found: string[] = [];
    let pages = 0;
    for await (const page of paginateDescribeAutoScalingGroups(
      { client: aws.autoScaling, pageSize: 1 },
      {},
    )) {
      pages += 1;
      found.push(...(page.AutoScalingGroups ?? []).map((it) => it.AutoScalingGroupName ?? ''));
    }
    expect(pages).toBeGreaterThanOrEqual(wanted.length);
    expect(new Set(found).size).toBe(found.length);
    expect(found).toEqual(expect.arrayContaining(wanted));
  },
  'groups are found by a tag and its value': async (aws) => {
    const [name] = [await makeGroup(aws, 1, { key: 'of', value: 'mine' }), await makeGroup(aws, 1)];
    const Filters = [{ Name: 'tag:of', Values: ['mine'] }];
    const { AutoScalingGroups } = await aws.autoScaling.send(
      new DescribeAutoScalingGroupsCommand({ Filters }),
    );
    expect(AutoScalingGroups?.map((it) => it.AutoScalingGroupName)).toEqual([name]);
  },
  'an instance that no group has is in an empty list, not an error': async (aws) => {
    const command = new DescribeAutoScalingInstancesCommand({ InstanceIds: [UNKNOWN_ID] });
    expect((await aws.autoScaling.send(command)).AutoScalingInstances).toEqual([]);
  },
  'a malformed id is InvalidInstanceID.Malformed': async (aws) => {
    await expect(instances(aws, { InstanceIds: ['i-xyz'] })).rejects.toMatchObject({
      name: 'InvalidInstanceID.Malformed',
    });
  },
  'ids and a page size do not go together': async (aws) => {
    const [id = ''] = await serving(aws, await makeGroup(aws, 1), 1);
    await expect(instances(aws, { InstanceIds: [id], MaxResults: 5 })).rejects.toMatchObject({
      name: 'InvalidParameterCombination',
    });
  },
  'terminating what is terminated is no error': async (aws) => {
    const [gone = ''] = await serving(aws, await makeGroup(aws, 2), 2);
    const end = () => aws.ec2.send(new TerminateInstancesCommand({ InstanceIds: [gone] }));
    await end();
    await eventually(async () => (await instances(aws, byId(gone)))[0]?.State?.Name === 'terminated');
    expect((await end()).TerminatingInstances).toMatchObject([{ InstanceId: gone }]);
  },
  'terminating an unknown id is InvalidInstanceID.NotFound': async (aws) => {
    const call = aws.ec2.send(new TerminateInstancesCommand({ InstanceIds: [UNKNOWN_ID] }));
    await expect(call).rejects.toMatchObject({ name: 'InvalidInstanceID.NotFound' });
  },
  'a group that is not there is a ValidationError to whoever changes it': async (aws) => {
    const AutoScalingGroupName = 'no-such-group';
    const change = () =>
      aws.autoScaling.send(new SetDesiredCapacityCommand({ AutoScalingGroupName, DesiredCapacity: 1 }));
    const update = () =>
      aws.autoScaling.send(new UpdateAutoScalingGroupCommand({ AutoScalingGroupName, MinSize: 1 }));
    // One after the other: where the first is another's deviation, nobody would wait for the second.
    await expect(change()).rejects.toMatchObject({ name: 'ValidationError' });
    await expect(update()).rejects.toMatchObject({ name: 'ValidationError' });
  },
  'the group of an unknown instance terminates nothing: a ValidationError': async (aws) => {
    const call = aws.autoScaling.send(
      new TerminateInstanceInAutoScalingGroupCommand({
        InstanceId: UNKNOWN_ID,
        ShouldDecrementDesiredCapacity: false,
      }),
    );
    await expect(call).rejects.toMatchObject({ name: 'ValidationError' });
  },
  'a heartbeat for what does not wait is a ValidationError': async (aws) => {
    const AutoScalingGroupName = await makeGroup(aws, 1);
    const [InstanceId] = await serving(aws, AutoScalingGroupName, 1);
    const hook = { AutoScalingGroupName, LifecycleHookName: 'ready' };
    const LifecycleTransition = 'autoscaling:EC2_INSTANCE_LAUNCHING';
    await aws.autoScaling.send(new PutLifecycleHookCommand({ ...hook, LifecycleTransition }));
    const call = aws.autoScaling.send(new RecordLifecycleActionHeartbeatCommand({ ...hook, InstanceId }));
    await expect(call).rejects.toMatchObject({ name: 'ValidationError' });
  },
  'a terminating hook holds an instance, that runs, until its action is completed': async (aws) => {
    const AutoScalingGroupName = await makeGroup(aws, 2);
    const hook = { AutoScalingGroupName, LifecycleHookName: 'leave' };
    const LifecycleTransition = 'autoscaling:EC2_INSTANCE_TERMINATING';
    await aws.autoScaling.send(new PutLifecycleHookCommand({ ...hook, LifecycleTransition }));
    const [InstanceId = ''] = await serving(aws, AutoScalingGroupName, 2);
    await aws.autoScaling.send(
      new TerminateInstanceInAutoScalingGroupCommand({ InstanceId, ShouldDecrementDesiredCapacity: true }),
    );
    await answered(aws, async () => {
      const members = (await groupOf(aws, AutoScalingGroupName))?.Instances ?? [];
      return members.find((it) => it.InstanceId === InstanceId && it.LifecycleState === 'Terminating:Wait');
    });
    expect((await instances(aws, byId(InstanceId)))[0]?.State?.Name).toBe('running');
    await aws.autoScaling.send(
      new CompleteLifecycleActionCommand({ ...hook, InstanceId, LifecycleActionResult: 'CONTINUE' }),
    );
    await serving(aws, AutoScalingGroupName, 1, [InstanceId]);
  },
  'an abandoned launch is terminated, and another one made': async (aws) => {
    const AutoScalingGroupName = await makeGroup(aws, 1);
    const hook = { AutoScalingGroupName, LifecycleHookName: 'ready' };
    const LifecycleTransition = 'autoscaling:EC2_INSTANCE_LAUNCHING';
    await aws.autoScaling.send(new PutLifecycleHookCommand({ ...hook, LifecycleTransition }));
    await aws.autoScaling.send(new SetDesiredCapacityCommand({ AutoScalingGroupName, DesiredCapacity: 2 }));
    const waiting = async (without: string): Promise<string> =>
      answered(aws, async () => {
        const members = (await groupOf(aws, AutoScalingGroupName))?.Instances ?? [];
        const found = members.find((it) => it.LifecycleState === 'Pending:Wait' && it.InstanceId !== without);
        return found?.InstanceId;
      });
    const complete = (InstanceId: string, LifecycleActionResult: string) =>
      aws.autoScaling.send(
        new CompleteLifecycleActionCommand({ ...hook, InstanceId, LifecycleActionResult }),
      );
    const given = await waiting('');
    await complete(given, 'ABANDON');
    await complete(await waiting(given), 'CONTINUE');
    await serving(aws, AutoScalingGroupName, 2, [given]);
    await eventually(async () => (await instances(aws, byId(given)))[0]?.State?.Name === 'terminated');
  },
  'there is no refresh to cancel where there is none': async (aws) => {
    const AutoScalingGroupName = await makeGroup(aws, 1);
    await expect(
      aws.autoScaling.send(new CancelInstanceRefreshCommand({ AutoScalingGroupName })),
    ).rejects.toMatchObject({ name: expect.stringMatching(/^ActiveInstanceRefreshNotFound/) as string });
  },
  'an instance refresh replaces every member': async (aws) => {
    const AutoScalingGroupName = await makeGroup(aws, 2);
    const old = await serving(aws, AutoScalingGroupName, 2);
    await aws.autoScaling.send(new StartInstanceRefreshCommand({ AutoScalingGroupName }));
    await serving(aws, AutoScalingGroupName, 2, old);
    const { InstanceRefreshes } = await aws.autoScaling.send(
      new DescribeInstanceRefreshesCommand({ AutoScalingGroupName }),
    );
    expect(InstanceRefreshes).toMatchObject([{ Status: 'Successful', PercentageComplete: 100 }]);
  },
};

const records = (Name: string, Type: RRType, ...values: readonly string[]): ResourceRecordSet => ({
  Name,
  Type,
  TTL: 60,
  ResourceRecords: values.map((Value) => ({ Value })),
});
const change = (Action: ChangeAction, ResourceRecordSet: ResourceRecordSet): Change => ({
  Action,
  ResourceRecordSet,
});

async function makeZone(aws: AwsSubject, name = `${fresh('zone')}.example.`) {
  const command = new CreateHostedZoneCommand({ Name: name, CallerReference: fresh('reference') });
  const { HostedZone } = await aws.route53.send(command);
  const HostedZoneId = HostedZone?.Id?.replace('/hostedzone/', '') ?? '';
  return {
    name,
    send: (...Changes: readonly Change[]) =>
      aws.route53.send(
        new ChangeResourceRecordSetsCommand({ HostedZoneId, ChangeBatch: { Changes: [...Changes] } }),
      ),
    list: async (input: object = {}) =>
      aws.route53.send(new ListResourceRecordSetsCommand({ HostedZoneId, ...input })),
    async own(): Promise<readonly ResourceRecordSet[]> {
      const { ResourceRecordSets } = await aws.route53.send(
        new ListResourceRecordSetsCommand({ HostedZoneId }),
      );
      return (ResourceRecordSets ?? []).filter((it) => it.Type !== 'NS' && it.Type !== 'SOA');
    },
  };
}

const refused = { name: 'InvalidChangeBatch' };

const ZONES: Readonly<Record<string, Behaviour>> = {
  'what is created is listed at once, with the trailing dot': async (aws) => {
    const zone = await makeZone(aws);
    await zone.send(change('CREATE', records(`www.${zone.name.slice(0, -1)}`, 'A', '10.0.0.1', '10.0.0.2')));
    expect(await zone.own()).toMatchObject([records(`www.${zone.name}`, 'A', '10.0.0.1', '10.0.0.2')]);
  },
  'a change is in sync sooner or later': async (aws) => {
    const zone = await makeZone(aws);
    const { ChangeInfo } = await zone.send(change('CREATE', records(zone.name, 'A', '10.0.0.1')));
    const Id = ChangeInfo?.Id ?? '';
    await eventually(
      async () => (await aws.route53.send(new GetChangeCommand({ Id }))).ChangeInfo?.Status === 'INSYNC',
    );
  },
  'a new change is pending first': async (aws) => {
    const zone = await makeZone(aws);
    const { ChangeInfo } = await zone.send(change('CREATE', records(zone.name, 'A', '10.0.0.1')));
    expect(ChangeInfo?.Status).toBe('PENDING');
  },
  'creating exactly what exists is refused': async (aws) => {
    const zone = await makeZone(aws);
    await zone.send(change('CREATE', records(zone.name, 'TXT', '"one"')));
    await expect(zone.send(change('CREATE', records(zone.name, 'TXT', '"one"')))).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('but it already exists'),
    });
  },
  'creating what exists with other values is refused': async (aws) => {
    const zone = await makeZone(aws);
    await zone.send(change('CREATE', records(zone.name, 'TXT', '"one"')));
    await expect(zone.send(change('CREATE', records(zone.name, 'TXT', '"two"')))).rejects.toMatchObject(
      refused,
    );
    expect(await zone.own()).toMatchObject([records(zone.name, 'TXT', '"one"')]);
  },
  'a set can have the values again that it had before': async (aws) => {
    const zone = await makeZone(aws);
    const set = (...values: readonly string[]) => records(zone.name, 'A', ...values);
    await zone.send(change('CREATE', set('10.0.0.1', '10.0.0.2')));
    await zone.send(change('DELETE', set('10.0.0.1', '10.0.0.2')), change('CREATE', set('10.0.0.1')));
    await zone.send(change('DELETE', set('10.0.0.1')), change('CREATE', set('10.0.0.1', '10.0.0.2')));
    expect(await zone.own()).toMatchObject([set('10.0.0.1', '10.0.0.2')]);
  },
  'deleting what is not exactly so changes nothing': async (aws) => {
    const zone = await makeZone(aws);
    await zone.send(change('CREATE', records(zone.name, 'A', '10.0.0.1')));
    for (const name of [zone.name, `www.${zone.name}`]) {
      await expect(zone.send(change('DELETE', records(name, 'A', '10.0.0.2')))).rejects.toThrow();
    }
    expect(await zone.own()).toMatchObject([records(zone.name, 'A', '10.0.0.1')]);
  },
  'a batch of which one name is of another zone does nothing': async (aws) => {
    const zone = await makeZone(aws);
    const batch = zone.send(
      change('CREATE', records(zone.name, 'A', '10.0.0.1')),
      change('CREATE', records('www.elsewhere.example.', 'A', '10.0.0.1')),
    );
    await expect(batch).rejects.toMatchObject(refused);
    expect(await zone.own()).toEqual([]);
  },
  'deleting what is not there is refused in the words of Route 53': async (aws) => {
    const zone = await makeZone(aws);
    await expect(zone.send(change('DELETE', records(zone.name, 'A', '10.0.0.1')))).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('but it was not found'),
    });
  },
  'deleting with other values is refused in the words of Route 53': async (aws) => {
    const zone = await makeZone(aws);
    await zone.send(change('CREATE', records(zone.name, 'A', '10.0.0.1')));
    await expect(zone.send(change('DELETE', records(zone.name, 'A', '10.0.0.2')))).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('but the values provided do not match the current values'),
    });
  },
  'a batch of which one set exists already does nothing': async (aws) => {
    const zone = await makeZone(aws);
    await zone.send(change('CREATE', records(zone.name, 'A', '10.0.0.1')));
    const batch = zone.send(
      change('CREATE', records(`new.${zone.name}`, 'A', '10.0.0.2')),
      change('CREATE', records(zone.name, 'A', '10.0.0.3')),
    );
    await expect(batch).rejects.toMatchObject(refused);
    expect(await zone.own()).toMatchObject([records(zone.name, 'A', '10.0.0.1')]);
  },
  'DELETE and CREATE of one set in one batch replace it': async (aws) => {
    const zone = await makeZone(aws);
    await zone.send(change('CREATE', records(zone.name, 'TXT', '"one"')));
    await zone.send(
      change('DELETE', records(zone.name, 'TXT', '"one"')),
      change('CREATE', records(zone.name, 'TXT', '"two"')),
    );
    expect(await zone.own()).toMatchObject([records(zone.name, 'TXT', '"two"')]);
  },
  'of two that replace the same value one wins': async (aws) => {
    const zone = await makeZone(aws);
    await zone.send(change('CREATE', records(zone.name, 'TXT', '"one"')));
    const swap = (value: string) =>
      zone.send(
        change('DELETE', records(zone.name, 'TXT', '"one"')),
        change('CREATE', records(zone.name, 'TXT', value)),
      );
    const results = await Promise.allSettled([swap('"two"'), swap('"three"')]);
    expect(results.map((it) => it.status).toSorted()).toEqual(['fulfilled', 'rejected']);
  },
  'UPSERT makes and replaces': async (aws) => {
    const zone = await makeZone(aws);
    for (const value of ['10.0.0.1', '10.0.0.2'])
      await zone.send(change('UPSERT', records(zone.name, 'A', value)));
    expect(await zone.own()).toMatchObject([records(zone.name, 'A', '10.0.0.2')]);
  },
  'malformed SRV values are refused': async (aws) => {
    const zone = await makeZone(aws);
    const call = zone.send(
      change('CREATE', records(`_etcd._tcp.${zone.name}`, 'SRV', '1 1 www.example.org')),
    );
    await expect(call).rejects.toMatchObject(refused);
  },
  'malformed addresses are refused': async (aws) => {
    const zone = await makeZone(aws);
    await expect(zone.send(change('CREATE', records(zone.name, 'A', '10.0.0.256')))).rejects.toMatchObject(
      refused,
    );
  },
  'names of other zones are refused': async (aws) => {
    const zone = await makeZone(aws);
    const call = zone.send(change('CREATE', records('www.elsewhere.example.', 'A', '10.0.0.1')));
    await expect(call).rejects.toMatchObject(refused);
  },
  'more than 1,000 records in a batch are refused, an UPSERT counted twice': async (aws) => {
    const zone = await makeZone(aws);
    const many = (count: number, action: ChangeAction) =>
      Array.from({ length: count }, (_, index) =>
        change(action, records(`h${String(index)}.${zone.name}`, 'A', '10.0.0.1')),
      );
    await expect(zone.send(...many(1_001, 'CREATE'))).rejects.toMatchObject(refused);
    await expect(zone.send(...many(501, 'UPSERT'))).rejects.toMatchObject(refused);
  },
  'an asterisk comes back as an escape': async (aws) => {
    const zone = await makeZone(aws);
    await zone.send(change('CREATE', records(`*.${zone.name}`, 'A', '10.0.0.1')));
    expect((await zone.own()).map((it) => it.Name)).toEqual([`\\052.${zone.name}`]);
  },
  'records are listed by reversed names, in pages, from a name on': async (aws) => {
    const zone = await makeZone(aws);
    const wanted = ['a.', 'demo.', 'a.demo.', 'b.demo.', 'x.'].map((label) => label + zone.name);
    for (const name of wanted.toReversed()) await zone.send(change('CREATE', records(name, 'A', '10.0.0.1')));
    expect((await zone.own()).map((it) => it.Name)).toEqual(wanted);
    const first = await zone.list({ StartRecordName: wanted[1], MaxItems: 2 });
    expect(first.ResourceRecordSets?.map((it) => it.Name)).toEqual(wanted.slice(1, 3));
    expect(first).toMatchObject({ IsTruncated: true, NextRecordName: wanted[3], NextRecordType: 'A' });
  },
  'long TXT values come back as they were given': async (aws) => {
    const zone = await makeZone(aws);
    const value = `${Array.from({ length: 10 }, () => `"${'x'.repeat(255)}"`).join(' ')} "<a> & b"`;
    await zone.send(change('CREATE', records(zone.name, 'TXT', value)));
    expect(await zone.own()).toMatchObject([records(zone.name, 'TXT', value)]);
  },
  'zones by name start at the name and go on': async (aws) => {
    const parent = `${fresh('zone')}.example.`;
    await makeZone(aws, parent);
    await makeZone(aws, `sub.${parent}`);
    const { HostedZones } = await aws.route53.send(new ListHostedZonesByNameCommand({ DNSName: parent }));
    expect(HostedZones?.slice(0, 2).map((it) => it.Name)).toEqual([parent, `sub.${parent}`]);
  },
  'deleting with the values in another order deletes': async (aws) => {
    const zone = await makeZone(aws);
    await zone.send(change('CREATE', records(zone.name, 'A', '10.0.0.1', '10.0.0.2')));
    await zone.send(change('DELETE', records(zone.name, 'A', '10.0.0.2', '10.0.0.1')));
    expect(await zone.own()).toEqual([]);
  },
  'the TTL is part of what a DELETE must name': async (aws) => {
    const zone = await makeZone(aws);
    await zone.send(change('CREATE', records(zone.name, 'A', '10.0.0.1')));
    const other = { ...records(zone.name, 'A', '10.0.0.1'), TTL: 61 };
    await expect(zone.send(change('DELETE', other))).rejects.toMatchObject(refused);
    expect(await zone.own()).toHaveLength(1);
  },
  'names that differ in case are one name': async (aws) => {
    const zone = await makeZone(aws);
    await zone.send(change('CREATE', records(`WWW.${zone.name}`, 'A', '10.0.0.1')));
    expect((await zone.own()).map((it) => it.Name)).toEqual([`www.${zone.name}`]);
    await expect(
      zone.send(change('CREATE', records(`www.${zone.name}`, 'A', '10.0.0.1'))),
    ).rejects.toMatchObject(refused);
  },
  'a set without values is refused': async (aws) => {
    const zone = await makeZone(aws);
    await expect(zone.send(change('CREATE', records(zone.name, 'A')))).rejects.toMatchObject({
      name: 'InvalidInput',
    });
  },
  'a TXT string above 255 characters is refused': async (aws) => {
    const zone = await makeZone(aws);
    const long = change('CREATE', records(zone.name, 'TXT', `"${'x'.repeat(256)}"`));
    await expect(zone.send(long)).rejects.toMatchObject(refused);
  },
  'pages of any size hold every set once, in the order of the whole list': async (aws) => {
    const zone = await makeZone(aws);
    for (const label of ['a.', 'b.', 'b.a.', '_x._tcp.']) {
      await zone.send(
        change('CREATE', records(label + zone.name, 'A', '10.0.0.1')),
        change('CREATE', records(label + zone.name, 'TXT', '"x"')),
      );
    }
    const whole = ((await zone.list()).ResourceRecordSets ?? []).map(
      (it) => `${it.Name ?? ''} ${it.Type ?? ''}`,
    );
    expect(whole).toHaveLength(10);
    for (const MaxItems of [1, 2, 3, 9]) {
      const found: string[] = [];
      let from: object | null = {};
      while (from !== null) {
        const page: ListResourceRecordSetsCommandOutput = await zone.list({ MaxItems, ...from });
        found.push(...(page.ResourceRecordSets ?? []).map((it) => `${it.Name ?? ''} ${it.Type ?? ''}`));
        const { NextRecordName: StartRecordName, NextRecordType: StartRecordType } = page;
        from = page.IsTruncated === true ? { StartRecordName, StartRecordType } : null;
      }
      expect(found).toEqual(whole);
    }
  },
  'the records and the changes of what is not there are NoSuchHostedZone and NoSuchChange': async (aws) => {
    const list = new ListResourceRecordSetsCommand({ HostedZoneId: 'Z00000000000000000000' });
    await expect(aws.route53.send(list)).rejects.toMatchObject({ name: 'NoSuchHostedZone' });
    const get = new GetChangeCommand({ Id: 'C00000000000000000000' });
    await expect(aws.route53.send(get)).rejects.toMatchObject({ name: 'NoSuchChange' });
  },
  'a new zone has its own SOA and NS alone': async (aws) => {
    const zone = await makeZone(aws);
    const { ResourceRecordSets } = await zone.list();
    expect(ResourceRecordSets?.map((it) => [it.Name, it.Type])).toEqual([
      [zone.name, 'NS'],
      [zone.name, 'SOA'],
    ]);
  },
  'an unknown zone is NoSuchHostedZone': async (aws) => {
    const call = aws.route53.send(new GetHostedZoneCommand({ Id: 'Z00000000000000000000' }));
    await expect(call).rejects.toMatchObject({ name: 'NoSuchHostedZone' });
  },
};

/** What AWS does, each as its documentation says, by name; each works on groups and zones of its own. */
export const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  ...GROUPS,
  ...SECURITY_GROUPS,
  ...ZONES,
};
