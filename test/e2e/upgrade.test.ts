import { describe, test } from 'vitest';
import { ordered } from './operator.ts';
import { newEtcdCrashes } from './upgrade-faults.ts';
import { configureInPlace } from './upgrade-ways.ts';
import { upgradedTo, upgradeFleet } from './upgrades.ts';

/* The shortest way, one that fails, and one back; all other ways, and what else may go wrong on them, are in the torture. */

describe('three members go', () => {
  test.concurrent('from 3.4 to 3.5 in place', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.4' });
    await configureInPlace(fleet, { ETCD_VERSION: '3.5' });
    await upgradedTo(fleet, '3.5');
  });

  test.concurrent('nowhere, while the new etcd ends at its start', async (context) => {
    await newEtcdCrashes(context, 'resumed');
  });

  test.concurrent('back from 3.6 to 3.5, as an operator orders it', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.6' });
    await ordered(context, fleet, '3.5');
    await upgradedTo(fleet, '3.5');
  });
});
