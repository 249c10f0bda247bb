import { expect, it } from 'vitest';
import { claimRecord, formedClaim, foundingClaim } from '../../../src/core/claim.ts';
import { unknown } from '../../../src/core/known.ts';
import { namesOf } from '../../../src/core/names.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { live } from '../../../src/daemon/life.ts';
import { createBench, NAME, NEVER, TOKEN } from '../../fakes/bench.ts';
import { voterIdentity } from '../../fakes/bench-voter.ts';

// Measured with 3.4.23, 3.5.35 and 3.6.16: an etcd that has had no quorum since it was started does not open its client
// port (30 s and more); its peer port answers /version and /members.
it('leaves an etcd alone whose cluster has no quorum', async () => {
  const bench = createBench(3);
  const host = bench.host(0);
  const cluster = await bench.form();
  const claim = formedClaim(
    foundingClaim({ stack: host.self.stack, token: TOKEN, groups: ['g'], founders: [], before: null }),
    cluster.id,
    cluster.members.map((it, index) => ({
      memberId: it.id,
      instanceId: it.name,
      region: 'eu-central-1',
      address: bench.host(index).self.address,
    })),
  );
  await host.ports.zone.change(
    [{ action: 'CREATE', record: claimRecord(namesOf(NAME).claim, claim) }],
    NEVER,
  );
  await host.ports.data.writeIdentity(
    voterIdentity(host, {
      clusterId: cluster.id,
      memberId: cluster.members.find((it) => it.name === host.self.id)?.id ?? '',
    }),
    NEVER,
  );
  for (const { self } of bench.hosts) bench.etcd.kill(self.address);
  const { admin } = host.ports;
  const ports = {
    ...host.ports,
    admin: {
      ...admin,
      status: async (endpoint: string, signal: AbortSignal) => {
        if (cluster.leader !== null) return await admin.status(endpoint, signal);
        await bench.clock.sleep(5, signal);
        return unknown('connection refused');
      },
    },
  };
  const loops = new AbortController();
  void live(createContext(host.context.options, ports), loops.signal).catch(() => undefined);
  await bench.clock.advance(10 * 60_000);
  loops.abort();
  expect(bench.log.filter((it) => /liveness-failed|start-hangs/.test(it))).toEqual([]);
});
