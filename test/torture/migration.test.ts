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

/** Until an instance that was not there before says that it is ready. */
async function successorReady(fleet: Fleet, before: readonly string[]): Promise<void> {
  await fleet.until('the successor is ready', async () => {
    const successors = (await fleet.view()).filter((it) => !before.includes(it.instanceId));
    if (successors.some((it) => it.notReady === null)) return [];
    return [...successors.map((it) => `${it.instanceId}: ${it.notReady ?? ''}`), 'no successor is ready'];
  });
  await fleet.writesGoOn();
}

function idsOf({ sandbox }: Fleet): readonly string[] {
  return sandbox.cloud.describe().instances.map(({ instanceId }) => instanceId);
}

type Way = (fleet: Fleet, instanceId: string, size: number) => Promise<void>;

/** An operator terminates an instance, and the group sends another. */
const terminated: Way = async (fleet, instanceId) => {
  const before = idsOf(fleet);
  fleet.sandbox.cloud.terminateInstance(instanceId);
  await successorReady(fleet, before);
};

/** The machine dies, and nobody removes its member in its name. */
const dead: Way = async (fleet, instanceId) => {
  const before = idsOf(fleet);
  fleet.sandbox.cloud.powerCut(instanceId);
  await successorReady(fleet, before);
};

/** As `senza respawn-instances` does it: one more first, then one less. */
const respawned: Way = async (fleet, instanceId, size) => {
  const { cloud, addresses } = fleet.sandbox;
  const before = idsOf(fleet);
  cloud.setDesired(addresses.group, size + 1);
  await successorReady(fleet, before);
  cloud.terminateInstance(instanceId, { decrement: true });
  await fleet.until('the old one is gone', async () => {
    const lists = (await fleet.view()).flatMap(({ list }) => list?.members ?? []);
    const present = await Promise.resolve(lists.some(({ name }) => name === instanceId));
    return present ? [`${instanceId} is a member`] : [];
  });
};

describe.concurrent('a cluster of the original`s', () => {
  test.for([
    { size: 3, name: 'terminated', way: terminated },
    { size: 3, name: 'respawned', way: respawned },
    { size: 3, name: 'dead', way: dead },
    { size: 5, name: 'terminated', way: terminated },
  ])('of $size is taken over, its instances $name one by one', async ({ size, way }, context) => {
    const fleet = await originalFleet(context, size);
    const originals = await fleet.view();
    for (const { instanceId } of originals) await way(fleet, instanceId, size);
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
    for (const { instanceId } of await fleet.view()) await terminated(fleet, instanceId, 3);
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
