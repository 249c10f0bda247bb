import { expect, onTestFinished, test } from 'vitest';
import { createClients } from '../../src/aws/clients.ts';
import { createRefreshes, readGroupArn } from '../../src/aws/refreshes.ts';
import { OPERATOR_ACCESS_KEY } from '../../src/sandbox/caller.ts';
import { BARE_REGION, startBareCloud } from '../fakes/bare-cloud.ts';
import type { BareCloud } from '../fakes/bare-cloud.ts';
import { eventually } from '../tools.ts';

const never = new AbortController().signal;
const HOOK = {
  name: 'launching',
  transition: 'autoscaling:EC2_INSTANCE_LAUNCHING',
  heartbeatTimeoutMs: 600_000,
  defaultResult: 'ABANDON',
} as const;

/** As an operator asks, whose key is no instance's. */
function refreshesOf({ endpoint }: BareCloud, name: string) {
  const credentials = { accessKeyId: OPERATOR_ACCESS_KEY, secretAccessKey: 'secret' };
  const observer = { onCall: () => undefined };
  const clients = createClients({ region: BARE_REGION, endpoint, credentials }, { observer });
  onTestFinished(() => clients.destroy());
  return createRefreshes({ name }, { autoScaling: clients.autoScaling(BARE_REGION) });
}

test('a second refresh is the first one, which waits as long as a hook holds the new instance', async () => {
  await using bare = await startBareCloud();
  await bare.group(2, [HOOK]);
  const refreshes = refreshesOf(bare, 'group');
  expect(await refreshes.waitsForMembers(never)).toEqual({ known: true, value: true });
  expect(await refreshes.last(never)).toEqual({ known: true, value: null });
  const started = await refreshes.start(never);
  expect(started).toMatchObject({ known: true, value: expect.any(String) });
  expect(await refreshes.start(never)).toEqual({ known: true, value: null });
  const id = started.known ? started.value : '';
  expect(await refreshes.last(never)).toMatchObject({ value: { id, status: 'InProgress', active: true } });
});

test('replaces every instance, and there are never fewer than before', async () => {
  await using bare = await startBareCloud();
  const before = await bare.group(2);
  const running: number[] = [];
  const serving = () =>
    bare.cloud.describe().instances.filter(({ lifecycleState }) => lifecycleState === 'InService');
  bare.cloud.events.subscribe(() => void running.push(serving().length));
  await eventually(() => serving().length === 2);
  running.length = 0;
  const refreshes = refreshesOf(bare, 'group');
  expect(await refreshes.waitsForMembers(never)).toEqual({ known: true, value: false });
  await refreshes.start(never);
  await eventually(async () => {
    const last = await refreshes.last(never);
    return last.known && last.value?.status === 'Successful' && !last.value.active;
  });
  expect(serving().filter(({ instanceId }) => before.includes(instanceId))).toEqual([]);
  expect(serving()).toHaveLength(2);
  expect(Math.min(...running)).toBe(2);
});

test('what AWS does not say is unknown, with the reason', async () => {
  await using bare = await startBareCloud();
  const refreshes = refreshesOf(bare, 'nowhere');
  for (const answer of [await refreshes.start(never), await refreshes.last(never)])
    expect(answer).toMatchObject({ known: false, reason: expect.stringContaining('nowhere') });
});

test('the region and the name are read off the ARN, and nothing else is one', () => {
  expect(
    readGroupArn('arn:aws:autoscaling:eu-west-1:1:autoScalingGroup:u-u-i-d:autoScalingGroupName/a/b c'),
  ).toEqual({ region: 'eu-west-1', name: 'a/b c' });
  for (const arn of ['', 'group', 'arn:aws:ec2:eu-west-1:1:instance/i-1'])
    expect(readGroupArn(arn)).toBeNull();
});
