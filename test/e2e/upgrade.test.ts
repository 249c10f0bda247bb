import { test } from 'vitest';
import { fleetForTest } from './harness.ts';
import { configureInPlace, missingInVersions } from './upgrades.ts';

test('three members go from 3.4 to 3.5 in place', async (context) => {
  const fleet = await fleetForTest(context, { size: 3, environment: { ETCD_VERSION: '3.4' } });
  await fleet.whole(3);
  await fleet.until('all run 3.4', async () => await missingInVersions(fleet, '3.4'));
  await configureInPlace(fleet, { ETCD_VERSION: '3.5' });
  await fleet.until('all run 3.5', async () => await missingInVersions(fleet, '3.5'));
  await fleet.whole(3);
  await fleet.writesGoOn();
  await fleet.verify();
});
