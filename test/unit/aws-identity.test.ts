import { expect, test } from 'vitest';
import { findPlace } from '../../src/aws/identity.ts';
import { autoScalingAnswer, ec2Answer, queryError } from '../fakes/wire-answers.ts';
import { WIRE_IDENTITY, WIRE_REGION, WIRE_TAGS, wireAwsForTest } from '../fakes/wire-aws.ts';
import type { WireAnswer } from '../fakes/wire-server.ts';

const never = new AbortController().signal;

async function place(ec2: WireAnswer, configured: string | null, autoScaling: WireAnswer = 'reset') {
  const { clients } = await wireAwsForTest(({ service }) => (service === 'ec2' ? ec2 : autoScaling));
  const calls = { ec2: clients.ec2(WIRE_REGION), autoScaling: clients.autoScaling(WIRE_REGION) };
  return await findPlace(WIRE_IDENTITY, configured, calls, never);
}

const member = (group: string) =>
  autoScalingAnswer(
    'DescribeAutoScalingInstances',
    `<AutoScalingInstances><member><InstanceId>i-1</InstanceId><AutoScalingGroupName>${group}</AutoScalingGroupName></member></AutoScalingInstances>`,
  );

test('stack and group come from the tags', async () => {
  expect(await place(ec2Answer([{ id: 'i-1', tags: WIRE_TAGS }]), 'configured')).toEqual({
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
  expect(await place(ec2Answer([{ id: 'i-2', tags: WIRE_TAGS }]), null)).toMatchObject({ known: false });
});

test('is unknown where Auto Scaling does not tell', async () => {
  expect(
    await place(ec2Answer([{ id: 'i-1' }]), 'configured', queryError(403, 'AccessDenied')),
  ).toMatchObject({
    known: false,
    reason: expect.stringMatching(/AccessDenied/) as string,
  });
});
