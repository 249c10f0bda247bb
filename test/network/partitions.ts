import { expect } from 'vitest';
import { votersOf } from '../../src/core/members.ts';
import { clientUrl } from '../../src/core/urls.ts';
import { textOf } from '../e2e/fields.ts';
import type { Fleet } from '../e2e/harness.ts';
import { untilNamed } from '../e2e/names.ts';
import { startRegisters } from '../e2e/registers.ts';
import { memberOf, type Role } from '../e2e/roles.ts';
import { cutOneWay, leaveOnly, losePackets, mend } from './wires.ts';

/* What a cluster must stand of its network: short in npm test, long in the torture. */

/** What of the network an instance loses. */
export const CUTS = ['peers', 'aws', 'both', 'in', 'out'] as const;
export type Cut = (typeof CUTS)[number];

async function sever({ sandbox }: Fleet, instanceId: string, cut: Cut): Promise<void> {
  if (cut === 'in' || cut === 'out') await cutOneWay(sandbox, instanceId, cut);
  else await sandbox.cuts.cut(instanceId, { from: cut });
}

/** Member ids and the processes of etcd: a partition changes neither. */
async function everyoneOf({ view, machine }: Fleet): Promise<readonly string[]> {
  const views = await view();
  const members = views.find(({ list }) => list !== null)?.list?.members ?? [];
  const etcds = await Promise.all(views.map(({ instanceId }) => machine(instanceId)));
  return [...members.map(({ id }) => id), ...etcds.map(({ etcd }) => `etcd ${etcd?.pid}`)].toSorted();
}

/**
 * Cuts the leader or a follower of a whole cluster off for so long. The others serve on; who is cut off from
 * its peers is in no client's way; nobody is removed, and no etcd is started again.
 */
export async function cutOff(fleet: Fleet, who: Role, cut: Cut, cutMs: number): Promise<void> {
  const { sandbox, view, during, writesGoOn, whole, watch } = fleet;
  const { instanceId } = await memberOf(fleet, who);
  const size = (await view()).length;
  const before = await everyoneOf(fleet);
  const removed = watch.removed();
  const endMs = performance.now() + cutMs;
  await sever(fleet, instanceId, cut);
  const named = (await view()).filter((one) => cut === 'aws' || one.instanceId !== instanceId);
  await untilNamed(
    fleet,
    named.map(({ address }) => address),
  );
  await writesGoOn();
  await during(Math.max(0, endMs - performance.now()), async () => {
    const gone = watch.removed().filter((id) => !removed.includes(id));
    return gone.length === 0 ? [] : [`removed: ${gone.join()}`];
  });
  await mend(sandbox, instanceId);
  await sandbox.cuts.cut(instanceId, { from: 'none' });
  await whole(size);
  await writesGoOn();
  expect(await everyoneOf(fleet)).toEqual(before);
}

/**
 * The clients' check can fail: where reads through a follower are what that one holds itself, and it is cut off from its peers,
 * some client reads what another has replaced, and that is found.
 */
export async function findStaleReads(fleet: Fleet): Promise<void> {
  const { sandbox, followers, view, until, whole } = fleet;
  const [cut] = await followers();
  if (cut === undefined) throw new Error('no followers');
  const endpoints = (await view()).map(({ address }) => clientUrl(address));
  await sandbox.cuts.cut(cut.instanceId, { from: 'peers' });
  const planted = startRegisters(() => endpoints, {
    prefix: 'stale/',
    serializableAt: clientUrl(cut.address),
  });
  try {
    await until('a stale read is found', async () =>
      planted.broken().length > 0 ? [] : ['every history could be one of linearizable reads'],
    );
  } finally {
    await planted.stop();
  }
  await sandbox.cuts.cut(cut.instanceId, { from: 'none' });
  await whole(3);
}

/**
 * In a cluster of three, the link between the two followers is cut, and the leader, which hears both, is to go, with nobody in its place. It takes no
 * quorum with it: it waits until they hear each other.
 */
export async function leaveOverBridge(fleet: Fleet): Promise<void> {
  const { sandbox, leader, followers, watch, during, until, whole, writers, writesGoOn, story } = fleet;
  const startedMs = Date.now();
  const bridge = await leader();
  const [one, other] = await followers();
  if (one === undefined || other === undefined) throw new Error('no followers');
  const removed = watch.removed();
  const gone = (): readonly string[] => watch.removed().slice(removed.length);
  await sandbox.cuts.cut(one.instanceId, { from: 'peers', only: [other.instanceId] });
  await writesGoOn();
  writers.resetGap();
  sandbox.cloud.terminateInstance(bridge.instanceId, { decrement: true });
  await until('the leader waits', async () =>
    story(startedMs).includes('leave-quorum-short') ? [] : ['it has not said so'],
  );
  await during(3_000, async () => gone());
  await writesGoOn();
  expect(writers.longestGapMs()).toBeLessThan(10_000);
  await sandbox.cuts.cut(one.instanceId, { from: 'none' });
  await until('the leader has left', async () => (gone().length > 0 ? [] : ['it is a member']));
  expect(gone()).toEqual([bridge.status?.memberId]);
  await whole(2);
  sandbox.cloud.setDesired(sandbox.addresses.group, 3);
  await whole(3);
}

