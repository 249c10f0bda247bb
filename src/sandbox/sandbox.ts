import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApplianceError } from '../errors.ts';
import { createSystemClock } from './clock.ts';
import { createControlListener } from './control.ts';
import type { SandboxAddresses } from './control.ts';
import { createCuts } from './cuts.ts';
import type { Cuts } from './cuts.ts';
import { createEdge } from './edge.ts';
import { createEventLog } from './events.ts';
import { createHypervisor } from './hypervisor.ts';
import type { RunningHypervisor } from './hypervisor.ts';
import { closeServer, isTaken, listen } from './listen.ts';
import type { Cloud, CloudSettings, HookRequest, Machine } from './model.ts';
import { createLoopbackNetwork, createNamespaceNetwork, METADATA_ADDRESS, metadataPort } from './network.ts';
import type { MachineNetwork } from './network.ts';
import { startTimeOf } from './processes.ts';
import { createCloudServer, DEFAULT_REGIONS } from './server.ts';
import type { MetadataPlace } from './server.ts';
import { createStateDir, endSandbox, hubOf, removeSandbox, startGuard } from './state-dir.ts';
import { sweepDeadSandboxes, writeOwner, writeRecord } from './state-dir.ts';
import type { SandboxRecord } from './state-dir.ts';

export interface SandboxOptions {
  /** Where the state directory is made, for the life of the sandbox: the system's folder for such. */
  readonly parent: string;
  /** PATH of the machines. */
  readonly searchPath: string;
  /** The folder with the binaries of etcd. */
  readonly etcdDir: string;
  /** Default: eu-central-1 alone. With more than one, each has a group, and all are one fleet. */
  readonly regions?: readonly string[];
  readonly group: {
    /** Instances of each group, or of the group of each region in their order: the last number is for those that have none of their own. */
    readonly desired: number | readonly number[];
    readonly min: number;
    readonly max: number;
    /** With a launching and a terminating lifecycle hook. */
    readonly hooks?: boolean;
  };
  readonly stackName?: string;
  readonly zoneName?: string;
  /** More variables for the appliances; they win over those that the sandbox sets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The JavaScript file that machines run with `run`; default: this program. */
  readonly program?: string;
  /** What machines run, whole; for tests. Wins over `program`. */
  readonly command?: readonly string[];
  readonly settings?: Partial<CloudSettings>;
  /** First two octets of the addresses; default: 127.78, or the next that is free. */
  readonly network?: string;
  /** This process is in the network namespace of this state directory already: machines get namespaces, too. */
  readonly inside?: string;
  /** Leaves the state directory when it ends. */
  readonly keep?: boolean;
  readonly seed?: number;
}

/** A simulated cloud whose instances run. Disposing of it ends every process and removes every file of it. */
export interface Sandbox extends AsyncDisposable {
  readonly addresses: SandboxAddresses;
  readonly cloud: Cloud;
  readonly hypervisor: RunningHypervisor;
  readonly cuts: Cuts;
  /** Makes the hosted zone and the groups: the first instances are launched. */
  readonly start: () => Promise<void>;
  readonly close: () => Promise<void>;
  /** Resolves when the control API was told to shut down; the owner then closes. */
  readonly stopped: Promise<void>;
}

const CONTROL_PORT = 4567;
const AWS_PORT = 4566;
const DNS_PORT = 5353;
const NAMESPACE_NETWORK = '10.78';
/** 127.78 to 127.127: one for each sandbox that runs at the same time. */
const FIRST_NETWORK = 78;
const LAST_NETWORK = 127;

/**
 * Makes a sandbox, whole and empty: `start` gives it its group. What a dead sandbox left behind is swept first, and a
 * guard outlives this process for as long as it takes to clean up after it. Throws one line where the machine does not
 * allow what was asked for.
 */
