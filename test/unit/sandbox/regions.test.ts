import {
  DescribeAutoScalingGroupsCommand,
  SetDesiredCapacityCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling';
import { DescribeInstancesCommand, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { ListHostedZonesByNameCommand } from '@aws-sdk/client-route-53';
import { describe, expect, it } from 'vitest';
import { regionPlaces } from '../../../src/sandbox/regions.ts';
import type { Machine } from '../../../src/sandbox/model.ts';
import { createClients, startCloud } from './cloud-fixture.ts';

const HERE = 'eu-central-1';
const THERE = 'eu-west-1';

/** Two regions with a group of the same name in each: 2 here, 1 there. */
async function startTwo(settings: Parameters<typeof startCloud>[0] = {}) {
  const test = await startCloud(settings, [HERE, THERE]);
  const there = createClients(test.awsEndpoint, 'AKIAOPERATOR', THERE);
  const sizes = { name: 'web', stackName: 'etcd-demo', min: 0, max: 5 };
  test.cloud.createGroup({ ...sizes, region: HERE, desired: 2 });
  test.cloud.createGroup({ ...sizes, region: THERE, desired: 1 });
  await test.clock.advance(500);
  const idsIn = (region: string): readonly string[] =>
    test
      .instances()
      .filter((it) => it.region === region)
      .map((it) => it.instanceId);
  return {
    ...test,
    there,
    idsIn,
    async [Symbol.asyncDispose]() {
      there.destroy();
      await test[Symbol.asyncDispose]();
    },
  };
}

type Clients = Pick<ReturnType<typeof createClients>, 'ec2' | 'autoScaling'>;

async function described({ ec2 }: Clients) {
  const { Reservations } = await ec2.send(new DescribeInstancesCommand({}));
  return (Reservations ?? []).flatMap((reservation) => reservation.Instances ?? []);
}

async function listed({ autoScaling }: Clients) {
  return (await autoScaling.send(new DescribeAutoScalingGroupsCommand({}))).AutoScalingGroups ?? [];
}

async function metadata({ metadataEndpoint }: Machine, path: string): Promise<Response> {
  const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' };
  const token = await fetch(`${metadataEndpoint}/latest/api/token`, { method: 'PUT', headers: ttl });
  const headers = { 'x-aws-ec2-metadata-token': await token.text() };
  return fetch(`${metadataEndpoint}/latest/${path}`, { headers });
}

describe('two regions', () => {
  it('each show their own instances and their own group of the one name, by whom the request is signed for', async () => {
    await using test = await startTwo();
    const [here, there] = [await described(test), await described(test.there)];
    expect(here.map((it) => it.InstanceId).toSorted()).toEqual(test.idsIn(HERE).toSorted());
    expect(there.map((it) => it.InstanceId)).toEqual(test.idsIn(THERE));
    expect(there[0]?.Placement?.AvailabilityZone).toBe('eu-west-1a');
    const [group] = await listed(test);
    const [other] = await listed(test.there);
    expect([group?.AutoScalingGroupName, other?.AutoScalingGroupName]).toEqual(['web', 'web']);
    expect(group?.AutoScalingGroupARN).toMatch(/^arn:aws:autoscaling:eu-central-1:/);
    expect(other?.AutoScalingGroupARN).toMatch(/^arn:aws:autoscaling:eu-west-1:/);
    expect(other?.Instances).toHaveLength(1);
  });

  it('give addresses by which the region is told, each with a public one', async () => {
    await using test = await startTwo();
    const pairs = [...(await described(test)), ...(await described(test.there))].map((it) => [
      it.PrivateIpAddress,
      it.PublicIpAddress,
    ]);
    expect(pairs.toSorted()).toEqual([
      ['127.78.1.10', '127.78.101.10'],
      ['127.78.11.10', '127.78.111.10'],
      ['127.78.2.10', '127.78.102.10'],
    ]);
  });

  it('know nothing of what is in the other, and leave it alone', async () => {
    await using test = await startTwo();
    const [id = ''] = test.idsIn(THERE);
    const ended = test.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    await expect(ended).rejects.toMatchObject({ name: 'InvalidInstanceID.NotFound' });
    const out = { InstanceId: id, ShouldDecrementDesiredCapacity: true };
    const left = test.autoScaling.send(new TerminateInstanceInAutoScalingGroupCommand(out));
    await expect(left).rejects.toMatchObject({ name: 'ValidationError' });
    const one = { AutoScalingGroupName: 'web', DesiredCapacity: 3 };
    await test.there.autoScaling.send(new SetDesiredCapacityCommand(one));
    await test.clock.advance(500);
    expect([test.idsIn(HERE).length, test.idsIn(THERE).length]).toEqual([2, 3]);
  });

  it('share one Route 53, whatever region its requests are signed for', async () => {
    await using test = await startTwo();
    test.cloud.createZone('example.org.');
    const zones = async ({ route53 }: ReturnType<typeof createClients>) =>
      (await route53.send(new ListHostedZonesByNameCommand({}))).HostedZones?.map(({ Id }) => Id);
    expect(await zones(test.there)).toEqual(await zones({ ...test }));
    expect(await zones(test.there)).toHaveLength(1);
  });

  it('are the only ones: a third is not simulated, and says so', async () => {
    await using test = await startTwo();
    const third = createClients(test.awsEndpoint, 'AKIAOPERATOR', 'us-east-1');
    await expect(described(third)).rejects.toMatchObject({
      name: 'NotImplemented',
      message: expect.stringContaining('the region us-east-1, only eu-central-1 and eu-west-1'),
    });
    third.destroy();
  });

  it('tell each instance its own region, and its public address where it has one', async () => {
    await using test = await startTwo();
    const machine = [...test.machines.values()].find(({ region }) => region === THERE);
    if (machine === undefined) throw new Error('no machine there');
    expect(await (await metadata(machine, 'meta-data/placement/region')).text()).toBe(THERE);
    expect(await (await metadata(machine, 'dynamic/instance-identity/document')).json()).toMatchObject({
      region: THERE,
      availabilityZone: 'eu-west-1a',
    });
    expect(await (await metadata(machine, 'meta-data/public-ipv4')).text()).toBe('127.78.111.10');
  });

  it('refuse an operator who does not say which group of two he means', async () => {
    await using test = await startTwo();
    expect(() => test.cloud.setDesired('web', 1)).toThrow('is in eu-central-1, eu-west-1');
    test.cloud.setDesired('web', 0, THERE);
    await test.clock.advance(40_000);
    expect(test.instances().filter(({ state }) => state === 'running')).toHaveLength(2);
  });

  it('can be set apart, but for what is Route 53’s', async () => {
    await using test = await startTwo();
    test.cloud.changeSettings({ launchDelayMs: 60_000 }, THERE);
    test.cloud.setDesired('web', 3, HERE);
    test.cloud.setDesired('web', 3, THERE);
    await test.clock.advance(1_000);
    const pending = test.instances().filter(({ state }) => state === 'pending');
    expect(pending.map(({ region }) => region)).toEqual([THERE, THERE]);
    expect(() => test.cloud.changeSettings({ route53RateLimit: 1 }, THERE)).toThrow('for all regions');
    expect(() => test.cloud.changeSettings({ launchDelayMs: 1 }, 'us-east-1')).toThrow('no region us-east-1');
  });

  it('fail apart: by whom is asked, and by where the asking instance is', async () => {
    await using test = await startTwo();
    const every = { service: '*', action: '*', instance: '*', kind: 'error' } as const;
    test.cloud.createZone('example.org.');
    const list = (clients: ReturnType<typeof createClients>) =>
      clients.route53.send(new ListHostedZonesByNameCommand({}));
    const asked = test.cloud.faults.add({ ...every, region: THERE });
    await expect(described(test.there)).rejects.toMatchObject({ name: 'InternalError' });
    expect(await described(test)).toHaveLength(2);
    await list(test.there);
    test.cloud.faults.lift(asked.id);
    test.cloud.faults.add({ ...every, fromRegion: THERE });
    const [id = ''] = test.idsIn(THERE);
    const instance = createClients(test.awsEndpoint, `ASIA${id.slice(3).toUpperCase()}`, HERE);
    await expect(described(instance)).rejects.toMatchObject({ name: 'InternalError' });
    await expect(list(instance)).rejects.toMatchObject({ name: 'ServiceUnavailable' });
    expect(await described(test)).toHaveLength(2);
    expect(() => test.cloud.faults.add({ ...every, region: 'us-east-1' })).toThrow('no region us-east-1');
    instance.destroy();
  });
});

describe('one region', () => {
  it('gives no public addresses, unless it is told to', async () => {
    await using test = await startCloud();
    test.cloud.createGroup({ name: 'web', stackName: 'etcd-demo', min: 0, max: 5, desired: 1 });
    await test.clock.advance(500);
    expect((await described(test))[0]?.PublicIpAddress).toBeUndefined();
    const [machine] = test.machines.values();
    if (machine === undefined) throw new Error('no machine');
    expect((await metadata(machine, 'meta-data/public-ipv4')).status).toBe(404);
    test.cloud.changeSettings({ publicAddresses: true });
    test.cloud.setDesired('web', 2);
    await test.clock.advance(100);
    const publicAddresses = async () => (await described(test)).map((it) => it.PublicIpAddress);
    expect(await publicAddresses(), 'none while it is pending').toEqual([undefined, undefined]);
    await test.clock.advance(500);
    expect(await publicAddresses()).toEqual([undefined, '127.78.102.10']);
  });
});

describe('the places of regions', () => {
  it.each([
    { regions: [], words: 'too few' },
    { regions: ['eu-central-1', 'eu-central-1'], words: 'twice' },
    { regions: ['Frankfurt'], words: 'Frankfurt is no region' },
    { regions: Array.from({ length: 9 }, (_, index) => `eu-west-${index}`), words: 'too many' },
  ])('are refused: $words', ({ regions, words }) => {
    expect(() => regionPlaces({ regions, network: '127.78' })).toThrow(words);
  });
});
