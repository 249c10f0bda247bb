import type { Incident, IncidentKind } from '../incident.ts';
import { isDispensable } from '../world/convergence.ts';
import type { Machine } from '../world/machine.ts';
import { present, type World } from '../world/world.ts';

/** Brings one kind of incident about; false: it does not fit now, and nothing happened. */
export type Strike<Kind extends IncidentKind> = (world: World, incident: Incident<Kind>) => boolean;

/** Incidents of some kinds, each with what brings it about. */
export type Strikes<Kinds extends IncidentKind = IncidentKind> = { readonly [Kind in Kinds]: Strike<Kind> };

/** The machine that `who` means now; null: there is none. */
export function targetOf(world: World, who: number): Machine | null {
  const machines = present(world);
  return machines[Math.floor(who * machines.length)] ?? null;
}

/** Does something to the machine that is meant. */
export function withTarget(world: World, who: number, act: (machine: Machine) => void): boolean {
  const machine = targetOf(world, who);
  if (machine === null) return false;
  act(machine);
  return true;
}

/** The same where the data of a majority are left without this machine, or the plot may lose them. */
export function withDispensable(world: World, who: number, act: (machine: Machine) => void): boolean {
  const machine = targetOf(world, who);
  if (machine === null || !mayLose(world, machine)) return false;
  act(machine);
  return true;
}

/** Whether this machine's data may go. */
export function mayLose(world: World, machine: Machine): boolean {
  return world.plot.mayLoseMajority || isDispensable(world, machine);
}

/** Says what happens right now, as the timeline shows it however long it is, and tells the laws of the fault. */
export function announce(world: World, what: string): void {
  world.note('world', `INCIDENT ${what}`);
  const fault = world.strikes;
  world.strikes = null;
  if (fault !== null) world.tell(fault);
}
