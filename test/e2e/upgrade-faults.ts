import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, type TestContext } from 'vitest';
import { namesOf } from '../../src/core/names.ts';
import { etcdBinary, temporaryDirectory } from '../tools.ts';
import { textOf } from './fields.ts';
import type { Fleet } from './harness.ts';
import { fleetOn, PLAIN, type Way } from './upgrade-crashes.ts';
import {
  order,
  recordOf,
  resume,
  sentences,
  untilAllRun,
  untilRuns,
  untilSaid,
  untilStepping,
  upgradedTo,
  upgradeFleet,
  type UpgradeFleet,
  viewOf,
} from './upgrades.ts';
import { breakable, crashing, mend, takeOut } from './upgrade-images.ts';
import { configureInPlace, replaceOneByOne } from './upgrade-ways.ts';

/* What may go wrong in the middle of an upgrade: some in npm test, all in the torture. */

const { from: FROM, to: TO } = PLAIN;

/** How long it is watched that nothing is done. */
const WATCH_MS = 5_000;

/** The instance that steps ends in the middle of it: by an order, in which it may still leave, or by the loss of its power. */
export async function steppingEnds(
  context: TestContext,
  end: 'terminateInstance' | 'powerCut',
  way: Way = PLAIN,
): Promise<void> {
  const fleet = await fleetOn(context, way);
  fleet.launchWith({ ETCD_VERSION: way.to });
  await order(fleet, way.to);
  const { by } = await untilStepping(fleet);
  const { address } = await viewOf(fleet, by);
  const since = fleet.sandbox.cloud.events.since(0).at(-1)?.seq ?? 0;
  fleet.sandbox.cloud[end](by);
  await upgradedTo(fleet, way.to);
  expect(namedAgain(fleet, address, since), 'client records that name who left again').toEqual([]);
}

/** The client's address record as it was written since then, wherever it names this address. */
function namedAgain({ sandbox }: Fleet, address: string, since: number): readonly string[] {
  const name = `${namesOf(sandbox.addresses.clusterName).cluster}.`;
  return sandbox.cloud.events
    .since(since)
    .filter(
      ({ type, fields }) =>
        type === 'record-change' && textOf(fields, 'action') === 'CREATE' && textOf(fields, 'name') === name,
    )
    .map(({ fields }) => textOf(fields, 'values'))
    .filter((values) => values.includes(`"${address}"`));
}

/** In the middle of a step, another instance loses its power. */
export async function anotherDies(context: TestContext, size: number): Promise<void> {
  const fleet = await upgradeFleet(context, { size, from: FROM });
  await order(fleet, TO);
  const { by } = await untilStepping(fleet);
  const other = (await fleet.followers()).find((it) => it.instanceId !== by);
  if (other === undefined) throw new Error('nobody else is there');
  fleet.sandbox.cloud.powerCut(other.instanceId);
  await upgradedTo(fleet, TO);
}

/** The new etcd ends at its start: the step is taken back, that is said, and nobody steps until there is a new image. */
export async function newEtcdCrashes(context: TestContext, then: 'resumed' | 'replaced'): Promise<void> {
  const { version } = await etcdBinary(TO);
  const fleet = await upgradeFleet(context, { size: 3, from: FROM, image: [FROM, crashing(version)] });
  await order(fleet, TO);
  await untilSaid(fleet, 'was taken back');
  const failed = (await recordOf(fleet))?.failed;
  expect(failed?.why).toContain(`etcd ${version} does not come up`);
  expect(failed?.why).toContain('runs again');
  await untilAllRun(fleet, FROM);
  await fleet.whole(3);
  await fleet.during(WATCH_MS, async () =>
    (await recordOf(fleet))?.step === null ? [] : ['somebody steps'],
  );
  if (then === 'replaced') {
    fleet.launchWith({ ETCD_DIR: await fleet.image([FROM, TO]) });
    await replaceOneByOne(fleet, 'whole');
  } else {
    await mend(fleet.firstImage, TO);
    await resume(fleet);
  }
  await upgradedTo(fleet, TO);
}

/**
 * The only member steps, its etcd raises the cluster's version before the step is over (its appliance is frozen meanwhile),
 * and then ends at each start: that is said, and it is started again and again, until it is mended.
 */
