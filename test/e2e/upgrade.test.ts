import { describe, test } from 'vitest';
import { appliancesCrash, newEtcdCrashes } from './upgrade-faults.ts';
import { configureInPlace, refresh } from './upgrade-ways.ts';
import { upgradedTo, upgradeFleet } from './upgrades.ts';

/* One of each kind; all other ways, and what else may go wrong on them, is in the torture. */

/* Two fleets at a time: what is measured against a limit here must not wait for what else this machine has to do. */

describe('three members go from 3.4 to 3.5', () => {
  test.concurrent('in place', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.4' });
    await configureInPlace(fleet, { ETCD_VERSION: '3.5' });
    await upgradedTo(fleet, '3.5');
  });

  test.concurrent('by an instance refresh', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.4', image: ['3.4'], hooks: true });
    fleet.launchWith({ ETCD_DIR: await fleet.image(['3.4', '3.5']), ETCD_VERSION: '3.5' });
    await refresh(fleet);
    await upgradedTo(fleet, '3.5');
  });
});

describe('three members do not go from 3.4 to 3.5 in one go', () => {
  test.concurrent(
    'where who steps is killed between the stop and the start of its etcd, and yet they come there',
    async (context) => {
      await appliancesCrash(context, {
        role: 'follower',
        step: 'start of etcd',
        nth: 1,
        when: 'before',
        withEtcd: false,
      });
    },
  );

  test.concurrent('while the new etcd ends at its start', async (context) => {
    await newEtcdCrashes(context, 'resumed');
  });
});
