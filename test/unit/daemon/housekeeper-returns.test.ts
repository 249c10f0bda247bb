import { expect, it } from 'vitest';
import { createHousekeeper } from '../../../src/daemon/housekeeper.ts';
import { LEAVING_PREFIX } from '../../../src/daemon/leaving-word.ts';
import { decodePublished, PUBLISHED_KEY } from '../../../src/daemon/published.ts';
import { type Bench, createBench, type Host, NAME, NEVER } from '../../fakes/bench.ts';
import { seatVoter } from '../../fakes/bench-voter.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';

const named = (bench: Bench): readonly string[] =>
  bench.zone.records().find((it) => it.name === NAME && it.type === 'A')?.values ?? [];

/** The member of this host leads, and its own appliances know. */
async function lead(bench: Bench, cluster: EtcdCluster, host: Host): Promise<void> {
  cluster.lead(cluster.members.find((it) => it.name === host.self.id)?.id ?? '');
  for (const { context, url } of bench.hosts)
    context.state.ownStatus = await bench.soon(context.ports.admin.status(url, NEVER));
}

/** Its housekeeper runs until what it gives is called. */
async function keepHouse(bench: Bench, cluster: EtcdCluster, host: Host): Promise<() => Promise<void>> {
  await seatVoter(bench, host, host.context, cluster);
  const loop = new AbortController();
  const housekeeper = createHousekeeper(host.context);
  const over = housekeeper.run(loop.signal).catch(() => undefined);
  return async () => {
    loop.abort();
    await bench.soon(over);
    await bench.soon(housekeeper.release(NEVER));
  };
}

it('does not take names for right that another changed since it last kept house', async () => {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(6_000);
  const [first, second, third] = [bench.host(0), bench.host(1), bench.host(2)];
  await keepHouse(bench, cluster, first);
  await lead(bench, cluster, first);
  await bench.clock.advance(10_000);
  expect(named(bench)).toContain(third.self.address);

  const stop = await keepHouse(bench, cluster, second);
  await lead(bench, cluster, second);
  await bench.clock.advance(10_000);
  bench.etcd.kill(third.self.address);
  await bench.clock.advance(10_000);
  expect(named(bench)).not.toContain(third.self.address);

  // It is back, and the first has the lock again, before anybody has named it.
  await stop();
  await bench.soon(
    third.ports.process.start(
      { version: '3.5.35', name: third.self.id, address: third.self.address, initial: null },
      NEVER,
    ),
  );
  await lead(bench, cluster, first);
  await bench.clock.advance(15_000);
  expect(named(bench)).toContain(third.self.address);
});

it('publishes nobody as unnamed before it has read what another named since: who leaves would go while clients are sent to it', async () => {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(6_000);
  const [first, second, third] = [bench.host(0), bench.host(1), bench.host(2)];
  const published = (): readonly string[] | undefined =>
    decodePublished(cluster.read(PUBLISHED_KEY)?.value ?? '')?.named;
  // The second has read the records once, when nobody was named.
  await bench.soon(second.context.register.read(0, NEVER));
  await keepHouse(bench, cluster, first);
  await lead(bench, cluster, first);
  await bench.clock.advance(10_000);
  expect(published()).toContain(third.self.id);

  bench.zone.breakDown('Route 53 does not answer');
  await keepHouse(bench, cluster, second);
  await lead(bench, cluster, second);
  await bench.clock.advance(10_000);
  expect(second.context.state.keepsHouse).toBe(true);
  expect(published()).toContain(third.self.id);

  bench.zone.breakDown(null);
  await bench.clock.advance(60_000);
  const value = cluster.read(PUBLISHED_KEY)?.value ?? '';
  expect(decodePublished(value)).toMatchObject({ by: second.self.id, named: ['i-01', 'i-02', 'i-03'] });
});

it('publishes anew what it published before another kept house: who leaves goes by whose word stands', async () => {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(6_000);
  const [first, second] = [bench.host(0), bench.host(1)];
  const publishedBy = (): string | undefined => decodePublished(cluster.read(PUBLISHED_KEY)?.value ?? '')?.by;
  await keepHouse(bench, cluster, first);
  await keepHouse(bench, cluster, second);
  const writers: (string | undefined)[] = [];
  for (const host of [first, second, first]) {
    await lead(bench, cluster, host);
    await bench.clock.advance(12_000);
    writers.push(publishedBy());
  }
  expect(writers).toEqual([first.self.id, second.self.id, first.self.id]);
});

