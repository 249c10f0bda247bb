import { createFleet, type Fleet, type Machine } from '../fakes/fleet.ts';
import { createFleetChecks, isDispensable, isRecoverable, whyNotConverged } from '../fakes/fleet-checks.ts';
import type { Ending, Line, PlayOptions } from './ending.ts';
import { type Incident, type IncidentKind, lastsMsOf } from './incident.ts';
import type { Plot } from './plot.ts';

/** Longest wait for convergence after the last incident: two forming limits, and what follows. */
const PATIENCE_MS = 20 * 60_000;

/** Plays a plot: the fleet is launched, incidents come at their times, the last one ends, and it must find itself. */
export async function play(plot: Plot, options: PlayOptions = {}): Promise<Ending> {
  const checks = createFleetChecks();
  const { seed, desired, hooks, bootstrapWaitMs } = plot;
  const fleet = createFleet({ seed, desired, hooks, bootstrapWaitMs }, checks.watch);
  const run = async (until: () => boolean): Promise<void> => {
    while (checks.wrongs.length === 0 && !until()) {
      if (!(await fleet.clock.step())) break;
      checks.look(fleet);
    }
  };
  const faults: Partial<Record<IncidentKind, number>> = {};
  let calmAt = 0;
  for (const incident of plot.incidents) {
    await run(() => fleet.clock.now() >= incident.atMs);
    if (checks.wrongs.length > 0) break;
    if (!strike(fleet, incident)) continue;
    await fleet.clock.settle();
    faults[incident.kind] = (faults[incident.kind] ?? 0) + 1;
    checks.faulted(lastsMsOf(incident));
    calmAt = Math.max(calmAt, fleet.clock.now() + lastsMsOf(incident));
  }
  await run(() => fleet.clock.now() >= calmAt);
  let converged = false;
  while (!converged && checks.wrongs.length === 0 && fleet.clock.now() < calmAt + PATIENCE_MS) {
    const lookAt = fleet.clock.now() + 500;
    await run(() => fleet.clock.now() >= lookAt);
    converged = whyNotConverged(fleet) === null;
    if (!isRecoverable(fleet)) break;
  }
  const timeline = fleet.history.map(lineOf);
  if (options.onLine !== undefined) timeline.forEach(options.onLine);
  const wrong = checks.wrongs.length > 0;
  return {
    plot,
    kind: wrong ? 'wrong' : converged ? 'converged' : isRecoverable(fleet) ? 'stuck' : 'lost',
    broken: checks.wrongs.map((what) => ({
      law: 1,
      check: what.replaceAll(/[\w-]*\d[\w-]*/g, '#').slice(0, 40),
      what,
    })),
    why: wrong ? checks.wrongs.join('; ') : (whyNotConverged(fleet) ?? ''),
    convergedInMs: fleet.clock.now() - calmAt,
    virtualMs: fleet.clock.now(),
    faults,
    reasons: reasonsOf(timeline),
    timeline,
  };
}

function lineOf(text: string): Line {
  const [, seconds = '0', who = 'world', what = ''] = /^ *([\d.]+) (?:(i-\w+): )?(.*)$/s.exec(text) ?? [];
  return { atMs: Number(seconds) * 1_000, who, what };
}

function reasonsOf(timeline: readonly Line[]): ReadonlySet<string> {
  return new Set(
    timeline.flatMap(({ what }) => {
      const [, planner, code] = /^planned (\S+) \[([^\]]+)\]/.exec(what) ?? [];
      return planner === undefined || code === undefined ? [] : [`${planner}:${code}`];
    }),
  );
}

/** Whether it fits now. */
function strike(fleet: Fleet, incident: Incident): boolean {
  const machines = fleet.present();
  const machine = 'who' in incident ? machines[Math.floor((incident.who ?? 0) * machines.length)] : undefined;
  const withMachine = (act: (it: Machine) => void): boolean => {
    if (machine !== undefined) act(machine);
    return machine !== undefined;
  };
  const withDispensable = (act: (it: Machine) => void): boolean =>
    machine !== undefined && isDispensable(fleet, machine) && withMachine(act);
  switch (incident.kind) {
    case 'kill':
      return withMachine((it) => (incident.what === 'etcd' ? fleet.killEtcd(it) : fleet.killAppliance(it)));
    case 'kill-at-call':
      return withMachine((it) => fleet.killApplianceAtCall(it, incident.call, incident.taken));
    case 'restart':
      return withMachine(fleet.restart);
    case 'power-cut':
      return withMachine((it) => fleet.reboot(it, false));
    case 'wipe':
      return withDispensable((it) => fleet.reboot(it, true));
    case 'lose':
      return withDispensable(fleet.lose);
    case 'terminate':
      return withDispensable(fleet.terminate);
    case 'zone':
      if (incident.failure === 'down' || incident.failure === 'denied') return false;
      fleet.zone.failNext(incident.failure, incident.times);
      return true;
    case 'scale':
      if (machines.some((it) => !isDispensable(fleet, it)) || incident.desired === 0) return false;
      fleet.setDesired(incident.desired);
      return true;
    case 'freeze':
    case 'damage':
    case 'disk-full':
    case 'partition':
    case 'slow':
    case 'loss':
    case 'aws':
    case 'metadata':
    case 'spot':
    case 'ec2-stop':
    case 'standby':
    case 'refresh':
      return false;
  }
}
