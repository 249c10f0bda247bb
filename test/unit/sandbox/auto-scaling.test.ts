import {
  CancelInstanceRefreshCommand,
  CompleteLifecycleActionCommand,
  CreateAutoScalingGroupCommand,
  DeleteAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
  DescribeAutoScalingInstancesCommand,
  DescribeInstanceRefreshesCommand,
  DescribeLifecycleHooksCommand,
  PutLifecycleHookCommand,
  PutScalingPolicyCommand,
  RecordLifecycleActionHeartbeatCommand,
  SetDesiredCapacityCommand,
  SetInstanceHealthCommand,
  StartInstanceRefreshCommand,
  TerminateInstanceInAutoScalingGroupCommand,
  UpdateAutoScalingGroupCommand,
  paginateDescribeAutoScalingGroups,
  type AutoScalingGroup,
} from '@aws-sdk/client-auto-scaling';
import { TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import type { HookRequest } from '../../../src/sandbox/model.ts';
import { startCloud, startGroup, type TestCloud } from './cloud-fixture.ts';

const web = { AutoScalingGroupName: 'web' };
const LAUNCHING: HookRequest = {
  name: 'launching',
  transition: 'autoscaling:EC2_INSTANCE_LAUNCHING',
  heartbeatTimeoutMs: 60_000,
  defaultResult: 'ABANDON',
};
const TERMINATING: HookRequest = {
  name: 'terminating',
  transition: 'autoscaling:EC2_INSTANCE_TERMINATING',
  heartbeatTimeoutMs: 60_000,
  defaultResult: 'CONTINUE',
};

async function group(test: TestCloud): Promise<AutoScalingGroup | undefined> {
  const input = { AutoScalingGroupNames: ['web'] };
  return (await test.autoScaling.send(new DescribeAutoScalingGroupsCommand(input))).AutoScalingGroups?.[0];
}

async function states(test: TestCloud): Promise<readonly (string | undefined)[]> {
  return ((await group(test))?.Instances ?? []).map((it) => it.LifecycleState);
}

const desire = (test: TestCloud, DesiredCapacity: number) =>
  test.autoScaling.send(new SetDesiredCapacityCommand({ ...web, DesiredCapacity }));

const complete = (test: TestCloud, InstanceId: string, LifecycleHookName: string, result = 'CONTINUE') =>
  test.autoScaling.send(
    new CompleteLifecycleActionCommand({
      ...web,
      InstanceId,
      LifecycleHookName,
      LifecycleActionResult: result,
    }),
  );

describe('groups', () => {
  it('spread their members over the zones, growing and shrinking', async () => {
    await using test = await startCloud();
    await startGroup(test, { desired: 5 });
    const spread = (): readonly number[] =>
      ['a', 'b', 'c'].map((zone) => test.members().filter((it) => it.zone === `eu-central-1${zone}`).length);
    expect(spread().toSorted()).toEqual([1, 2, 2]);
    await desire(test, 3);
    await test.clock.advance(1_000);
    expect(spread()).toEqual([1, 1, 1]);
  });

  it('show ids, zones and states, but no addresses', async () => {
    await using test = await startCloud();
    await startGroup(test, { desired: 1 });
    const shown = await group(test);
    expect(shown).toMatchObject({ MinSize: 1, MaxSize: 5, DesiredCapacity: 1 });
    expect(shown?.Tags).toContainEqual(
      expect.objectContaining({ Key: 'aws:cloudformation:stack-name', Value: 'etcd-demo' }),
    );
    expect(shown?.Instances?.[0]).toMatchObject({ LifecycleState: 'InService', HealthStatus: 'Healthy' });
    expect(JSON.stringify(shown)).not.toContain('127.78.');
    const { AutoScalingInstances } = await test.autoScaling.send(new DescribeAutoScalingInstancesCommand({}));
    expect(AutoScalingInstances?.[0]).toMatchObject({
      ...web,
      HealthStatus: 'HEALTHY',
      LifecycleState: 'InService',
    });
  });

  it('come in pages, and by name and tag', async () => {
    await using test = await startCloud({ pageSize: 1 });
    await startGroup(test, { desired: 1 });
    test.cloud.createGroup({ name: 'other', stackName: 'etcd-other', min: 0, max: 0, desired: 0 });
    const names: unknown[] = [];
    for await (const page of paginateDescribeAutoScalingGroups({ client: test.autoScaling }, {})) {
      expect(page.AutoScalingGroups).toHaveLength(1);
      names.push(page.AutoScalingGroups?.[0]?.AutoScalingGroupName);
    }
    expect(names).toEqual(['web', 'other']);
    const Filters = [{ Name: 'tag:aws:cloudformation:stack-name', Values: ['etcd-other'] }];
    const { AutoScalingGroups } = await test.autoScaling.send(
      new DescribeAutoScalingGroupsCommand({ Filters }),
    );
    expect(AutoScalingGroups?.map((it) => it.AutoScalingGroupName)).toEqual(['other']);
  });

  it('refuse a desired capacity outside of their bounds', async () => {
    await using test = await startCloud();
    await startGroup(test);
    await expect(desire(test, 6)).rejects.toMatchObject({
      name: 'ValidationError',
      message: 'New SetDesiredCapacity value 6 is above max value 5 for the AutoScalingGroup.',
    });
    await expect(desire(test, 0)).rejects.toMatchObject({ name: 'ValidationError' });
    await test.autoScaling.send(new UpdateAutoScalingGroupCommand({ ...web, MinSize: 4, MaxSize: 7 }));
    expect(await group(test)).toMatchObject({ DesiredCapacity: 4, MinSize: 4, MaxSize: 7 });
  });

  it('notice an instance that EC2 terminated only at their next health check, then replace it', async () => {
    await using test = await startCloud({ healthCheckMs: 30_000 });
    await startGroup(test, { desired: 2 });
    const [gone] = test.members();
    await test.ec2.send(new TerminateInstancesCommand({ InstanceIds: [gone?.instanceId ?? ''] }));
    await test.clock.advance(10_000);
    expect(test.instances().find((it) => it.instanceId === gone?.instanceId)?.state).toBe('terminated');
    expect(await states(test)).toEqual(['InService', 'InService']);
    await test.clock.advance(30_000);
    expect(test.members().map((it) => it.instanceId)).not.toContain(gone?.instanceId);
    expect(await states(test)).toEqual(['InService', 'InService']);
  });

  it('replace at once what is terminated through them, or shrink', async () => {
    await using test = await startCloud({ healthCheckMs: 1e9 });
    await startGroup(test, { desired: 2 });
    const terminate = (InstanceId: string, ShouldDecrementDesiredCapacity: boolean) =>
      test.autoScaling.send(
        new TerminateInstanceInAutoScalingGroupCommand({ InstanceId, ShouldDecrementDesiredCapacity }),
      );
    await terminate(test.members()[0]?.instanceId ?? '', false);
    await test.clock.advance(1_000);
    expect(await states(test)).toEqual(['InService', 'InService']);
    await terminate(test.members()[0]?.instanceId ?? '', true);
    await test.clock.advance(1_000);
    expect(await group(test)).toMatchObject({ DesiredCapacity: 1 });
    expect(await states(test)).toEqual(['InService']);
    const below = terminate(test.members()[0]?.instanceId ?? '', true);
    await expect(below).rejects.toMatchObject({ name: 'ValidationError' });
    await expect(terminate('i-00000000000000000', true)).rejects.toMatchObject({ name: 'ValidationError' });
  });

  it('replace an unhealthy member and one without power', async () => {
    await using test = await startCloud();
    await startGroup(test, { desired: 2 });
    const [sick, dark] = test.members();
    await test.autoScaling.send(
      new SetInstanceHealthCommand({ InstanceId: sick?.instanceId, HealthStatus: 'Unhealthy' }),
    );
    test.cloud.powerCut(dark?.instanceId ?? '');
    await test.clock.advance(5_000);
    expect(test.calls).toContain(`power cut ${dark?.instanceId ?? ''}`);
    expect(await states(test)).toEqual(['InService', 'InService']);
    expect(test.members().map((it) => it.instanceId)).not.toContain(sick?.instanceId);
  });

  it('launch elsewhere, or later, where a zone has no capacity', async () => {
    await using test = await startCloud({ zonesWithoutCapacity: ['eu-central-1a'] });
    await startGroup(test, { desired: 2 });
    expect(test.members().map((it) => it.zone)).toEqual(['eu-central-1b', 'eu-central-1c']);
    test.cloud.changeSettings({ zonesWithoutCapacity: ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'] });
    await desire(test, 3);
    await test.clock.advance(5_000);
    expect(test.members()).toHaveLength(2);
    test.cloud.changeSettings({ zonesWithoutCapacity: [] });
    await test.clock.advance(5_000);
    expect(test.members().map((it) => it.zone)).toContain('eu-central-1a');
  });

  it('are made and deleted', async () => {
    await using test = await startCloud();
    const make = () =>
      test.autoScaling.send(
        new CreateAutoScalingGroupCommand({
          ...web,
          MinSize: 1,
          MaxSize: 2,
          LaunchTemplate: { LaunchTemplateName: 'etcd', Version: '1' },
          VPCZoneIdentifier: 'subnet-1',
          Tags: [{ Key: 'StackName', Value: 'etcd-made', PropagateAtLaunch: true }],
        }),
      );
    await make();
    await expect(make()).rejects.toMatchObject({ name: 'AlreadyExistsFault' });
    await test.clock.advance(1_000);
    expect([...test.machines.values()].map((it) => it.stackName)).toEqual(['etcd-made']);
    const remove = (ForceDelete: boolean) =>
      test.autoScaling.send(new DeleteAutoScalingGroupCommand({ ...web, ForceDelete }));
    await expect(remove(false)).rejects.toMatchObject({ name: 'ResourceInUseFault' });
    await remove(true);
    await test.clock.advance(1_000);
    expect(await group(test)).toBeUndefined();
    expect(test.machines.size).toBe(0);
  });

  it('do not know scaling policies, and say so', async () => {
    await using test = await startCloud();
    const call = test.autoScaling.send(new PutScalingPolicyCommand({ ...web, PolicyName: 'p' }));
    await expect(call).rejects.toMatchObject({ $metadata: { httpStatusCode: 501 } });
  });
});

describe('lifecycle hooks', () => {
  async function startHooked(...hooks: readonly HookRequest[]) {
    const test = await startCloud();
    test.cloud.createGroup({ name: 'web', stackName: 'etcd-demo', min: 0, max: 5, desired: 1, hooks });
    await test.clock.advance(500);
    return test;
  }
  const only = (test: TestCloud): string => test.members()[0]?.instanceId ?? '';

  it('hold a launch in Pending:Wait until it is completed, once', async () => {
    await using test = await startHooked(LAUNCHING);
    expect(await states(test)).toEqual(['Pending:Wait']);
    expect(test.machines.has(only(test))).toBe(true);
    await complete(test, only(test), 'launching');
    expect(await states(test)).toEqual(['InService']);
    await expect(complete(test, only(test), 'launching')).rejects.toMatchObject({
      name: 'ValidationError',
      message: `No active Lifecycle Action found with instance ID ${only(test)}`,
    });
  });

  it('end by their default result when nobody completes them: ABANDON terminates and tries again', async () => {
    await using test = await startHooked(LAUNCHING);
    const first = only(test);
    await test.clock.advance(59_000);
    expect(await states(test)).toEqual(['Pending:Wait']);
    await test.clock.advance(3_000);
    expect(test.calls).toContain(`shutdown ${first} 30000`);
    expect(only(test)).not.toBe(first);
    expect(await states(test)).toEqual(['Pending:Wait']);
  });

  it('wait longer with each heartbeat', async () => {
    await using test = await startHooked(LAUNCHING);
    for (let beat = 0; beat < 3; beat += 1) {
      await test.clock.advance(50_000);
      const action = { ...web, InstanceId: only(test), LifecycleHookName: 'launching' };
      await test.autoScaling.send(new RecordLifecycleActionHeartbeatCommand(action));
    }
    expect(await states(test)).toEqual(['Pending:Wait']);
    await test.clock.advance(61_000);
    expect(test.calls.some((call) => call.startsWith('shutdown'))).toBe(true);
  });

  it('hold a termination in Terminating:Wait, the machine running and the replacement on its way', async () => {
    await using test = await startHooked(TERMINATING);
    const old = only(test);
    await test.autoScaling.send(
      new TerminateInstanceInAutoScalingGroupCommand({
        InstanceId: old,
        ShouldDecrementDesiredCapacity: false,
      }),
    );
    await test.clock.advance(5_000);
    expect(await states(test)).toEqual(['Terminating:Wait', 'InService']);
    expect(test.machines.has(old)).toBe(true);
    await complete(test, old, 'terminating');
    await test.clock.advance(1_000);
    expect(test.machines.has(old)).toBe(false);
    expect(await states(test)).toEqual(['InService']);
  });

  it('let a termination go on when their time is over', async () => {
    await using test = await startHooked(TERMINATING);
    await desire(test, 0);
    await test.clock.advance(59_000);
    expect(await states(test)).toEqual(['Terminating:Wait']);
    await test.clock.advance(3_000);
    expect(await states(test)).toEqual([]);
  });

  it('are put, shown and completed by name', async () => {
    await using test = await startHooked();
    const hook = {
      ...web,
      LifecycleHookName: 'late',
      LifecycleTransition: LAUNCHING.transition,
      HeartbeatTimeout: 30,
    };
    await test.autoScaling.send(new PutLifecycleHookCommand(hook));
    const { LifecycleHooks } = await test.autoScaling.send(new DescribeLifecycleHooksCommand(web));
    expect(LifecycleHooks?.[0]).toMatchObject({ ...hook, DefaultResult: 'ABANDON', GlobalTimeout: 3_000 });
    await desire(test, 2);
    await test.clock.advance(1_000);
    expect(await states(test)).toEqual(['InService', 'Pending:Wait']);
    const waiting = test.members()[1]?.instanceId ?? '';
    await expect(complete(test, waiting, 'other')).rejects.toMatchObject({ name: 'ValidationError' });
    await complete(test, waiting, 'late', 'ABANDON');
    await test.clock.advance(1_000);
    expect(test.members().map((it) => it.instanceId)).not.toContain(waiting);
  });
});

describe('an instance refresh', () => {
  const refresh = async (test: TestCloud, Preferences: object = {}) => {
    const { InstanceRefreshId } = await test.autoScaling.send(
      new StartInstanceRefreshCommand({ ...web, Preferences }),
    );
    return InstanceRefreshId;
  };
  const status = async (test: TestCloud) =>
    (await test.autoScaling.send(new DescribeInstanceRefreshesCommand(web))).InstanceRefreshes?.[0];
  const serving = async (test: TestCloud) =>
    (await states(test)).filter((state) => state === 'InService').length;

  it('replaces one after another, waiting for the launching hook of each', async () => {
    await using test = await startCloud();
    test.cloud.createGroup({ name: 'web', stackName: 's', min: 1, max: 5, desired: 3 });
    await test.clock.advance(1_000);
    const old = test.members().map((it) => it.instanceId);
    await test.autoScaling.send(
      new PutLifecycleHookCommand({
        ...web,
        LifecycleHookName: 'up',
        LifecycleTransition: LAUNCHING.transition,
      }),
    );
    const id = await refresh(test, { MinHealthyPercentage: 66 });
    await expect(refresh(test)).rejects.toMatchObject({ name: 'InstanceRefreshInProgressFault' });
    for (let round = 0; round < 3; round += 1) {
      await test.clock.advance(10_000);
      expect(await serving(test)).toBe(2);
      expect(await status(test)).toMatchObject({ Status: 'InProgress', InstanceRefreshId: id });
      const waiting = test.members().find((it) => it.lifecycleState === 'Pending:Wait')?.instanceId ?? '';
      await complete(test, waiting, 'up');
    }
    await test.clock.advance(1_000);
    expect(await status(test)).toMatchObject({
      Status: 'Successful',
      PercentageComplete: 100,
      InstancesToUpdate: 0,
    });
    expect(test.members().filter((it) => old.includes(it.instanceId))).toEqual([]);
    expect(await states(test)).toEqual(['InService', 'InService', 'InService']);
  });

  it('launches before it terminates where the maximum allows it', async () => {
    await using test = await startCloud();
    await startGroup(test);
    await refresh(test, { MinHealthyPercentage: 100, MaxHealthyPercentage: 110 });
    let least = 3;
    for (let step = 0; step < 40; step += 1) {
      await test.clock.advance(100);
      least = Math.min(least, await serving(test));
    }
    expect(least).toBe(3);
    expect(await status(test)).toMatchObject({ Status: 'Successful' });
    expect(await serving(test)).toBe(3);
  });

  it('can be cancelled', async () => {
    await using test = await startCloud();
    await startGroup(test);
    await refresh(test, { InstanceWarmup: 600 });
    await test.clock.advance(5_000);
    await test.autoScaling.send(new CancelInstanceRefreshCommand(web));
    expect(await status(test)).toMatchObject({ Status: 'Cancelled' });
    const again = test.autoScaling.send(new CancelInstanceRefreshCommand(web));
    await expect(again).rejects.toMatchObject({ name: 'ActiveInstanceRefreshNotFoundFault' });
  });
});
