import type { Machine } from '../world/machine.ts';
import { endsIn } from '../world/group.ts';
import { lockHolderAt } from '../world/cluster.ts';
import { bootLater, cutPower, endAppliance, powerOn, terminateAppliance } from '../world/power.ts';
import { present, type World } from '../world/world.ts';
import { announce, type Strikes, targetOf, withTarget } from './target.ts';

/** What happens to processes, and to power. */
export const PROCESS_INCIDENTS: Strikes<
  'kill' | 'kill-at-call' | 'kill-as-it-founds' | 'restart' | 'power-cut' | 'freeze' | 'freeze-at-call'
> = {
  kill: (world, { who, what }) =>
    withTarget(world, who, (machine) => {
      announce(world, `${machine.id}: kill -9 of ${what === 'both' ? 'appliance and etcd' : what}`);
      kill(world, machine, what);
    }),
  'kill-at-call': (world, { who, what, call, taken }) =>
    withTarget(world, who, (machine) => {
      const how = `at its port call ${call} from now, which is ${taken ? '' : 'not '}taken`;
      announce(world, `${machine.id}: kill -9 of ${what} ${how}`);
      machine.process?.life.killAtCall(call, taken, () => {
        world.note(machine.id, 'is killed at that call');
        world.tell({ kind: 'fault', lastsMs: 0 });
        kill(world, machine, what);
      });
    }),
  'kill-as-it-founds': (world, { what, times, withinMs }) => {
    const whose = what === 'both' ? 'appliance and etcd' : what;
    announce(world, `kill -9 of ${whose} of the next ${times} that found, within ${withinMs} ms`);
    let left = times;
    const listener = (founder: Machine): void => {
      left -= 1;
      if (left === 0) world.onFounding.delete(listener);
      world.note(founder.id, `kill -9 of ${whose}, before etcd's log has an entry`);
      world.tell({ kind: 'fault', lastsMs: 0 });
      kill(world, founder, what);
    };
    world.onFounding.add(listener);
    world.clock.after(withinMs, () => void world.onFounding.delete(listener));
    return true;
  },
  restart: (world, { who }) =>
    withTarget(world, who, (machine) => {
      announce(world, `${machine.id}: SIGTERM to the appliance`);
      terminateAppliance(world, machine, 'stop');
    }),
  'power-cut': (world, { who, lastsMs }) =>
    withTarget(world, who, (machine) => {
      announce(world, `${machine.id}: without power for ${lastsMs} ms`);
      cutPower(world, machine);
      world.clock.after(lastsMs, () => powerOn(world, machine, endsIn(world)));
    }),
  freeze: (world, { who, what, lastsMs }) =>
    withTarget(world, who, (machine) => {
      announce(world, `${machine.id}: SIGSTOP to ${what}, for ${lastsMs} ms`);
      const { address, process } = machine;
      if (what !== 'etcd') process?.life.freeze();
      if (what !== 'appliance') world.etcd.freeze(address, true);
      world.clock.after(lastsMs, () => {
        world.note(machine.id, `SIGCONT to ${what}`);
        if (what !== 'etcd') process?.life.thaw();
        if (what !== 'appliance') world.etcd.freeze(address, false);
      });
    }),
  'freeze-at-call': (world, { who, port, call, withinMs, forMs }) => {
    const machine = who === null ? housekeeperOf(world) : targetOf(world, who);
    const life = machine?.process?.life;
    if (machine === null || life === undefined) return false;
    announce(
      world,
      `${machine.id}: SIGSTOP to appliance at its call ${call} of ${port ?? 'any port'} within ${withinMs} ms, for ${forMs} ms`,
    );
    life.freezeAtCall(port, call, () => {
      world.note(machine.id, 'SIGSTOP to appliance, at that call');
      world.tell({ kind: 'fault', lastsMs: forMs });
      world.clock.after(forMs, () => {
        world.note(machine.id, 'SIGCONT to appliance');
        life.thaw();
      });
    });
    world.clock.after(withinMs, life.forgetFreeze);
    return true;
  },
};

/** The machine whose appliance holds the housekeeper's lock; null: none does. */
function housekeeperOf(world: World): Machine | null {
  const machines = present(world);
  const holders = machines.map((it) => lockHolderAt(world, it.address));
  return machines.find((it) => holders.includes(it.id)) ?? null;
}

function kill(world: World, machine: Machine, what: 'appliance' | 'etcd' | 'both'): void {
  if (what !== 'etcd') {
    endAppliance(world, machine);
    bootLater(world, machine, endsIn(world));
  }
  if (what !== 'appliance') world.etcd.kill(machine.address);
}
