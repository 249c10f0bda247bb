import { expect, it } from 'vitest';
import { claimRecord, formedClaim, foundingClaim } from '../../../src/core/claim.ts';
import { refused, unknown } from '../../../src/core/known.ts';
import { namesOf } from '../../../src/core/names.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { live } from '../../../src/daemon/life.ts';
import type { AdminPort, RunningEtcd } from '../../../src/daemon/ports.ts';
import { type Bench, createBench, NAME, NEVER, TOKEN } from '../../fakes/bench.ts';
import { voterIdentity } from '../../fakes/bench-voter.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';

/** An appliance whose member is a voter of a cluster of three, and whose own etcd's status is what `status` makes of it. */
async function voterWith(
  status: (bench: Bench, cluster: EtcdCluster, asked: AdminPort['status']) => AdminPort['status'],
  etcd: Partial<RunningEtcd> = {},
): Promise<{ readonly bench: Bench; readonly begin: () => AbortController }> {
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
  const { admin, process } = host.ports;
  const ports = {
    ...host.ports,
    admin: { ...admin, status: status(bench, cluster, admin.status) },
    process: {
      ...process,
      adopt: async (signal: AbortSignal) => {
        const running = await process.adopt(signal);
        return running === null ? null : { ...running, ...etcd };
      },
    },
  };
  const begin = (): AbortController => {
    const loops = new AbortController();
    void live(createContext(host.context.options, ports), loops.signal).catch(() => undefined);
    return loops;
  };
  return { bench, begin };
}

// Measured with 3.4.23, 3.5.35 and 3.6.16: an etcd that has had no quorum since it was started does not open its client
// port (30 s and more); its peer port answers /version and /members.
it('leaves an etcd alone whose cluster has no quorum', async () => {
  const { bench, begin } = await voterWith((it, cluster, asked) => async (endpoint, signal) => {
    if (cluster.leader !== null) return await asked(endpoint, signal);
    await it.clock.sleep(5, signal);
    return unknown('connection refused');
  });
  for (const { self } of bench.hosts) bench.etcd.kill(self.address);
  const loops = begin();
  await bench.clock.advance(10 * 60_000);
  loops.abort();
  expect(bench.log.filter((it) => /liveness-failed|start-hangs/.test(it))).toEqual([]);
});

it.each([
  ['leaves an etcd alone that answered before, and lets it in no more', refused('who are you'), 0, {}],
  ['kills one that answered before, and is silent', unknown('no answer'), 1, {}],
  // Its database has gigabytes, and the runbook for an etcd without space asks for it.
  [
    'leaves one alone that is silent while it defragments',
    unknown('no answer'),
    0,
    { defragments: () => true },
  ],
  [
    'leaves one alone that puts a snapshot of the leader in place',
    unknown('no answer'),
    0,
    { restores: () => true },
  ],
])('%s', async (_, answer, kills, etcd) => {
  let known = true;
  const { bench, begin } = await voterWith(
    (it, _cluster, asked) => async (endpoint, signal) => {
      if (known) return await asked(endpoint, signal);
      await it.clock.sleep(5, signal);
      return answer;
    },
    etcd,
  );
  const loops = begin();
  await bench.clock.advance(10_000);
  known = false;
  await bench.clock.advance(40_000);
  loops.abort();
  expect(bench.log.filter((it) => it.includes('restart-etcd'))).toHaveLength(kills);
});
