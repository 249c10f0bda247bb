import { describe, expect, it } from 'vitest';
import { clientUrl } from '../../src/core/urls.ts';
import { formed, type History, machine } from './history.ts';
import { clusterIds, clusterView, lockHolderAt, memberOnDisk } from './world/cluster.ts';
import { standingClaim } from './world/convergence.ts';
import { off, setDesired, terminate } from './world/group.ts';
import type { Machine } from './world/machine.ts';
import { CLUSTER } from './world/names.ts';
import { portsOf } from './world/ports.ts';
import { groupIn } from './world/regions.ts';
import { present } from './world/world.ts';

/*
 * What housekeeping, joining and leaving go through: each of these histories once broke a draft of the design.
 */

const SEEDS = [21, 22];
const MINUTE_MS = 60_000;

function membersOf({ world }: History): readonly string[] {
  const cluster = clusterView(world, standingClaim(world)?.clusterId ?? null);
  return (cluster?.members ?? []).map((it) => it.name);
}

/** Addresses that clients are given. */
function namesOf({ world }: History): readonly string[] {
  return world.zone.records().find((it) => it.name === CLUSTER && it.type === 'A')?.values ?? [];
}

/** Whose etcd leads. */
function leader({ world }: History): Machine {
  const cluster = clusterView(world, standingClaim(world)?.clusterId ?? null);
  const name = cluster?.members.find((it) => it.id === cluster.leader)?.name;
  const found = world.machines.get(name ?? '');
  if (found === undefined) throw new Error('nobody leads');
  return found;
}

/** Who keeps house. */
function housekeeper(history: History): Machine {
  const holder = lockHolderAt(history.world, leader(history).address);
  const found = history.world.machines.get(holder ?? '');
  if (found === undefined) throw new Error('nobody keeps house');
  return found;
}

function others(history: History, one: Machine): readonly Machine[] {
  return present(history.world).filter((it) => it !== one);
}

function first(machines: readonly Machine[]): Machine {
  const [found] = machines;
  if (found === undefined) throw new Error('no machine');
  return found;
}

