import { DescribeInstancesCommand } from '@aws-sdk/client-ec2';
import { describe, expect, it } from 'vitest';
import { createClients, startCloud, startGroup, type TestCloud } from './cloud-fixture.ts';

const TOKEN = 'x-aws-ec2-metadata-token';

async function startOne(settings: Parameters<typeof startCloud>[0] = {}) {
  const test = await startCloud(settings);
  await startGroup(test, { desired: 1, min: 0 });
  const [machine] = [...test.machines.values()];
  if (machine === undefined) throw new Error('no machine was booted');
  return { ...test, machine };
}

async function token(endpoint: string): Promise<string> {
  const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' };
  return (await fetch(`${endpoint}/latest/api/token`, { method: 'PUT', headers })).text();
}

async function get(test: TestCloud & { machine: { metadataEndpoint: string } }, path: string) {
  const endpoint = test.machine.metadataEndpoint;
  return fetch(`${endpoint}/latest/${path}`, { headers: { [TOKEN]: await token(endpoint) } });
}

describe('the metadata of an instance', () => {
  it('give nothing without a token, with a wrong one, or with one that is over', async () => {
    await using test = await startOne();
    const path = `${test.machine.metadataEndpoint}/latest/meta-data/instance-id`;
    const valid = await token(test.machine.metadataEndpoint);
    expect((await fetch(path)).status).toBe(401);
    expect((await fetch(path, { headers: { [TOKEN]: 'wrong' } })).status).toBe(401);
    expect(await (await fetch(path, { headers: { [TOKEN]: valid } })).text()).toBe(test.machine.instanceId);
    await test.clock.advance(60_000);
    expect((await fetch(path, { headers: { [TOKEN]: valid } })).status).toBe(401);
    const bare = await fetch(`${test.machine.metadataEndpoint}/latest/api/token`, { method: 'PUT' });
    expect(bare.status).toBe(400);
  });

  it('say who and where the instance is', async () => {
    await using test = await startOne();
    expect(await (await get(test, 'meta-data/local-ipv4')).text()).toBe('127.78.1.10');
    const document: unknown = await (await get(test, 'dynamic/instance-identity/document')).json();
    expect(document).toMatchObject({
      instanceId: test.machine.instanceId,
      region: 'eu-central-1',
      availabilityZone: 'eu-central-1a',
      privateIp: '127.78.1.10',
    });
    expect(await (await get(test, 'meta-data/placement/')).text()).toBe('availability-zone\nregion');
    expect((await (await get(test, 'meta-data')).text()).split('\n')).toContain('iam/');
  });

  it('follow what Auto Scaling wants of the instance', async () => {
    await using test = await startOne();
    const target = 'meta-data/autoscaling/target-lifecycle-state';
    expect(await (await get(test, target)).text()).toBe('InService');
    expect((await get(test, 'meta-data/spot/instance-action')).status).toBe(404);
    expect((await get(test, 'meta-data/events/recommendations/rebalance')).status).toBe(404);
    expect((await get(test, 'meta-data/no/such/thing')).status).toBe(501);
  });

  it('give credentials by which the cloud knows the asking instance', async () => {
    await using test = await startOne();
    const role = await (await get(test, 'meta-data/iam/security-credentials/')).text();
    const credentials = (await (await get(test, `meta-data/iam/security-credentials/${role}`)).json()) as {
      readonly AccessKeyId: string;
    };
    test.cloud.faults.add({
      service: 'ec2',
      action: '*',
      instance: test.machine.instanceId,
      kind: 'error',
    });
    const inside = createClients(test.awsEndpoint, credentials.AccessKeyId);
    const call = inside.ec2.send(new DescribeInstancesCommand({}));
    await expect(call).rejects.toMatchObject({ name: 'InternalError' });
    inside.destroy();
    const { Reservations } = await test.ec2.send(new DescribeInstancesCommand({}));
    expect(Reservations).toHaveLength(1);
  });

  it('say Terminated while a hook holds the termination, and end with the machine', async () => {
    await using test = await startCloud();
    const hook = { name: 'down', heartbeatTimeoutMs: 60_000, defaultResult: 'CONTINUE' as const };
    const transition = 'autoscaling:EC2_INSTANCE_TERMINATING' as const;
    test.cloud.createGroup({
      name: 'web',
      stackName: 's',
      min: 0,
      max: 1,
      desired: 1,
      hooks: [{ ...hook, transition }],
    });
    await test.clock.advance(500);
    const [machine] = [...test.machines.values()];
    if (machine === undefined) throw new Error('no machine was booted');
    test.cloud.setDesired('web', 0);
    await test.clock.advance(1_000);
    const target = await get({ ...test, machine }, 'meta-data/autoscaling/target-lifecycle-state');
    expect(await target.text()).toBe('Terminated');
    await test.clock.advance(61_000);
    await expect(token(machine.metadataEndpoint)).rejects.toThrow('fetch failed');
  });
});
