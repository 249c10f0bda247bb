import { expect, it } from 'vitest';
import { createHousekeeper } from '../../../src/daemon/housekeeper.ts';
import { LOCK_KEY, WANTED_KEY } from '../../../src/daemon/maintenance-lock.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';
import { seatVoter } from '../../fakes/bench-voter.ts';

// After a power cut of the leader nobody evicts it until its lease is over, and its replacement cannot join.
it.each([5_100, 5_600, 6_100, 6_600])(
  'takes the lock that it asked for once that is free, and not in its next turn: after %d ms',
  async (heldMs) => {
    const bench = createBench(3);
    const cluster = await bench.form();
    await bench.clock.advance(6_000);
    const leader = bench.hosts.find(({ self }) => cluster.find(cluster.leader ?? '')?.name === self.id);
    if (leader === undefined) throw new Error('nobody leads');
    const { admin } = leader.ports;
    const holder = async (): Promise<string | undefined> => {
      const key = await bench.soon(admin.read(leader.url, LOCK_KEY, { serializable: false }, NEVER));
      return key.known ? key.value?.value : 'unknown';
    };
    const lease = await bench.soon(admin.grantLease(leader.url, 60, NEVER));
    if (!lease.known) throw new Error(lease.reason);
    await bench.soon(admin.createKey(leader.url, LOCK_KEY, 'i-dead', lease.value, NEVER));
    await seatVoter(bench, leader, leader.context, cluster);
    const loop = new AbortController();
    const over = createHousekeeper(leader.context)
      .run(loop.signal)
      .catch(() => undefined);

    await bench.clock.advance(heldMs);
    expect(await holder()).toBe('i-dead');
    const wanted = await bench.soon(admin.read(leader.url, WANTED_KEY, { serializable: false }, NEVER));
    expect(wanted).toMatchObject({ value: { value: leader.self.id } });
    await bench.soon(admin.revokeLease(leader.url, lease.value, NEVER));
    const freeAt = bench.clock.now();
    while ((await holder()) !== leader.self.id && bench.clock.now() - freeAt < 5_000)
      await bench.clock.advance(50);
    expect(bench.clock.now() - freeAt).toBeLessThan(500);
    loop.abort();
    await bench.soon(over);
  },
);
