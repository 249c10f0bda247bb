import { expect, test } from 'vitest';
import { fleetForFile } from './harness.ts';
import { memberOf } from './roles.ts';
import type { View } from './view.ts';

/* One fleet of three, whose instances end one after the other, in every way. */
const fleet = fleetForFile({ size: 3, settings: { reuseAddresses: true } });

/** Ends an instance by `end`, waits for its successor to have taken its place whole, and gives the successor. */
async function replaced(victim: View, end: (instanceId: string) => Promise<void> | void): Promise<View> {
  const { view, whole, watch, writesGoOn } = fleet();
  const before = await view();
  const removed = watch.removed();
  await end(victim.instanceId);
  await whole(3);
  await writesGoOn();
  const after = await view();
  const successor = after.find(({ instanceId }) => before.every((one) => one.instanceId !== instanceId));
  if (successor === undefined) throw new Error('nobody came');
  expect(after.map(({ instanceId }) => instanceId)).not.toContain(victim.instanceId);
  expect(watch.removed().filter((id) => !removed.includes(id))).toEqual([victim.status?.memberId]);
  return successor;
}

const terminate = (instanceId: string): void => fleet().sandbox.cloud.terminateInstance(instanceId);
const cutPower = (instanceId: string): void => fleet().sandbox.cloud.powerCut(instanceId);

// The first, as all instances still have the lowest address of their zone: the successor gets the very same.
test('a successor has the address of a predecessor that is a member still', async () => {
  const { sandbox, until, leader, fault, story } = fleet();
  const { cloud } = sandbox;
  const startedMs = Date.now();
  const victim = await memberOf(fleet(), 'follower');
  const blindfold = fault({ service: 'ec2', kind: 'error', instance: (await leader()).instanceId });
  const { zones } = cloud.describe().groups[0] ?? { zones: [] };
  const successor = await replaced(victim, async () => {
    cloud.changeSettings({ zonesWithoutCapacity: zones });
    cutPower(victim.instanceId);
    await until('EC2 lets the address go', async () =>
      cloud.describe().instances.flatMap(({ instanceId, state }) => {
        return instanceId === victim.instanceId && state !== 'terminated' ? [state] : [];
      }),
    );
    cloud.changeSettings({ zonesWithoutCapacity: [] });
    // Of three with one dead etcd says the first; of more it would say the second.
    await until('the successor is refused', async () =>
      /unhealthy cluster|Peer URLs already exists/.test(story(startedMs)) ? [] : ['no refusal yet'],
    );
    cloud.faults.lift(blindfold.id);
  });
  expect(successor.address).toBe(victim.address);
  cloud.changeSettings({ reuseAddresses: false });
});

test('a follower is terminated in order', async () => {
  await replaced(await memberOf(fleet(), 'follower'), terminate);
});

test('the leader is terminated in order', async () => {
  const { writers, leader } = fleet();
  writers.resetGap();
  await replaced(await leader(), terminate);
  // It hands over first: nobody waits for an election. Far above what that takes, far below a client's patience.
  expect(writers.longestGapMs()).toBeLessThan(5_000);
});

test('a follower loses its power', async () => {
  await replaced(await memberOf(fleet(), 'follower'), cutPower);
});

test('the leader loses its power, and its successor is unknown to EC2 for a while', async () => {
  const { sandbox, leader } = fleet();
  sandbox.cloud.changeSettings({ unknownAfterLaunchMs: 4_000 });
  await replaced(await leader(), cutPower);
});

test('nothing was lost, and there was one cluster all the time', async () => {
  await fleet().verify();
});
