import { expect, it } from 'vitest';
import { claimRecord, foundingClaim } from '../../../src/core/claim.ts';
import { unknown } from '../../../src/core/known.ts';
import { namesOf } from '../../../src/core/names.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { live } from '../../../src/daemon/life.ts';
import { createBench, NAME, NEVER } from '../../fakes/bench.ts';

// Measured with 3.4.23, 3.5.35 and 3.6.16: an etcd that has had no quorum since it was started opens its client port never.
it('a founder whose etcd never had a quorum hears of the next epoch', async () => {
  const bench = createBench(3);
  const host = bench.host(0);
  const founders = bench.hosts.map(({ self }) => ({ instanceId: self.id, region: self.region, address: self.address }));
  const first = foundingClaim({ stack: host.self.stack, token: 'one', groups: ['g'], founders, before: null });
  const second = foundingClaim({ stack: host.self.stack, token: 'two', groups: ['g'], founders: founders.slice(1), before: first });
  const name = namesOf(NAME).claim;
  await host.ports.zone.change([{ action: 'CREATE', record: claimRecord(name, first) }], NEVER);
  const { admin } = host.ports;
  const ports = { ...host.ports, admin: { ...admin,
    status: async (endpoint: string, signal: AbortSignal) => {
      const leads = [...bench.etcd.clusters.values()].some((it) => it.leader !== null);
      if (leads) return await admin.status(endpoint, signal);
      await bench.clock.sleep(5, signal);
      return unknown('connection refused');
    } } };
  const context = createContext(host.context.options, ports);
  const loops = new AbortController();
  void live(context, loops.signal).catch(() => undefined);
  await bench.clock.advance(20_000);
  expect(bench.etcd.processAt(host.self.address)).toBeDefined();
  await host.ports.zone.change(
    [{ action: 'DELETE', record: claimRecord(name, first) }, { action: 'CREATE', record: claimRecord(name, second) }], NEVER);
  const starts = (): number => bench.log.filter((it) => it.includes('liveness-failed')).length;
  await bench.clock.advance(30 * 60_000);
  loops.abort();
  const { aside } = await bench.soon(host.ports.data.read(NEVER));
  expect({ aside: aside.length, killedForTheClustersFault: starts() }).toEqual({ aside: 1, killedForTheClustersFault: 0 });
});
