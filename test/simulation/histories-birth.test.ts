import { describe, expect, it } from 'vitest';
import type { Claim } from '../../src/core/claim.ts';
import { claimRecord } from '../../src/core/claim.ts';
import { namesOf } from '../../src/core/names.ts';
import { swap } from '../../src/core/records.ts';
import { begin, formed, type History } from './history.ts';
import { clusterIds, clusterView } from './world/cluster.ts';
import { standingClaim } from './world/convergence.ts';
import { setDesired } from './world/group.ts';
import type { Machine } from './world/machine.ts';
import { CLUSTER, FOREIGN } from './world/names.ts';
import { alive, present } from './world/world.ts';

/*
 * Births, and the claim: each of these histories once broke a draft of the design.
 */

const SEEDS = [11, 12];
const MINUTE_MS = 60_000;
const CLAIM = namesOf(CLUSTER).claim;

const OTHERS_CLAIM: Claim = {
  stack: 'etcd-other-main',
  epoch: 3,
  token: '0123456789abcdef0123456789abcdef',
  state: 'formed',
  lived: true,
  pastTokens: [],
  groups: ['arn:other'],
  founders: [],
  lost: [],
  voters: [
    { memberId: '00000000000000aa', instanceId: 'i-other', region: 'eu-central-1', address: '192.0.2.9' },
  ],
  clusterId: '00000000000000cc',
  etcd: null,
};

/** The record of the claim that stands. */
function claimOf({ world }: History): {
  readonly claim: Claim;
  readonly change: (to: Claim) => ReturnType<typeof swap>;
} {
  const claim = standingClaim(world);
  const record = world.zone.records().find((it) => it.name === CLAIM);
  if (claim === null || record === undefined) throw new Error('there is no claim');
  return { claim, change: (to) => swap(record, claimRecord(CLAIM, to)) };
}

/** Everybody, those among them that will not come back. */
function startedNew(history: History): number {
  return [...history.world.machines.values()].filter((it) => it.disk.mark?.started === true).length;
}