describe.each(SEEDS)('under seed %i', (seed) => {
  it('a survivor that is cut from its peers, and not from AWS, while all others are replaced, loses nothing', async () => {
    const history = await formed({ seed, desired: 3, mayLoseMajority: true });
    const { world } = history;
    const cluster = standingClaim(world)?.clusterId ?? '';
    const survivor = machine(history, 0);
    const old = memberOnDisk(survivor)?.memberId;
    const traffic = ['peer', 'client', 'http'] as const;
    const lastsMs = 8 * MINUTE_MS;
    await history.happens({ kind: 'partition', shape: 'node', traffic, share: 0, lastsMs }, survivor);
    for (const it of others(history, survivor)) terminate(world, it);
    await history.pass(20 * MINUTE_MS);
    // Two of three voters went with their data: nothing but a recovery may follow.
    expect(clusterIds(world)).toEqual([cluster]);
    expect(standingClaim(world)?.clusterId).toBe(cluster);
    expect(memberOnDisk(survivor)?.memberId).toBe(old);
    expect(world.reasons).toContain('start:quorum-lost');
  });

  it('a learner that is killed when it is in sync is promoted only by itself, once it is back', async () => {
    const history = await formed({ seed, desired: 3 });
    const { world } = history;
    setDesired(world, 4);
    const claimed = (): Machine | undefined =>
      present(world).find(
        (it) =>
          standingClaim(world)?.voters.some((one) => one.instanceId === it.id) === true &&
          clusterView(world, standingClaim(world)?.clusterId ?? null)?.voters.every(
            (one) => one.name !== it.id,
          ),
      );
    await history.waitFor('a learner is in the claim', () => claimed() !== undefined, 2 * MINUTE_MS);
    const learner = claimed();
    if (learner === undefined) throw new Error('no learner');
    await history.happens({ kind: 'power-cut', lastsMs: 30_000 }, learner);
    await history.pass(25_000);
    const cluster = clusterView(world, standingClaim(world)?.clusterId ?? null);
    expect(cluster?.voters.map((it) => it.name)).not.toContain(learner.id);
    await history.settled(3 * MINUTE_MS);
  });

  it('who is unnamed when another takes the house over, and Route 53 lists what was, is named again soon', async () => {
    const history = await formed({ seed, desired: 3 });
    const { world } = history;
    const keeper = housekeeper(history);
    const [silent, next] = others(history, keeper);
    if (silent === undefined || next === undefined) throw new Error('too few machines');
    const isNamed = (): boolean => namesOf(history).includes(silent.address);
    const keeps = (it: Machine): boolean => it.process?.appliance.state.keepsHouse === true;
    history.faulted(60_000);
    world.etcd.freeze(silent.address, true);
    world.zone.listAsNow(true);
    await history.waitFor('it is named no more', () => !isNamed(), 20_000);
    const { signal } = new AbortController();
    const leads = memberOnDisk(next)?.memberId ?? '';
    void portsOf(world, keeper).admin.moveLeader(clientUrl(keeper.address), leads, signal);
    await history.waitFor('the house is let go', () => !keeps(keeper), 20_000);
    // It is well before anybody else keeps house, who sees it named in a list from before.
    world.etcd.freeze(silent.address, false);
    await history.waitFor('another keeps house', () => keeps(next), 20_000);
    await history.pass(5_000);
    world.zone.listAsNow(false);
    expect(isNamed()).toBe(false);
    await history.waitFor('it is named again', isNamed, 12_000);
  });

  it('three become one: two leave at once under a hook while the third is dead, and wait for it', async () => {
    const history = await formed({ seed, desired: 3, hooks: ['terminating'], mayLoseMajority: true });
    const { world } = history;
    const third = machine(history, 2);
    await history.happens({ kind: 'power-cut', lastsMs: 2 * MINUTE_MS }, third);
    world.desired = 1;
    world.aws.setDesired(1);
    for (const it of others(history, third)) terminate(world, it);
    await history.pass(90_000);
    expect(present(world)).toEqual([third]);
    expect(membersOf(history)).toHaveLength(3);
    await history.settled(10 * MINUTE_MS);
    expect(membersOf(history)).toEqual([third.id]);
    expect(clusterIds(world)).toHaveLength(1);
  });

  it('a group is replaced by another of the stack, which then loses all members at once: lost quorum, and no birth', async () => {
    const history = await formed({ seed, desired: 3, mayLoseMajority: true });
    const { world } = history;
    const cluster = standingClaim(world)?.clusterId ?? '';
    const old = present(world);
    const by = groupIn(first(old).region).replace('main', 'renamed');
    world.aws.replaceGroup(groupIn(first(old).region), by);
    for (const it of old) {
      terminate(world, it);
      await history.settled(4 * MINUTE_MS);
    }
    await history.waitFor(
      'the claim names the new group',
      () => standingClaim(world)?.groups.join() === by,
      5 * MINUTE_MS,
    );
    for (const it of present(world)) off(world, it);
    await history.pass(10 * MINUTE_MS);
    expect(clusterIds(world)).toEqual([cluster]);
    expect(standingClaim(world)?.epoch).toBe(1);
    expect(world.reasons).toContain('start:quorum-lost');
  });

  it('a member whose disk is full of data that nobody needs makes room for its own, and serves again', async () => {
    const history = await formed({ seed, desired: 3 });
    const { world } = history;
    const full = machine(history, 0);
    const own = memberOnDisk(full)?.memberId;
    await history.happens({ kind: 'disk-full', lastsMs: MINUTE_MS, aside: true }, full);
    await history.settled(2 * MINUTE_MS);
    expect(full.disk.aside).toEqual([]);
    expect(memberOnDisk(full)?.memberId).toBe(own);
    expect(world.reasons).toContain('start:discard-never-voter');
  });

  it.each([
    ['no EC2 and no Auto Scaling', { kind: 'aws', weather: 'unknown', lastsMs: 10 * MINUTE_MS }],
    [
      'nothing of AWS',
      { kind: 'partition', shape: 'node', traffic: ['aws'], share: 0, lastsMs: 10 * MINUTE_MS },
    ],
  ] as const)(
    'a leader that reaches %s: another keeps house, and a lost member is replaced',
    async (_what, fault) => {
      const history = await formed({ seed, desired: 3 });
      const blind = leader(history);
      await history.happens(fault, blind);
      const lost = first(others(history, blind));
      await history.happens({ kind: 'lose' }, lost);
      await history.waitFor(
        'the lost member is evicted',
        () => !membersOf(history).includes(lost.id),
        4 * MINUTE_MS,
      );
      await history.settled(12 * MINUTE_MS);
    },
  );

  it('a leader that its group does not list any more: another keeps house, and it stays a member', async () => {
    const history = await formed({ seed, desired: 3 });
    const { world } = history;
    const detached = leader(history);
    detached.place = 'detached';
    world.aws.unlist(detached.id, 'running');
    setDesired(world, 3);
    const lost = first(others(history, detached));
    await history.pass(2 * MINUTE_MS);
    await history.happens({ kind: 'lose' }, lost);
    await history.waitFor(
      'the lost member is evicted',
      () => !membersOf(history).includes(lost.id),
      5 * MINUTE_MS,
    );
    await history.waitFor(
      'three of the group are voters',
      () => membersOf(history).length === 4,
      5 * MINUTE_MS,
    );
    expect(membersOf(history)).toContain(detached.id);
  });

  it('an etcd that is started without a quorum is left alone, however long that lasts, and serves at once when it comes', async () => {
    const history = await formed({ seed, desired: 3 });
    const { world } = history;
    const waiting = machine(history, 0);
    const lastsMs = 17 * MINUTE_MS;
    for (const it of others(history, waiting)) await history.happens({ kind: 'power-cut', lastsMs }, it);
    await history.happens({ kind: 'kill', what: 'etcd' }, waiting);
    await history.waitFor(
      'it is started again',
      () => world.etcd.processAt(waiting.address)?.node != null,
      5_000,
    );
    const { pid } = world.etcd.processAt(waiting.address) ?? {};
    await history.pass(lastsMs);
    await history.settled(MINUTE_MS);
    expect(world.etcd.processAt(waiting.address)?.pid).toBe(pid);
    expect(world.reasons).toContain('liveness:alive-without-quorum');
  });

  it('clocks that run by a third too fast or too slow change nothing', async () => {
    const history = await formed({ seed, desired: 3, clockDrift: 0.33 });
    await history.happens({ kind: 'lose' }, leader(history));
    await history.settled(4 * MINUTE_MS);
    await history.happens({ kind: 'freeze', what: 'appliance', lastsMs: 20_000 }, housekeeper(history));
    await history.happens({ kind: 'lose' }, first(others(history, leader(history))));
    await history.settled(4 * MINUTE_MS);
  });

  it.each([1, 2, 3, 4, 6, 8, 11, 15, 20])(
    'a housekeeper that freezes %i port calls after a member is lost, and thaws after another wrote, does no harm',
    async (calls) => {
      const history = await formed({ seed, desired: 5 });
      const { world } = history;
      const keeper = housekeeper(history);
      const life = keeper.process?.life;
      if (life === undefined) throw new Error('no appliance');
      const lost = first(others(history, keeper));
      await history.happens({ kind: 'lose' }, lost);
      await history.waitFor('EC2 says that it is gone', () => world.aws.isTerminated(lost.id), MINUTE_MS);
      const from = life.calls();
      await history.waitFor('the moment', () => life.calls() >= from + calls, MINUTE_MS);
      await history.happens({ kind: 'freeze', what: 'appliance', lastsMs: 30_000 }, keeper);
      await history.waitFor(
        'it is evicted all the same',
        () => !membersOf(history).includes(lost.id),
        MINUTE_MS,
      );
      await history.settled(5 * MINUTE_MS);
    },
  );

  it('a new instance that inherits the address of a lost one takes its place under another id', async () => {
    const history = await formed({ seed, desired: 3, zones: 1 });
    const lost = machine(history, 1);
    const before = memberOnDisk(lost)?.memberId;
    off(history.world, lost);
    history.faulted(0);
    await history.settled(4 * MINUTE_MS);
    const heir = present(history.world).find((it) => it.address === lost.address);
    expect(heir).toBeDefined();
    expect(heir).not.toBe(lost);
    expect(heir === undefined ? null : memberOnDisk(heir)?.memberId).not.toBe(before);
  });

  it('an instance of a warm pool is no member, is not missed when it is stopped, and joins when it is wanted', async () => {
    const history = await formed({ seed, desired: 3, warmPool: 1 });
    const { world } = history;
    const pooled = [...world.machines.values()].find((it) => it.place === 'pool');
    if (pooled === undefined) throw new Error('no warm pool');
    await history.waitFor('it is stopped', () => !pooled.powered, MINUTE_MS);
    await history.pass(3 * MINUTE_MS);
    expect(membersOf(history)).not.toContain(pooled.id);
    await history.happens({ kind: 'lose' }, machine(history, 0));
    await history.settled(4 * MINUTE_MS);
    expect(membersOf(history)).toContain(pooled.id);
  });

  it('an instance that is stopped and taken out of its group is evicted, and its data stay', async () => {
    const history = await formed({ seed, desired: 3 });
    const { world } = history;
    const stopped = machine(history, 0);
    await history.happens({ kind: 'power-cut', lastsMs: 60 * MINUTE_MS }, stopped);
    stopped.place = 'detached';
    world.aws.unlist(stopped.id, 'stopped');
    world.tell({ kind: 'ec2', id: stopped.id, word: 'stopped', listed: false });
    setDesired(world, 3);
    await history.settled(5 * MINUTE_MS);
    expect(history.said()).toContain('[evict-stopped]');
    expect(stopped.disk.etcd).not.toBe(null);
  });

  it('old answers of EC2 that do not know a new voter cost it nothing', async () => {
    const history = await formed({ seed, desired: 3 });
    const { world } = history;
    const before = new Set(present(world));
    await history.happens({ kind: 'aws', weather: 'stale', lastsMs: 8 * MINUTE_MS });
    // Everybody has asked once: from now on they hear of nothing new.
    await history.pass(70_000);
    setDesired(world, 4);
    await history.waitFor('it is a voter', () => membersOf(history).length === 4, 3 * MINUTE_MS);
    await history.pass(5_000);
    const newcomer = present(world).find((it) => !before.has(it));
    if (newcomer === undefined) throw new Error('no newcomer');
    const member = memberOnDisk(newcomer)?.memberId;
    await history.happens({ kind: 'power-cut', lastsMs: 2 * MINUTE_MS }, newcomer);
    await history.settled(10 * MINUTE_MS);
    expect(memberOnDisk(newcomer)?.memberId).toBe(member);
  });
});
