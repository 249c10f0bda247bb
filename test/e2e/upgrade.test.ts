import { describe, test } from 'vitest';
import { appliancesCrash, newEtcdCrashes } from './upgrade-faults.ts';
import { configureInPlace, refresh } from './upgrade-ways.ts';
import { upgradedTo, upgradeFleet } from './upgrades.ts';

/* One of each kind; all other ways, and what else may go wrong on them, is in the torture. */

describe.concurrent('three members go from 3.4 to 3.5', () => {
  test('in place', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.4' });
    await configureInPlace(fleet, { ETCD_VERSION: '3.5' });
    await upgradedTo(fleet, '3.5');
  });

  test('by an instance refresh', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.4', image: ['3.4'], hooks: true });
    fleet.launchWith({ ETCD_DIR: await fleet.image(['3.4', '3.5']), ETCD_VERSION: '3.5' });
    await refresh(fleet);
    await upgradedTo(fleet, '3.5');
  });

  test('where who steps is killed between the stop and the start of its etcd', async (context) => {
    await appliancesCrash(context, {
      role: 'follower',
      step: 'start of etcd',
      nth: 1,
      when: 'before',
      withEtcd: false,
    });
  });

  test('not at all, while the new etcd ends at its start', async (context) => {
    await newEtcdCrashes(context, 'resumed');
  });
});
