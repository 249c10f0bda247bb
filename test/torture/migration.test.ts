import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import { isStarted } from '../../src/core/members.ts';
import { namesOf } from '../../src/core/names.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import { type Fleet, fleetForTest } from '../e2e/harness.ts';
import { configureInPlace } from '../e2e/upgrade-ways.ts';
import { resume, sentences, untilAllRun, untilSaid } from '../e2e/upgrades.ts';
import { askNames } from '../e2e/view.ts';
import { ETCD_DIRECTORY } from '../tools.ts';

/*
 * What docs/migration.md promises: a cluster of the Python original's is taken over instance by instance, while clients
 * write, without its having heard of a claim. The original is played by test/fixtures/python-original.ts, over real etcd 3.4.
 */

const SERVER_NAME = namesOf('demo.example.org').server;
const ORIGINAL = join(import.meta.dirname, '../fixtures/python-original.ts');

/** A cluster of the original's that serves; what is launched from now on runs the appliance. */
async function originalFleet(context: TestContext, size: number): Promise<Fleet> {
  const environment = {
    ORIGINAL: 'yes',
    ORIGINAL_SIZE: String(size),
    ETCD_DIR: ETCD_DIRECTORY,
    ETCD_VERSION: '3.4',
  };
  const fleet = await fleetForTest(context, { size, environment, preload: ORIGINAL });
  await fleet.until('the original`s members serve', async () => {
    const lists = (await fleet.view()).map(({ list }) => list?.members.filter(isStarted).length ?? 0);
    return lists.length === size && lists.every((it) => it === size) ? [] : [`${lists.join()} of ${size}`];
  });
  await fleet.until('the original`s records name them', async () => {
    const { [SERVER_NAME]: addresses = [] } = await askNames(fleet.sandbox);
    return addresses.length === size ? [] : [`${addresses.join()} of ${size}`];
  });
  await fleet.writesGoOn();
  expect(fleet.watch.claim()).toBeNull();
  fleet.sandbox.hypervisor.launchWith({ ORIGINAL: '' });
  return fleet;
}

/** Until so many instances that were not there before say that they are ready. */
async function successorsReady(fleet: Fleet, before: readonly string[], count: number): Promise<void> {
  await fleet.until(`${count} successors are ready`, async () => {
    const successors = (await fleet.view()).filter((it) => !before.includes(it.instanceId));
    if (successors.filter((it) => it.notReady === null).length >= count) return [];
    return ['too few are', ...successors.map((it) => `${it.instanceId}: ${it.notReady ?? 'ready'}`)];
  });
  await fleet.writesGoOn();
}

function idsOf({ sandbox }: Fleet): readonly string[] {
  return sandbox.cloud.describe().instances.map(({ instanceId }) => instanceId);
}

type Way = (fleet: Fleet, instanceIds: readonly string[], size: number) => Promise<void>;

/** An operator terminates instances, and the group sends others. */
const terminated: Way = async (fleet, instanceIds) => {
  const before = idsOf(fleet);
  for (const id of instanceIds) fleet.sandbox.cloud.terminateInstance(id);
  await successorsReady(fleet, before, instanceIds.length);
};

/** The machines die, and nobody removes their members in their names. */
const dead: Way = async (fleet, instanceIds) => {
  const before = idsOf(fleet);
  for (const id of instanceIds) fleet.sandbox.cloud.powerCut(id);
  await successorsReady(fleet, before, instanceIds.length);
};

/** As `senza respawn-instances` does it: more first, then fewer. */
const respawned: Way = async (fleet, instanceIds, size) => {
  const { cloud, addresses } = fleet.sandbox;
  const before = idsOf(fleet);
  cloud.setDesired(addresses.group, size + instanceIds.length);
  await successorsReady(fleet, before, instanceIds.length);
  for (const id of instanceIds) cloud.terminateInstance(id, { decrement: true });
  await fleet.until('the old ones are gone', async () => {
    const names = (await fleet.view()).flatMap(({ list }) => list?.members ?? []).map(({ name }) => name);
    if (names.length === 0) return ['nobody says who the members are'];
    return instanceIds.filter((id) => names.includes(id));
  });
};

describe.concurrent('a cluster of the original`s', () => {
  test.for([
    { size: 3, name: 'terminated one by one', way: terminated, together: 1 },
    { size: 3, name: 'respawned one by one', way: respawned, together: 1 },
    { size: 3, name: 'dead one by one', way: dead, together: 1 },
    { size: 5, name: 'terminated one by one', way: terminated, together: 1 },
    { size: 5, name: 'terminated two at a time', way: terminated, together: 2 },
  ])('of $size is taken over, its instances $name', async ({ size, way, together }, context) => {
    const fleet = await originalFleet(context, size);
    const originals = await fleet.view();
    for (let next = 0; next < size; next += together) {
      const ids = originals.slice(next, next + together).map(({ instanceId }) => instanceId);
      await way(fleet, ids, size);
    }
    await fleet.whole(size);
    const clusterId = originals[0]?.list?.clusterId;
    expect(fleet.watch.claim()).toMatchObject({ state: 'formed', epoch: 1, clusterId });
    await fleet.writesGoOn();
    await fleet.verify();
  });

  test('that holds keys of the old API goes to 3.5, and on when they are deleted', async (context) => {
    const fleet = await originalFleet(context, 3);
    const [first] = await fleet.view();
    const put = await oldKeys(first?.address ?? '', 'PUT');
    expect(put).toBe(201);
    for (const { instanceId } of await fleet.view()) await terminated(fleet, [instanceId], 3);
    await configureInPlace(fleet, { ETCD_VERSION: '3.6' });
    await untilAllRun(fleet, '3.5', 240_000);
    await untilSaid(fleet, 'keys of the old API are left', 240_000);
    expect(await sentences(fleet)).toContainEqual(expect.stringContaining('hold keys of the old API'));
    // The newest snapshot of each member must be younger than the deletion.
    const flags = '--enable-v2=true --snapshot-count=10';
    await configureInPlace(fleet, { ETCD_VERSION: '3.5', ETCD_EXTRA_FLAGS: flags });
    const [any] = await fleet.view();
    expect(await oldKeys(any?.address ?? '', 'DELETE')).toBe(200);
    await fleet.writesGoOn(100);
    await untilSaid(fleet, 'serves the old API');
    await configureInPlace(fleet, { ETCD_VERSION: '3.6', ETCD_EXTRA_FLAGS: '' });
    await resume(fleet);
    await untilAllRun(fleet, '3.6', 240_000);
    await fleet.whole(3);
    await fleet.writesGoOn();
    await fleet.verify({ joinersBeginAgain: true });
  });
});

/** Writes or deletes what an application keeps by the old API, with its folder; the status of the answer. */
async function oldKeys(address: string, method: 'PUT' | 'DELETE'): Promise<number> {
  const folder = `${clientUrl(address)}/v2/keys/application`;
  const response = await (method === 'PUT'
    ? fetch(`${folder}/setting`, { method, body: new URLSearchParams({ value: 'one' }) })
    : fetch(`${folder}?recursive=true`, { method }));
  await response.body?.cancel();
  return response.status;
}
