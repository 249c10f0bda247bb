import {
  CreateAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
} from '@aws-sdk/client-auto-scaling';
import {
  CreateLaunchTemplateCommand,
  DescribeInstancesCommand,
  DescribeSubnetsCommand,
} from '@aws-sdk/client-ec2';
import { CreateHostedZoneCommand } from '@aws-sdk/client-route-53';
import { createCloudServer } from '../../src/sandbox/server.ts';
import { type MotoServer, motoServer } from '../tools.ts';
import { createClients } from '../unit/sandbox/cloud-fixture.ts';
import type { AwsSubject } from './aws-contract.ts';

/** A subject of the contract that was started for it. */
export interface OpenSubject extends AwsSubject, AsyncDisposable {
  readonly endpoint: string;
  /** The members of a group, as it lists them. */
  members(group: string): Promise<readonly { readonly id: string; readonly lifecycle: string }[]>;
  /** EC2's word on an instance; null where it knows none. */
  stateOf(instanceId: string): Promise<string | null>;
}

/** The sandbox behind its real servers, quick, with machines that run nothing. */
export async function openSandbox(): Promise<OpenSubject> {
  const free = { host: '127.0.0.1', port: 0 };
  const nothing = async (): Promise<void> => undefined;
  const server = createCloudServer({
    hypervisor: { boot: nothing, shutdown: nothing, powerCut: nothing },
    settings: {
      launchDelayMs: 5,
      terminationDelayMs: 5,
      healthCheckMs: 50,
      route53PendingMs: 50,
      route53RateLimit: 0,
    },
    aws: free,
    dns: free,
    metadata: () => free,
  });
  const { awsEndpoint } = await server.start();
  const clients = createClients(awsEndpoint, 'AKIAOPERATOR');
  return {
    ...clients,
    endpoint: awsEndpoint,
    settleMs: 8_000,
    ...looking(clients),
    launch: { template: 'etcd', subnets: 'subnet-a,subnet-b,subnet-c' },
    async [Symbol.asyncDispose]() {
      clients.destroy();
      await server.close();
    },
  };
}

/** moto, which strangers wrote, with what a group needs there. */
export async function openMoto(start: () => Promise<MotoServer> = motoServer): Promise<OpenSubject> {
  const moto = await start();
  const clients = createClients(moto.url, 'AKIAOPERATOR');
  const LaunchTemplateData = { ImageId: 'ami-12c6146b', InstanceType: 't3.micro' } as const;
  await clients.ec2.send(new CreateLaunchTemplateCommand({ LaunchTemplateName: 'etcd', LaunchTemplateData }));
  const { Subnets } = await clients.ec2.send(new DescribeSubnetsCommand({}));
  const subnets = (Subnets ?? []).map((subnet) => subnet.SubnetId).join(',');
  return {
    ...clients,
    endpoint: moto.url,
    // It does what it does within the call.
    settleMs: 2_000,
    ...looking(clients),
    launch: { template: 'etcd', subnets },
    async [Symbol.asyncDispose]() {
      clients.destroy();
      await moto[Symbol.asyncDispose]();
    },
  };
}

function looking({ ec2, autoScaling }: Clients): Pick<OpenSubject, 'members' | 'stateOf'> {
  return {
    members: async (group) => {
      const command = new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [group] });
      const members = (await autoScaling.send(command)).AutoScalingGroups?.[0]?.Instances ?? [];
      return members.map((it) => ({ id: it.InstanceId ?? '', lifecycle: it.LifecycleState ?? '' }));
    },
    stateOf: async (id) => {
      const command = new DescribeInstancesCommand({ Filters: [{ Name: 'instance-id', Values: [id] }] });
      const { Reservations } = await ec2.send(command);
      return Reservations?.[0]?.Instances?.[0]?.State?.Name ?? null;
    },
  };
}

type Clients = ReturnType<typeof createClients>;

let made = 0;

/** A new group of so many instances; gives its name. */
export async function makeFleet({ autoScaling, launch }: OpenSubject, desired: number): Promise<string> {
  made += 1;
  const AutoScalingGroupName = `fleet-${made}`;
  const LaunchTemplate = { LaunchTemplateName: launch.template, Version: '1' };
  const sizes = { MinSize: 0, MaxSize: 9, DesiredCapacity: desired };
  await autoScaling.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName,
      ...sizes,
      LaunchTemplate,
      VPCZoneIdentifier: launch.subnets,
    }),
  );
  return AutoScalingGroupName;
}

/** A new hosted zone; gives its id. */
export async function makeZoneId({ route53 }: OpenSubject, name: string): Promise<string> {
  const { HostedZone } = await route53.send(
    new CreateHostedZoneCommand({ Name: name, CallerReference: name }),
  );
  return HostedZone?.Id?.replace('/hostedzone/', '') ?? '';
}
