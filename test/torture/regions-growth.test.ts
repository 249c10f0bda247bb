import { expect, test } from 'vitest';
import { type Fleet, fleetForTest } from '../e2e/harness.ts';
import { DISTANCE, HERE, runningIn, THERE, wrongInRules } from '../e2e/two-regions.ts';

/** Busy as such machines are, a roll of three takes its time. */
const LIMIT_MS = 180_000;

/** Replaces every instance that runs in the region now, one by one, as an operator's refresh does. */
async function roll(fleet: Fleet, size: number): Promise<void> {
  const { sandbox, serves, until } = fleet;
  for (const { instanceId } of runningIn(fleet, HERE)) {
    sandbox.cloud.terminateInstance(instanceId);
    await until('it is gone', async () =>
      runningIn(fleet, HERE).flatMap((it) => (it.instanceId === instanceId ? [instanceId] : [])),
    );
    await serves(size, LIMIT_MS);
  }
}

// docs/multi-region.md, "From one region to several", step by step.
test('a cluster of one region grows into another while it serves', async (context) => {
  const environment: Record<string, string> = { ACTIVE_REGIONS: HERE, HOUSEKEEPING_INTERVAL: '1s' };
  const fleet = await fleetForTest(context, {
    size: 3,
    regions: { [HERE]: 3, [THERE]: 0 },
    settings: DISTANCE,
    environment,
  });
  const { sandbox, serves, whole, until, view, watch, writesGoOn, verify } = fleet;
  await serves(3);
  const [born] = watch.clusterIds();

  environment['ADVERTISE'] = 'public';
  await roll(fleet, 3);
  await whole(3, LIMIT_MS);

  delete environment['ADVERTISE'];
  environment['ACTIVE_REGIONS'] = `${HERE},${THERE}`;
  sandbox.cloud.setDesired(sandbox.addresses.group, 2, THERE);
  await until('the new region runs', async () =>
    runningIn(fleet, THERE).length === 2 ? [] : [`${runningIn(fleet, THERE).length} of 2`],
  );
  const old = new Set(runningIn(fleet, HERE).map(({ instanceId }) => instanceId));
  for (const instanceId of old) {
    sandbox.cloud.terminateInstance(instanceId);
    await until(
      'its successor serves',
      async () => {
        const successors = (await view()).filter(
          (it) =>
            !old.has(it.instanceId) &&
            it.notReady === null &&
            runningIn(fleet, HERE).some((one) => one.instanceId === it.instanceId),
        );
        const replaced = [...old].indexOf(instanceId) + 1;
        return successors.length >= replaced ? [] : [`${successors.length} of ${replaced} serve`];
      },
      LIMIT_MS,
    );
  }
  await whole(5, LIMIT_MS);
  await until('the rules are right', async () => wrongInRules(fleet), LIMIT_MS);
  await writesGoOn();
  expect(watch.clusterIds()).toEqual([born]);
  await verify({ joinersBeginAgain: true });
});
