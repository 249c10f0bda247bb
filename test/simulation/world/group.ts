import { known } from '../../../src/core/known.ts';
import { createFakeDisk } from '../../fakes/fake-data.ts';
import { createFakeHooks, type Transition } from '../../fakes/fake-hooks.ts';
import { createFakeMetadata } from '../../fakes/fake-metadata.ts';
import { createSeededRandom } from '../../fakes/seeded-random.ts';
import { createDriftingClock, type Machine } from './machine.ts';
import { boot, cutPower, type Ends, powerOn, terminateAppliance } from './power.ts';
import { groupIn, regionsOf, shareOf } from './regions.ts';
import { alive, present, tellEc2, type World } from './world.ts';

/** How long a machine lives on after SIGTERM; ms. */
const GRACE_MS = 30_000;

/** A hook waits so long after the last heartbeat; ms. */
const HOOK_TIMEOUT_MS = 180_000;

/** The group begins: it launches what it wants, and fills its warm pool. */
export function openGroup(world: World): void {
  reconcileSoon(world);
}

/** The group wants so many from now on. */
export function setDesired(world: World, count: number): void {
  world.desired = count;
  tellDesired(world, count);
  reconcileSoon(world);
}

/** Auto Scaling says that so many are wanted. */
export function tellDesired({ aws, plot }: World, count: number): void {
  for (const region of regionsOf(plot)) aws.setDesired(shareOf(plot, region, count), groupIn(region));
}

/** The group compares what it has with what it wants. */
export function reconcileSoon(world: World): void {
  world.clock.after(world.random.int(100, 3_000), () => {
    const machines = present(world);
    const wanted = world.desired + world.surplus;
    for (let count = machines.length; count < wanted; count += 1) scaleOut(world);
    const surplus = machines.slice().sort(() => world.random.fraction() - 0.5);
    for (const it of surplus.slice(0, Math.max(0, machines.length - wanted))) terminate(world, it);
    const pool = alive(world).filter((it) => it.place === 'pool').length;
    for (let count = pool; count < world.plot.warmPool; count += 1) launch(world, 'pool');
  });
}

function scaleOut(world: World): void {
  const warm = alive(world).find((it) => it.place === 'pool' && it.state === 'up' && !it.powered);
  if (warm === undefined) {
    launch(world, 'group');
    return;
  }
  takeFromPool(world, warm);
}

/** An instance that is stopped in the warm pool is started for the group. */
export function takeFromPool(world: World, warm: Machine): void {
  warm.place = 'group';
  world.note(warm.id, 'is taken from the warm pool');
  warm.metadata.target = known('InService');
  world.aws.set(warm.id, { lifecycle: 'Pending', state: 'pending' });
  enterService(world, warm);
  powerOn(world, warm, endsIn(world));
}

/** A new machine, in the zone that has the fewest, at its lowest free address: that of a predecessor, as in a small subnet. */
export function launch(world: World, place: 'group' | 'pool'): Machine {
  const number = world.machines.size + 1;
  const random = createSeededRandom(world.plot.seed ^ Math.imul(number, 0x9e37_79b1));
  // Neither in the order of the launches nor of the addresses.
  const id = `i-${random.token().slice(0, 8)}${number}`;
  const region = emptiestRegion(world);
  const subnet = emptiestZone(world, region);
  const network = `10.${regionsOf(world.plot).indexOf(region)}.${subnet}`;
  const taken = new Set(alive(world).map((it) => it.address));
  let host = 1;
  while (taken.has(`${network}.${host}`)) host += 1;
  const hooks = createFakeHooks((which) => onHookCompleted(world, machine, which));
  for (const it of world.plot.hooks) hooks.has.add(it);
  const drift = (random.fraction() * 2 - 1) * world.plot.clockDrift;
  const machine: Machine = {
    id,
    address: `${network}.${host}`,
    region,
    zone: `${region}${'abc'.charAt(subnet)}`,
    disk: createFakeDisk(),
    hooks,
    metadata: createFakeMetadata(),
    image: { versions: world.image.installed, wanted: world.image.wanted, bad: new Map() },
    random,
    clock: createDriftingClock(world.clock, drift),
    state: 'up',
    place,
    powered: true,
    powerCuts: 0,
    shutsDown: false,
    doomed: false,
    diskFull: false,
    fullOf: null,
    starts: 0,
    stoppedAt: Number.NEGATIVE_INFINITY,
    ledFullAt: Number.NEGATIVE_INFINITY,
    shortAt: Number.NEGATIVE_INFINITY,
    heartbeatAt: 0,
    met: new Set(),
    process: null,
  };
  world.machines.set(id, machine);
  world.note(id, `launched at ${machine.address}${place === 'pool' ? ' into the warm pool' : ''}`);
  const lifecycle = place === 'pool' ? 'Warmed:Pending' : 'Pending';
  world.aws.add({
    id,
    address: null,
    group: groupIn(region),
    zone: machine.zone,
    lifecycle,
    state: 'pending',
  });
  if (place === 'group') enterService(world, machine);
  else warmUp(world, machine);
  world.clock.after(random.int(300, 4_000), () => boot(world, machine, endsIn(world)));
  return machine;
}

/** The region that lacks most of its share. */
function emptiestRegion(world: World): string {
  const { plot, desired } = world;
  const lacking = regionsOf(plot).map((region) => ({
    region,
    count: shareOf(plot, region, desired) - present(world).filter((it) => it.region === region).length,
  }));
  return lacking.toSorted((a, b) => b.count - a.count)[0]?.region ?? '';
}

