import { PutLifecycleHookCommand } from '@aws-sdk/client-auto-scaling';
import { createEventLog } from '../../src/sandbox/events.ts';
import { createSystemClock } from '../../src/sandbox/clock.ts';
import type { Cloud, Hypervisor, Machine } from '../../src/sandbox/model.ts';
import { metadataPort } from '../../src/sandbox/network.ts';
import { createCloudServer } from '../../src/sandbox/server.ts';
import type { Place } from '../e2e/place.ts';
import { createClients } from '../unit/sandbox/cloud-fixture.ts';
import type { Engine } from './docker-engine.ts';
import { IMAGE } from './docker-image.ts';

const STACK = 'etcd-demo';
const ZONE = 'example.org';

/** How containers are hardened: all of it at once, and no folder to write to but the volume. */
export const HARDENED = ['--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges'] as const;

/** No other program than the appliance's: what the base has of them is covered up, the shell among them. */
const NO_PROGRAMS = ['--mount=type=tmpfs,destination=/usr/bin', '--mount=type=tmpfs,destination=/usr/sbin'];

/** A container that was ended with its instance. */
export interface Ended {
  readonly exitCode: number;
  readonly log: string;
}

export interface ContainerCloudOptions {
  readonly size: number;
  /** First two octets of all addresses; the cloud itself is at NETWORK.0.1. */
  readonly network: string;
  /** Name of the engine's network, or `host`: then the addresses are the machine's own. */
  readonly dockerNetwork: string;
}

/** The simulated cloud, whose instances are containers of the image. */
export interface ContainerCloud extends Place, AsyncDisposable {
  readonly cloud: Cloud;
  /** Makes zone and group: the first containers start. */
  readonly start: () => void;
  /** From now on instances that are terminated wait until somebody says that they may go. */
  readonly putTerminatingHook: () => Promise<void>;
  /** How the container of a terminated instance ended; undefined while it runs. */
  readonly ended: (instanceId: string) => Ended | undefined;
}

/** Starts the cloud's servers, and nothing in it. */
export async function startContainerCloud(
  engine: Engine,
  options: ContainerCloudOptions,
): Promise<ContainerCloud> {
  const { network, size } = options;
  const host = `${network}.0.1`;
  const aws = { host, port: 4566 };
  const dns = { host, port: 5353 };
  const ended = new Map<string, Ended>();
  const hypervisor = containers(engine, options, `http://${host}:${aws.port}`, ended);
  const server = createCloudServer({
    hypervisor,
    network,
    aws,
    dns,
    metadata: ({ address }) => ({ host, port: metadataPort(address) }),
    events: createEventLog(createSystemClock()),
    // Docker's users have no machine that waits for ever, either.
    settings: { shutdownGraceMs: 60_000 },
  });
  await server.start();
  const { cloud } = server;
  return {
    cloud,
    addresses: { dns: { address: dns.host, port: dns.port }, clusterName: `demo.${ZONE}` },
    start: () => {
      cloud.createZone(`${ZONE}.`);
      cloud.createGroup({ name: STACK, stackName: STACK, min: 0, max: 9, desired: size });
    },
    putTerminatingHook: async () => {
      const { autoScaling, destroy } = createClients(`http://${host}:${aws.port}`, 'AKIAOPERATOR');
      await autoScaling.send(
        new PutLifecycleHookCommand({
          AutoScalingGroupName: STACK,
          LifecycleHookName: 'terminating',
          LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
          HeartbeatTimeout: 60,
          DefaultResult: 'CONTINUE',
        }),
      );
      destroy();
    },
    ended: (instanceId) => ended.get(instanceId),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** Runs machines as containers, each with a volume of its own, both named by the instance. */
function containers(
  { docker }: Engine,
  { dockerNetwork }: ContainerCloudOptions,
  awsEndpoint: string,
  ended: Map<string, Ended>,
): Hypervisor {
  const end = async (instanceId: string, way: readonly string[]): Promise<void> => {
    await docker([...way, instanceId]);
    const exitCode = Number(await docker(['inspect', '--format={{.State.ExitCode}}', instanceId]));
    ended.set(instanceId, { exitCode, log: await docker(['logs', instanceId]) });
    await docker(['rm', '--volumes', instanceId]);
    await docker(['volume', 'rm', instanceId]);
  };
  return {
    boot: async (machine) => {
      const isHost = dockerNetwork === 'host';
      await docker([
        'run',
        '--detach',
        `--name=${machine.instanceId}`,
        `--network=${dockerNetwork}`,
        ...(isHost ? [] : [`--ip=${machine.address}`]),
        ...HARDENED,
        ...NO_PROGRAMS,
        '--user=65532:65532',
        '--restart=always',
        '--stop-timeout=60',
        // Sooner than the image's own, which is for machines that have nothing to wait for.
        '--health-interval=2s',
        `--volume=${machine.instanceId}:/var/lib/etcd-appliance`,
        ...environment(machine, awsEndpoint).map(([name, value]) => `--env=${name}=${value}`),
        // On the machine's own network there is no saying which address of loopback is an instance's.
        ...(isHost ? [`--env=LISTEN_ADDRESS=${machine.address}`] : []),
        IMAGE,
      ]);
    },
    shutdown: (instanceId, graceMs) => end(instanceId, ['stop', `--time=${Math.round(graceMs / 1000)}`]),
    powerCut: (instanceId) => end(instanceId, ['kill']),
  };
}

function environment(
  { metadataEndpoint }: Machine,
  awsEndpoint: string,
): readonly (readonly [string, string])[] {
  return [
    ['HOSTED_ZONE', ZONE],
    ['AWS_ENDPOINT_URL', awsEndpoint],
    ['AWS_EC2_METADATA_SERVICE_ENDPOINT', metadataEndpoint],
  ];
}
