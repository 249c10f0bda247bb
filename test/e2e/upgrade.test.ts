import { describe, test } from 'vitest';
import { newEtcdCrashes } from './upgrade-faults.ts';
import { configureInPlace } from './upgrade-ways.ts';
import { upgradedTo, upgradeFleet } from './upgrades.ts';

/* The shortest way, and one that fails; all other ways, and what else may go wrong on them, are in the torture. */

describe('three members go from 3.4 to 3.5', () => {
  test.concurrent('in place', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.4' });
    await configureInPlace(fleet, { ETCD_VERSION: '3.5' });
    await upgradedTo(fleet, '3.5');
  });

  test.concurrent('not at all, while the new etcd ends at its start', async (context) => {
    await newEtcdCrashes(context, 'resumed');
  });
});
