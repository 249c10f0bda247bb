import type { Weather } from './aws-weather.ts';
import type { ZoneFailure } from './fake-zone.ts';
import type { Fleet, Machine } from './fleet.ts';
import { isDispensable } from './fleet-checks.ts';

/** Something bad that happens to a fleet. It says how long it lasts, 0 for a moment; ms. Null: it does not fit now. */
export type Fault = (fleet: Fleet) => number | null;

const WEATHERS: readonly [Weather, ...Weather[]] = ['unknown', 'self-only', 'half', 'stale'];

/** Every kind of fault, by name. None takes the data of a majority: only a recovery could help then. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  'kill at a port call': (fleet) =>
    withMachine(fleet, (machine) => {
      fleet.killApplianceAtCall(machine, fleet.random.int(1, 40), fleet.random.chance(0.5));
    }),
  'kill the appliance': (fleet) => withMachine(fleet, (machine) => fleet.killAppliance(machine)),
  'kill etcd': (fleet) => withMachine(fleet, (machine) => fleet.killEtcd(machine)),
  'restart the appliance': (fleet) => withMachine(fleet, (machine) => fleet.restart(machine)),
  'power cut': (fleet) => withMachine(fleet, (machine) => fleet.reboot(machine, false)),
  wipe: (fleet) => withDispensable(fleet, (machine) => fleet.reboot(machine, true)),
  lose: (fleet) => withDispensable(fleet, (machine) => fleet.lose(machine)),
  terminate: (fleet) => withDispensable(fleet, (machine) => fleet.terminate(machine)),
  'freeze etcd': (fleet) => {
    const machine = anyMachine(fleet);
    if (machine === null) return null;
    const lastsMs = fleet.random.int(500, 45_000);
    fleet.note(`${machine.id}: its etcd is frozen for ${lastsMs} ms`);
    fleet.etcd.freeze(machine.address, true);
    fleet.clock.after(lastsMs, () => fleet.etcd.freeze(machine.address, false));
    return lastsMs;
  },
  'AWS weather': (fleet) => {
    const { random } = fleet;
    const lastsMs = random.int(1_000, random.chance(0.2) ? 200_000 : 40_000);
    const weather = random.pick(WEATHERS);
    const machine = random.chance(0.4) ? anyMachine(fleet) : null;
    fleet.note(`AWS answers ${machine?.id ?? 'everybody'} ${weather} for ${lastsMs} ms`);
    fleet.setWeather(weather, machine?.id);
    fleet.clock.after(lastsMs, () => fleet.setWeather('fair', machine?.id));
    return lastsMs;
  },
  'Route 53 answers are lost': (fleet) => {
    const failure = fleet.random.pick<ZoneFailure>(['lost', 'unknown', 'busy']);
    const times = fleet.random.int(1, 4);
    fleet.note(`the next ${times} changes of Route 53: ${failure}`);
    fleet.zone.failNext(failure, times);
    return 0;
  },
  'Route 53 is down': (fleet) => {
    const lastsMs = fleet.random.int(1_000, fleet.random.chance(0.2) ? 200_000 : 40_000);
    fleet.note(`Route 53 is down for ${lastsMs} ms`);
    fleet.zone.breakDown('Route 53 does not answer');
    fleet.clock.after(lastsMs, () => fleet.zone.breakDown(null));
    return lastsMs;
  },
  scale: (fleet) => {
    if (fleet.present().some((it) => !isDispensable(fleet, it))) return null;
    fleet.setDesired(fleet.random.int(1, 5));
    return 0;
  },
};

/** A fault of a kind that the seed chooses, if one fits now. */
export function strike(fleet: Fleet): number {
  const [first = '', ...others] = Object.keys(FAULTS);
  for (let tries = 0; tries < 10; tries += 1) {
    const lastsMs = FAULTS[fleet.random.pick([first, ...others])]?.(fleet) ?? null;
    if (lastsMs !== null) return lastsMs;
  }
  return 0;
}

function anyMachine(fleet: Fleet): Machine | null {
  const [first, ...others] = fleet.present();
  return first === undefined ? null : fleet.random.pick([first, ...others]);
}

function withMachine(fleet: Fleet, act: (machine: Machine) => void): number | null {
  const machine = anyMachine(fleet);
  if (machine === null) return null;
  act(machine);
  return 0;
}

function withDispensable(fleet: Fleet, act: (machine: Machine) => void): number | null {
  const machine = anyMachine(fleet);
  if (machine === null || !isDispensable(fleet, machine)) return null;
  act(machine);
  return 0;
}
