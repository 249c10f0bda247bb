import { createAppliance, type Appliance } from '../../src/daemon/appliance.ts';
import type { DaemonOptions } from '../../src/daemon/options.ts';
import type { IdsPort, Log, Meter, Ports } from '../../src/daemon/ports.ts';
import type { Self } from '../../src/core/fleet.ts';
import { known } from '../../src/core/known.ts';
import { etcdIds } from '../../src/etcd/ids.ts';
import type { Weather } from './aws-weather.ts';
import { createWeatheredFleet } from './aws-weather.ts';
import { createFakeData, createFakeDisk, type FakeDisk } from './fake-data.ts';
import { createEtcdAdmin } from './etcd/admin.ts';
import type { EtcdWatch, MembershipChange } from './etcd/node.ts';
import { createEtcdWorld, type EtcdWorld } from './etcd/world.ts';
import { createFakeFleet, type FakeFleet } from './fake-fleet.ts';
import { createFakeHooks, type FakeHooks, type Transition } from './fake-hooks.ts';
import { createFakeMetadata, type FakeMetadata } from './fake-metadata.ts';
import { createFakePeers } from './fake-peers.ts';
import { createFakeZone, type FakeZone } from './fake-zone.ts';
import { createLife, type Life } from './mortal.ts';
import { createSeededRandom, type SeededRandom } from './seeded-random.ts';
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts';
import { createWire, type Latency, type Wire } from './wire.ts';

/** The cluster's name, and the stack's, of every fleet here. */
export const CLUSTER = 'main.example.org';
export const STACK = 'etcd-cluster-main';

const REGION = 'eu-central-1';
const GROUP = {
  arn: 'arn:aws:autoscaling:eu-central-1:1:autoScalingGroup:1:main',
  name: 'main',
  region: REGION,
};

/** One instance: a disk, perhaps a process of the appliance, perhaps one of etcd (in `Fleet.etcd`, by address). */
export interface Machine {
  readonly id: string;
  readonly address: string;
  readonly disk: FakeDisk;
  readonly hooks: FakeHooks;
  readonly metadata: FakeMetadata;
  /** `leaving`: it was told to go, and has its grace; `gone`: it never comes back. */
  state: 'up' | 'leaving' | 'gone';
  process: { readonly appliance: Appliance; readonly life: Life; readonly stop: AbortController } | null;
}

/** What a fleet is made with. */
export interface FleetOptions {
  readonly seed: number;
  readonly desired: number;
  readonly hooks?: readonly Transition[];
  readonly bootstrapWaitMs?: number;
}

/** What a test may want to hear of. */
export interface FleetWatch {
  readonly etcd: EtcdWatch;
  membership(change: MembershipChange): void;
  /** Something that must never happen did. */
  wrong(what: string): void;
}

/** Real appliances over a world of fakes, on virtual time. Everything that happens follows from the seed. */
export interface Fleet {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly zone: FakeZone;
  readonly aws: FakeFleet;
  readonly etcd: EtcdWorld;
  readonly machines: ReadonlyMap<string, Machine>;
  readonly history: readonly string[];
  readonly lives: readonly Life[];
  /** How AWS answers one instance, or all of them. */
  setWeather(weather: Weather, instanceId?: string): void;
  setDesired(count: number): void;
  desired(): number;
  /** Machines that the group means to have. */
  present(): readonly Machine[];
  note(what: string): void;
  /** The process of the appliance dies now, and is started again a little later. */
  killAppliance(machine: Machine): void;
  /** The same at its `call`-th port call from now, which never settles. */
  killApplianceAtCall(machine: Machine, call: number, taken: boolean): void;
  /** SIGTERM to the appliance, of which nobody else knows; it is started again afterwards. */
  restart(machine: Machine): void;
  killEtcd(machine: Machine): void;
  /** Both processes die; the machine comes back on the same disk, or on an empty one. */
  reboot(machine: Machine, wiped: boolean): void;
  /** The machine dies without a word, and AWS notices. */
  lose(machine: Machine): void;
  /** The group takes it away in order: with hook and heartbeats where there is a hook, else with SIGTERM and a grace. */
  terminate(machine: Machine): void;
}

