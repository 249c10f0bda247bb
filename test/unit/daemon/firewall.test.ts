import { describe, expect, test } from 'vitest';
import type { Ec2Evidence, InstanceEvidence } from '../../../src/core/fleet.ts';
import { known, unknown } from '../../../src/core/known.ts';
import type { IngressRule } from '../../../src/core/plan-firewall.ts';
import { ruleDescription } from '../../../src/core/plan-firewall.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { explain } from '../../../src/daemon/explain.ts';
import { createFirewall } from '../../../src/daemon/firewall.ts';
import { freshMemory } from '../../../src/daemon/house-memory.ts';
import { keepHouse } from '../../../src/daemon/keep-house.ts';
import { keepLetIn } from '../../../src/daemon/keep-let-in.ts';
import { createMaintenanceLock } from '../../../src/daemon/maintenance-lock.ts';
import type { FleetPort } from '../../../src/daemon/ports.ts';
import { startEtcd } from '../../../src/daemon/starter.ts';
import { createChronicle, createState } from '../../../src/daemon/state.ts';
import { seatVoter, voterIdentity } from '../../fakes/bench-voter.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';
import { createFakeFirewall } from '../../fakes/fake-firewall.ts';
import { addressOf, CLUSTER, fleet, idOf, instance, REGION, self } from '../../fixtures/core/world.ts';

const FAR = 'us-east-1';
const INTERVAL_MS = 120_000;
const MEMBERS = new Set([1, 2].map(idOf));
const FLEET = fleet([1, instance(2, { region: FAR, zone: `${FAR}a` })]);

function rule(n: number, region: string): IngressRule {
  const description = ruleDescription(CLUSTER, { id: idOf(n), region });
  return { from: 2378, to: 2380, address: addressOf(n), description };
}

/** The firewall of instance 1 over groups with these rules; `gone`: what EC2 says of who is asked about. */
function world(groups: Readonly<Record<string, readonly IngressRule[]>>, { needed = true } = {}) {
  let now = 0;
  const clock = {
    now: () => now,
    wallTime: () => '2026-01-01T00:00:00Z',
    sleep: async () => await Promise.resolve(),
    advance: (ms: number): void => void (now += ms),
  };
  const port = createFakeFirewall(groups);
  const state = createState();
  const quiet = (): void => undefined;
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const meter = {
    planned: quiet,
    acted: quiet,
    restarted: quiet,
    evicted: quiet,
    dnsWritten: quiet,
    ticked: quiet,
  };
  const words = new Map<string, Ec2Evidence>();
  const asked: string[] = [];
  /** Whether the lock is still held, each time that it is looked at. */
  let mayAct = (): boolean => true;
  const firewall = createFirewall({
    ports: { firewall: port, clock, random: { fraction: () => 0.5, token: () => '' }, self: self(1), meter },
    options: {
      cluster: CLUSTER,
      housekeepingIntervalMs: INTERVAL_MS,
      ...(needed && {
        firewall: { regions: [REGION, FAR], ports: [{ from: 2378, to: 2380 }], withOwnRegion: false },
      }),
    },
    fleetView: {
      evidence: async (instances) => {
        await Promise.resolve();
        asked.push(...instances.map((it) => it.id));
        return new Map(
          instances.flatMap(({ id }): (readonly [string, InstanceEvidence])[] => {
            const word = words.get(id);
            return word === undefined ? [] : [[id, { ec2: known(word), notFoundForMs: 0, unlistedForMs: 0 }]];
          }),
        );
      },
    },
    chronicle: createChronicle(state, { clock, log, meter }),
  });
  const addresses = (region: string) => (port.rules.get(region) ?? []).map((it) => it.address);
  return {
    clock,
    port,
    state,
    words,
    asked,
    addresses,
    setGuard: (may: () => boolean) => (mayAct = may),
    arrive: async (seen = FLEET) => await firewall.arrive(seen, NEVER),
    tend: async (seen = FLEET, members = MEMBERS) =>
      await firewall.tend(seen, members, { guard: async () => await Promise.resolve(mayAct()) }, NEVER),
    /** The calls since this was asked last, as `open us-east-1 10.0.0.1`. */
    calls: () => port.calls.splice(0).map((it) => [it.kind, it.region, ...it.addresses].join(' ')),
  };
}

