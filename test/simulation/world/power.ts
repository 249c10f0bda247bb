import { createAppliance } from '../../../src/daemon/appliance.ts';
import type { DaemonOptions } from '../../../src/daemon/options.ts';
import { createLife } from '../../fakes/mortal.ts';
import type { Machine } from './machine.ts';
import { portsOf } from './ports.ts';
import { CLUSTER } from './names.ts';
import { regionalOptions } from './regions.ts';
import { type World } from './world.ts';

/** The tests of a steady fleet need not wait for the two minutes that an operator has. */
const HOUSEKEEPING_INTERVAL_MS = 60_000;

/** What a process of the appliance comes to when it ends by itself, or as told. */
export interface Ends {
  /** It has left in order, since its machine goes. */
  left(machine: Machine): void;
}

/** Starts the appliance, where the machine is on and has none. */
export function boot(world: World, machine: Machine, ends: Ends): void {
  if (machine.state === 'gone' || !machine.powered || machine.shutsDown || machine.process !== null) return;
  const life = createLife(world.clock, (what) => world.tell({ kind: 'ran-on', id: machine.id, what }));
  const stop = new AbortController();
  const options: DaemonOptions = {
    cluster: CLUSTER,
    bootstrapWaitMs: world.plot.bootstrapWaitMs,
    housekeepingIntervalMs: HOUSEKEEPING_INTERVAL_MS,
    etcdVersion: machine.image.wanted,
    ...regionalOptions(world),
  };
  const bare = portsOf(world, machine);
  const ports = world.sabotage?.ports?.(bare, machine.id) ?? bare;
  const appliance = createAppliance(options, life.ports(ports));
  const process = { appliance, life, stop };
  machine.process = process;
  world.note(machine.id, 'the appliance starts');
  world.tell({ kind: 'appliance', id: machine.id, runs: true });
  const over = (): boolean => machine.process !== process;
  appliance.run(stop.signal).then(
    () => {
      if (over()) return;
      endAppliance(world, machine);
      world.note(machine.id, 'the appliance has ended in order');
      if (machine.state === 'leaving' && machine.hooks.waits.has('terminating')) return;
      // Who ends without being asked to has seen that its machine goes.
      if (machine.place === 'pool') return;
      if (machine.state === 'leaving' || !stop.signal.aborted) ends.left(machine);
      else bootLater(world, machine, ends);
    },
    (error: unknown) => {
      if (over()) return;
      endAppliance(world, machine);
      world.tell({ kind: 'threw', id: machine.id, what: `the appliance ended by ${String(error)}` });
    },
  );
}

/** Whatever keeps the appliance running starts it again soon. */
export function bootLater(world: World, machine: Machine, ends: Ends): void {
  world.clock.after(machine.random.int(100, 4_000), () => boot(world, machine, ends));
}

/** The process of the appliance is no more. */
export function endAppliance(world: World, machine: Machine): void {
  if (machine.process === null) return;
  machine.process.life.kill();
  machine.process = null;
  world.tell({ kind: 'appliance', id: machine.id, runs: false });
}

/** SIGTERM. A process that is frozen hears it when it thaws. */
export function terminateAppliance(world: World, machine: Machine, to: 'go' | 'stop'): void {
  world.tell({ kind: 'told', id: machine.id, to });
  const { process } = machine;
  process?.life.deliver(() => process.stop.abort(TERMINATED));
}

const TERMINATED = new Error('SIGTERM');

/** Both processes die at once. Nobody can know of the end of an etcd that served until then. */
export function cutPower(world: World, machine: Machine): void {
  machine.powered = false;
  machine.powerCuts += 1;
  if (world.etcd.processAt(machine.address) !== undefined) world.tell({ kind: 'fault', lastsMs: 0 });
  endAppliance(world, machine);
  world.etcd.kill(machine.address);
}

/** Power comes back, but to one that EC2 has stopped. */
export function powerOn(world: World, machine: Machine, ends: Ends): void {
  if (machine.state === 'gone' || world.aws.truth(machine.id) === 'stopped') return;
  machine.powered = true;
  bootLater(world, machine, ends);
}
