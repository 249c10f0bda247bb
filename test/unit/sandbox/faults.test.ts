import { DescribeAutoScalingGroupsCommand, SetDesiredCapacityCommand } from '@aws-sdk/client-auto-scaling';
import { DescribeInstancesCommand } from '@aws-sdk/client-ec2';
import { ListHostedZonesCommand, ListResourceRecordSetsCommand } from '@aws-sdk/client-route-53';
import { describe, expect, it } from 'vitest';
import { accessKeyOf } from '../../../src/sandbox/caller.ts';
import type { FaultRequest } from '../../../src/sandbox/model.ts';
import { createClients, startCloud, startGroup, type TestCloud } from './cloud-fixture.ts';

const everywhere = (kind: FaultRequest['kind'], more: Partial<FaultRequest> = {}): FaultRequest => ({
  service: '*',
  action: '*',
  instance: '*',
  kind,
  ...more,
});

async function startFaulty() {
  const test = await startCloud();
  await startGroup(test);
  const [self] = test.members();
  const id = self?.instanceId ?? '';
  const inside = createClients(test.awsEndpoint, accessKeyOf(id));
  const ids = async (clients: Pick<TestCloud, 'ec2'>): Promise<readonly (string | undefined)[]> => {
    const { Reservations } = await clients.ec2.send(new DescribeInstancesCommand({}));
    return (Reservations ?? []).map((it) => it.Instances?.[0]?.InstanceId);
  };
  const members = async (
    clients: Pick<TestCloud, 'autoScaling'>,
  ): Promise<readonly (string | undefined)[]> => {
    const { AutoScalingGroups } = await clients.autoScaling.send(new DescribeAutoScalingGroupsCommand({}));
    return (AutoScalingGroups ?? []).flatMap((it) => (it.Instances ?? []).map((one) => one.InstanceId));
  };
  return {
    ...test,
    id,
    inside,
    ids,
    members,
    async [Symbol.asyncDispose]() {
      inside.destroy();
      await test[Symbol.asyncDispose]();
    },
  };
}

