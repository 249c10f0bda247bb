import { AutoScalingClient, StartInstanceRefreshCommand } from '@aws-sdk/client-auto-scaling';
import { expect, test } from 'vitest';
import type { CloudEvent } from '../../src/sandbox/model.ts';
import { OPERATOR_ACCESS_KEY } from '../../src/sandbox/caller.ts';
import { fleetForFile } from './harness.ts';

/* One fleet in a group with a launching and a terminating hook. */
const fleet = fleetForFile({ size: 3, hooks: true });

/** How each lifecycle action ended: by whom, and the instance's claim to be a voter at that moment. */
interface Ending {
  readonly instanceId: string;
  readonly hook: string;
  readonly by: string;
  readonly result: string;
  readonly voters: readonly string[];
}

/** The endings of lifecycle actions from now on. */
function endings(): readonly Ending[] {
  const { sandbox, watch } = fleet();
  const seen: Ending[] = [];
  sandbox.cloud.events.subscribe(({ type, fields }: CloudEvent) => {
    if (type !== 'hook-ended') return;
    const [instanceId, hook, by, result] = ['instanceId', 'hook', 'by', 'result'].map((key) =>
      String(fields[key]),
    ) as [string, string, string, string];
    const voters = watch.claim()?.voters.map((voter) => voter.instanceId) ?? [];
    seen.push({ instanceId, hook, by, result, voters });
  });
  return seen;
}

function expectInOrder(seen: readonly Ending[]): void {
  for (const { instanceId, hook, by, result, voters } of seen) {
    expect({ hook, by, result }).toEqual({ hook, by: 'completed', result: 'CONTINUE' });
    // The claim has a voter from before it is promoted until after it is removed.
    if (hook === 'launching') expect(voters).toContain(instanceId);
  }
}

test('a launch is completed by a healthy voter', async () => {
  const { sandbox } = fleet();
  const states = sandbox.cloud.describe().instances.map(({ lifecycleState }) => lifecycleState);
  expect(states).toEqual(['InService', 'InService', 'InService']);
});

test('a termination is completed by who has left', async () => {
  const { sandbox, leader, whole, writesGoOn, admin, followers } = fleet();
  const seen = endings();
  const { instanceId } = await leader();
  const [other] = await followers();
  sandbox.cloud.terminateInstance(instanceId, { decrement: false });
  const left: (readonly string[])[] = [];
  sandbox.cloud.events.subscribe(({ type, fields }) => {
    if (type !== 'hook-ended' || fields['instanceId'] !== instanceId) return;
    void admin
      .memberList(`http://${other?.address}:2379`, { linearizable: true }, new AbortController().signal)
      .then((list) => left.push(list.known ? list.value.members.map(({ name }) => name) : [instanceId]));
  });
  await whole(3);
  await writesGoOn();
  expectInOrder(seen);
  expect(seen.map(({ hook }) => hook).toSorted()).toEqual(['launching', 'terminating']);
  expect(left).toHaveLength(1);
  expect(left.flat()).not.toContain(instanceId);
});

test('an instance refresh replaces all three, one after the other, and no write is lost', async () => {
  const { sandbox, view, until, whole, writesGoOn, verify } = fleet();
  const seen = endings();
  const before = (await view()).map(({ instanceId }) => instanceId);
  const client = new AutoScalingClient({
    endpoint: sandbox.addresses.aws,
    region: 'eu-central-1',
    credentials: { accessKeyId: OPERATOR_ACCESS_KEY, secretAccessKey: 'any' },
  });
  await client.send(
    new StartInstanceRefreshCommand({
      AutoScalingGroupName: sandbox.addresses.group,
      Preferences: { MinHealthyPercentage: 100, MaxHealthyPercentage: 110, InstanceWarmup: 0 },
    }),
  );
  client.destroy();
  let fewest = 3;
  await until(
    'the refresh ends',
    async () => {
      const serving = (await view()).filter(({ list, status }) => list !== null && status?.learner === false);
      fewest = Math.min(fewest, serving.length);
      const done = sandbox.cloud.events
        .since(0)
        .some(({ type, fields }) => type === 'refresh' && fields['status'] === 'Successful');
      return done ? [] : [`${serving.length} serve`];
    },
    150_000,
  );
  await whole(3);
  await writesGoOn();
  const after = (await view()).map(({ instanceId }) => instanceId);
  expect(after.filter((id) => before.includes(id))).toEqual([]);
  expect(fewest).toBeGreaterThanOrEqual(2);
  expectInOrder(seen);
  expect(seen.filter(({ hook }) => hook === 'terminating').map(({ instanceId }) => instanceId)).toHaveLength(
    3,
  );
  await verify();
});
