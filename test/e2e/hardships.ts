import { expect } from 'vitest';
import { clientUrl } from '../../src/etcd/flags.ts';
import { flushesOf, onSmallDisk, slowFlushes } from './disks.ts';
import type { Fleet } from './harness.ts';
import { memberIds, otherMembers } from './members.ts';
import { clientAddresses } from './names.ts';
import { memberOf, type Role } from './roles.ts';
import type { View } from './view.ts';

/* What a whole cluster must stand of one instance that is sick and not dead: short in npm test, long in the torture. */

/** Until clients are no longer sent to this instance; `meanwhile` is done before each look. */
async function untilUnnamed(fleet: Fleet, { address }: View, meanwhile?: () => Promise<void>): Promise<void> {
  await fleet.until('clients are not sent to it', async () => {
    await meanwhile?.();
    const given = await clientAddresses(fleet);
    return given.length > 0 && !given.includes(address) ? [] : given;
  });
}

/** The members stay who they are for so long, and writes go on. */
async function nobodyIsRemoved(fleet: Fleet, members: readonly string[], ms: number): Promise<void> {
  await fleet.during(ms, () => otherMembers(fleet, members));
  await fleet.writesGoOn();
}

/** An etcd is stopped for so long, and goes on as if nothing had been. */
export async function etcdFreezes(fleet: Fleet, role: Role, freezeMs: number): Promise<void> {
  const { sandbox, whole, writesGoOn } = fleet;
  const [victim, members, views] = [await memberOf(fleet, role), await memberIds(fleet), await fleet.view()];
  const frozenAt = performance.now();
  await sandbox.hypervisor.freeze(victim.instanceId, 'etcd');
  await untilUnnamed(fleet, victim);
  await nobodyIsRemoved(fleet, members, Math.max(0, freezeMs - (performance.now() - frozenAt)));
  // Its appliance may have lost patience, and have started another.
  await sandbox.hypervisor.thaw(victim.instanceId, 'etcd').catch(() => undefined);
  await whole(views.length);
  await writesGoOn();
  expect(await memberIds(fleet)).toEqual(members);
}

/**
 * The appliance of the leader, which keeps house, is stopped for longer than its lease, and a follower loses its power:
 * another keeps house meanwhile. What the first had begun before it froze, it must not end when it thaws.
 */
export async function housekeeperFreezes(fleet: Fleet): Promise<void> {
  const { sandbox, admin, until, whole, writesGoOn, watch } = fleet;
  const [keeper, victim] = [await memberOf(fleet, 'leader'), await memberOf(fleet, 'follower')];
  const size = (await fleet.view()).length;
  const removed = watch.removed();
  // Frozen in the very moment in which there is work: it sees the dead member at its next look.
  sandbox.cloud.powerCut(victim.instanceId);
  await sandbox.hypervisor.freeze(keeper.instanceId, 'appliance');
  await until('another keeps house', async () => {
    const list = await admin.memberList(
      clientUrl(keeper.address),
      { linearizable: true },
      new AbortController().signal,
    );
    const voters = list.known ? list.value.members.filter(({ learner }) => !learner) : [];
    const gone = !voters.some(({ id }) => id === victim.status?.memberId);
    return gone && voters.length === size ? [] : [`${voters.map(({ name }) => name).join()}`];
  });
  await writesGoOn();
  await sandbox.hypervisor.thaw(keeper.instanceId, 'appliance');
  await whole(size);
  await writesGoOn();
  expect(watch.removed().filter((id) => !removed.includes(id))).toEqual([victim.status?.memberId]);
}

/** The flushes of one etcd take longer for a while: nobody takes it for dead, and it is not started again. */
export async function diskIsSlow(fleet: Fleet, role: Role, delayMs: number, forMs: number): Promise<void> {
  const { machine, whole, writesGoOn } = fleet;
  const [victim, members, views] = [await memberOf(fleet, role), await memberIds(fleet), await fleet.view()];
  const before = await machine(victim.instanceId);
  {
    await using _slow = await slowFlushes(fleet, victim.instanceId, delayMs);
    const start = await flushesOf(clientUrl(victim.address));
    await nobodyIsRemoved(fleet, members, forMs);
    const end = await flushesOf(clientUrl(victim.address));
    // By etcd's own clock, too: all but one that may have been under way when strace came.
    const flushes = end.count - start.count - 1;
    expect(flushes).toBeGreaterThan(0);
    expect((end.tookMs - start.tookMs) / flushes).toBeGreaterThanOrEqual(delayMs);
  }
  await whole(views.length);
  await writesGoOn();
  expect(await memberIds(fleet)).toEqual(members);
  expect((await machine(victim.instanceId)).etcd?.pid).toBe(before.etcd?.pid);
}

/**
 * Enough for etcd's log, which it keeps in files of 64 MiB: those that hold what is written here, one in advance, and a copy of
 * the last, should its end have been cut off; and for the database.
 */
const DISK_MIB = 500;

/** The disk of one instance fills up under its etcd, stays full for so long, and is cleared. */
export async function diskIsFull(fleet: Fleet, role: Role, fullMs: number): Promise<void> {
  const { whole, writesGoOn, admin } = fleet;
  const [victim, members, views] = [await memberOf(fleet, role), await memberIds(fleet), await fleet.view()];
  const other = views.find(({ instanceId }) => instanceId !== victim.instanceId);
  const writeMuch = async (): Promise<void> => {
    const value = 'x'.repeat(1 << 20);
    await admin.put(clientUrl(other?.address ?? ''), 'much', value, {}, new AbortController().signal);
  };
  {
    await using disk = await onSmallDisk(fleet, victim.instanceId, DISK_MIB);
    await whole(views.length);
    await disk.fill();
    // Its database has 16 MiB or more in advance, of which it could live for long.
    await untilUnnamed(fleet, victim, writeMuch);
    await nobodyIsRemoved(fleet, members, fullMs);
    await disk.clear();
    await whole(views.length);
  }
  await whole(views.length);
  await writesGoOn();
  // A full disk is no damage: the data are the same, and so is the member.
  expect(await memberIds(fleet)).toEqual(members);
}