describe('the firewall', () => {
  test('asks nothing where no rule of ours is needed', async () => {
    const { arrive, tend, calls } = world({ [REGION]: [] }, { needed: false });
    await arrive();
    expect(await tend()).toBe(true);
    expect(calls()).toEqual([]);
  });

  test('of who arrives lets in itself everywhere and the others here, and asks again only after the interval', async () => {
    const { arrive, calls, addresses, clock } = world({ [REGION]: [], [FAR]: [] });
    await arrive();
    expect(calls()).toEqual([
      `groups ${REGION}`,
      `groups ${FAR}`,
      `open ${REGION} ${addressOf(2)}`,
      `open ${FAR} ${addressOf(1)}`,
    ]);
    expect([addresses(REGION), addresses(FAR)]).toEqual([[addressOf(2)], [addressOf(1)]]);
    await arrive();
    expect(calls()).toEqual([]);
    // EC2 shows a moment later what it was told.
    clock.advance(5_000);
    await arrive();
    expect(calls()).toEqual([`groups ${REGION}`, `groups ${FAR}`]);
    clock.advance(INTERVAL_MS - 1);
    await arrive();
    expect(calls()).toEqual([]);
    clock.advance(1);
    await arrive();
    expect(calls()).toEqual([`groups ${REGION}`, `groups ${FAR}`]);
  });

  test('of who keeps house closes what is over under the lock, before it opens', async () => {
    const { tend, calls, words, setGuard, asked } = world({
      [REGION]: [rule(2, FAR), rule(3, FAR)],
      [FAR]: [rule(3, FAR)],
    });
    words.set(idOf(3), 'terminated');
    setGuard(() => false);
    expect(await tend()).toBe(false);
    expect(asked).toEqual([idOf(3)]);
    expect(calls()).toEqual([`groups ${REGION}`, `groups ${FAR}`]);
    setGuard(() => true);
    expect(await tend()).toBe(true);
    expect(calls()).toEqual([
      `close ${REGION} ${addressOf(3)}`,
      `close ${FAR} ${addressOf(3)}`,
      `open ${FAR} ${addressOf(1)}`,
    ]);
    expect(await tend()).toBe(true);
    expect(calls()).toEqual([]);
  });

  test('of who keeps house looks at the lock before each call that closes', async () => {
    const { tend, calls, words, setGuard } = world({
      [REGION]: [rule(2, FAR), rule(3, FAR)],
      [FAR]: [rule(1, REGION), rule(3, FAR)],
    });
    words.set(idOf(3), 'terminated');
    const held = [true, false];
    setGuard(() => held.shift() === true);
    expect(await tend()).toBe(false);
    expect(calls().slice(2)).toEqual([`close ${REGION} ${addressOf(3)}`]);
  });

  test('reads again, and plans again, what another has changed meanwhile', async () => {
    const { tend, calls, words, port, clock, state } = world({
      [REGION]: [rule(2, FAR), rule(3, FAR), rule(4, FAR)],
      [FAR]: [rule(1, REGION)],
    });
    words.set(idOf(3), 'terminated').set(idOf(4), 'terminated');
    port.refuse(REGION, { kind: 'stale', message: 'InvalidPermission.NotFound' });
    expect(await tend()).toBe(false);
    expect(calls().slice(2)).toEqual([`close ${REGION} ${addressOf(3)} ${addressOf(4)}`]);
    expect(state.events.map((it) => it.code)).toContain('firewall-stale');
    port.refuse(REGION, null);
    port.rules.set(REGION, [rule(2, FAR), rule(4, FAR)]);
    clock.advance(2_000);
    expect(await tend()).toBe(true);
    expect(calls()).toEqual([`groups ${REGION}`, `close ${REGION} ${addressOf(4)}`]);
  });

  test('of who waits to arrive asks less and less often where it is refused', async () => {
    const { arrive, calls, port, clock } = world({ [REGION]: [], [FAR]: [rule(1, REGION)] });
    port.refuse(REGION, { kind: 'refused', message: 'UnauthorizedOperation' });
    for (let second = 0; second < 600; second += 1) {
      await arrive();
      clock.advance(1_000);
    }
    expect(calls().length).toBeLessThan(40);
  });

  test('looks after each group of a region while one replaces another', async () => {
    const { tend, calls, addresses } = world({
      [REGION]: [rule(2, FAR)],
      [FAR]: [rule(1, REGION)],
      [`${FAR} new`]: [],
    });
    expect(await tend()).toBe(true);
    expect(calls()).toEqual([`groups ${REGION}`, `groups ${FAR}`, `open ${FAR} new ${addressOf(1)}`]);
    expect(addresses(`${FAR} new`)).toEqual([addressOf(1)]);
    expect(await tend()).toBe(true);
    expect(calls()).toEqual([]);
  });

  test('asks anew in a region whose instances are others: so may their groups be', async () => {
    const { tend, calls, state } = world({ [REGION]: [rule(2, FAR)], [FAR]: [] });
    expect(await tend(fleet([1]))).toBe(true);
    expect(calls()).toEqual([`groups ${REGION}`, `groups ${FAR}`]);
    expect(await tend()).toBe(true);
    expect(calls()).toEqual([`groups ${FAR}`, `open ${FAR} ${addressOf(1)}`]);
    expect(state.events.map((it) => it.code)).not.toContain('firewall-no-group');
  });

  test('needs no lock to let somebody in', async () => {
    const { tend, addresses, setGuard } = world({ [REGION]: [], [FAR]: [] });
    setGuard(() => false);
    expect(await tend()).toBe(true);
    expect([addresses(REGION), addresses(FAR)]).toEqual([[addressOf(2)], [addressOf(1)]]);
  });

  test('goes on elsewhere where a region refuses, says so, and tries there less and less often', async () => {
    const { tend, calls, port, state, clock } = world({ [REGION]: [], [FAR]: [] });
    port.refuse(REGION, { kind: 'full', message: 'no more rules' });
    expect(await tend()).toBe(true);
    expect(calls().slice(2)).toEqual([`open ${REGION} ${addressOf(2)}`, `open ${FAR} ${addressOf(1)}`]);
    expect(state.events.filter((it) => it.code === 'firewall-full')).toMatchObject([
      { level: 'warn', sentence: expect.stringContaining(`${addressOf(2)}: no more rules`) as string },
    ]);
    expect(await tend()).toBe(true);
    expect(calls()).toEqual([]);
    clock.advance(2_000);
    await tend();
    expect(calls()).toContain(`open ${REGION} ${addressOf(2)}`);
    clock.advance(2_000);
    await tend();
    expect(calls()).not.toContain(`open ${REGION} ${addressOf(2)}`);
  });

  test('comes back soon where a region does not answer, and closes nothing that it does not know of', async () => {
    const { tend, calls, port, clock } = world({ [REGION]: [rule(2, FAR)], [FAR]: [] });
    port.refuse(REGION, { kind: 'unknown', message: 'throttled' });
    expect(await tend()).toBe(false);
    expect(calls()).toEqual([`groups ${REGION}`, `groups ${FAR}`, `open ${FAR} ${addressOf(1)}`]);
    port.refuse(REGION, null);
    clock.advance(2_000);
    expect(await tend()).toBe(true);
    expect(calls()).toEqual([`groups ${REGION}`]);
  });

  test('says once that a region has no group', async () => {
    const { tend, state, calls } = world({ [REGION]: [rule(2, FAR)] });
    expect(await tend()).toBe(true);
    expect(await tend()).toBe(true);
    expect(calls()).toEqual([`groups ${REGION}`, `groups ${FAR}`]);
    expect(state.events.map((it) => it.code)).toEqual(['firewall-no-group']);
  });
});

