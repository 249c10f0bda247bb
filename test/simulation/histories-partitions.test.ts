import { describe, expect, it } from 'vitest';
import type { Place } from '../fakes/network.ts';
import { formed, type History } from './history.ts';
import { clusterView } from './world/cluster.ts';
import { standingClaim } from './world/convergence.ts';
import { terminate } from './world/group.ts';
import type { Machine } from './world/machine.ts';
import { present } from './world/world.ts';

/*
 * Links that are cut while all members are well, and reach a leader or its peers by other ways: who leaves then, or stops its
 * etcd, could take the quorum with it.
 */

const SEEDS = [1, 2];
const MINUTE_MS = 60_000;

/** The leader of three, and the two others. */
function roles(history: History): {
  readonly leader: Machine;
  readonly one: Machine;
  readonly other: Machine;
} {
  const { world } = history;
  const cluster = clusterView(world, standingClaim(world)?.clusterId ?? null);
  const name = cluster?.members.find((it) => it.id === cluster.leader)?.name;
  const leader = world.machines.get(name ?? '');
  const [one, other] = present(world).filter((it) => it !== leader);
  if (leader === undefined || one === undefined || other === undefined) throw new Error('no three');
  return { leader, one, other };
}

/** Cuts what goes one of these ways, for so long. */
function cut(history: History, concerns: (from: Place, to: Place) => boolean, lastsMs: number): void {
  const { clock, network } = history.world;
  clock.after(lastsMs, network.cut({ traffic: ['peer'], concerns }));
  history.faulted(lastsMs);
}

/** Lets so much time pass, in which somebody always leads with a quorum behind it, but for the moments of a hand-over. */
async function isServedFor(history: History, ms: number): Promise<void> {
  const { world } = history;
  const { clock } = world;
  const endAt = clock.now() + ms;
  let ledAt = clock.now();
  while (clock.now() < endAt) {
    await history.pass(200);
    const cluster = clusterView(world, standingClaim(world)?.clusterId ?? null);
    if (cluster !== null && cluster.leader !== null) ledAt = clock.now();
    expect(clock.now() - ledAt, history.said()).toBeLessThan(5_000);
  }
}

describe.each(SEEDS)('under seed %i', (seed) => {
  it.each([[[]], [['terminating' as const]]])(
    'a leader that goes while the two others do not hear each other takes no quorum with it, hooks: %j',
    async (hooks) => {
      const history = await formed({ seed, desired: 3, hooks });
      const { leader, one, other } = roles(history);
      const ends = [one.address, other.address];
      cut(history, (from, to) => from !== to && ends.includes(from) && ends.includes(to), 5 * MINUTE_MS);
      await history.pass(20_000);
      terminate(history.world, leader);
      await isServedFor(history, 6 * MINUTE_MS);
      await history.settled(5 * MINUTE_MS);
      expect(history.world.reasons).toContain('leave:leave-quorum-short');
    },
  );

  it('a leader goes while one other hears everybody, and is heard by nobody', async () => {
    const history = await formed({ seed, desired: 3, hooks: ['terminating'] });
    const { leader, one } = roles(history);
    cut(history, (from) => from === one.address, 5 * MINUTE_MS);
    await history.pass(20_000);
    terminate(history.world, leader);
    await isServedFor(history, 6 * MINUTE_MS);
    await history.settled(5 * MINUTE_MS);
  });

  it('a leader that is to step waits while the two others do not hear each other', async () => {
    const image = { installed: ['3.5.35', '3.6.16'], wanted: '3.5' };
    const history = await formed({ seed, desired: 3, image });
    const { world } = history;
    const { leader, one, other } = roles(history);
    const runs = (it: Machine): string | undefined => world.etcd.processAt(it.address)?.version;
    const ends = [one.address, other.address];
    cut(history, (from, to) => from !== to && ends.includes(from) && ends.includes(to), 5 * MINUTE_MS);
    await history.pass(20_000);
    await history.happens({ kind: 'order', what: 'to', to: '3.6', rings: true });
    await isServedFor(history, 4 * MINUTE_MS);
    expect([one, other, leader].map(runs)).toContain('3.5.35');
    await history.settled(10 * MINUTE_MS);
    expect([one, other, leader].map(runs)).toEqual(['3.6.16', '3.6.16', '3.6.16']);
  });
});
