import { AutoScalingClient, CreateAutoScalingGroupCommand } from '@aws-sdk/client-auto-scaling';
import { CreateLaunchTemplateCommand, EC2Client, TerminateInstancesCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClients } from '../../src/aws/clients.ts';
import { createFleet } from '../../src/aws/fleet.ts';
import { findPlace, STACK_TAG } from '../../src/aws/identity.ts';
import type { FleetPort } from '../../src/daemon/ports.ts';
import { startBareCloud } from '../fakes/bare-cloud.ts';
import { createFakeFleet } from '../fakes/fake-fleet.ts';
import { eventually, motoServer } from '../tools.ts';

/*
 * One suite of what a fleet shows, held against the fake that the daemon's tests use and against the real adapter over
 * every Auto Scaling and EC2 that there is on this machine.
 */

const never = new AbortController().signal;
const REGION = 'eu-central-1';

/** A group of three running instances. */
interface Subject extends AsyncDisposable {
  readonly ids: readonly string[];
  /** The fleet as the instance of this id asks for it. */
  port(id: string): FleetPort;
  /** Ends an instance through EC2. */
  terminate(id: string): Promise<void>;
}

interface Kind {
  readonly name: string;
  readonly open: () => Promise<Subject>;
}

const KINDS: readonly Kind[] = [
  { name: 'FakeFleet', open: () => Promise.resolve(fakeSubject()) },
  { name: 'moto', open: motoSubject },
  { name: 'the sandbox', open: sandboxSubject },
];

function fakeSubject(): Subject {
  const fleet = createFakeFleet();
  const ids = ['i-1', 'i-2', 'i-3'];
  for (const [index, id] of ids.entries()) fleet.add({ id, address: `10.0.0.${index + 1}` });
  return {
    ids,
    port: (id) => fleet.port(id),
    terminate: (id) => {
      fleet.terminate(id);
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function sandboxSubject(): Promise<Subject> {
  const bare = await startBareCloud({ healthCheckMs: 3_600_000 });
  const ids = await bare.group(3);
  return {
    ids: ids.toSorted(),
    port: (id) => bare.fleet(id),
    terminate: (id) => {
      bare.cloud.terminateInstance(id);
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: () => bare[Symbol.asyncDispose](),
  };
}

async function motoSubject(): Promise<Subject> {
  const moto = await motoServer();
  const config = {
    region: REGION,
    endpoint: moto.url,
    credentials: { accessKeyId: 'AKIAOPERATOR', secretAccessKey: 'secret' },
  };
  const ec2 = new EC2Client(config);
  const autoScaling = new AutoScalingClient(config);
  await ec2.send(
    new CreateLaunchTemplateCommand({
      LaunchTemplateName: 'template',
      LaunchTemplateData: { ImageId: 'ami-12c6146b', InstanceType: 't3.micro' },
    }),
  );
  await autoScaling.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName: 'group',
      LaunchTemplate: { LaunchTemplateName: 'template' },
      MinSize: 3,
      MaxSize: 5,
      DesiredCapacity: 3,
      AvailabilityZones: [`${REGION}a`],
      Tags: [{ Key: STACK_TAG, Value: 'etcd-demo', PropagateAtLaunch: true }],
    }),
  );
  const clients = createClients(config, { observer: { onCall: () => undefined } });
  const selfOf = (id: string) => ({
    id,
    region: REGION,
    zone: `${REGION}a`,
    address: '10.0.0.1',
    stack: 'etcd-demo',
  });
  const port = (id: string) =>
    createFleet(
      { self: selfOf(id), group: 'group', activeRegions: [] },
      { clients, now: () => performance.now() },
    );
  const { AutoScalingInstances: members = [] } = await clients
    .autoScaling(REGION)
    .describeAutoScalingInstances({}, never);
  const ids = members.map((member) => member.InstanceId ?? '').toSorted();
  const identity = { instanceId: ids[0] ?? '', region: REGION, zone: '', address: '', accountId: '' };
  const place = await findPlace(
    identity,
    null,
    { ec2: clients.ec2(REGION), autoScaling: clients.autoScaling(REGION) },
    never,
  );
  expect(place).toMatchObject({ known: true, value: { self: { stack: 'etcd-demo' }, group: 'group' } });
  return {
    ids,
    port,
    terminate: async (id) => {
      await ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    },
    [Symbol.asyncDispose]: async () => {
      clients.destroy();
      ec2.destroy();
      autoScaling.destroy();
      await moto[Symbol.asyncDispose]();
    },
  };
}

describe.each(KINDS)('$name', ({ open }) => {
  let subject: Subject;
  beforeAll(async () => {
    subject = await open();
  });
  afterAll(() => subject[Symbol.asyncDispose]());
  const idAt = (index: number): string => subject.ids[index] ?? '';

  test('shows the group and every instance of it, with address and state, to each of them', async () => {
    for (const id of subject.ids) {
      const seen = await subject.port(id).observe(never);
      if (!seen.known) throw new Error(seen.reason);
      const { groups, instances } = seen.value;
      expect(groups).toEqual([
        {
          arn: expect.stringMatching(/^arn:aws:autoscaling:/) as string,
          name: 'group',
          region: REGION,
          desired: 3,
        },
      ]);
      expect(instances.map((instance) => instance.id).toSorted()).toEqual(subject.ids);
      for (const { lifecycle, state, address, group } of instances) {
        expect([lifecycle, state, group]).toEqual(['InService', 'running', groups[0]?.arn]);
        expect(address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      }
      expect(new Set(instances.map((instance) => instance.address)).size).toBe(3);
    }
  });

  test('is unknown to an instance that the group does not list', async () => {
    expect(await subject.port('i-0123456789abcdef0').observe(never)).toMatchObject({ known: false });
  });

  test('has evidence about any id: its state, or that EC2 does not know it', async () => {
    const asked = [
      { id: idAt(1), region: REGION },
      { id: 'i-0123456789abcdef0', region: REGION },
    ];
    const seen = await subject.port(idAt(0)).evidence(asked, never);
    expect(seen.known && Object.fromEntries(seen.value)).toEqual({
      [idAt(1)]: 'running',
      'i-0123456789abcdef0': 'not-found',
    });
    expect(await subject.port(idAt(0)).evidence([], never)).toEqual({ known: true, value: new Map() });
  });

  test('has evidence about a terminated instance, whatever the group lists', async () => {
    await subject.terminate(idAt(2));
    const port = subject.port(idAt(0));
    await eventually(async () => {
      const seen = await port.evidence([{ id: idAt(2), region: REGION }], never);
      const word = seen.known ? seen.value.get(idAt(2)) : undefined;
      return word === 'shutting-down' || word === 'terminated';
    });
  });

  test('throws the reason of an abort', async () => {
    const aborted = AbortSignal.abort(new Error('enough'));
    await expect(subject.port(idAt(0)).observe(aborted)).rejects.toThrow('enough');
  });
});
