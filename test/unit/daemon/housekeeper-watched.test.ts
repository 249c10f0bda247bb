import { expect, it } from 'vitest';
import { createFace } from '../../../src/app-face.ts';
import { createAppliance } from '../../../src/daemon/appliance.ts';
import { createHousekeeper } from '../../../src/daemon/housekeeper.ts';
import { createMetrics } from '../../../src/http/metrics.ts';
import { createBench } from '../../fakes/bench.ts';
import { voterIdentity } from '../../fakes/bench-voter.ts';

// What a follower shows decides nothing: looking at it all the time was half of what an idle appliance did.
it('lets a follower look at all members when somebody watches, and twice a minute else', async () => {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(8_000);
  const follower = bench.hosts.find((it) => it.self.id !== cluster.find(cluster.leader ?? '')?.name);
  if (follower === undefined) throw new Error('no follower');
  let asked = 0;
  const { admin } = follower.ports;
  const status: typeof admin.status = async (...args) => {
    asked += 1;
    return await admin.status(...args);
  };
  const ports = { ...follower.ports, admin: { ...admin, status } };
  const appliance = createAppliance(follower.context.options, ports);
  const { state } = appliance.context;
  const face = createFace({
    appliance,
    metrics: createMetrics({ version: '0' }),
    version: '0',
    cluster: 'c',
  });
  state.identity = voterIdentity(follower, { clusterId: cluster.id });
  state.etcd = await ports.process.adopt(new AbortController().signal);
  state.ownStatus = await bench.soon(admin.status(follower.url, new AbortController().signal));
  const published = { format: 1, by: 'i-1', at: 'now', claim: null, fleet: null, named: [], leaving: [] };
  const { signal } = new AbortController();
  await bench.soon(admin.put(follower.url, '_self_maintenance_lock', 'i-another', {}, signal));
  await bench.soon(admin.put(follower.url, '_appliance/published', JSON.stringify(published), {}, signal));

  const loops = new AbortController();
  void createHousekeeper(appliance.context)
    .run(loops.signal)
    .catch(() => undefined);
  const looksOf = async (ms: number): Promise<number> => {
    asked = 0;
    await bench.clock.advance(ms);
    return asked / 3;
  };
  expect(await looksOf(60_000)).toBe(2);
  face.members();
  expect(await looksOf(8_000)).toBe(4);
  expect(await looksOf(60_000)).toBeLessThanOrEqual(4);
  loops.abort();
  expect(face.members().members.map((it) => it.health)).toEqual(['healthy', 'healthy', 'healthy']);
});
