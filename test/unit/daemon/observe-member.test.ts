import { expect, it } from 'vitest';
import { createContext } from '../../../src/daemon/context.ts';
import { createHousekeeper } from '../../../src/daemon/housekeeper.ts';
import { watchMember } from '../../../src/daemon/member.ts';
import { createBench } from '../../fakes/bench.ts';
import { seatVoter } from '../../fakes/bench-voter.ts';

/** A follower whose two loops run beside the etcds of a cluster of three, and what it asks. */
async function followerForTest() {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(8_000);
  const follower = bench.hosts.find((it) => it.self.id !== cluster.find(cluster.leader ?? '')?.name);
  if (follower === undefined) throw new Error('no follower');
  const asked: string[] = [];
  const { admin } = follower.ports;
  const ports = {
    ...follower.ports,
    admin: {
      ...admin,
      status: async (...args: Parameters<typeof admin.status>) => {
        asked.push(args[0] === follower.url ? 'status' : 'status of another');
        return await admin.status(...args);
      },
      read: async (...args: Parameters<typeof admin.read>) => {
        asked.push('read');
        return await admin.read(...args);
      },
      memberList: async (...args: Parameters<typeof admin.memberList>) => {
        asked.push('list');
        return await admin.memberList(...args);
      },
    },
  };
  const context = createContext(follower.context.options, ports);
  await seatVoter(bench, follower, context, cluster);
  const { signal } = new AbortController();
  await bench.soon(admin.put(follower.url, '_self_maintenance_lock', 'i-another', {}, signal));
  const loops = new AbortController();
  const etcd = context.state.etcd;
  if (etcd === null) throw new Error('no etcd');
  void watchMember(context, etcd, loops.signal).catch(() => undefined);
  void createHousekeeper(context)
    .run(loops.signal)
    .catch(() => undefined);
  return { bench, cluster, follower, state: context.state, asked, end: () => loops.abort() };
}

// What a follower asks while all is well is most of what an appliance costs.
it('asks the own etcd of a follower for its status and one linearizable read in each turn, the list rarely', async () => {
  const { bench, asked, end } = await followerForTest();
  await bench.clock.advance(20_000);
  asked.length = 0;
  await bench.clock.advance(60_000);
  const count = (what: string): number => asked.filter((it) => it === what).length;
  expect(count('list')).toBeGreaterThanOrEqual(5);
  expect(count('list')).toBeLessThanOrEqual(8);
  expect(count('status')).toBeGreaterThanOrEqual(28);
  // With those of the two looks at all members that are shown.
  expect(count('status')).toBeLessThanOrEqual(33);
  expect([4, 6]).toContain(count('status of another'));
  expect(count('read')).toBeLessThanOrEqual(40);
  end();
});

it('is not ready as soon as there is no quorum, though the list was read before, and is again with it', async () => {
  const { bench, cluster, follower, state, end } = await followerForTest();
  await bench.clock.advance(20_000);
  expect(state.notReady).toBeNull();
  const others = bench.hosts.filter((it) => it !== follower).map((it) => it.self.address);
  for (const address of others) bench.etcd.freeze(address, true);
  await bench.clock.advance(6_000);
  expect(state.notReady).not.toBeNull();
  for (const address of others) bench.etcd.freeze(address, false);
  await bench.clock.advance(15_000);
  expect(state.notReady).toBeNull();
  expect(state.list).toMatchObject({ known: true, value: { clusterId: cluster.id } });
  end();
});

it('reads the list anew when a member leads that it does not name', async () => {
  const { bench, state, asked, end } = await followerForTest();
  await bench.clock.advance(20_000);
  if (!state.list.known || !state.ownStatus.known) throw new Error('not steady');
  const { leader } = state.ownStatus.value;
  const members = state.list.value.members.filter((it) => it.id !== leader);
  state.list = { known: true, value: { ...state.list.value, members } };
  asked.length = 0;
  await bench.clock.advance(2_500);
  expect(asked).toContain('list');
  expect(state.list.value.members).toHaveLength(3);
  end();
});
