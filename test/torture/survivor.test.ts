import { test } from 'vitest';
import { fleetForTest } from '../e2e/harness.ts';
import { survive } from '../network/partitions.ts';

test('a member that sees nobody while all others are replaced comes back as what it is', async (context) => {
  const fleet = await fleetForTest(context, {
    size: 3,
    namespaces: true,
    environment: { HOUSEKEEPING_INTERVAL: '1s' },
    settings: { reuseAddresses: true },
  });
  await fleet.whole(3);
  await survive(fleet);
  await fleet.verify();
});
