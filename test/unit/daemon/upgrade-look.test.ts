import { expect, it } from 'vitest';
import { unknown } from '../../../src/core/known.ts';
import { encodePart, UPGRADE_KEYS, UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import { lookAtUpgrade, type OrphanMemory, type UpgradeSight } from '../../../src/daemon/upgrade-look.ts';
import { type Bench, createBench, cutPeers, NEVER } from '../../fakes/bench.ts';

/** How the first of them looks at all. */
function sightOf(bench: Bench): UpgradeSight {
  const { ports, self, url } = bench.host(0);
  return {
    admin: ports.admin,
    clock: bench.clock,
    endpoint: url,
    ask: async () => await Promise.resolve(unknown('not asked')),
    self: self.id,
    acts: false,
  };
}

it('a step that nobody goes on with is counted on by who takes its lock, and begun anew by another', async () => {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(3_000);
  const { self } = bench.host(0);
  const step = { by: 'i-gone', from: '3.6.16', to: '3.5.35', at: '2026-11-21T12:00:00Z' };
  cluster.put(UPGRADE_KEYS.step, encodePart(step), null);
  const memory: OrphanMemory = { orphan: null };
  const orphanedForMs = async (): Promise<number> => {
    const seen = await bench.soon(lookAtUpgrade(sightOf(bench), memory, NEVER));
    if (!seen.known) throw new Error(seen.reason);
    return seen.value.observation.orphanedForMs;
  };
  expect(await orphanedForMs()).toBe(0);
  await bench.clock.advance(100_000);
  expect(await orphanedForMs()).toBeGreaterThanOrEqual(100_000);
  // Its own plan is made again under the lock: counted anew there, it would come to nothing, every time.
  cluster.put(UPGRADE_LOCK_KEY, self.id, null);
  expect(await orphanedForMs()).toBeGreaterThanOrEqual(100_000);
  cluster.put(UPGRADE_LOCK_KEY, 'i-02', null);
  expect(await orphanedForMs()).toBe(0);
});

it('a voter that hears its leader, and is not heard by it, is not well: nobody could count on it', async () => {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(3_000);
  cluster.lead(cluster.members[0]?.id ?? '');
  await bench.clock.advance(1_000);
  const unhealthy = async (): Promise<readonly (string | null)[]> => {
    const seen = await bench.soon(lookAtUpgrade(sightOf(bench), { orphan: null }, NEVER));
    if (!seen.known) throw new Error(seen.reason);
    return seen.value.observation.members.map((it) => it.unhealthy);
  };
  expect(await unhealthy()).toEqual([null, null, null]);
  const heal = cutPeers(bench, '10.0.0.3', '10.0.0.1', 'one way');
  expect(await unhealthy()).toEqual([
    null,
    null,
    expect.stringContaining('it has no answer of its leader') as string,
  ]);
  heal();
  await bench.clock.advance(5_000);
  expect(await unhealthy()).toEqual([null, null, null]);
});
