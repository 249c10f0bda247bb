import { describe, expect, it } from 'vitest';
import { unknown } from '../../src/core/known.ts';
import { begin, formed, type History, machine } from './history.ts';
import { clusterIds, clusterView, memberOnDisk, runningCluster } from './world/cluster.ts';
import { standingClaim } from './world/convergence.ts';
import { setDesired, terminate } from './world/group.ts';
import { CLUSTER } from './world/names.ts';
import { present } from './world/world.ts';

/*
 * What a fleet goes through in its ordinary life, step by step. The same history is told under a few seeds: they shuffle
 * ids, latencies and elections. Every law is judged at every step.
 */

const SEEDS = [1, 2];
const MINUTE_MS = 60_000;

/** The cluster that the claim names. */
function cluster({ world }: History): ReturnType<typeof clusterView> {
  return clusterView(world, standingClaim(world)?.clusterId ?? null);
}

describe.each(SEEDS)('under seed %i', (seed) => {
  it.each([1, 3, 5, 7])('a fleet of %i forms', async (desired) => {
    const { world } = await formed({ seed, desired });
    expect(clusterIds(world)).toHaveLength(1);
    expect(standingClaim(world)?.epoch).toBe(1);
  });

  it('five become three, one, and three again, in order, and nobody is evicted', async () => {
    const history = await formed({ seed, desired: 3 });
    for (const desired of [5, 3, 1, 3]) {
      setDesired(history.world, desired);
      await history.settled(2 * MINUTE_MS);
    }
    expect(clusterIds(history.world)).toHaveLength(1);
    expect(history.said()).not.toContain('[evict-terminated]');
  });

  it('a refresh with hooks replaces every instance of three, and the hooks wait for etcd', async () => {
    const history = await formed({ seed, desired: 3, hooks: ['launching', 'terminating'] });
    const olds = present(history.world);
    await history.happens({ kind: 'refresh', minHealthyPercent: 100 });
    await history.settled(10 * MINUTE_MS);
    expect(olds.map((it) => it.state)).toEqual(['gone', 'gone', 'gone']);
    expect(clusterIds(history.world)).toHaveLength(1);
  });

  it('a single voter hands its data to its successor under a hook', async () => {
    const history = await formed({ seed, desired: 1, hooks: ['terminating'] });
    terminate(history.world, machine(history, 0));
    await history.settled(3 * MINUTE_MS);
    expect(clusterIds(history.world)).toHaveLength(1);
  });

  it('two of five die at once', async () => {
    const history = await formed({ seed, desired: 5 });
    const [first, second] = [machine(history, 0), machine(history, 1)];
    await history.happens({ kind: 'lose' }, first);
    await history.happens({ kind: 'lose' }, second);
    await history.settled(2 * MINUTE_MS);
  });

  it('all etcds die at once and come back by themselves, with AWS and Route 53 away', async () => {
    const history = await formed({ seed, desired: 3 });
    await history.happens({ kind: 'aws', weather: 'unknown', lastsMs: 130_000 });
    await history.happens({ kind: 'zone', failure: 'down', times: 0, lastsMs: 130_000 });
    await history.pass(10_000);
    for (const it of present(history.world)) await history.happens({ kind: 'kill', what: 'etcd' }, it);
    await history.pass(20_000);
    expect(cluster(history)?.upVoters).toHaveLength(3);
    await history.pass(100_000);
    expect(cluster(history)?.members).toHaveLength(3);
    await history.settled(MINUTE_MS);
  });

  it('the whole fleet loses its power at once and comes back', async () => {
    const history = await formed({ seed, desired: 3 });
    for (const it of present(history.world)) await history.happens({ kind: 'power-cut', lastsMs: 5_000 }, it);
    await history.settled(2 * MINUTE_MS);
    expect(clusterIds(history.world)).toHaveLength(1);
  });

  it.each(['unknown', 'self-only', 'half', 'stale', 'empty', 'late', 'throttled'] as const)(
    'answers of AWS that are %s make no second cluster at birth',
    async (weather) => {
      const history = await begin({ seed, desired: 3, bootstrapWaitMs: 15_000 });
      await history.happens({ kind: 'aws', weather, lastsMs: 2 * MINUTE_MS });
      await history.pass(2 * MINUTE_MS);
      await history.settled(15 * MINUTE_MS);
    },
  );

  it.each(['unknown', 'self-only', 'half', 'stale', 'empty', 'late', 'throttled'] as const)(
    'answers of AWS that are %s cost no member later',
    async (weather) => {
      const history = await formed({ seed, desired: 3 });
      await history.happens({ kind: 'aws', weather, lastsMs: 3 * MINUTE_MS });
      await history.happens({ kind: 'kill', what: 'etcd' }, machine(history, 0));
      await history.pass(3 * MINUTE_MS);
      expect(cluster(history)?.members).toHaveLength(3);
      await history.settled(MINUTE_MS);
    },
  );

  it('a wiped member comes back under another id', async () => {
    const history = await formed({ seed, desired: 3 });
    const lost = machine(history, 0);
    const before = memberOnDisk(lost)?.memberId;
    await history.happens({ kind: 'wipe', what: 'disk' }, lost);
    await history.settled(MINUTE_MS);
    expect(memberOnDisk(lost)?.memberId).not.toBe(before);
    expect(memberOnDisk(lost)).not.toBe(null);
  });

  it('founders that are left without a quorum, each with its etcd running, begin anew by themselves', async () => {
    const history = await begin({ seed, desired: 4 });
    const { world } = history;
    const running = (): ReturnType<typeof present> =>
      present(world).filter((it) => runningCluster(world, it) !== null);
    await history.waitFor('two etcds run', () => running().length >= 2, 20_000);
    const left = running().slice(0, 2);
    setDesired(world, 2);
    for (const it of present(world)) if (!left.includes(it)) await history.happens({ kind: 'lose' }, it);
    await history.settled(10 * MINUTE_MS);
  });

  it('a learner joins though Route 53 cannot be written, after two minutes', async () => {
    const history = await formed({ seed, desired: 3 });
    await history.happens({ kind: 'zone', failure: 'down', times: 0, lastsMs: 6 * MINUTE_MS });
    await history.pass(1_000);
    await history.happens({ kind: 'lose' }, machine(history, 0));
    await history.pass(6 * MINUTE_MS);
    // Who starts cannot read the claim, and so waits; who had joined would have been promoted.
    expect(cluster(history)?.upVoters.length).toBeGreaterThanOrEqual(2);
    await history.settled(2 * MINUTE_MS);
  });

  it('a learner is promoted where Route 53 can be read and not written, and Route 53 is spared', async () => {
    const history = await formed({ seed, desired: 3 });
    const { zone } = history.world;
    await history.happens({ kind: 'zone', failure: 'denied', times: 0, lastsMs: 5 * MINUTE_MS });
    const calls = zone.calls();
    await history.happens({ kind: 'lose' }, machine(history, 0));
    await history.pass(5 * MINUTE_MS);
    expect(cluster(history)?.upVoters).toHaveLength(3);
    expect(zone.calls() - calls).toBeLessThan(3 * 5 * 60);
    await history.settled(2 * MINUTE_MS);
  });

  it("an alias of somebody else's at the cluster's name does not keep it from being born", async () => {
    const history = await begin({ seed, desired: 3 });
    const { world } = history;
    world.zone.occupy(CLUSTER);
    await history.pass(MINUTE_MS);
    expect(standingClaim(world)?.state).toBe('formed');
    expect(present(world).map((it) => it.disk.identity?.formed)).toEqual([true, true, true]);
    world.zone.occupy(null);
    await history.settled(MINUTE_MS);
  });

  it('a spot notice is a departure in order, before any signal', async () => {
    const history = await formed({ seed, desired: 3 });
    const doomed = machine(history, 0);
    await history.happens({ kind: 'spot' }, doomed);
    await history.pass(20_000);
    expect(doomed.state).toBe('gone');
    expect(history.said(doomed.id)).toContain('acted remove-self');
    await history.settled(3 * MINUTE_MS);
  });

  it('metadata that do not answer are no reason to leave', async () => {
    const history = await formed({ seed, desired: 3 });
    const one = machine(history, 0);
    one.metadata.target = unknown('no answer');
    one.metadata.spot = unknown('no answer');
    await history.happens({ kind: 'restart' }, one);
    await history.settled(MINUTE_MS);
    expect(memberOnDisk(one)).not.toBe(null);
  });
});
