import { join } from 'node:path';
import { ApplianceError } from '../errors.ts';
import { RunningMachine } from './machine.ts';
import type { MachineReport } from './machine.ts';
import type { EventLog, Hypervisor, Machine } from './model.ts';
import type { MachineNetwork } from './network.ts';
import { processesOf } from './processes.ts';
import type { Variables } from './variables.ts';

export interface HypervisorOptions {
  /** A folder per machine is made here, named by its instance id. */
  readonly stateDir: string;
  /** What every machine runs: a program and its arguments. */
  readonly command: readonly string[];
  /** The whole environment of a machine's appliance, but DATA_DIR and HOME, which are its folder's. */
  readonly environment: (machine: Machine) => Variables;
}

/** The process of a machine that a signal is meant for. */
export type Target = 'appliance' | 'etcd';

/** A hypervisor, and what an operator does to its machines. A verb on a machine that does not run throws. */
export interface RunningHypervisor extends Hypervisor {
  /** SIGKILL to one process. The appliance is started again by the machine's init; its etcd lives on meanwhile. */
  readonly kill: (instanceId: string, target: Target) => Promise<void>;
  /** SIGSTOP, until thawed. */
  readonly freeze: (instanceId: string, target: Target) => Promise<void>;
  readonly thaw: (instanceId: string, target: Target) => Promise<void>;
  /** SIGTERM to the appliance, as an operator restarts a service. Resolves when it has ended; its init starts it again. */
  readonly restart: (instanceId: string) => Promise<void>;
  /** Changes variables of the machine's appliance, from its next start on. */
  readonly configure: (instanceId: string, variables: Variables) => void;
  /** Changes variables of those machines that are launched from now on, in one region or all, as a new launch template does. */
  readonly launchWith: (variables: Variables, region?: string) => void;
  /** Everything of the machine is killed, and it comes back at once with an empty disk. */
  readonly wipeData: (instanceId: string) => Promise<void>;
  readonly report: () => Promise<readonly MachineReport[]>;
  /** Ends everything at once. Resolves when nothing lives; afterwards nothing boots. */
  readonly close: () => Promise<void>;
}

/** In place of a region's name. */
const EVERYWHERE = '*';

/** Runs each instance of the simulated cloud as real processes on this machine. */
export function createHypervisor(
  options: HypervisorOptions,
  deps: { readonly events: EventLog; readonly network: MachineNetwork },
): RunningHypervisor {
  const { events, network } = deps;
  const machines = new Map<string, RunningMachine>();
  const launchVariables = new Map<string, Variables>();
  let closed = false;

  const running = (instanceId: string): RunningMachine => {
    const machine = machines.get(instanceId);
    if (machine !== undefined) return machine;
    throw new ApplianceError(
      { code: 'not-found', what: 'instance' },
      `instance ${instanceId} is not running`,
    );
  };

  /** Ends a machine in the given way. One that is unknown here runs nothing. */
  const end = async (instanceId: string, way: (machine: RunningMachine) => Promise<void>): Promise<void> => {
    const machine = machines.get(instanceId);
    if (machine === undefined) return;
    await way(machine);
    machines.delete(instanceId);
    await network.detach(machine.machine);
  };
  const powerCut = (instanceId: string): Promise<void> => end(instanceId, (machine) => machine.powerCut());

  return {
    boot: async (machine) => {
      if (closed) throw new ApplianceError({ code: 'aborted' }, 'the sandbox is closing');
      const program = {
        command: network.wrap(machine, options.command),
        environment: {
          ...options.environment(machine),
          ...launchVariables.get(EVERYWHERE),
          ...launchVariables.get(machine.region),
        },
      };
      const directory = join(options.stateDir, machine.instanceId);
      const made = new RunningMachine(machine, directory, program, events.emit);
      machines.set(machine.instanceId, made);
      await network.attach(machine);
      await made.boot();
    },
    shutdown: (instanceId, graceMs) => end(instanceId, (machine) => machine.shutdown(graceMs)),
    powerCut,
    kill: async (instanceId, target) => running(instanceId).send(target, 'SIGKILL'),
    freeze: async (instanceId, target) => running(instanceId).send(target, 'SIGSTOP'),
    thaw: async (instanceId, target) => running(instanceId).send(target, 'SIGCONT'),
    restart: async (instanceId) => running(instanceId).restart(),
    configure: (instanceId, variables) => running(instanceId).configure(variables),
    launchWith: (variables, region = EVERYWHERE) => {
      launchVariables.set(region, { ...launchVariables.get(region), ...variables });
    },
    wipeData: async (instanceId) => running(instanceId).wipeData(),
    report: async () => {
      const processes = processesOf(options.stateDir);
      return [...machines.values()].map((machine) => machine.report(processes));
    },
    close: async () => {
      closed = true;
      await Promise.all([...machines.keys()].map(powerCut));
    },
  };
}