/** Every instance loses a tenth of what it is sent, while the leader's etcd is killed and an instance is replaced. */
export async function loseATenth(fleet: Fleet): Promise<void> {
  const { sandbox, view, leader, followers, whole, writesGoOn } = fleet;
  const part = 0.1;
  // Whom it hits is found out before: later an answer may be lost.
  const [before, first, [victim]] = [await view(), await leader(), await followers()];
  for (const { instanceId } of before) await losePackets(sandbox, instanceId, part);
  await sandbox.hypervisor.kill(first.instanceId, 'etcd');
  await writesGoOn();
  sandbox.cloud.events.subscribe(({ type, fields }) => {
    const id = textOf(fields, 'instanceId');
    if (type !== 'process-start' || before.some(({ instanceId }) => instanceId === id)) return;
    // It may be gone before its network is spoilt: then nobody wants it spoilt any more.
    losePackets(sandbox, id, part).catch(() => undefined);
  });
  sandbox.cloud.terminateInstance(victim?.instanceId ?? '');
  await untilVoters(fleet, before.length);
  await writesGoOn();
  for (const { instanceId } of await view()) await mend(sandbox, instanceId);
  await whole(before.length);
}

/** Until some member says, with a majority behind it, that all instances and nobody else are voters. */
export async function untilVoters({ until, view }: Fleet, size: number): Promise<void> {
  await until(`the ${size} instances are the voters`, async () => {
    const views = (await view()).filter(({ state }) => state === 'running');
    const ids = views.map(({ instanceId }) => instanceId).toSorted();
    const seen = views.flatMap(({ list }) => (list === null ? [] : [votersOf(list.members)]));
    const names = seen.map((voters) => voters.map(({ name }) => name).toSorted());
    if (ids.length === size && names.some((voters) => voters.join() === ids.join())) return [];
    return [`instances ${ids.join()}`, ...names.map((voters) => `voters ${voters.join()}`)];
  });
}

/**
 * A follower that hears neither the leader nor newcomers learns of nobody new; then it is cut off from all its peers, not from
 * AWS, while all that it knows end, and its etcd and appliance end, too. By what it holds the cluster is gone for
 * certain: it has to wait all the same, and to come back as the member that it is.
 */
export async function survive(fleet: Fleet): Promise<void> {
  const { sandbox, view, leader, followers, watch, whole, writesGoOn, until, story } = fleet;
  const { cloud, cuts, hypervisor, addresses } = sandbox;
  const startedMs = Date.now();
  const removed = watch.removed();
  const first = await leader();
  const [survivor, second] = await followers();
  if (survivor === undefined || second === undefined) throw new Error('no followers');
  const { instanceId } = survivor;
  // etcd adds nobody through a member that misses another: the one that it still speaks to does it.
  await leaveOnly(sandbox, instanceId, second.address);
  // Each waits for the survivor, 30 s, before its etcd starts: it may come back, and not know of it.
  for (const size of [4, 5]) {
    cloud.setDesired(addresses.group, size);
    await untilVoters(fleet, size);
  }
  await cuts.cut(instanceId, { from: 'peers' });
  // Followers first: the leader would make another lead, and the survivor hear from that one.
  for (const ending of [second, first]) {
    cloud.terminateInstance(ending.instanceId, { decrement: true });
    await until(`${ending.instanceId} has left`, async () =>
      watch.removed().includes(ending.status?.memberId ?? '') ? [] : ['it is a member'],
    );
  }
  await untilVoters(fleet, 3);
  await Promise.all([hypervisor.kill(instanceId, 'appliance'), hypervisor.kill(instanceId, 'etcd')]);
  await until('the survivor starts again on its data', async () =>
    story(startedMs).includes('own-data-quorum-lost') ? [] : ['it has not'],
  );
  await writesGoOn();
  await cuts.cut(instanceId, { from: 'none' });
  await whole(3);
  await writesGoOn();
  const after = (await view()).find((one) => one.instanceId === instanceId);
  expect(after?.status?.memberId).toBe(survivor.status?.memberId);
  const gone = watch.removed().filter((id) => !removed.includes(id));
  expect(gone.toSorted()).toEqual([first, second].map(({ status }) => status?.memberId).toSorted());
}

/**
 * As many followers as the cluster can do without are cut off from their peers, and the leader's instance ends: those that
 * are left are no majority, and nobody new can join. All wait; when the network is back, so is the cluster.
 */
export async function loseQuorum(fleet: Fleet): Promise<void> {
  const { sandbox, view, leader, followers, whole, writesGoOn, until, story } = fleet;
  const startedMs = Date.now();
  const size = (await view()).length;
  const cut = (await followers()).slice(0, Math.floor((size - 1) / 2));
  const ending = await leader();
  for (const { instanceId } of cut) await sandbox.cuts.cut(instanceId, { from: 'peers' });
  sandbox.cloud.powerCut(ending.instanceId);
  await until('nobody has a quorum, and a newcomer waits', async () => {
    const answers = (await view()).filter(({ list }) => list !== null);
    const waits = story(startedMs).includes('planned start quorum-lost');
    return [...answers.map((one) => `${one.instanceId} has a quorum`), ...(waits ? [] : ['nobody waits'])];
  });
  for (const { instanceId } of cut) await sandbox.cuts.cut(instanceId, { from: 'none' });
  await whole(size);
  await writesGoOn();
}