describe.each(SEEDS)('under seed %i', (seed) => {
  it('two stacks whose names end alike: the second finds the name taken, and touches nothing', async () => {
    const history = await begin({ seed, desired: 3 });
    await history.write([{ action: 'CREATE', record: claimRecord(CLAIM, OTHERS_CLAIM) }]);
    await history.pass(10 * MINUTE_MS);
    expect(history.world.reasons).toContain('start:name-taken');
    expect(clusterIds(history.world)).toEqual([]);
    expect(
      history.world.zone
        .records()
        .map((it) => it.name)
        .toSorted(),
    ).toEqual([CLAIM, ...FOREIGN.map((it) => it.name)].toSorted());
    expect(standingClaim(history.world)).toEqual(OTHERS_CLAIM);
  });

  it('a claim whose founders are all gone before it is formed gives way to the next epoch', async () => {
    const history = await begin({ seed, desired: 3 });
    await history.waitFor('a claim', () => standingClaim(history.world) !== null, 30_000);
    for (const it of present(history.world)) await history.happens({ kind: 'lose' }, it);
    await history.settled(15 * MINUTE_MS);
    expect(standingClaim(history.world)?.epoch).toBe(2);
  });

  it('a claim whose founders have all been replaced since leads a newcomer to the cluster', async () => {
    const history = await formed({ seed, desired: 3, hooks: ['launching', 'terminating'] });
    await history.happens({ kind: 'refresh', minHealthyPercent: 100 });
    await history.settled(10 * MINUTE_MS);
    for (const it of present(history.world))
      await history.happens({ kind: 'power-cut', lastsMs: 10_000 }, it);
    setDesired(history.world, 4);
    await history.settled(10 * MINUTE_MS);
    expect(clusterIds(history.world)).toHaveLength(1);
  });

  it.each(['mark written', 'etcd about to run'] as const)(
    'a founder that dies between mark and start (%s) founds all the same',
    async (when) => {
      const history = await begin({ seed, desired: 3 });
      const at = (it: Machine): boolean =>
        it.disk.mark !== null &&
        it.disk.mark.started === (when === 'etcd about to run') &&
        it.disk.etcd === null;
      const founder = await someMachine(history, at);
      await history.happens({ kind: 'kill', what: 'both' }, founder);
      await history.settled(10 * MINUTE_MS);
      expect(clusterIds(history.world)).toHaveLength(1);
      expect(standingClaim(history.world)?.epoch).toBe(1);
    },
  );

  it.each([1, 2, 3])(
    'the etcds of %i of three founders are killed before their logs have an entry, and hold up no birth',
    async (times) => {
      const history = await begin({ seed, desired: 3 });
      await history.happens({ kind: 'kill-as-it-founds', what: 'etcd', times, withinMs: 30_000 });
      await history.settled(MINUTE_MS);
      expect(history.world.reasons).toContain('start:damaged-data');
    },
  );

  it.each([1, 2])(
    'of a founding three, %i containers lose their files between mark and formed: nobody founds twice with one token',
    async (count) => {
      const history = await begin({ seed, desired: 3, mayLoseMajority: true });
      await history.waitFor('all have started', () => startedNew(history) === 3, 60_000);
      for (const it of present(history.world).slice(0, count))
        await history.happens({ kind: 'wipe', what: 'disk' }, it);
      await history.settled(30 * MINUTE_MS);
      expect(standingClaim(history.world)?.state).toBe('formed');
    },
  );

  it('a cluster older than the claim, with its quorum away while the group grows, is waited for', async () => {
    const history = await formed({ seed, desired: 3 });
    const { world } = history;
    const { claim } = claimOf(history);
    const [first, second] = present(world);
    for (const it of [first, second])
      if (it !== undefined) await history.happens({ kind: 'power-cut', lastsMs: 10 * MINUTE_MS }, it);
    await history.write(
      world.zone
        .records()
        .filter((it) => it.name === CLAIM)
        .map((record) => ({ action: 'DELETE' as const, record })),
    );
    setDesired(world, 5);
    await history.pass(9 * MINUTE_MS);
    expect(standingClaim(world)).toBe(null);
    expect(clusterIds(world)).toHaveLength(1);
    await history.settled(10 * MINUTE_MS);
    expect(standingClaim(world)?.clusterId).toBe(claim.clusterId);
  });

  it('a cluster whose claim somebody deletes before it is formed serves, and gets another', async () => {
    const history = await begin({ seed, desired: 3 });
    const { world } = history;
    const serves = (): string | undefined =>
      clusterIds(world).find((id) => clusterView(world, id)?.upVoters.length === 3);
    await history.waitFor('a cluster', () => serves() !== undefined, MINUTE_MS);
    const cluster = serves();
    expect(standingClaim(world)?.state).toBe('forming');
    await history.happens({ kind: 'claim', does: 'delete', lastsMs: 0 });
    await history.settled(6 * MINUTE_MS);
    expect(standingClaim(world)?.clusterId).toBe(cluster);
    expect(world.reasons).toContain('member:form-unclaimed');
  });

  it('a founder without a quorum whose claim somebody deletes lets the others be born anew, and joins', async () => {
    const history = await begin({ seed, desired: 3 });
    const { world } = history;
    const founder = await someMachine(history, (it) => it.disk.etcd !== null);
    for (const it of present(world).filter((one) => one !== founder))
      await history.happens({ kind: 'wipe', what: 'disk' }, it);
    await history.happens({ kind: 'claim', does: 'release', lastsMs: 0 });
    await history.settled(10 * MINUTE_MS);
    expect(standingClaim(world)?.epoch).toBe(1);
    expect(world.reasons).toContain('start:never-born');
  });

  it('a claim that somebody makes unreadable is waited for, and never replaced', async () => {
    const history = await formed({ seed, desired: 3 });
    const { claim } = claimOf(history);
    await history.happens({ kind: 'claim', does: 'garble', lastsMs: 10 * MINUTE_MS });
    setDesired(history.world, 4);
    await history.pass(9 * MINUTE_MS);
    expect(standingClaim(history.world)).toBe(null);
    expect(history.world.reasons).toContain('start:claim-unreadable');
    await history.settled(5 * MINUTE_MS);
    expect(standingClaim(history.world)?.token).toBe(claim.token);
  });

  it('a group that is scaled to zero and back waits for an operator, and founds nothing', async () => {
    const history = await formed({ seed, desired: 3, mayLoseMajority: true });
    const { claim } = claimOf(history);
    setDesired(history.world, 0);
    await history.waitFor('all are gone', () => alive(history.world).length === 0, 5 * MINUTE_MS);
    setDesired(history.world, 3);
    await history.pass(20 * MINUTE_MS);
    expect(clusterIds(history.world)).toEqual([claim.clusterId]);
    expect(standingClaim(history.world)?.clusterId).toBe(claim.clusterId);
    expect(history.world.reasons).toContain('start:quorum-lost');
  });

  it('a recovery that dies before it is formed: nobody is born beside it, and no data go', async () => {
    const history = await formed({ seed, desired: 3 });
    const { world } = history;
    const { claim, change } = claimOf(history);
    const reseeding: Claim = {
      ...claim,
      state: 'reseeding',
      epoch: claim.epoch + 1,
      token: 'f'.repeat(32),
      pastTokens: [claim.token],
    };
    await history.write(change(reseeding));
    setDesired(world, 4);
    for (const it of present(world).slice(0, 2))
      await history.happens({ kind: 'power-cut', lastsMs: 5_000 }, it);
    await history.pass(20 * MINUTE_MS);
    expect(standingClaim(world)).toEqual(reseeding);
    expect(clusterIds(world)).toEqual([claim.clusterId]);
    expect(world.reasons).toContain('start:reseeding');
    expect(present(world).filter((it) => it.disk.etcd !== null)).toHaveLength(3);
  });
});

/** The first machine of which this holds, at the very moment when it does. */
async function someMachine(history: History, holds: (machine: Machine) => boolean): Promise<Machine> {
  const find = (): Machine | undefined => present(history.world).find(holds);
  await history.waitFor('some machine is there', () => find() !== undefined, 60_000);
  const found = find();
  if (found === undefined) throw new Error('no such machine');
  return found;
}
