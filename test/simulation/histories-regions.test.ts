import { describe, expect, it } from 'vitest';
import { begin, formed, type History } from './history.ts';
import { clusterIds, clusterView } from './world/cluster.ts';
import { standingClaim } from './world/convergence.ts';
import { REGIONS } from './world/names.ts';
import { cutOff } from './world/regions.ts';
import { present } from './world/world.ts';

/*
 * Two regions, some way apart, that let each other in by rules of their security groups. A fleet is as it should be only
 * when the rules are, too.
 */

const SEEDS = [1];
const MINUTE_MS = 60_000;
const [HERE, THERE] = REGIONS;

function machinesIn({ world }: History, region: string): ReturnType<typeof present> {
  return present(world).filter((it) => it.region === region);
}

function cluster({ world }: History): ReturnType<typeof clusterView> {
  return clusterView(world, standingClaim(world)?.clusterId ?? null);
}

describe.each(SEEDS)('under seed %i', (seed) => {
  it.each([2, 5])('a fleet of %i in two regions forms one cluster', async (desired) => {
    const history = await formed({ seed, desired, regions: 2 });
    expect(clusterIds(history.world)).toHaveLength(1);
    expect(machinesIn(history, HERE)).toHaveLength(Math.ceil(desired / 2));
    expect(machinesIn(history, THERE)).toHaveLength(Math.floor(desired / 2));
    expect(standingClaim(history.world)?.epoch).toBe(1);
  });

  it('a refresh replaces every instance, and the rules follow', async () => {
    const history = await formed({ seed, desired: 3, regions: 2, hooks: ['launching', 'terminating'] });
    await history.happens({ kind: 'refresh', minHealthyPercent: 100 });
    await history.settled(15 * MINUTE_MS);
    expect(clusterIds(history.world)).toHaveLength(1);
  });

  it('the smaller region dies while AWS is silent: nobody is evicted before it speaks again', async () => {
    const history = await formed({ seed, desired: 5, regions: 2 });
    await history.happens({ kind: 'aws', weather: 'unknown', lastsMs: 5 * MINUTE_MS });
    for (const it of machinesIn(history, THERE)) await history.happens({ kind: 'lose' }, it);
    await history.pass(4 * MINUTE_MS);
    expect(cluster(history)?.members).toHaveLength(5);
    expect(cluster(history)?.leader).not.toBeNull();
    await history.settled(10 * MINUTE_MS);
    expect(clusterIds(history.world)).toHaveLength(1);
  });

  it('the smaller region is cut off for a while, and nobody loses his place', async () => {
    const history = await formed({ seed, desired: 5, regions: 2 });
    const before = present(history.world);
    history.faulted(4 * MINUTE_MS);
    const end = cutOff(history.world, THERE);
    await history.pass(3 * MINUTE_MS);
    expect(cluster(history)?.members).toHaveLength(5);
    end();
    await history.settled(5 * MINUTE_MS);
    expect(present(history.world)).toEqual(before);
  });
});

it('without rules nobody of the other region takes part', async () => {
  const closed = { kind: 'refused' as const, message: 'UnauthorizedOperation' };
  const history = await begin({ seed: 1, desired: 3, regions: 2, bootstrapWaitMs: 15_000 });
  for (const region of REGIONS) history.world.firewall.refuse(region, closed);
  await history.pass(2 * MINUTE_MS);
  const there = machinesIn(history, THERE);
  expect(there.map((it) => it.disk.etcd)).toEqual([null]);
  for (const region of REGIONS) history.world.firewall.refuse(region, null);
  await history.settled(5 * MINUTE_MS);
});

describe('when somebody has cleared the rules of all groups, and no region has a quorum', () => {
  const cleared = async (): Promise<History> => {
    const history = await formed({ seed: 1, desired: 4, regions: 2 });
    history.faulted(2 * MINUTE_MS);
    for (const region of REGIONS) history.world.firewall.rules.set(region, []);
    return history;
  };

  it('the members let each other in again, whom nobody keeps house for', async () => {
    const history = await cleared();
    await history.pass(5_000);
    expect(cluster(history)?.leader).toBeNull();
    await history.settled(MINUTE_MS);
  });

  it('so do those that are started on their data meanwhile', async () => {
    const history = await cleared();
    for (const it of present(history.world)) await history.happens({ kind: 'kill', what: 'both' }, it);
    await history.settled(MINUTE_MS);
  });
});