export async function noWayBack(context: TestContext): Promise<void> {
  const [from, to] = ['3.5', '3.6'];
  await using place = await temporaryDirectory();
  const broken = join(place.path, 'broken');
  const fleet = await upgradeFleet(context, { size: 1, from, image: [from, await breakable(to, broken)] });
  const { hypervisor } = fleet.sandbox;
  await order(fleet, to);
  const { by } = await untilStepping(fleet);
  await untilRuns(fleet, by, `${to}.`);
  await hypervisor.freeze(by, 'appliance');
  await untilAllRun(fleet, to);
  expect((await recordOf(fleet))?.step?.by, 'the step is not over').toBe(by);
  await writeFile(broken, '');
  await hypervisor.kill(by, 'etcd');
  await hypervisor.thaw(by, 'appliance');
  await untilSaid(fleet, '"upgrade-no-way-back"');
  expect((await sentences(fleet)).join()).toContain(`there is no way back to ${from}`);
  await rm(broken);
  await upgradedTo(fleet, to);
}

/** One image lacks the new etcd, or has one that nobody can run: nobody steps, and that is said, until it is replaced. */
export async function oneImageLacks(
  context: TestContext,
  lacks: (fleet: UpgradeFleet) => Promise<string>,
): Promise<void> {
  const fleet = await upgradeFleet(context, { size: 3, from: FROM, image: [FROM] });
  const good = await fleet.image([FROM, TO]);
  const [first] = await fleet.view();
  if (first === undefined) throw new Error('nobody is there');
  fleet.sandbox.hypervisor.configure(first.instanceId, { ETCD_DIR: await lacks(fleet) });
  for (const { instanceId } of (await fleet.view()).slice(1))
    fleet.sandbox.hypervisor.configure(instanceId, { ETCD_DIR: good });
  await configureInPlace(fleet, { ETCD_VERSION: TO });
  await untilSaid(fleet, `the image of ${first.instanceId} has no etcd ${TO}`);
  await untilAllRun(fleet, FROM);
  fleet.launchWith({ ETCD_DIR: good, ETCD_VERSION: TO });
  fleet.sandbox.cloud.terminateInstance(first.instanceId);
  await upgradedTo(fleet, TO);
}

/** The binary is lost between the preflight and the step: at the latest before etcd is stopped it is seen. */
export async function binaryIsLost(context: TestContext): Promise<void> {
  const fleet = await upgradeFleet(context, { size: 3, from: FROM, image: [FROM, TO] });
  await order(fleet, TO);
  const { by } = await untilStepping(fleet);
  const putBack = await takeOut(fleet.firstImage, TO);
  // The first may be through, or may have to go back; in no case does anybody lose its etcd.
  await fleet.until('the step is over', async () => ((await recordOf(fleet))?.step === null ? [] : [by]));
  await fleet.serves(3);
  await putBack();
  await resume(fleet);
  await upgradedTo(fleet, TO);
}

/** AWS is away in one way from before the order until all have stepped; the names are right when it is back. */
export async function awsIsAway(context: TestContext, kind: 'error' | 'hang'): Promise<void> {
  const fleet = await upgradeFleet(context, { size: 3, from: FROM });
  const fault = fleet.fault({ kind });
  await order(fleet, TO);
  await untilAllRun(fleet, TO, 240_000);
  await fleet.writesGoOn();
  fleet.sandbox.cloud.faults.lift(fault.id);
  await upgradedTo(fleet, TO);
}

/** Two order different versions at the same time, over and over: the last word in etcd is what comes to be. */
export async function twoOrder(context: TestContext): Promise<void> {
  const fleet = await upgradeFleet(context, { size: 3, from: FROM });
  const [one, other] = await fleet.view();
  if (one === undefined || other === undefined) throw new Error('nobody is there');
  for (let time = 0; time < 10; time += 1) {
    await Promise.all([order(fleet, '3.5', one.address), order(fleet, '3.6', other.address)]);
    await delay(200);
  }
  const to = (await recordOf(fleet))?.to;
  expect(['3.5', '3.6']).toContain(to);
  await upgradedTo(fleet, to ?? '');
}