it('shows no more what it planned while it kept house, when another does: alarms go by it', async () => {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(6_000);
  const [first, second] = [bench.host(0), bench.host(1)];
  await keepHouse(bench, cluster, first);
  await lead(bench, cluster, first);
  await bench.clock.advance(10_000);
  const planned = (): readonly string[] => [...first.context.state.plans.keys()].toSorted();
  expect(planned()).toEqual(['housekeeping', 'lock', 'membership', 'records']);

  await keepHouse(bench, cluster, second);
  await lead(bench, cluster, second);
  await bench.clock.advance(10_000);
  expect(second.context.state.keepsHouse).toBe(true);
  expect(planned()).toEqual(['lock']);
});

it.each([true, false])(
  'does not say that it keeps house when its etcd says nothing (its end is known: %s): alarms go by it',
  async (isKnown) => {
    const bench = createBench(3);
    const cluster = await bench.form();
    await bench.clock.advance(6_000);
    const host = bench.host(0);
    const { state } = host.context;
    await keepHouse(bench, cluster, host);
    await lead(bench, cluster, host);
    await bench.clock.advance(10_000);
    expect(state.keepsHouse).toBe(true);

    bench.etcd.kill(host.self.address);
    if (isKnown) state.etcd = null;
    await bench.clock.advance(10_000);
    expect(state.keepsHouse).toBe(false);
    // What it last planned is not what holds: all would be well for as long as the quorum is lost.
    expect([...state.plans.values()].flat().map((it) => it.code)).toEqual(isKnown ? [] : ['lock-unknown']);

    // Its next status is not answered, either.
    if (isKnown) return;
    state.ownStatus = await bench.soon(host.context.ports.admin.status(host.url, NEVER));
    await bench.clock.advance(10_000);
    expect([...state.plans.values()].flat()).toEqual([]);
  },
);

it('leaves to who opens the rules again what is said of them without a quorum', async () => {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(6_000);
  const host = bench.host(0);
  const { chronicle, state } = host.context;
  await keepHouse(bench, cluster, host);
  await lead(bench, cluster, host);
  await bench.clock.advance(10_000);
  for (const other of [bench.host(1), bench.host(2)]) bench.etcd.kill(other.self.address);
  chronicle.plan('firewall', [{ code: 'firewall-opens', sentence: 'lets in the others' }]);
  await bench.clock.advance(10_000);
  expect([...state.plans.keys()].toSorted()).toEqual(['firewall', 'housekeeping']);
});

it('asks AWS again soon after one answer that was none: who leaves is named no more, and the lock stays', async () => {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(6_000);
  const [first, , third] = [bench.host(0), bench.host(1), bench.host(2)];
  const { fleetView, state } = first.context;
  await keepHouse(bench, cluster, first);
  await lead(bench, cluster, first);
  await bench.clock.advance(20_000);
  bench.aws.failNext('throttled');
  while (fleetView.blindForMs() === 0) await bench.clock.advance(1_000);

  cluster.put(`${LEAVING_PREFIX}${third.self.id}`, bench.clock.wallTime(), null);
  await bench.clock.advance(6_000);
  expect(named(bench)).not.toContain(third.self.address);
  for (let looks = 0; looks < 20; looks += 1) {
    await bench.clock.advance(2_000);
    expect(state.keepsHouse).toBe(true);
  }
});

it('reads the records as soon as Route 53 answers, where it did not as the lock was taken', async () => {
  const bench = createBench(3);
  const cluster = await bench.form();
  await bench.clock.advance(6_000);
  const [first, second, third] = [bench.host(0), bench.host(1), bench.host(2)];
  const stop = await keepHouse(bench, cluster, first);
  await lead(bench, cluster, first);
  await bench.clock.advance(10_000);
  expect(named(bench)).toContain(third.self.address);

  await stop();
  bench.zone.breakDown('Route 53 does not answer');
  await keepHouse(bench, cluster, second);
  await lead(bench, cluster, second);
  await bench.clock.advance(6_000);
  bench.zone.breakDown(null);
  cluster.put(`${LEAVING_PREFIX}${third.self.id}`, bench.clock.wallTime(), null);
  // The longest pause between two questions that were not answered.
  await bench.clock.advance(32_000);
  expect(named(bench)).not.toContain(third.self.address);
  const value = cluster.read(PUBLISHED_KEY)?.value ?? '';
  expect(decodePublished(value)).toMatchObject({ by: second.self.id, leaving: [third.self.id] });
});