export async function createSandbox(options: SandboxOptions): Promise<Sandbox> {
  await sweepDeadSandboxes(options.parent);
  await using making = new AsyncDisposableStack();
  const stateDir = await ownStateDir(options, making);
  const stopped = Promise.withResolvers<void>();
  // The control port is also what tells two sandboxes' networks apart, so it is bound before there is anything to control.
  const serve: { routes: RequestListener | null } = { routes: null };
  const control = createServer((request, response) => serve.routes?.(request, response));
  const network = createEdge(await ownNetwork(options, stateDir, control, making), {
    stateDir,
    regions: options.regions ?? DEFAULT_REGIONS,
    // Whom a machine reaches is asked when there are machines, and so a cloud.
    admits: (...connection) => server.admits(...connection),
    rangesOf: (region) => server.rangesOf(region),
    distanceMs: () => server.cloud.settings().distanceMs,
  });
  making.defer(() => network.close());
  const addresses = addressesOf(options, network, stateDir);

  const events = createEventLog(createSystemClock());
  const environment = (machine: Machine) => environmentOf(machine, options, addresses);
  const hypervisor = createHypervisor(
    { stateDir, command: commandOf(options), environment },
    { events, network },
  );
  const server = createCloudServer({
    hypervisor,
    events,
    network: network.prefix,
    ...(options.regions === undefined ? {} : { regions: options.regions }),
    ...(options.settings === undefined ? {} : { settings: options.settings }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    ...(network.partitions ? { metadata: (machine) => metadataPlace(machine, network) } : {}),
  });
  // Last made, first ended: the cloud launches nothing more, then what runs is ended.
  making.defer(() => hypervisor.close());
  making.defer(() => server.close());
  await server.start();

  const { cloud } = server;
  const cuts = createCuts({ network, faults: cloud.faults, addressOf: (id) => addressIn(cloud, id) });
  const onShutdown = (): void => stopped.resolve();
  serve.routes = createControlListener({ cloud, hypervisor, cuts, addresses, onShutdown });
  const local = createServer(serve.routes);
  await listen(local, { path: addresses.controlSocket });
  making.defer(() => closeServer(local));
  await writeRecord(recordOf(addresses));

  const made = making.move();
  const close = (): Promise<void> => made.disposeAsync();
  return {
    addresses,
    cloud,
    hypervisor,
    cuts,
    start: async () => startGroup(cloud, options, addresses),
    close,
    stopped: stopped.promise,
    [Symbol.asyncDispose]: close,
  };
}

/** A directory of our own, and the guard that removes it with all that belongs to it, should we not. */
async function ownStateDir(options: SandboxOptions, making: AsyncDisposableStack): Promise<string> {
  const keep = options.keep === true;
  const stateDir = options.inside ?? (await createStateDir(options.parent));
  await writeOwner(stateDir);
  const guard = startGuard(stateDir, { keep });
  making.defer(() => guard.release());
  making.defer(() => (keep ? endSandbox(stateDir) : removeSandbox(stateDir)));
  return stateDir;
}

/** The network that no other sandbox has: whoever holds the control port of a network has it. */
async function ownNetwork(
  options: SandboxOptions,
  stateDir: string,
  control: Server,
  making: AsyncDisposableStack,
): Promise<MachineNetwork> {
  making.defer(() => closeServer(control));
  if (options.inside !== undefined) {
    const where = { hub: hubOf(stateDir), prefix: NAMESPACE_NETWORK, awsPort: AWS_PORT };
    const network = await createNamespaceNetwork(where);
    await listen(control, { host: `${network.prefix}.0.1`, port: CONTROL_PORT });
    return network;
  }
  if (process.platform !== 'linux') {
    const message = `the sandbox runs on Linux alone, and this is ${process.platform}`;
    throw new ApplianceError({ code: 'unavailable', service: 'sandbox' }, message);
  }
  for (let second = FIRST_NETWORK; ; second += 1) {
    const prefix = options.network ?? `127.${second}`;
    try {
      await listen(control, { host: `${prefix}.0.1`, port: CONTROL_PORT });
      return createLoopbackNetwork(prefix);
    } catch (error) {
      if (options.network !== undefined || !isTaken(error) || second === LAST_NETWORK) throw error;
    }
  }
}

function addressesOf(options: SandboxOptions, network: MachineNetwork, stateDir: string): SandboxAddresses {
  const stackName = options.stackName ?? 'etcd-demo';
  const ours = `${network.prefix}.0.1`;
  return {
    aws: `http://${ours}:${AWS_PORT}`,
    control: `http://${ours}:${CONTROL_PORT}`,
    controlSocket: join(stateDir, 'control.sock'),
    dns: { address: `${network.prefix}.0.2`, port: DNS_PORT },
    clusterName: `${stackName.slice(stackName.lastIndexOf('-') + 1)}.${options.zoneName ?? 'example.org'}`,
    group: stackName,
    stateDir,
    hub: network.partitions ? hubOf(stateDir) : null,
  };
}

function recordOf(addresses: SandboxAddresses): SandboxRecord {
  const { stateDir, controlSocket } = addresses;
  return { pid: process.pid, startTime: startTimeOf(process.pid) ?? '', stateDir, controlSocket };
}

/** What EC2 user data would give the machine, and where the simulated AWS is. */
function environmentOf(
  { address, metadataEndpoint }: Machine,
  options: SandboxOptions,
  addresses: SandboxAddresses,
): Readonly<Record<string, string>> {
  const { regions = DEFAULT_REGIONS } = options;
  return {
    PATH: options.searchPath,
    HOSTED_ZONE: options.zoneName ?? 'example.org',
    ETCD_DIR: options.etcdDir,
    LISTEN_ADDRESS: address,
    STATUS_PORT: '2378',
    LOG_LEVEL: 'info',
    ...(regions.length > 1 ? { ACTIVE_REGIONS: regions.join(',') } : {}),
    AWS_ENDPOINT_URL: addresses.aws,
    // In a namespace metadata are where they are on EC2, and nobody has to say so.
    ...(addresses.hub === null ? { AWS_EC2_METADATA_SERVICE_ENDPOINT: metadataEndpoint } : {}),
    ...options.environment,
  };
}

/** This same program, from its source or as built, unless another is asked for. */
function commandOf({ command, program }: SandboxOptions): readonly string[] {
  if (command !== undefined) return command;
  // As built, all of the program lies in one folder beside main.js.
  const fromSource = import.meta.url.endsWith('.ts');
  const self = fileURLToPath(new URL(fromSource ? '../main.ts' : 'main.js', import.meta.url));
  return [process.execPath, program === undefined ? self : resolve(program), 'run'];
}

function metadataPlace({ address }: { readonly address: string }, network: MachineNetwork): MetadataPlace {
  return {
    host: `${network.prefix}.0.1`,
    port: metadataPort(address),
    endpoint: `http://${METADATA_ADDRESS}`,
  };
}

function addressIn(cloud: Cloud, instanceId: string): string {
  const found = cloud.describe().instances.find((one) => one.instanceId === instanceId);
  if (found?.state === 'running') return found.address;
  throw new ApplianceError({ code: 'not-found', what: 'instance' }, `instance ${instanceId} is not running`);
}

function startGroup(cloud: Cloud, options: SandboxOptions, addresses: SandboxAddresses): void {
  const { desired, min, max, hooks } = options.group;
  const sizes = [desired].flat();
  cloud.createZone(`${options.zoneName ?? 'example.org'}.`);
  for (const [index, region] of (options.regions ?? DEFAULT_REGIONS).entries()) {
    cloud.createGroup({
      region,
      name: addresses.group,
      stackName: addresses.group,
      min,
      max,
      desired: sizes[index] ?? sizes.at(-1) ?? min,
      ...(hooks === true ? { hooks: HOOKS } : {}),
    });
  }
}

const HOOKS: readonly HookRequest[] = [
  {
    name: 'launching',
    transition: 'autoscaling:EC2_INSTANCE_LAUNCHING',
    heartbeatTimeoutMs: 600_000,
    defaultResult: 'ABANDON',
  },
  {
    name: 'terminating',
    transition: 'autoscaling:EC2_INSTANCE_TERMINATING',
    heartbeatTimeoutMs: 120_000,
    defaultResult: 'CONTINUE',
  },
];
