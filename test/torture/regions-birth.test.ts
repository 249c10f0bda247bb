import { expect, test } from 'vitest';
import { fleetForTest } from '../e2e/harness.ts';
import { DISTANCE, HERE, runningIn, THERE, wrongInRules } from '../e2e/two-regions.ts';

test('two regions, 80 ms apart: one cluster is born of both at once, and an instance of one is replaced', async (context) => {
  const fleet = await fleetForTest(context, {
    size: 3,
    regions: { [HERE]: 2, [THERE]: 1 },
    settings: DISTANCE,
    environment: { HOUSEKEEPING_INTERVAL: '1s' },
  });
  const { sandbox, whole, until, view, watch, writesGoOn, verify } = fleet;
  const rulesAreRight = (): Promise<void> => until('the rules are right', async () => wrongInRules(fleet));
  await whole(3);
  await rulesAreRight();
  expect(watch.claim()).toMatchObject({ epoch: 1, lost: [] });
  expect(
    watch
      .claim()
      ?.voters.map(({ region }) => region)
      .toSorted(),
  ).toEqual([HERE, HERE, THERE]);
  const members = (await view())[0]?.list?.members ?? [];
  const advertised = (await view()).map((one) => `http://${one.advertised}:2380`).toSorted();
  expect(members.flatMap(({ peerUrls }) => peerUrls).toSorted()).toEqual(advertised);

  const [victim] = runningIn(fleet, THERE);
  sandbox.cloud.terminateInstance(victim?.instanceId ?? '');
  await until('it is gone', async () =>
    runningIn(fleet, THERE).flatMap(({ instanceId }) =>
      instanceId === victim?.instanceId ? [instanceId] : [],
    ),
  );
  await whole(3);
  await rulesAreRight();
  await writesGoOn();
  await verify();
});
