import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Fleet, fleetForTest } from '../e2e/harness.ts';
import { imageWith } from '../e2e/upgrade-images.ts';
import { untilAllRun } from '../e2e/upgrades.ts';
import { temporaryDirectory } from '../tools.ts';

/** What each instance has at first: no two founders could start the same etcd. */
const MINORS = ['3.4', '3.5', '3.6'] as const;

/** Whose appliance does not say that images have no minor in common. */
async function silentOn({ sandbox }: Fleet): Promise<readonly string[]> {
  const { instances } = sandbox.cloud.describe();
  const told = instances.map(async ({ instanceId, address }) => {
    const response = await fetch(`http://${address}:2378/status`).catch(() => null);
    const said = (await response?.text()) ?? '';
    return said.includes('"birth-versions"') ? [] : [`${instanceId}: ${said.slice(0, 200)}`];
  });
  return (await Promise.all(told)).flat();
}

test('images without a minor in common give no birth, which is said, until one is on all', async (context) => {
  await using place = await temporaryDirectory();
  const empty = await imageWith(join(place.path, 'empty'), []);
  const fleet = await fleetForTest(context, { size: MINORS.length, environment: { ETCD_DIR: empty } });
  const { cloud, hypervisor } = fleet.sandbox;
  const instances = (): readonly { readonly instanceId: string }[] =>
    cloud.describe().instances.filter(({ state }) => state === 'running');
  await fleet.until('all are launched', async () =>
    Promise.resolve(instances().length === MINORS.length ? [] : ['not yet']),
  );
  await Promise.all(
    instances().map(async ({ instanceId }, at) => {
      const image = await imageWith(join(place.path, String(at)), [MINORS[at] ?? '']);
      hypervisor.configure(instanceId, { ETCD_DIR: image });
      await hypervisor.restart(instanceId);
    }),
  );
  await fleet.until('all say so', async () => await silentOn(fleet));
  expect(fleet.watch.claim()).toBeNull();

  for (const at of [1, 2]) await imageWith(join(place.path, String(at)), ['3.4']);
  await fleet.whole(MINORS.length);
  await untilAllRun(fleet, '3.4');
  await fleet.writesGoOn();
  await fleet.verify();
});
