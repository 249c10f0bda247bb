import { describe, expect, it } from 'vitest';
import { known, unknown } from '../../../src/core/known.ts';
import { CLUSTER, createFleet, type Fleet, type FleetOptions, type Machine } from '../../fakes/fleet.ts';
import {
  createFleetChecks,
  standingClaim,
  whyNotConverged,
  type FleetChecks,
} from '../../fakes/fleet-checks.ts';

/** The same story is told under a few seeds: they shuffle ids, latencies and elections. */
const SEEDS = [1, 2, 3];
const MINUTE_MS = 60_000;

interface Story {
  readonly fleet: Fleet;
  readonly checks: FleetChecks;
  /** Lets time pass, and looks after each step that nothing happens that must not. */
  pass(ms: number): Promise<void>;
  /** How long it takes to be as it should be; ms. */
  settled(limitMs: number): Promise<number>;
}

function begin(options: FleetOptions): Story {
  const checks = createFleetChecks();
  const fleet = createFleet(options, checks.watch);
  const told = (): string => `seed ${options.seed}\n${fleet.history.slice(-80).join('\n')}`;
  const until = async (endAt: number, over: () => boolean): Promise<void> => {
    while (fleet.clock.now() < endAt && !over()) {
      if (!(await fleet.clock.step())) break;
      checks.look(fleet);
      if (checks.wrongs.length > 0) expect(checks.wrongs, told()).toEqual([]);
    }
  };
  return {
    fleet,
    checks,
    pass: async (ms) => await until(fleet.clock.now() + ms, () => false),
    async settled(limitMs) {
      const began = fleet.clock.now();
      for (let at = began; at < began + limitMs && whyNotConverged(fleet) !== null; at += 100)
        await until(at + 100, () => false);
      expect(whyNotConverged(fleet), told()).toBe(null);
      return fleet.clock.now() - began;
    },
  };
}

async function formed(options: FleetOptions): Promise<Story> {
  const story = begin(options);
  await story.settled(30_000);
  return story;
}

function machine(fleet: Fleet, index: number): Machine {
  const found = fleet.present()[index];
  if (found === undefined) throw new Error(`no machine ${index}`);
  return found;
}

const clusterIds = (fleet: Fleet): ReadonlySet<string> => new Set(fleet.etcd.clusters.keys());

