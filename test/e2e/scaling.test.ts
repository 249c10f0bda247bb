import { expect, test } from 'vitest';
import { fleetForFile } from './harness.ts';

/* One fleet that grows and shrinks, and loses two of five on the way. */
const fleet = fleetForFile({ size: 3 });

async function scale(size: number): Promise<void> {
  const { sandbox, whole, writesGoOn } = fleet();
  sandbox.cloud.setDesired(sandbox.addresses.group, size);
  await whole(size, 120_000);
  await writesGoOn();
}

test('three become five', async () => {
  await scale(5);
  expect(fleet().watch.removed()).toEqual([]);
});

test('two of five are terminated at once, the leader among them', async () => {
  const { sandbox, leader, followers, watch, whole, writesGoOn } = fleet();
  const [follower] = await followers();
  const victims = [await leader(), ...(follower === undefined ? [] : [follower])];
  for (const { instanceId } of victims) sandbox.cloud.terminateInstance(instanceId);
  await whole(5, 120_000);
  await writesGoOn();
  expect(watch.removed().toSorted()).toEqual(victims.map(({ status }) => status?.memberId).toSorted());
});

test('two of five lose their power at once, the leader among them', async () => {
  const { sandbox, leader, followers, watch, whole, writesGoOn } = fleet();
  const removed = watch.removed();
  const [follower] = await followers();
  const victims = [await leader(), ...(follower === undefined ? [] : [follower])];
  for (const { instanceId } of victims) sandbox.cloud.powerCut(instanceId);
  await whole(5, 120_000);
  await writesGoOn();
  expect(
    watch
      .removed()
      .filter((id) => !removed.includes(id))
      .toSorted(),
  ).toEqual(victims.map(({ status }) => status?.memberId).toSorted());
});

test('five become three', async () => {
  await scale(3);
});

test('three become one', async () => {
  await scale(1);
});

test('one becomes three', async () => {
  await scale(3);
  expect(fleet().watch.removed()).toHaveLength(2 + 2 + 2 + 2);
});

test('nothing was lost, and there was one cluster all the time', async () => {
  await fleet().verify();
});
