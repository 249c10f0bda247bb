import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  TerminateInstancesCommand,
  paginateDescribeInstances,
  type Instance,
} from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { startCloud, startGroup, type TestCloud } from './cloud-fixture.ts';

async function described(test: TestCloud, input: object = {}): Promise<readonly Instance[]> {
  const { Reservations } = await test.ec2.send(new DescribeInstancesCommand(input));
  return (Reservations ?? []).flatMap((reservation) => reservation.Instances ?? []);
}

const tagged = (instance: Instance | undefined, key: string): string | undefined =>
  instance?.Tags?.find((tag) => tag.Key === key)?.Value;

describe('the EC2 of the sandbox', () => {
  it('describes what a group launched, with the tags that AWS puts there', async () => {
    await using test = await startCloud();
    await startGroup(test);
    const found = await described(test);
    expect(found.map((it) => it.State?.Name)).toEqual(['running', 'running', 'running']);
    expect(found.map((it) => it.Placement?.AvailabilityZone).toSorted()).toEqual([
      'eu-central-1a',
      'eu-central-1b',
      'eu-central-1c',
    ]);
    expect(found.map((it) => it.PrivateIpAddress).toSorted()).toEqual([
      '127.78.1.10',
      '127.78.2.10',
      '127.78.3.10',
    ]);
    expect(tagged(found[0], 'aws:autoscaling:groupName')).toBe('web');
    expect(tagged(found[0], 'aws:cloudformation:stack-name')).toBe('etcd-demo');
    expect(found[0]?.LaunchTime).toBeInstanceOf(Date);
  });

  it('pages by MaxResults and by its own limit', async () => {
    await using test = await startCloud({ pageSize: 2 });
    await startGroup(test, { desired: 5 });
    const pages: number[] = [];
    for await (const page of paginateDescribeInstances({ client: test.ec2 }, {})) {
      pages.push(page.Reservations?.length ?? 0);
    }
    expect(pages).toEqual([2, 2, 1]);
    await expect(described(test, { NextToken: 'bm9uc2Vuc2U' })).rejects.toMatchObject({
      name: 'InvalidParameterValue',
    });
  });

  it('filters by id, tag and state, and fails as a whole where one id is unknown', async () => {
    await using test = await startCloud();
    await startGroup(test);
    const [first, second] = await described(test);
    const ids = [first?.InstanceId ?? '', 'i-00000000000000000'];
    expect(await described(test, { Filters: [{ Name: 'instance-id', Values: ids }] })).toHaveLength(1);
    await expect(described(test, { InstanceIds: ids })).rejects.toMatchObject({
      name: 'InvalidInstanceID.NotFound',
      message: "The instance ID 'i-00000000000000000' does not exist",
    });
    await expect(described(test, { InstanceIds: ['i-x'] })).rejects.toMatchObject({
      name: 'InvalidInstanceID.Malformed',
    });
    const stack = { Name: 'tag:aws:cloudformation:stack-name', Values: ['etcd-*'] };
    expect(await described(test, { Filters: [stack] })).toHaveLength(3);
    await test.ec2.send(new TerminateInstancesCommand({ InstanceIds: [second?.InstanceId ?? ''] }));
    const running = { Name: 'instance-state-name', Values: ['running'] };
    expect(await described(test, { Filters: [stack, running] })).toHaveLength(2);
  });

  it('terminates in order: shutting-down while processes end, then terminated without an address, then forgotten', async () => {
    await using test = await startCloud({ healthCheckMs: 1e9, terminatedVisibleMs: 3_600_000 });
    await startGroup(test, { desired: 1 });
    const id = test.instances()[0]?.instanceId ?? '';
    const { TerminatingInstances } = await test.ec2.send(
      new TerminateInstancesCommand({ InstanceIds: [id] }),
    );
    expect(TerminatingInstances?.[0]).toMatchObject({
      PreviousState: { Name: 'running', Code: 16 },
      CurrentState: { Name: 'shutting-down', Code: 32 },
    });
    await test.clock.advance(1_000);
    expect(test.calls).toEqual([`boot ${id}`, `shutdown ${id} 30000`]);
    const [over] = await described(test, { InstanceIds: [id] });
    expect(over?.State?.Name).toBe('terminated');
    expect(over?.PrivateIpAddress).toBeUndefined();
    await test.clock.advance(3_600_000);
    await expect(described(test, { InstanceIds: [id] })).rejects.toMatchObject({
      name: 'InvalidInstanceID.NotFound',
    });
  });

  it('does not know a just-launched id for as long as it was told', async () => {
    await using test = await startCloud({ unknownAfterLaunchMs: 3_000 });
    await startGroup(test, { desired: 1 });
    const id = test.instances()[0]?.instanceId ?? '';
    expect(await described(test)).toEqual([]);
    await expect(described(test, { InstanceIds: [id] })).rejects.toMatchObject({
      name: 'InvalidInstanceID.NotFound',
    });
    await test.clock.advance(3_000);
    expect(await described(test, { InstanceIds: [id] })).toHaveLength(1);
  });

  it('shows the past where its answers are stale', async () => {
    await using test = await startCloud();
    await startGroup(test);
    await test.clock.advance(60_000);
    test.cloud.changeSettings({ stalenessMs: { DescribeInstances: 10_000 } });
    test.cloud.setDesired('web', 5);
    await test.clock.advance(5_000);
    expect(await described(test)).toHaveLength(3);
    await test.clock.advance(6_000);
    expect(await described(test)).toHaveLength(5);
  });

  it('takes tags from users, but none of its own prefix', async () => {
    await using test = await startCloud();
    await startGroup(test, { desired: 1 });
    const Resources = [test.instances()[0]?.instanceId ?? ''];
    await test.ec2.send(new CreateTagsCommand({ Resources, Tags: [{ Key: 'team', Value: 'a & b' }] }));
    const { Tags } = await test.ec2.send(
      new DescribeTagsCommand({
        Filters: [
          { Name: 'resource-id', Values: Resources },
          { Name: 'key', Values: ['team'] },
        ],
      }),
    );
    expect(Tags).toEqual([
      { Key: 'team', Value: 'a & b', ResourceId: Resources[0], ResourceType: 'instance' },
    ]);
    const reserved = new CreateTagsCommand({ Resources, Tags: [{ Key: 'aws:x', Value: 'y' }] });
    await expect(test.ec2.send(reserved)).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  });

  it('reuses an address late, or at once where told so', async () => {
    await using test = await startCloud();
    await startGroup(test, { desired: 3 });
    const replace = async (): Promise<string | undefined> => {
      const [oldest] = test.members();
      test.cloud.terminateInstance(oldest?.instanceId ?? '', { decrement: false });
      await test.clock.advance(2_000);
      return test.members().find((it) => it.zone === oldest?.zone)?.address;
    };
    expect(await replace()).toBe('127.78.1.11');
    test.cloud.changeSettings({ reuseAddresses: true });
    expect(await replace()).toBe('127.78.2.11');
    expect(await replace()).toBe('127.78.3.11');
    expect(await replace()).toBe('127.78.1.10');
  });

  it('answers 501 to what it does not know: actions, parameters and filters', async () => {
    await using test = await startCloud();
    const unknown = [
      () => test.ec2.send(new DescribeVolumesCommand({})),
      () => described(test, { DryRun: true }),
    ];
    for (const call of unknown) {
      await expect(call()).rejects.toMatchObject({
        name: 'NotImplemented',
        $metadata: { httpStatusCode: 501 },
      });
    }
    await startGroup(test, { desired: 1 });
    const filter = described(test, { Filters: [{ Name: 'vpc-id', Values: ['vpc-1'] }] });
    await expect(filter).rejects.toMatchObject({ $metadata: { httpStatusCode: 501 } });
    expect(test.cloud.events.since(0).filter((event) => event.type === 'not-simulated')).toHaveLength(3);
  });
});
