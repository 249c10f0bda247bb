import { describe, expect, it } from 'vitest';
import { UPGRADE_LOCK_KEY } from '../../src/core/upgrade-record.ts';
import type { EtcdCluster } from '../fakes/etcd/cluster.ts';
import { formed, type History, machine } from './history.ts';
import { standingClaim } from './world/convergence.ts';
import { setDesired } from './world/group.ts';

/*
 * A downgrade that cannot go on: etcd takes in nobody while it is under way.
 */

const MINUTE_MS = 60_000;

function cluster({ world }: History): EtcdCluster {
  const found = world.etcd.clusters.get(standingClaim(world)?.clusterId ?? '');
  if (found === undefined) throw new Error('there is no cluster');
  return found;
}

describe('a downgrade is under way, and an appliance falls silent whose etcd serves on:', () => {
  it('who comes then joins before it answers again; then the downgrade goes on', async () => {
    const image = { installed: ['3.5.35', '3.6.16'], wanted: '3.6' };
    const history = await formed({ seed: 31, desired: 3, image, restMs: 1_000 });
    await history.happens({ kind: 'order', what: 'to', to: '3.5', rings: true });
    const isOpen = (): boolean =>
      cluster(history).state.downgrade !== null && cluster(history).read(UPGRADE_LOCK_KEY) === null;
    await history.waitFor('it is under way, and nobody steps', isOpen, MINUTE_MS);
    const silent = machine(history, 0);
    await history.happens({ kind: 'freeze', what: 'appliance', lastsMs: 5 * MINUTE_MS }, silent);
    setDesired(history.world, 4);
    await history.waitFor('four vote', () => cluster(history).voters().length === 4, 2 * MINUTE_MS);
    expect(history.said()).toContain('upgrade-cancel-downgrade');
    await history.settled(10 * MINUTE_MS);
    expect(cluster(history).state.clusterVersion).toBe('3.5.0');
  });
});