describe('faults', () => {
  it('throttle and fail as each service does', async () => {
    await using test = await startFaulty();
    const zones = () => test.route53.send(new ListHostedZonesCommand({}));
    const { id } = test.cloud.faults.add(everywhere('throttle'));
    await expect(test.ids(test)).rejects.toMatchObject({
      name: 'RequestLimitExceeded',
      $metadata: { httpStatusCode: 503 },
    });
    await expect(test.members(test)).rejects.toMatchObject({
      name: 'Throttling',
      $metadata: { httpStatusCode: 400 },
    });
    await expect(zones()).rejects.toMatchObject({ name: 'Throttling', $metadata: { httpStatusCode: 400 } });
    expect(test.cloud.faults.list()).toMatchObject([{ id, hits: 3 }]);
    test.cloud.faults.lift(id);
    test.cloud.faults.add(everywhere('throttle', { code: 'PriorRequestNotComplete', service: 'route53' }));
    await expect(zones()).rejects.toMatchObject({ name: 'PriorRequestNotComplete' });
    expect(await test.ids(test)).toHaveLength(3);
  });

  it('show nothing, half, or the asking instance alone', async () => {
    await using test = await startFaulty();
    const shown = async (kind: FaultRequest['kind']) => {
      test.cloud.faults.liftAll();
      test.cloud.faults.add(everywhere(kind));
      return [await test.ids(test.inside), await test.members(test.inside)];
    };
    expect(await shown('empty')).toEqual([[], []]);
    expect((await shown('half')).map((it) => it.length)).toEqual([1, 1]);
    expect(await shown('self-only')).toEqual([[test.id], [test.id]]);
  });

  it('show the past, in Route 53 too', async () => {
    await using test = await startFaulty();
    await test.clock.advance(10_000);
    test.cloud.faults.add(everywhere('stale', { staleMs: 5_000 }));
    const HostedZoneId = test.cloud.createZone('example.org');
    const list = () => test.route53.send(new ListResourceRecordSetsCommand({ HostedZoneId }));
    await expect(list()).rejects.toMatchObject({ name: 'NoSuchHostedZone' });
    await test.clock.advance(5_000);
    expect((await list()).ResourceRecordSets).toHaveLength(2);
  });

  it('leave calls that change something alone where they only show less', async () => {
    await using test = await startFaulty();
    test.cloud.faults.add(everywhere('empty', { count: 1 }));
    await test.autoScaling.send(
      new SetDesiredCapacityCommand({ AutoScalingGroupName: 'web', DesiredCapacity: 4 }),
    );
    expect(test.cloud.faults.list()).toMatchObject([{ hits: 0 }]);
  });

  it.each(['reset', 'refuse', 'lost-answer'] as const)('end the connection: %s', async (kind) => {
    await using test = await startFaulty();
    test.cloud.faults.add(everywhere(kind, { action: 'SetDesiredCapacity', count: 1 }));
    const call = test.autoScaling.send(
      new SetDesiredCapacityCommand({ AutoScalingGroupName: 'web', DesiredCapacity: 4 }),
    );
    await expect(call).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(test.cloud.describe().groups[0]?.desired).toBe(kind === 'lost-answer' ? 4 : 3);
  });

  it('do what was asked, and answer with XML that breaks off', async () => {
    await using test = await startFaulty();
    test.cloud.faults.add(everywhere('malformed', { count: 2 }));
    await expect(test.ids(test)).rejects.toThrow();
    const call = test.autoScaling.send(
      new SetDesiredCapacityCommand({ AutoScalingGroupName: 'web', DesiredCapacity: 4 }),
    );
    await expect(call).rejects.toThrow();
    expect(test.cloud.describe().groups[0]?.desired).toBe(4);
  });

  it('hang until the caller gives up', async () => {
    await using test = await startFaulty();
    test.cloud.faults.add(everywhere('hang', { service: 'ec2' }));
    const abort = new AbortController();
    const call = test.ec2.send(new DescribeInstancesCommand({}), { abortSignal: abort.signal });
    const end = expect(call).rejects.toMatchObject({ name: 'AbortError' });
    await expect.poll(() => test.cloud.faults.list()[0]?.hits).toBe(1);
    abort.abort();
    await end;
  });

  it('end by count, hit by rate from the seed, and touch only whom they name', async () => {
    await using test = await startFaulty();
    test.cloud.faults.add(everywhere('error', { count: 2, instance: test.id, action: 'DescribeInstances' }));
    expect(await test.ids(test)).toHaveLength(3);
    await expect(test.ids(test.inside)).rejects.toThrow();
    await expect(test.ids(test.inside)).rejects.toThrow();
    expect(await test.ids(test.inside)).toHaveLength(3);
    expect(test.cloud.faults.list()).toEqual([]);
    test.cloud.faults.add(everywhere('error', { rate: 0.5 }));
    const results = await Promise.allSettled(Array.from({ length: 60 }, () => test.ids(test)));
    const failed = results.filter((it) => it.status === 'rejected').length;
    expect(failed).toBeGreaterThan(15);
    expect(failed).toBeLessThan(45);
  });

  it('are refused where they make no sense', async () => {
    await using test = await startCloud();
    const wrong: readonly object[] = [
      { kind: 'fire' },
      { rate: 2 },
      { count: 0 },
      { kind: 'stale' },
      { service: 's3' },
    ];
    for (const more of wrong) {
      expect(() => test.cloud.faults.add({ ...everywhere('error'), ...more })).toThrow();
    }
  });
});

describe('who asks', () => {
  it('is told by the access key; nobody and strangers get a 403', async () => {
    await using test = await startCloud();
    const bare = await fetch(test.awsEndpoint, {
      method: 'POST',
      body: 'Action=DescribeInstances&Version=2016-11-15',
    });
    expect(bare.status).toBe(403);
    const stranger = createClients(test.awsEndpoint, 'AKIASTRANGER');
    const calls = [
      () => stranger.ec2.send(new DescribeInstancesCommand({})),
      () => stranger.autoScaling.send(new DescribeAutoScalingGroupsCommand({})),
      () => stranger.route53.send(new ListHostedZonesCommand({})),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        name: 'InvalidClientTokenId',
        $metadata: { httpStatusCode: 403 },
      });
    }
    stranger.destroy();
  });

  it('is in the event log of what changed', async () => {
    await using test = await startFaulty();
    await test.inside.autoScaling.send(
      new SetDesiredCapacityCommand({ AutoScalingGroupName: 'web', DesiredCapacity: 4 }),
    );
    const events = test.cloud.events.since(0);
    expect(events.find((event) => event.type === 'api-change')?.fields).toEqual({
      service: 'autoscaling',
      action: 'SetDesiredCapacity',
      asking: test.id,
      result: 'ok',
    });
    expect(test.cloud.events.since(events.length)).toEqual([]);
  });
});