const LATENCY = {
  disk: [1, 5],
  local: [1, 4],
  ec2: [20, 200],
  zone: [30, 200],
} as const satisfies Readonly<Record<string, Latency>>;

/** How long a machine lives on after SIGTERM; ms. */
const GRACE_MS = 30_000;
const HOOK_TIMEOUT_MS = 180_000;

/** A fleet whose machines are launched as time passes. */
export function createFleet(options: FleetOptions, watch: FleetWatch): Fleet {
  const random = createSeededRandom(options.seed);
  const clock = createVirtualClock();
  const world: World = {
    options,
    watch,
    random,
    clock,
    wire: createWire(clock, random.fork()),
    zone: createFakeZone('example.org'),
    aws: createFakeFleet([{ ...GROUP, desired: options.desired }]),
    etcd: createEtcdWorld({
      clock,
      random: random.fork(),
      ids: etcdIds,
      watch: { ...watch.etcd, changed: (change) => watch.membership(change) },
    }),
    machines: new Map(),
    weather: new Map(),
    history: [],
    lives: [],
    desired: options.desired,
    launched: 0,
    note: (what) => {
      world.history.push(`${(clock.now() / 1000).toFixed(3).padStart(9)} ${what}`);
    },
  };
  reconcileSoon(world);
  const { note } = world;
  return {
    ...world,
    setWeather: (weather, id = '*') => {
      world.weather.set(id, weather);
    },
    setDesired(count) {
      note(`the group wants ${count} instances`);
      world.desired = count;
      world.aws.setDesired(count);
      reconcileSoon(world);
    },
    desired: () => world.desired,
    present: () => present(world),
    killAppliance: (machine) => crash(world, machine, 'its appliance is killed'),
    killApplianceAtCall(machine, call, taken) {
      machine.process?.life.killAtCall(call, taken, () =>
        crash(world, machine, `its appliance is killed at a port call that was ${taken ? '' : 'not '}taken`),
      );
    },
    restart(machine) {
      note(`${machine.id}: SIGTERM to the appliance`);
      machine.process?.stop.abort();
    },
    killEtcd(machine) {
      note(`${machine.id}: its etcd is killed`);
      world.etcd.kill(machine.address);
    },
    reboot(machine, wiped) {
      world.etcd.kill(machine.address);
      if (wiped) machine.disk.wipe();
      crash(world, machine, wiped ? 'it comes back on an empty disk' : 'power cut, it comes back');
    },
    lose: (machine) => lose(world, machine),
    terminate: (machine) => terminate(world, machine),
  };
}

interface World {
  readonly options: FleetOptions;
  readonly watch: FleetWatch;
  readonly random: SeededRandom;
  readonly clock: VirtualClock;
  readonly wire: Wire;
  readonly zone: FakeZone;
  readonly aws: FakeFleet;
  readonly etcd: EtcdWorld;
  readonly machines: Map<string, Machine>;
  readonly weather: Map<string, Weather>;
  readonly history: string[];
  readonly lives: Life[];
  desired: number;
  launched: number;
  note(what: string): void;
}

function present(world: World): readonly Machine[] {
  return [...world.machines.values()].filter((it) => it.state === 'up');
}

/** The group compares what it has with what it wants. */
function reconcileSoon(world: World): void {
  world.clock.after(world.random.int(100, 3_000), () => {
    const machines = present(world);
    for (let count = machines.length; count < world.desired; count += 1) launch(world);
    const surplus = machines.slice().sort(() => world.random.fraction() - 0.5);
    for (const it of surplus.slice(0, Math.max(0, machines.length - world.desired))) terminate(world, it);
  });
}

