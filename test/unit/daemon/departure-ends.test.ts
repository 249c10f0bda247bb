import { describe, expect, it } from 'vitest';
import { known } from '../../../src/core/known.ts';
import type { Departure } from '../../../src/core/plan-leave.ts';
import { peerUrl } from '../../../src/core/urls.ts';
import { createAppliance } from '../../../src/daemon/appliance.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { leave } from '../../../src/daemon/departure.ts';
import type { Housekeeper } from '../../../src/daemon/housekeeper.ts';
import { createBench, NEVER, TOKEN } from '../../fakes/bench.ts';
import { claimFormed, voterIdentity } from '../../fakes/bench-voter.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';

const NO_HOUSE: Housekeeper = {
  run: async () => await Promise.resolve(),
  release: async () => await Promise.resolve(),
};

describe('an instance whose data cannot be read', () => {
  it.each([
    ['and no etcd runs', true, async () => await Promise.reject(new Error('EIO: i/o error, read'))],
    ['and its etcd runs', false, async () => await Promise.reject(new Error('EIO: i/o error, read'))],
    ['as the read never ends', true, async () => await new Promise<never>(() => undefined)],
  ])('goes all the same, %s: nothing is left to leave with', async (_name, kills, read) => {
    const bench = createBench(3);
    await bench.form();
    await bench.clock.advance(5_000);
    const host = bench.host(0);
    host.hooks.has.add('terminating');
    host.hooks.waits.add('terminating');
    if (kills) bench.etcd.kill(host.self.address);
    const ports = { ...host.ports, data: { ...host.ports.data, read } };
    let ended = false;
    void createAppliance(host.context.options, ports)
      .run(NEVER)
      .then(() => (ended = true));
    await bench.clock.advance(60_000);
    expect(ended).toBe(false);

    host.metadata.target = known('Terminated');
    await bench.clock.advance(60_000);
    expect(host.hooks.waits.has('terminating')).toBe(false);
    expect(ended).toBe(true);
  });
});

describe('a learner that leaves', () => {
  /** Three voters and a learner, which has found out who the voters are, and leaves. */
  async function leaves(departure: Departure, ordered: boolean) {
    const bench = createBench(4);
    const founders = bench.hosts.slice(0, 3);
    const initial = founders.map(({ self }) => ({ name: self.id, peerUrl: peerUrl(self.address) }));
    for (const { ports, self } of founders)
      await ports.process.start(
        {
          version: '3.5.35',
          name: self.id,
          address: self.address,
          initial: { state: 'new', cluster: initial, token: TOKEN },
        },
        NEVER,
      );
    await bench.clock.advance(10_000);
    const cluster = [...bench.etcd.clusters.values()][0] as EtcdCluster;
    const host = bench.host(3);
    const added = cluster.addLearner(peerUrl(host.self.address));
    if ('code' in added) throw new Error(added.message);
    const joined = [...initial, { name: host.self.id, peerUrl: peerUrl(host.self.address) }];
    await host.ports.process.start(
      {
        version: '3.5.35',
        name: host.self.id,
        address: host.self.address,
        initial: { state: 'existing', cluster: joined, token: TOKEN },
      },
      NEVER,
    );
    await bench.clock.advance(10_000);
    await claimFormed(bench, cluster);
    const context = createContext(host.context.options, host.ports);
    context.state.identity = voterIdentity(host, {
      clusterId: cluster.id,
      memberId: added.id,
      voter: false,
    });
    const etcd = await host.ports.process.adopt(NEVER);
    context.state.etcd = etcd;
    let over = false;
    void etcd?.exited.then(() => {
      context.state.etcd = null;
      over = true;
    });
    await bench.soon(context.register.read(0, NEVER));
    const orderedAt = ordered ? bench.clock.now() : null;
    let left = false;
    void leave(
      context,
      NO_HOUSE,
      { departure: () => departure, orderedAt: () => orderedAt, lifeOver: () => over },
      NEVER,
    ).then(() => (left = true));
    await bench.clock.advance(2_000);
    return { left, members: cluster.members.map((it) => it.name), learner: host.self.id };
  }

  it('removes itself at once through a voter: etcd has room for no other learner until then', async () => {
    const { left, members, learner } = await leaves({ kind: 'going', why: 'a spot notice' }, false);
    expect(members).toHaveLength(3);
    expect(members).not.toContain(learner);
    expect(left).toBe(true);
  });

  it('stops at once where it is only restarted, and stays a member', async () => {
    const { left, members, learner } = await leaves({ kind: 'restart', why: 'an order' }, true);
    expect(left).toBe(true);
    expect(members).toContain(learner);
  });
});