function emptiestZone(world: World, region: string): number {
  const counts = Array.from(
    { length: world.plot.zones },
    (_, index) => alive(world).filter((it) => it.zone === `${region}${'abc'.charAt(index)}`).length,
  );
  return counts.indexOf(Math.min(...counts));
}

/** Pending, with a hook Pending:Wait until it is completed, then InService. */
function enterService(world: World, machine: Machine): void {
  const { aws, clock } = world;
  clock.after(machine.random.int(200, 2_000), () => {
    if (machine.state !== 'up') return;
    const waits = machine.hooks.has.has('launching');
    if (waits) {
      machine.hooks.waits.add('launching');
      machine.heartbeatAt = clock.now();
      // Its default result is ABANDON: the instance is replaced.
      onHookTimeout(world, machine, 'launching', () => terminate(world, machine));
    }
    aws.set(machine.id, {
      address: machine.address,
      state: 'running',
      lifecycle: waits ? 'Pending:Wait' : 'InService',
    });
  });
}

/** An instance of the warm pool starts once, and is stopped until it is wanted. */
function warmUp(world: World, machine: Machine): void {
  const { aws, clock } = world;
  machine.metadata.target = known('Warmed:Stopped');
  clock.after(machine.random.int(200, 2_000), () => {
    if (machine.state !== 'up' || machine.place !== 'pool') return;
    aws.set(machine.id, { address: machine.address, state: 'running' });
  });
  clock.after(machine.random.int(5_000, 20_000), () => {
    if (machine.state !== 'up' || machine.place !== 'pool') return;
    stopInstance(world, machine, () => {
      if (machine.state === 'up' && machine.place === 'pool')
        aws.set(machine.id, { lifecycle: 'Warmed:Stopped' });
    });
  });
}

/** EC2 stops the instance: SIGTERM, at most the grace, then no power. */
export function stopInstance(world: World, machine: Machine, then: () => void): void {
  world.note(machine.id, 'is stopped by EC2');
  world.aws.set(machine.id, { state: 'stopping' });
  tellEc2(world, machine);
  terminateAppliance(world, machine, machine.place === 'pool' ? 'go' : 'stop');
  machine.shutsDown = true;
  world.clock.after(machine.random.int(1_000, GRACE_MS), () => {
    machine.shutsDown = false;
    if (machine.state === 'up') {
      cutPower(world, machine);
      world.aws.set(machine.id, { state: 'stopped' });
      tellEc2(world, machine);
    }
    then();
  });
}

/** No power any more: nothing of it runs on, and its disk is gone. */
export function off(world: World, machine: Machine): void {
  if (machine.state === 'gone') return;
  machine.state = 'gone';
  world.note(machine.id, 'is off for good');
  cutPower(world, machine);
  world.aws.terminate(machine.id);
  tellEc2(world, machine);
  world.clock.after(world.random.int(500, 20_000), () => {
    world.aws.terminated(machine.id);
    tellEc2(world, machine);
  });
  reconcileSoon(world);
}

/** The machine dies without a word, and AWS notices. */
export function lose(world: World, machine: Machine): void {
  if (machine.state === 'gone') return;
  world.note(machine.id, 'dies without a word');
  cutPower(world, machine);
  machine.state = 'leaving';
  // Until then nobody knows, and its address is its own; its successor may inherit it.
  world.clock.after(world.random.int(200, 8_000), () => off(world, machine));
}

/** The group takes it away in order: with hook and heartbeats where there is a hook, else with SIGTERM and a grace. */
export function terminate(world: World, machine: Machine): void {
  if (machine.state !== 'up') return;
  machine.state = 'leaving';
  world.note(machine.id, 'is terminated by its group');
  world.tell({ kind: 'told', id: machine.id, to: 'go' });
  machine.metadata.target = known('Terminated');
  machine.hooks.waits.delete('launching');
  if (machine.hooks.has.has('terminating') && machine.place !== 'pool') {
    machine.hooks.waits.add('terminating');
    machine.heartbeatAt = world.clock.now();
    world.aws.set(machine.id, { lifecycle: 'Terminating:Wait' });
    onHookTimeout(world, machine, 'terminating', () => shutDown(world, machine));
    reconcileSoon(world);
  } else {
    shutDown(world, machine);
  }
}

function shutDown(world: World, machine: Machine): void {
  if (machine.state === 'gone') return;
  world.aws.terminate(machine.id);
  tellEc2(world, machine);
  world.clock.after(GRACE_MS, () => off(world, machine));
  if (machine.process === null) world.clock.after(1_000, () => off(world, machine));
  terminateAppliance(world, machine, 'go');
  reconcileSoon(world);
}

/** Looks until the hook's time is over since the last heartbeat; then its default result comes. */
function onHookTimeout(world: World, machine: Machine, which: Transition, then: () => void): void {
  const leftMs = machine.heartbeatAt + HOOK_TIMEOUT_MS - world.clock.now();
  world.clock.after(leftMs, () => {
    if (machine.state === 'gone' || !machine.hooks.waits.has(which)) return;
    if (world.clock.now() < machine.heartbeatAt + HOOK_TIMEOUT_MS) {
      onHookTimeout(world, machine, which, then);
      return;
    }
    machine.hooks.waits.delete(which);
    world.note(machine.id, `its ${which} hook times out`);
    then();
  });
}

function onHookCompleted(world: World, machine: Machine, which: Transition): void {
  world.note(machine.id, `its ${which} hook is completed`);
  if (which === 'terminating') shutDown(world, machine);
  else if (machine.state === 'up') world.aws.set(machine.id, { lifecycle: 'InService' });
}

/** What becomes of a machine whose appliance has left. */
export function endsIn(world: World): Ends {
  return { left: (machine) => off(world, machine) };
}
