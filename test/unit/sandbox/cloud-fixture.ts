import { AutoScalingClient } from '@aws-sdk/client-auto-scaling';
import { EC2Client } from '@aws-sdk/client-ec2';
import { Route53Client } from '@aws-sdk/client-route-53';
import type { Hypervisor, Machine, CloudSettings, InstanceSnapshot } from '../../../src/sandbox/model.ts';
import { createCloudServer } from '../../../src/sandbox/server.ts';
import { createManualClock } from '../../fakes/manual-clock.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

/** A hypervisor that runs nothing and notes what it was told. */
export function createNotingHypervisor() {
  const machines = new Map<string, Machine>();
  const calls: string[] = [];
  const hypervisor: Hypervisor = {
    async boot(machine) {
      calls.push(`boot ${machine.instanceId}`);
      machines.set(machine.instanceId, machine);
    },
    async shutdown(id, graceMs) {
      calls.push(`shutdown ${id} ${String(graceMs)}`);
      machines.delete(id);
    },
    async powerCut(id) {
      calls.push(`power cut ${id}`);
      machines.delete(id);
    },
  };
  return { hypervisor, machines, calls };
}

export const QUIET: Partial<CloudSettings> = { route53RateLimit: 0 };

/** A cloud on free ports of loopback and a clock that stands still, with the SDK's clients as an operator. */
export async function startCloud(
  settings: Partial<CloudSettings> = {},
  regions: readonly string[] = ['eu-central-1'],
) {
  const clock = createManualClock();
  const noting = createNotingHypervisor();
  const server = createCloudServer({
    hypervisor: noting.hypervisor,
    regions,
    settings: { ...QUIET, ...settings },
    clock,
    seed: 7,
    aws: LOOPBACK,
    dns: LOOPBACK,
    metadata: () => LOOPBACK,
  });
  const { awsEndpoint, dns } = await server.start();
  const clients = createClients(awsEndpoint, 'AKIAOPERATOR');
  const { cloud } = server;
  return {
    cloud,
    clock,
    awsEndpoint,
    dns,
    ...noting,
    ...clients,
    instances: (): readonly InstanceSnapshot[] => cloud.describe().instances,
    members: (name = 'web'): readonly InstanceSnapshot[] => {
      const ids = cloud.describe().groups.find((group) => group.name === name)?.instances ?? [];
      return ids.flatMap((id) => cloud.describe().instances.filter((it) => it.instanceId === id));
    },
    async [Symbol.asyncDispose]() {
      clients.destroy();
      await server.close();
    },
  };
}

export type TestCloud = Awaited<ReturnType<typeof startCloud>>;

/** The SDK's clients with one try per call, so that a test sees each answer. */
export function createClients(endpoint: string, accessKeyId: string, region = 'eu-central-1') {
  const config = {
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey: 'secret' },
    maxAttempts: 1,
  };
  const ec2 = new EC2Client(config);
  const autoScaling = new AutoScalingClient(config);
  const route53 = new Route53Client(config);
  return {
    ec2,
    autoScaling,
    route53,
    destroy: (): void => {
      ec2.destroy();
      autoScaling.destroy();
      route53.destroy();
    },
  };
}

/** A group called web of the stack etcd-demo, with its instances running. */
export async function startGroup(
  test: TestCloud,
  sizes: { readonly min?: number; readonly max?: number; readonly desired?: number } = {},
): Promise<void> {
  test.cloud.createGroup({ name: 'web', stackName: 'etcd-demo', min: 1, max: 5, desired: 3, ...sizes });
  await test.clock.advance(500);
}
