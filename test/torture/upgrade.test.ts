import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memberOf } from '../e2e/roles.ts';
import { asPatch, type ImagePart } from '../e2e/upgrade-images.ts';
import { configureInPlace, refresh, replaceOneByOne, watchLaunches } from '../e2e/upgrade-ways.ts';
import { order, untilAllRun, upgradedTo, upgradeFleet, type UpgradeFleet } from '../e2e/upgrades.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import { etcdBinary } from '../tools.ts';

describe.concurrent('in place', () => {
  test.for([
    { from: '3.5', to: '3.6', size: 3 },
    { from: '3.6', to: '3.7', size: 3 },
    { from: '3.4', to: '3.5', size: 1 },
    { from: '3.5', to: '3.6', size: 1 },
    { from: '3.4', to: '3.7', size: 1 },
    { from: '3.4', to: '3.5', size: 5 },
  ])('$size from $from to $to', async ({ from, to, size }, context) => {
    const fleet = await upgradeFleet(context, { size, from });
    await configureInPlace(fleet, { ETCD_VERSION: to });
    await upgradedTo(fleet, to);
  });

  test('three from 3.4, whose logs hold what 3.6 dies of, to 3.7', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.4' });
    await askHealth(fleet);
    await configureInPlace(fleet, { ETCD_VERSION: '3.7' });
    await upgradedTo(fleet, '3.7');
  });

  test('three from 3.4 to 3.6 to whom nobody writes, one of them new since somebody did', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.4' });
    await Promise.all([fleet.writers.stop(), fleet.registers.stop()]);
    const replaced = await memberOf(fleet, 'follower');
    fleet.sandbox.cloud.terminateInstance(replaced.instanceId, { decrement: false });
    await fleet.until('the new one is there', async () => {
      const views = await fleet.view();
      const gone = views.every((it) => it.instanceId !== replaced.instanceId);
      return gone && views.length === 3 ? [] : [`${views.length} instances`];
    });
    await fleet.serves(3);
    const before = await memberIds(fleet);
    await configureInPlace(fleet, { ETCD_VERSION: '3.6' });
    await untilAllRun(fleet, '3.6');
    await fleet.serves(3);
    // Nobody was shut out (test/upgrade-lab/idle.test.ts), and joined again.
    expect(await memberIds(fleet)).toEqual(before);
  });

  test('five from 3.4 to 3.7', async (context) => {
    const fleet = await upgradeFleet(context, { size: 5, from: '3.4' });
    await configureInPlace(fleet, { ETCD_VERSION: '3.7' });
    await upgradedTo(fleet, '3.7');
  });

  test('five that were born on 3.5 to 3.7, whose logs hold what that dies of', async (context) => {
    const fleet = await upgradeFleet(context, { size: 5, from: '3.5' });
    await configureInPlace(fleet, { ETCD_VERSION: '3.7' });
    await upgradedTo(fleet, '3.7');
    expect(await isLogged(fleet, 'every member has taken a snapshot of its log')).toBe(true);
  });

  test.for([1, 3, 5])('a patch release, of %i', async (size, context) => {
    const patch = await nextPatch();
    const fleet = await upgradeFleet(context, { size, from: '3.5' });
    await configureInPlace(fleet, { ETCD_DIR: await fleet.image(['3.5', patch]) });
    await upgradedTo(fleet, patch.version);
  });

  test('down from 3.7 to 3.5 by an order, and up again when it is taken back', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.7' });
    await order(fleet, '3.5');
    await upgradedTo(fleet, '3.5');
    await order(fleet, null);
    await upgradedTo(fleet, '3.7');
  });

  test.for([
    { from: '3.6', to: '3.5', size: 1 },
    { from: '3.7', to: '3.6', size: 1 },
    { from: '3.6', to: '3.5', size: 5 },
    { from: '3.7', to: '3.6', size: 5 },
  ])('$size down from $from to $to by an order', async ({ from, to, size }, context) => {
    const fleet = await upgradeFleet(context, { size, from });
    await order(fleet, to);
    await upgradedTo(fleet, to);
  });
});

/** Whether an appliance of an instance that is there has these words in its log. */
async function isLogged({ sandbox, view }: UpgradeFleet, words: string): Promise<boolean> {
  const { stateDir } = sandbox.addresses;
  const paths = (await view()).map(({ instanceId }) => join(stateDir, instanceId, 'appliance.log'));
  const logs = await Promise.all(paths.map(async (it) => await readFile(it, 'utf8')));
  return logs.some((it) => it.includes(words));
}

/** What stands in for the patch release after the prepared one. */
async function nextPatch(): Promise<Exclude<ImagePart, string>> {
  const { version } = await etcdBinary('3.5');
  return await asPatch(
    '3.5',
    version.replace(/\d$/, (digit) => String((Number(digit) + 1) % 10)),
  );
}

async function memberIds(fleet: UpgradeFleet): Promise<readonly string[]> {
  return (await fleet.view()).map(({ status }) => status?.memberId ?? 'silent').toSorted();
}