function launch(world: World): void {
  const { aws, clock, random } = world;
  world.launched += 1;
  // Neither in the order of the launches nor of the addresses.
  const id = `i-${random.token().slice(0, 8)}${world.launched}`;
  const taken = new Set(
    [...world.machines.values()].filter((it) => it.state !== 'gone').map((it) => it.address),
  );
  let host = 1;
  // The lowest free address: that of a predecessor, as in a small subnet.
  while (taken.has(`10.0.0.${host}`)) host += 1;
  const hooks = createFakeHooks((which) => onHookCompleted(world, machine, which));
  for (const it of world.options.hooks ?? []) hooks.has.add(it);
  const machine: Machine = {
    id,
    address: `10.0.0.${host}`,
    disk: createFakeDisk(),
    hooks,
    metadata: createFakeMetadata(),
    state: 'up',
    process: null,
  };
  world.machines.set(id, machine);
  world.note(`${id}: launched at ${machine.address}`);
  aws.add({ id, address: null, lifecycle: 'Pending', state: 'pending' });
  clock.after(random.int(200, 2_000), () => {
    if (machine.state !== 'up') return;
    const waits = hooks.has.has('launching');
    if (waits) hooks.waits.add('launching');
    aws.set(id, {
      address: machine.address,
      state: 'running',
      lifecycle: waits ? 'Pending:Wait' : 'InService',
    });
  });
  clock.after(random.int(300, 4_000), () => boot(world, machine));
}

function boot(world: World, machine: Machine): void {
  if (machine.state === 'gone' || machine.process !== null) return;
  const life = createLife(world.clock);
  world.lives.push(life);
  const stop = new AbortController();
  const options: DaemonOptions = {
    cluster: CLUSTER,
    bootstrapWaitMs: world.options.bootstrapWaitMs ?? 120_000,
    housekeepingIntervalMs: 120_000,
    etcdVersion: null,
  };
  const appliance = createAppliance(options, life.ports(portsOf(world, machine)));
  const process = { appliance, life, stop };
  machine.process = process;
  world.note(`${machine.id}: the appliance starts`);
  appliance.run(stop.signal).then(
    () => {
      if (machine.process !== process) return;
      life.kill();
      machine.process = null;
      world.note(`${machine.id}: the appliance has ended in order`);
      if (machine.state === 'leaving' && machine.hooks.waits.has('terminating')) return;
      // Who ends without being asked to has seen that its machine goes.
      if (machine.state === 'leaving' || !stop.signal.aborted) off(world, machine);
      else bootLater(world, machine);
    },
    (error: unknown) => world.watch.wrong(`${machine.id}: the appliance threw ${String(error)}`),
  );
}

function bootLater(world: World, machine: Machine): void {
  world.clock.after(world.random.int(100, 4_000), () => boot(world, machine));
}

function crash(world: World, machine: Machine, what: string): void {
  world.note(`${machine.id}: ${what}`);
  machine.process?.life.kill();
  machine.process = null;
  bootLater(world, machine);
}

/** No power any more: nothing of it runs on. */
function off(world: World, machine: Machine): void {
  if (machine.state === 'gone') return;
  machine.state = 'gone';
  world.note(`${machine.id}: is off for good`);
  machine.process?.life.kill();
  machine.process = null;
  world.etcd.kill(machine.address);
  world.aws.terminate(machine.id);
  world.clock.after(world.random.int(500, 20_000), () => world.aws.terminated(machine.id));
  reconcileSoon(world);
}

function lose(world: World, machine: Machine): void {
  if (machine.state === 'gone') return;
  world.note(`${machine.id}: dies without a word`);
  machine.process?.life.kill();
  machine.process = null;
  world.etcd.kill(machine.address);
  machine.state = 'leaving';
  world.clock.after(world.random.int(200, 8_000), () => off(world, machine));
  reconcileSoon(world);
}

