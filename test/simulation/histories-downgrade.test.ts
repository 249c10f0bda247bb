import { describe, expect, it } from 'vitest';
import { UPGRADE_LOCK_KEY } from '../../src/core/upgrade-record.ts';
import type { EtcdCluster } from '../fakes/etcd/cluster.ts';
import { formed, type History, machine } from './history.ts';
import { standingClaim } from './world/convergence.ts';
import { setDesired } from './world/group.ts';
import { present } from './world/world.ts';

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

describe('a downgrade is being enabled, and the power of another goes: the downgrade goes on without an operator', () => {
  it.each([
    ['when it is back in a moment', { kind: 'power-cut', lastsMs: 20_000 }],
    ['when it is back', { kind: 'power-cut', lastsMs: 3 * MINUTE_MS }],
    ['when it is replaced', { kind: 'lose' }],
  ] as const)('%s', async (_when, incident) => {
    const image = { installed: ['3.5.35', '3.6.16'], wanted: '3.6' };
    const history = await formed({ seed: 31, desired: 3, image, restMs: 1_000 });
    await history.happens({ kind: 'order', what: 'to', to: '3.5', rings: true });
    await history.waitFor('etcd is told', () => cluster(history).state.downgrade !== null, MINUTE_MS);
    const by = cluster(history).read(UPGRADE_LOCK_KEY)?.value;
    await history.happens(
      incident,
      present(history.world).find((it) => it.id !== by),
    );
    const isFree = (): boolean => cluster(history).read(UPGRADE_LOCK_KEY) === null;
    await history.waitFor('nobody waits for it under the lock', isFree, 15_000);
    expect(history.said(by)).toContain('upgrade-given-up');
    await history.settled(10 * MINUTE_MS);
    expect(cluster(history).state.clusterVersion).toBe('3.5.0');
    expect(history.said()).not.toContain('upgrade-taken-back');
  });
});
