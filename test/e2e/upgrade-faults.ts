import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, type TestContext } from 'vitest';
import { namesOf } from '../../src/core/names.ts';
import { UPGRADE_LOCK_KEY } from '../../src/core/upgrade-record.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import { etcdBinary, temporaryDirectory } from '../tools.ts';
import { doom, DOOM_PRELOAD, type Doom } from './doom.ts';
import { textOf } from './fields.ts';
import type { Fleet } from './harness.ts';
import { memberOf, type Role } from './roles.ts';
import {
  lockHolder,
  order,
  recordOf,
  resume,
  sentences,
  untilAllRun,
  untilSaid,
  untilStepping,
  upgradedTo,
  upgradeFleet,
  type UpgradeFleet,
} from './upgrades.ts';
import { breakable, crashing, mend, takeOut } from './upgrade-images.ts';
import { configureInPlace, replaceOneByOne } from './upgrade-ways.ts';
import type { View } from './view.ts';

/* What may go wrong in the middle of an upgrade: some in npm test, all in the torture. */

const FROM = '3.4';
const TO = '3.5';

/** How long it is watched that nothing is done. */
const WATCH_MS = 5_000;

/** Runs etcdctl against one member; gives what it printed. */
async function etcdctl({ address }: View, ...args: readonly string[]): Promise<string> {
  const { etcdctl: program } = await etcdBinary('3.7');
  const { stdout } = await execa(program, ['--endpoints', clientUrl(address), ...args]);
  return stdout;
}

async function viewOf(fleet: Fleet, instanceId: string): Promise<View> {
  const view = (await fleet.view()).find((it) => it.instanceId === instanceId);
  if (view === undefined) throw new Error(`${instanceId} is not there`);
  return view;
}