function terminate(world: World, machine: Machine): void {
  if (machine.state !== 'up') return;
  machine.state = 'leaving';
  world.note(`${machine.id}: is terminated by its group`);
  machine.metadata.target = known('Terminated');
  machine.hooks.waits.delete('launching');
  if (machine.hooks.has.has('terminating')) {
    machine.hooks.waits.add('terminating');
    world.aws.set(machine.id, { lifecycle: 'Terminating:Wait' });
    world.clock.after(HOOK_TIMEOUT_MS, () => {
      if (machine.hooks.waits.delete('terminating')) shutDown(world, machine);
    });
    reconcileSoon(world);
  } else {
    shutDown(world, machine);
  }
}

function shutDown(world: World, machine: Machine): void {
  if (machine.state === 'gone') return;
  world.aws.terminate(machine.id);
  world.clock.after(GRACE_MS, () => off(world, machine));
  if (machine.process === null) world.clock.after(1_000, () => off(world, machine));
  machine.process?.stop.abort();
  reconcileSoon(world);
}

function onHookCompleted(world: World, machine: Machine, which: Transition): void {
  world.note(`${machine.id}: its ${which} hook is completed`);
  if (which === 'terminating') shutDown(world, machine);
  else if (machine.state === 'up') world.aws.set(machine.id, { lifecycle: 'InService' });
}

function portsOf(world: World, machine: Machine): Ports {
  const { clock, wire, aws, etcd, zone } = world;
  const random = world.random.fork();
  const self: Self = {
    id: machine.id,
    region: REGION,
    zone: `${REGION}a`,
    address: machine.address,
    stack: STACK,
  };
  const weather = (): Weather => world.weather.get(machine.id) ?? world.weather.get('*') ?? 'fair';
  return {
    clock,
    random,
    log: logOf(world, machine),
    meter: SILENT_METER,
    self,
    metadata: wire.port(LATENCY.local, machine.metadata),
    fleet: wire.port(
      LATENCY.ec2,
      createWeatheredFleet(machine.id, aws.port(machine.id), { random: random.fork(), weather }),
    ),
    hooks: wire.port(LATENCY.ec2, machine.hooks),
    zone: wire.port(LATENCY.zone, zone.port(CLUSTER)),
    admin: createEtcdAdmin(machine, { etcd, wire }),
    probe: wire.port(LATENCY.local, etcd.probe(machine.address)),
    process: wire.port(LATENCY.local, etcd.machine(machine)),
    data: wire.port(LATENCY.disk, createFakeData(machine.disk)),
    ids: etcdIds satisfies IdsPort,
    peers: createFakePeers((address) => applianceAt(world, address), { clock, random: random.fork() }),
  };
}

function applianceAt(world: World, address: string): Appliance | null {
  const there = [...world.machines.values()].find((it) => it.address === address && it.state !== 'gone');
  return there?.process?.appliance ?? null;
}

function logOf(world: World, machine: Machine): Log {
  const line = (fields: object, message: string): string => {
    const { planner, what, reason, sentence } = fields as Readonly<Record<string, string | undefined>>;
    return `${machine.id}: ${message} ${planner ?? what ?? ''} [${reason ?? ''}] ${sentence ?? ''}`;
  };
  return {
    debug: () => undefined,
    info: (fields, message) => world.note(line(fields, message)),
    warn: (fields, message) => world.note(line(fields, message)),
    error: (fields, message) => {
      const { error } = fields as { readonly error?: unknown };
      world.watch.wrong(`${machine.id}: ${message}: ${error instanceof Error ? error.stack : String(error)}`);
    },
  };
}

const SILENT_METER: Meter = {
  planned: () => undefined,
  acted: () => undefined,
  restarted: () => undefined,
  evicted: () => undefined,
  dnsWritten: () => undefined,
  ticked: () => undefined,
};