/** Writes requests of the old API into every log, as monitoring of 3.4 does. */
async function askHealth(fleet: UpgradeFleet): Promise<void> {
  for (const { address } of await fleet.view())
    expect((await fetch(`${clientUrl(address)}/health`)).status).toBe(200);
}

describe.concurrent('by new images', () => {
  test.for([
    { from: '3.4', to: '3.5', size: 3, haste: 'whole' as const },
    { from: '3.4', to: '3.5', size: 3, haste: 'voter' as const },
    { from: '3.5', to: '3.6', size: 3, haste: 'whole' as const },
    { from: '3.6', to: '3.7', size: 3, haste: 'voter' as const },
    { from: '3.4', to: '3.5', size: 5, haste: 'voter' as const },
  ])('$size from $from to $to, each when the last is $haste', async ({ from, to, size, haste }, context) => {
    const fleet = await upgradeFleet(context, { size, from, image: [from] });
    fleet.launchWith({ ETCD_DIR: await fleet.image([from, to]), ETCD_VERSION: to });
    await replaceOneByOne(fleet, haste);
    await upgradedTo(fleet, to);
  });

  test('three from 3.4 to 3.7, by images that have all between', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.4', image: ['3.4'] });
    fleet.launchWith({
      ETCD_DIR: await fleet.image(['3.4', '3.5', '3.6', '3.7']),
      ETCD_VERSION: '3.7',
    });
    await replaceOneByOne(fleet, 'whole');
    await upgradedTo(fleet, '3.7');
  });

  test('one from 3.4 to 3.5, with a second one beside it meanwhile', async (context) => {
    const fleet = await upgradeFleet(context, { size: 1, from: '3.4', image: ['3.4'] });
    const { cloud, addresses } = fleet.sandbox;
    const old = await fleet.leader();
    fleet.launchWith({ ETCD_DIR: await fleet.image(['3.4', '3.5']), ETCD_VERSION: '3.5' });
    cloud.setDesired(addresses.group, 2);
    await fleet.whole(2);
    cloud.terminateInstance(old.instanceId, { decrement: true });
    await upgradedTo(fleet, '3.5');
  });

  test('images without the old minor, whose instances join one minor above', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.4', image: ['3.4'] });
    fleet.launchWith({ ETCD_DIR: await fleet.image(['3.5']), ETCD_VERSION: '3.5' });
    await replaceOneByOne(fleet, 'whole');
    await upgradedTo(fleet, '3.5');
  });

  test.for(['whole', 'voter'] as const)(
    'a patch release, in images that have no other of its minor, each when the last is %s',
    async (haste, context) => {
      const patch = await nextPatch();
      const fleet = await upgradeFleet(context, { size: 3, from: '3.5', image: ['3.5'] });
      fleet.launchWith({ ETCD_DIR: await fleet.image([patch]) });
      await replaceOneByOne(fleet, haste);
      await upgradedTo(fleet, patch.version);
    },
  );
});

describe.concurrent('by an instance refresh', () => {
  test.for([
    { from: '3.4', to: '3.5', size: 3, order: 'new-first' as const },
    { from: '3.4', to: '3.5', size: 3, order: 'old-first' as const },
    { from: '3.5', to: '3.7', size: 3, order: 'old-first' as const },
    { from: '3.4', to: '3.7', size: 3, order: 'new-first' as const },
    { from: '3.6', to: '3.7', size: 1, order: 'new-first' as const },
    { from: '3.5', to: '3.6', size: 5, order: 'new-first' as const },
    { from: '3.5', to: '3.6', size: 5, order: 'old-first' as const },
  ])('$size from $from to $to, $order', async ({ from, to, size, order: how }, context) => {
    const fleet = await upgradeFleet(context, { size, from, image: [from], hooks: true });
    const launches = watchLaunches(fleet);
    fleet.launchWith({
      ETCD_DIR: await fleet.image([...new Set([from, '3.5', '3.6', '3.7'])]),
      ETCD_VERSION: to,
    });
    await refresh(fleet, how);
    // Who comes last, when the last old image is gone, is held back until it runs what it should.
    const last = (await launches()).at(-1);
    if (how === 'old-first') expect(last?.version).toContain(`${to}.`);
    await upgradedTo(fleet, to);
  });

  test.for(['new-first', 'old-first'] as const)(
    'a patch release, in images that have no other of its minor, %s',
    async (how, context) => {
      const patch = await nextPatch();
      const fleet = await upgradeFleet(context, { size: 3, from: '3.5', image: ['3.5'], hooks: true });
      const launches = watchLaunches(fleet);
      fleet.launchWith({ ETCD_DIR: await fleet.image([patch]) });
      await refresh(fleet, how);
      const versions = (await launches()).map(({ version }) => version);
      expect(versions).toEqual([patch.version, patch.version, patch.version]);
      await upgradedTo(fleet, patch.version);
    },
  );
});