describe.each(SEEDS)('under seed %i', (seed) => {
  it.each([1, 3, 5])('a fleet of %i forms', async (desired) => {
    const { fleet } = await formed({ seed, desired });
    expect(clusterIds(fleet).size).toBe(1);
    expect(standingClaim(fleet)?.epoch).toBe(1);
  });

  it('five become three, one, and three again, in order, and nobody is evicted', async () => {
    const story = await formed({ seed, desired: 3 });
    for (const desired of [5, 3, 1, 3]) {
      story.fleet.setDesired(desired);
      await story.settled(2 * MINUTE_MS);
    }
    expect(clusterIds(story.fleet).size).toBe(1);
    expect(story.fleet.history.filter((it) => it.includes('[evict-terminated]'))).toEqual([]);
  });

  it('a refresh with hooks replaces every instance of three, and the hooks wait for etcd', async () => {
    const story = await formed({ seed, desired: 3, hooks: ['launching', 'terminating'] });
    for (const old of story.fleet.present()) {
      story.fleet.terminate(old);
      await story.settled(2 * MINUTE_MS);
    }
    expect(clusterIds(story.fleet).size).toBe(1);
  });

  it('a single voter hands its data to its successor under a hook', async () => {
    const story = await formed({ seed, desired: 1, hooks: ['terminating'] });
    story.fleet.terminate(machine(story.fleet, 0));
    await story.settled(3 * MINUTE_MS);
    expect(clusterIds(story.fleet).size).toBe(1);
  });

  it('two of five die at once', async () => {
    const story = await formed({ seed, desired: 5 });
    story.fleet.lose(machine(story.fleet, 0));
    story.fleet.lose(machine(story.fleet, 1));
    await story.settled(2 * MINUTE_MS);
  });

  it('all etcds die at once and come back by themselves, with AWS and Route 53 away', async () => {
    const story = await formed({ seed, desired: 3 });
    const { fleet } = story;
    fleet.setWeather('unknown');
    fleet.zone.breakDown('no answer');
    await story.pass(10_000);
    for (const it of fleet.present()) fleet.killEtcd(it);
    story.checks.faulted(0);
    await story.pass(20_000);
    const cluster = [...fleet.etcd.clusters.values()][0];
    expect(cluster?.upVoters()).toHaveLength(3);
    await story.pass(100_000);
    expect(cluster?.members).toHaveLength(3);
    fleet.setWeather('fair');
    fleet.zone.breakDown(null);
    await story.settled(MINUTE_MS);
  });

  it('the whole fleet loses its power at once and comes back', async () => {
    const story = await formed({ seed, desired: 3 });
    for (const it of story.fleet.present()) story.fleet.reboot(it, false);
    story.checks.faulted(0);
    await story.settled(2 * MINUTE_MS);
    expect(clusterIds(story.fleet).size).toBe(1);
  });

  it.each(['unknown', 'self-only', 'half', 'stale'] as const)(
    'answers of AWS that are %s make no second cluster at birth',
    async (weather) => {
      const story = begin({ seed, desired: 3, bootstrapWaitMs: 15_000 });
      story.fleet.setWeather(weather);
      await story.pass(2 * MINUTE_MS);
      story.fleet.setWeather('fair');
      await story.settled(15 * MINUTE_MS);
      expect(new Set(story.fleet.zone.taken.flat().flatMap(formedTokens)).size).toBe(1);
    },
  );

  it.each(['unknown', 'self-only', 'half', 'stale'] as const)(
    'answers of AWS that are %s cost no member later',
    async (weather) => {
      const story = await formed({ seed, desired: 3 });
      story.fleet.setWeather(weather);
      story.fleet.killEtcd(machine(story.fleet, 0));
      story.checks.faulted(0);
      await story.pass(5 * MINUTE_MS);
      expect([...story.fleet.etcd.clusters.values()][0]?.members).toHaveLength(3);
      story.fleet.setWeather('fair');
      await story.settled(MINUTE_MS);
    },
  );

  it('a wiped member comes back under another id', async () => {
    const story = await formed({ seed, desired: 3 });
    const lost = machine(story.fleet, 0);
    const before = lost.disk.etcd?.memberId;
    story.fleet.reboot(lost, true);
    await story.settled(MINUTE_MS);
    expect(lost.disk.etcd?.memberId).not.toBe(before);
    expect(lost.disk.etcd).not.toBe(null);
  });

  it('founders that are left without a quorum, each with its etcd running, begin anew by themselves', async () => {
    const story = begin({ seed, desired: 4 });
    const { fleet } = story;
    const runs = (it: Machine): boolean => fleet.etcd.processAt(it.address)?.files != null;
    await fleet.clock.until(() => fleet.present().filter(runs).length >= 2, 20_000);
    fleet.setDesired(2);
    for (const it of fleet.present().filter((one) => !runs(one))) fleet.lose(it);
    expect(fleet.present().filter(runs)).toHaveLength(2);
    await story.settled(10 * MINUTE_MS);
    expect(standingClaim(fleet)?.epoch).toBe(2);
  });

  it('a learner joins though Route 53 cannot be written, after two minutes', async () => {
    const story = await formed({ seed, desired: 3 });
    story.fleet.zone.breakDown('no answer');
    await story.pass(1_000);
    story.fleet.lose(machine(story.fleet, 0));
    await story.pass(6 * MINUTE_MS);
    const cluster = [...story.fleet.etcd.clusters.values()][0];
    // Who starts cannot read the claim, and so waits; who had joined would have been promoted.
    expect(cluster?.upVoters().length).toBeGreaterThanOrEqual(2);
    story.fleet.zone.breakDown(null);
    await story.settled(2 * MINUTE_MS);
  });

  it('a learner is promoted where Route 53 can be read and not written, and Route 53 is spared', async () => {
    const story = await formed({ seed, desired: 3 });
    story.fleet.zone.denyChanges('AccessDenied');
    const calls = story.fleet.zone.calls();
    story.fleet.lose(machine(story.fleet, 0));
    await story.pass(5 * MINUTE_MS);
    const cluster = [...story.fleet.etcd.clusters.values()][0];
    expect(cluster?.upVoters()).toHaveLength(3);
    expect(story.fleet.zone.calls() - calls).toBeLessThan(3 * 5 * 60);
    story.fleet.zone.denyChanges(null);
    await story.settled(2 * MINUTE_MS);
  });

  it("an alias of somebody else's at the cluster's name does not keep it from being born", async () => {
    const story = begin({ seed, desired: 3 });
    story.fleet.zone.occupy(CLUSTER);
    await story.pass(MINUTE_MS);
    expect(standingClaim(story.fleet)?.state).toBe('formed');
    expect(story.fleet.present().map((it) => it.disk.identity?.formed)).toEqual([true, true, true]);
    story.fleet.zone.occupy(null);
    await story.settled(MINUTE_MS);
  });

  it('a spot notice is a departure in order, before any signal', async () => {
    const story = await formed({ seed, desired: 3 });
    const doomed = machine(story.fleet, 0);
    doomed.metadata.spot = known({ action: 'terminate', time: '' });
    await story.pass(20_000);
    expect(doomed.state).toBe('gone');
    expect(story.fleet.history.join('\n')).toContain(`${doomed.id}: planned leave [leave-remove]`);
    await story.settled(MINUTE_MS);
  });

  it('metadata that do not answer are no reason to leave', async () => {
    const story = await formed({ seed, desired: 3 });
    const one = machine(story.fleet, 0);
    one.metadata.target = unknown('no answer');
    one.metadata.spot = unknown('no answer');
    story.fleet.restart(one);
    await story.settled(MINUTE_MS);
    expect(one.disk.etcd).not.toBe(null);
  });
});

/** Tokens of the claims that a batch makes formed. */
function formedTokens({
  action,
  record,
}: {
  action: string;
  record: { values: readonly string[] };
}): string[] {
  const text = record.values.join('');
  return action === 'CREATE' && text.includes('state=formed') ? [/cluster=(\w+)/.exec(text)?.[1] ?? ''] : [];
}
