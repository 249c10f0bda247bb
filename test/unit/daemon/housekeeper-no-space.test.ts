import { expect, it } from 'vitest';
import { known, unknown } from '../../../src/core/known.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { createHousekeeper } from '../../../src/daemon/housekeeper.ts';
import { LOCK_KEY } from '../../../src/daemon/maintenance-lock.ts';
import type { AdminPort } from '../../../src/daemon/ports.ts';
import { createBench } from '../../fakes/bench.ts';
import { seatVoter } from '../../fakes/bench-voter.ts';

const NO_SPACE = unknown('etcdserver: mvcc: database space exceeded');

/** As etcd answers under its alarm: reads and changes of members go, writes and leases do not. */
function outOfSpace(admin: AdminPort): AdminPort {
  return {
    ...admin,
    grantLease: async () => await Promise.resolve(NO_SPACE),
    createKey: async () => await Promise.resolve(NO_SPACE),
    put: async () => await Promise.resolve(NO_SPACE),
    async status(endpoint, signal) {
      const status = await admin.status(endpoint, signal);
      return status.known ? known({ ...status.value, errors: ['memberID:1 alarm:NOSPACE '] }) : status;
    },
  };
}

it("evicts and keeps the names right while etcd takes no writes, on the leader's instance alone", async () => {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(8_000);
  const loops = new AbortController();
  const contexts = bench.hosts.map((host) => {
    const context = createContext(host.context.options, {
      ...host.ports,
      admin: outOfSpace(host.ports.admin),
    });
    return { host, context };
  });
  for (const { host, context } of contexts) {
    await seatVoter(bench, host, context, cluster);
    void createHousekeeper(context)
      .run(loops.signal)
      .catch(() => undefined);
  }
  const leader = cluster.find(cluster.leader ?? '')?.name;
  const victim = bench.hosts.find((it) => it.self.id !== leader);
  if (victim === undefined) throw new Error('nobody follows');
  await bench.clock.advance(10_000);
  bench.etcd.kill(victim.self.address);
  bench.aws.terminate(victim.self.id);
  await bench.clock.advance(30_000);
  loops.abort();
  expect(bench.changes.map((it) => [it.kind, it.member.name, it.caller])).toEqual([
    ['remove', victim.self.id, leader],
  ]);
  expect(cluster.read(LOCK_KEY)).toBeNull();
  const said = contexts.find((it) => it.host.self.id === leader)?.context.state.plans.get('lock');
  expect(said?.map((it) => it.code)).toEqual(['lock-no-space']);
});
