import { expect, test } from 'vitest';
import type { Fleet } from './harness.ts';
import { memberIds, otherMembers } from './members.ts';
import { untilNamed } from './names.ts';
import { memberOf } from './roles.ts';
import type { View } from './view.ts';

/** Kills the etcd of these at the same time; afterwards each has a new process, and the members are those of before. */
async function killEtcds(fleet: Fleet, victims: readonly View[]): Promise<void> {
  const { sandbox, view, whole, machine, writesGoOn } = fleet;
  const size = (await view()).length;
  const members = await memberIds(fleet);
  const before = await Promise.all(victims.map(({ instanceId }) => machine(instanceId)));
  await Promise.all(victims.map(({ instanceId }) => sandbox.hypervisor.kill(instanceId, 'etcd')));
  await whole(size);
  for (const { instanceId, etcd, appliance } of before) {
    const after = await machine(instanceId);
    expect(after.etcd?.pid).not.toBe(etcd?.pid);
    expect(after.appliance?.pid).toBe(appliance?.pid);
  }
  expect(await memberIds(fleet)).toEqual(members);
  await writesGoOn();
}

/**
 * Processes that are killed, frozen or lose their disk: tests of a file, in this order, on its one fleet. No instance
 * ends, so no member may be removed but one.
 */
export function crashes(fleet: () => Fleet, size: number): void {
  test('the etcd of a follower is killed', async () => {
    await killEtcds(fleet(), (await fleet().followers()).slice(0, 1));
  });

  test('the etcd of the leader is killed', async () => {
    await killEtcds(fleet(), [await fleet().leader()]);
  });

  test('all etcds are killed at once', async () => {
    await killEtcds(fleet(), await fleet().view());
  });

  test('an appliance is killed: its etcd lives on, and is taken over', async () => {
    const { sandbox, machine, leader, until, whole, writesGoOn } = fleet();
    const { instanceId } = await leader();
    const before = await machine(instanceId);
    await sandbox.hypervisor.kill(instanceId, 'appliance');
    await until('the appliance runs again', async () => {
      const { appliance, starts } = await machine(instanceId);
      return appliance !== null && starts === before.starts + 1 ? [] : [`${starts} starts`];
    });
    await whole(size);
    await writesGoOn();
    expect((await machine(instanceId)).etcd?.pid).toBe(before.etcd?.pid);
  });

  test('an appliance and its etcd are killed together', async () => {
    const { sandbox, machine, leader, whole, writesGoOn } = fleet();
    const { instanceId } = await leader();
    const before = await machine(instanceId);
    const members = await memberIds(fleet());
    await Promise.all([
      sandbox.hypervisor.kill(instanceId, 'appliance'),
      sandbox.hypervisor.kill(instanceId, 'etcd'),
    ]);
    await whole(size);
    await writesGoOn();
    expect((await machine(instanceId)).etcd?.pid).not.toBe(before.etcd?.pid);
    expect(await memberIds(fleet())).toEqual(members);
  });

  test('an etcd freezes, leaves the names, and comes back when it thaws', async () => {
    const { sandbox, machine, during, writesGoOn, whole, view } = fleet();
    const { instanceId, address } = await memberOf(fleet(), 'follower');
    const before = await machine(instanceId);
    const members = await memberIds(fleet());
    await sandbox.hypervisor.freeze(instanceId, 'etcd');
    const healthy = (await view()).map((one) => one.address).filter((one) => one !== address);
    await untilNamed(fleet(), healthy);
    // EC2 says that it runs, so it stays a member for as long as it is silent.
    await during(3_000, () => otherMembers(fleet(), members, healthy[0]));
    await writesGoOn();
    await sandbox.hypervisor.thaw(instanceId, 'etcd');
    await whole(size);
    expect((await machine(instanceId)).etcd?.pid).toBe(before.etcd?.pid);
    expect(await memberIds(fleet())).toEqual(members);
  });

  test('the data of an instance are wiped: it joins anew, under another member id', async () => {
    const { sandbox, watch, leader, whole, writesGoOn } = fleet();
    const { instanceId, status } = await leader();
    const members = await memberIds(fleet());
    const removed = watch.removed();
    await sandbox.hypervisor.wipeData(instanceId);
    await whole(size);
    await writesGoOn();
    expect(watch.removed().filter((id) => !removed.includes(id))).toEqual([status?.memberId]);
    expect((await memberIds(fleet())).filter((id) => members.includes(id))).toHaveLength(size - 1);
  });
}
