import { expect, onTestFinished, test } from 'vitest';
import { createClients } from '../../src/aws/clients.ts';
import { findPlace } from '../../src/aws/identity.ts';
import { startWireServer } from '../fakes/wire-server.ts';
import type { WireAnswer } from '../fakes/wire-server.ts';
import { autoScalingAnswer, ec2Answer, queryError } from '../fakes/wire-answers.ts';

const never = new AbortController().signal;
const IDENTITY = {
  instanceId: 'i-1',
  region: 'eu-central-1',
  zone: 'eu-central-1a',
  address: '10.0.0.1',
  accountId: '123456789012',
};
const TAGS = { 'aws:cloudformation:stack-name': 'etcd-demo', 'aws:autoscaling:groupName': 'g' };

async function place(ec2: WireAnswer, configured: string | null, autoScaling: WireAnswer = 'reset') {
  await using server = await startWireServer(({ service }) => (service === 'ec2' ? ec2 : autoScaling));
  const clients = createClients(
    {
      region: 'eu-central-1',
      endpoint: server.endpoint,
      credentials: { accessKeyId: 'AK', secretAccessKey: 's' },
    },
    { observer: { onCall: () => undefined } },
  );
  onTestFinished(() => {
    clients.destroy();
  });
  const calls = { ec2: clients.ec2('eu-central-1'), autoScaling: clients.autoScaling('eu-central-1') };
  return await findPlace(IDENTITY, configured, calls, never);
}

const member = (group: string) =>
  autoScalingAnswer(
    'DescribeAutoScalingInstances',
    `<AutoScalingInstances><member><InstanceId>i-1</InstanceId><AutoScalingGroupName>${group}</AutoScalingGroupName></member></AutoScalingInstances>`,
  );

test('stack and group come from the tags', async () => {
  expect(await place(ec2Answer([{ id: 'i-1', tags: TAGS }]), 'configured')).toEqual({
    known: true,
    value: {
      self: {
        id: 'i-1',
        region: 'eu-central-1',
        zone: 'eu-central-1a',
        address: '10.0.0.1',
        stack: 'etcd-demo',
      },
      group: 'g',
      stackFrom: 'tag',
    },
  });
});

test('without tags, the stack is as configured, and Auto Scaling tells the group', async () => {
  expect(await place(ec2Answer([{ id: 'i-1' }]), 'configured', member('h'))).toMatchObject({
    known: true,
    value: { self: { stack: 'configured' }, group: 'h', stackFrom: 'configuration' },
  });
});

test('an instance can be in no group', async () => {
  const none = autoScalingAnswer('DescribeAutoScalingInstances', '<AutoScalingInstances/>');
  expect(await place(ec2Answer([{ id: 'i-1' }]), 'configured', none)).toMatchObject({
    known: true,
    value: { group: null },
  });
});

test('neither tag nor configuration is a configuration error that names STACK_NAME', async () => {
  await expect(place(ec2Answer([{ id: 'i-1' }]), null)).rejects.toMatchObject({
    code: 'configuration',
    message: expect.stringContaining('STACK_NAME') as string,
  });
});

test('an answer that does not show the own instance tells nothing about its tags', async () => {
  expect(await place(ec2Answer([]), null)).toMatchObject({ known: false });
  expect(await place(ec2Answer([{ id: 'i-2', tags: TAGS }]), null)).toMatchObject({ known: false });
});

test('is unknown where Auto Scaling does not tell', async () => {
  expect(
    await place(ec2Answer([{ id: 'i-1' }]), 'configured', queryError(403, 'AccessDenied')),
  ).toMatchObject({
    known: false,
    reason: expect.stringMatching(/AccessDenied/) as string,
  });
});
