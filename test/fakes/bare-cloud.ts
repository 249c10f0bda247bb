import { createClients } from '../../src/aws/clients.ts';
import type { AwsClients } from '../../src/aws/clients.ts';
import { createFleet } from '../../src/aws/fleet.ts';
import { createMetadata } from '../../src/aws/metadata.ts';
import type { Metadata } from '../../src/aws/metadata.ts';
import type { Limits } from '../../src/aws/limits.ts';
import type { FleetPort } from '../../src/daemon/ports.ts';
import { accessKeyOf } from '../../src/sandbox/caller.ts';
import type { Cloud, CloudSettings, GroupRequest, HookRequest } from '../../src/sandbox/model.ts';
import { createCloudServer } from '../../src/sandbox/server.ts';
import { eventually } from '../tools.ts';

/** The sandbox's cloud behind its real servers, on free ports, with machines that run nothing. */
export interface BareCloud extends AsyncDisposable {
  readonly cloud: Cloud;
  readonly endpoint: string;
  /** Creates the group `group` of stack etcd-demo with `desired` instances, and waits until they are in service. */
  group(desired: number, hooks?: readonly HookRequest[]): Promise<readonly string[]>;
  /** The clients of an instance: the cloud knows by their key who asks. */
  clients(instanceId: string, limits?: Partial<Limits>): AwsClients;
  metadata(instanceId: string): Metadata;
  fleet(instanceId: string, limits?: Partial<Limits>): FleetPort;
}

export const BARE_REGION = 'eu-central-1';
export const BARE_STACK = 'etcd-demo';

const QUICK: Partial<CloudSettings> = {
  launchDelayMs: 0,
  terminationDelayMs: 0,
  healthCheckMs: 50,
  route53RateLimit: 0,
  route53PendingMs: 0,
};

const SILENT = { observer: { onCall: () => undefined } };

/** Starts the cloud. Quick and without limits unless `settings` say otherwise. */
export async function startBareCloud(settings: Partial<CloudSettings> = {}): Promise<BareCloud> {
  const endpoints = new Map<string, string>();
  const server = createCloudServer({
    hypervisor: {
      boot: (machine) => {
        endpoints.set(machine.instanceId, machine.metadataEndpoint);
        return Promise.resolve();
      },
      shutdown: () => Promise.resolve(),
      powerCut: () => Promise.resolve(),
    },
    settings: { ...QUICK, ...settings },
    aws: { host: '127.0.0.1', port: 0 },
    dns: { host: '127.0.0.1', port: 0 },
    metadata: () => ({ host: '127.0.0.1', port: 0 }),
    seed: 1,
  });
  const { awsEndpoint: endpoint } = await server.start();
  const opened: AwsClients[] = [];
  const clients = (id: string, limits?: Partial<Limits>): AwsClients => {
    const credentials = { accessKeyId: accessKeyOf(id), secretAccessKey: 'secret' };
    const made = createClients(
      { region: BARE_REGION, endpoint, credentials, ...(limits && { limits }) },
      SILENT,
    );
    opened.push(made);
    return made;
  };
  const { cloud } = server;
  return {
    cloud,
    endpoint,
    clients,
    group: async (desired, hooks = []) => {
      const request: GroupRequest = { name: 'group', stackName: BARE_STACK, min: 0, max: 9, desired, hooks };
      cloud.createGroup(request);
      await eventually(() => endpoints.size >= desired && allRunning(cloud));
      return cloud.describe().instances.map((instance) => instance.instanceId);
    },
    metadata: (id) =>
      createMetadata({ endpoint: endpoints.get(id) ?? '', limits: { metadataRequestMs: 200 } }, SILENT),
    fleet: (id, limits) => {
      const self = { id, region: BARE_REGION, zone: `${BARE_REGION}a`, address: '', stack: BARE_STACK };
      return createFleet(
        { self, group: 'group', activeRegions: [] },
        { clients: clients(id, limits), now: () => performance.now() },
      );
    },
    [Symbol.asyncDispose]: async () => {
      for (const made of opened) made.destroy();
      await server.close();
    },
  };
}

function allRunning(cloud: Cloud): boolean {
  return cloud
    .describe()
    .instances.every(({ state, lifecycleState }) => state === 'running' && lifecycleState !== 'Pending');
}