describe('in an appliance', () => {
  /** The first host of a bench, in a cluster whose instances know each other by public addresses. */
  const appliance = (bench: ReturnType<typeof createBench>) => {
    const { self: me, context, ports } = bench.host(0);
    const firewall = createFakeFirewall({ [me.region]: [] });
    const silent = async () => await Promise.resolve(unknown('it is silent'));
    const peers = { askBirth: silent, askUpgrade: silent };
    const wanted = { regions: [me.region], ports: [{ from: 2378, to: 2380 }], withOwnRegion: true };
    let looks = 0;
    const observe: FleetPort['observe'] = async (signal) => {
      looks += 1;
      return await ports.fleet.observe(signal);
    };
    const fleetPort = { ...ports.fleet, observe };
    return {
      firewall,
      region: me.region,
      letIn: () => (firewall.rules.get(me.region) ?? []).map((it) => it.address),
      /** How often AWS was asked for the fleet since this was asked last. */
      looks: () => {
        const count = looks;
        looks = 0;
        return count;
      },
      context: createContext(
        { ...context.options, firewall: wanted },
        { ...ports, fleet: fleetPort, firewall, peers },
      ),
    };
  };

  test('who starts lets in and is let in, before there is a cluster', async () => {
    const bench = createBench(3);
    const { context, letIn } = appliance(bench);
    const end = new AbortController();
    const start = startEtcd(context, { afterCrash: false, damagedStarts: 0 }, end.signal);
    start.catch(() => undefined);
    await bench.clock.advance(2_000);
    expect(letIn()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    end.abort(new Error('seen enough'));
    await expect(bench.soon(start)).rejects.toThrow('seen enough');
  });

  test('who has started shows no more whom it let in: that is for who keeps house to say', async () => {
    const bench = createBench(1);
    const { context, letIn } = appliance(bench);
    await bench.soon(startEtcd(context, { afterCrash: false, damagedStarts: 0 }, NEVER));
    expect(letIn()).toEqual(['10.0.0.1']);
    expect(context.state.events.map((it) => it.code)).toContain('firewall-opens');
    expect(context.state.plans.get('firewall')).toBeUndefined();
  });

  test('a member that hears of no quorum opens again what may be missing, less and less often; else it asks nothing', async () => {
    const bench = createBench(3);
    const cluster = await bench.form();
    const { context, firewall, region, looks, letIn } = appliance(bench);
    const { state, ports } = context;
    const own = bench.host(0);
    await seatVoter(bench, own, context, cluster);
    const list = await bench.soon(ports.admin.memberList(own.url, { linearizable: true }, NEVER));
    state.list = list;
    const end = new AbortController();
    const loop = keepLetIn(context, end.signal);
    loop.catch(() => undefined);
    await bench.clock.advance(600_000);
    expect([looks(), firewall.calls]).toEqual([0, []]);

    state.list = unknown('no leader');
    await bench.clock.advance(9_000);
    expect(looks()).toBe(0);
    await bench.clock.advance(5_000);
    expect(letIn()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    expect(state.plans.has('firewall')).toBe(true);
    // It has just read them.
    firewall.rules.set(region, []);
    await bench.clock.advance(12_000);
    expect(letIn()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    looks();
    await bench.clock.advance(3_600_000);
    expect(looks()).toBeLessThan(60);

    state.list = list;
    await bench.clock.advance(2_000);
    expect(state.plans.has('firewall')).toBe(false);
    looks();
    await bench.clock.advance(600_000);
    expect(looks()).toBe(0);
    end.abort(new Error('seen enough'));
    await expect(bench.soon(loop)).rejects.toThrow('seen enough');
  });

  test('a member looks after no rules where none of ours are needed', async () => {
    await expect(keepLetIn(createBench().host(0).context, NEVER)).resolves.toBeUndefined();
  });

  test('who plans says whom it would let in, and lets in nobody', async () => {
    const bench = createBench(2);
    await bench.form();
    const { context, letIn } = appliance(bench);
    await context.ports.data.writeIdentity(voterIdentity(bench.host(0)), NEVER);
    const { steps } = await bench.soon(explain(context, NEVER));
    expect(steps.find((it) => it.kind === 'firewall')).toMatchObject({
      code: 'firewall-opens',
      sentence: 'eu-central-1 lets in 10.0.0.1, 10.0.0.2',
    });
    expect(letIn()).toEqual([]);
  });

  test('who keeps house looks after the rules, as often as after the fleet', async () => {
    const bench = createBench(3);
    await bench.form();
    const { context, letIn } = appliance(bench);
    const lock = createMaintenanceLock(context);
    expect(await bench.soon(lock.take(NEVER))).toBe(true);
    const memory = freshMemory();
    await bench.soon(keepHouse(context, lock, memory, NEVER));
    expect(letIn()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    bench.aws.add({ id: 'i-04', address: '10.0.0.4' });
    await bench.clock.advance(context.options.housekeepingIntervalMs);
    await bench.soon(lock.take(NEVER));
    await bench.soon(keepHouse(context, lock, memory, NEVER));
    expect(letIn()).toContain('10.0.0.4');
  });

  test('who keeps house comes back once where a region does not answer, and then with the next look at AWS', async () => {
    const bench = createBench(3);
    await bench.form();
    const { context, firewall, region, looks, letIn } = appliance(bench);
    const lock = createMaintenanceLock(context);
    expect(await bench.soon(lock.take(NEVER))).toBe(true);
    const memory = freshMemory();
    const { housekeepingIntervalMs: interval } = context.options;
    const keepFor = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 2_000) {
        await bench.soon(lock.look(NEVER));
        await bench.soon(keepHouse(context, lock, memory, NEVER));
        await bench.clock.advance(2_000);
      }
    };
    // The first turns have more to do than rules.
    await keepFor(interval);
    firewall.rules.set(region, []);
    firewall.refuse(region, { kind: 'unknown', message: 'UnauthorizedOperation' });
    looks();
    await keepFor(2 * interval);
    expect(looks()).toBeLessThanOrEqual(4);
    firewall.refuse(region, null);
    await keepFor(interval);
    expect(letIn()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
  });
});