/** The instance that steps ends in the middle of it: by an order, in which it may still leave, or by the loss of its power. */
export async function steppingEnds(
  context: TestContext,
  end: 'terminateInstance' | 'powerCut',
): Promise<void> {
  const fleet = await upgradeFleet(context, { size: 3, from: FROM });
  fleet.launchWith({ ETCD_VERSION: TO });
  await order(fleet, TO);
  const { by } = await untilStepping(fleet);
  const { address } = await viewOf(fleet, by);
  const since = fleet.sandbox.cloud.events.since(0).at(-1)?.seq ?? 0;
  fleet.sandbox.cloud[end](by);
  await upgradedTo(fleet, TO);
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

/** A way from one minor to the next, and on which one the fleet is born that goes it. */
export interface Way {
  readonly born: string;
  readonly from: string;
  readonly to: string;
  /** Somebody asks every member for its health, which 3.4 writes to its log as a request that 3.6 dies of. */
  readonly asksHealth: boolean;
}

const PLAIN: Way = { born: FROM, from: FROM, to: TO, asksHealth: false };
/** Each member has to clear its log before it steps. */
export const CLEARING: Way = { born: '3.4', from: '3.5', to: '3.6', asksHealth: true };
/** One has every member take a snapshot of its log before they step. */
export const LOWERING: Way = { born: '3.5', from: '3.6', to: '3.7', asksHealth: false };

/** A fleet at the beginning of a way. */
async function fleetOn(
  context: TestContext,
  { born, from, asksHealth }: Way,
  preload?: string,
): Promise<UpgradeFleet> {
  const fleet = await upgradeFleet(context, {
    size: 3,
    from: born,
    ...(preload !== undefined && { preload }),
  });
  if (asksHealth)
    for (const { address } of await fleet.view())
      expect((await fetch(`${clientUrl(address)}/health`)).ok).toBe(true);
  if (from === born) return fleet;
  await order(fleet, from);
  await untilAllRun(fleet, from, 120_000);
  await fleet.whole(3);
  return fleet;
}

/** A fault point of a step: the n-th call of that name from the order on, by the appliance of one member, or of whoever is first. */
export interface FaultPoint extends Pick<Doom, 'step' | 'nth' | 'when' | 'withEtcd'> {
  readonly role: Role | 'member';
}

/** The appliance that steps is killed at a point of its step, and goes on when it is back. */
export async function appliancesCrash(
  context: TestContext,
  point: FaultPoint,
  way: Way = PLAIN,
): Promise<void> {
  const fleet = await fleetOn(context, way, DOOM_PRELOAD);
  const { role, step, nth, when, withEtcd } = point;
  const meant = role === 'member' ? await fleet.view() : [await memberOf(fleet, role)];
  const standing = await doom(fleet, {
    step,
    nth,
    when,
    withEtcd,
    meant: 'these',
    instanceIds: meant.map((it) => it.instanceId),
  });
  await order(fleet, way.to);
  await upgradedTo(fleet, way.to);
  await standing.lift();
  expect(standing.fulfilled(), standing.seen().join()).toContain(`${when} ${step}`);
}

/**
 * Who steps is frozen until its lease is over (here by the hand of somebody who revokes it) and another has the lock. When
 * it thaws, it does nothing more: not to its etcd, the record, or the names; until it has the lock anew.
 */
export async function holderFreezes(
  context: TestContext,
  moment: 'before-stop' | 'after-start' | 'clearing' | 'lowering',
): Promise<void> {
  const way = moment === 'clearing' ? CLEARING : moment === 'lowering' ? LOWERING : PLAIN;
  const fleet = await fleetOn(context, way);
  const { hypervisor, cloud } = fleet.sandbox;
  // Time to be frozen in, between the record of the step and the stop of etcd.
  const slow = moment === 'before-stop' ? fleet.fault({ service: 'route53', kind: 'hang' }) : null;
  await order(fleet, way.to);
  const { by } = await untilStepping(fleet);
  if (moment === 'after-start') await untilRuns(fleet, by, `${TO}.`);
  if (moment === 'clearing')
    await fleet.until(`${by} clears its log`, async () => await whyNotClearing(fleet, by));
  if (moment === 'lowering')
    await fleet.until(`${by} lowers the cluster`, async () =>
      (await loweredTo(fleet)) === null ? [by] : [],
    );
  await hypervisor.freeze(by, 'appliance');
  const other = (await fleet.view()).find((it) => it.instanceId !== by);
  if (other === undefined) throw new Error('nobody else is there');
  const letGo = await takeLockByHand(other);
  if (slow !== null) cloud.faults.lift(slow.id);
  const before = await footprint(fleet, by);
  await hypervisor.thaw(by, 'appliance');
  await fleet.during(WATCH_MS, async () => {
    const now = await footprint(fleet, by);
    return now === before ? [] : [`before: ${before}`, `now: ${now}`];
  });
  await letGo();
  await upgradedTo(fleet, way.to);
}

/** Between the two starts of a clearing etcd runs with a snapshot count of ours. */
async function whyNotClearing(fleet: Fleet, instanceId: string): Promise<readonly string[]> {
  const { etcd } = await fleet.machine(instanceId);
  const line = etcd === null ? '' : await readFile(`/proc/${etcd.pid}/cmdline`, 'utf8').catch(() => '');
  return line.includes('--snapshot-count=3') ? [] : [line.replaceAll('\0', ' ')];
}

/** Where a downgrade that is under way leads; null: none is, or nobody says so. */
async function loweredTo(fleet: Fleet): Promise<string | null> {
  const told = await Promise.all(
    (await fleet.view()).map(
      async ({ address }) => await fleet.admin.versions(clientUrl(address), new AbortController().signal),
    ),
  );
  return told.map((it) => (it.known ? it.value.downgradeTarget : null)).find((it) => it !== null) ?? null;
}

async function untilRuns(fleet: Fleet, instanceId: string, version: string): Promise<void> {
  await fleet.until(`${instanceId} runs ${version}`, async () => {
    const { status } = await viewOf(fleet, instanceId);
    return status?.version.startsWith(version) === true ? [] : [status?.version ?? 'nothing'];
  });
}

/** All that an upgrade could do: to the etcd of this instance, to the record and the lock, and to the names. */
async function footprint(fleet: Fleet, instanceId: string): Promise<string> {
  const changes = fleet.sandbox.cloud.events
    .since(0)
    .filter(({ type, fields }) => type === 'api-change' && textOf(fields, 'asking') === instanceId);
  const [{ etcd }, record, holder, lowered] = await Promise.all([
    fleet.machine(instanceId),
    recordOf(fleet),
    lockHolder(fleet),
    loweredTo(fleet),
  ]);
  return JSON.stringify({ pid: etcd?.pid, step: record?.step, holder, lowered, changes: changes.length });
}

/** Ends the lease of the lock's holder, and holds the lock in the name of nobody; gives how to let go of it. */
async function takeLockByHand(through: View): Promise<() => Promise<unknown>> {
  const held = await etcdctl(through, 'get', UPGRADE_LOCK_KEY, '-w', 'json');
  const lease = /"lease":(\d+)/.exec(held)?.[1];
  if (lease === undefined) throw new Error(`nobody holds the lock: ${held}`);
  await etcdctl(through, 'lease', 'revoke', BigInt(lease).toString(16));
  await etcdctl(through, 'put', UPGRADE_LOCK_KEY, 'i-00000000000000000');
  return async () => await etcdctl(through, 'del', UPGRADE_LOCK_KEY);
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

/** The new etcd ends at its start, and the appliance as it has started it: its next life takes the step back. */
export async function bothCrash(context: TestContext, size: 1 | 3): Promise<void> {
  const { version } = await etcdBinary(TO);
  const image = [FROM, crashing(version)];
  const fleet = await upgradeFleet(context, { size, from: FROM, image, preload: DOOM_PRELOAD });
  const standing = await doom(fleet, {
    step: 'start of etcd',
    nth: 1,
    when: 'after',
    withEtcd: false,
    meant: 'others',
    instanceIds: [],
  });
  await order(fleet, TO);
  await untilSaid(fleet, 'was taken back');
  expect(standing.fulfilled(), standing.seen().join()).toContain('after start of etcd');
  await standing.lift();
  expect((await recordOf(fleet))?.failed?.why).toContain('runs again');
  await untilAllRun(fleet, FROM);
  await fleet.whole(size);
  await mend(fleet.firstImage, TO);
  await resume(fleet);
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
