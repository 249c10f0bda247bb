import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CreateAutoScalingGroupCommand,
  DescribeAutoScalingGroupsCommand,
  SetDesiredCapacityCommand,
} from '@aws-sdk/client-auto-scaling';
import {
  CreateLaunchTemplateCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeInstancesCommand,
  TerminateInstancesCommand,
  type Instance,
} from '@aws-sdk/client-ec2';
import {
  CreateHostedZoneCommand,
  ListHostedZonesCommand,
  ListResourceRecordSetsCommand,
  type ResourceRecordSet,
} from '@aws-sdk/client-route-53';
import { recordKey } from '../../src/sandbox/change-batch.ts';
import { createSystemClock } from '../../src/sandbox/clock.ts';
import { createCloud, type CloudParts } from '../../src/sandbox/cloud.ts';
import { createDnsServer } from '../../src/sandbox/dns.ts';
import { createEventLog } from '../../src/sandbox/events.ts';
import { createHypervisor } from '../../src/sandbox/hypervisor.ts';
import { closeServer, listen } from '../../src/sandbox/listen.ts';
import { createMetadataListener } from '../../src/sandbox/metadata.ts';
import type { Ec2State, LifecycleState, RecordSnapshot } from '../../src/sandbox/model.ts';
import { plainName } from '../../src/sandbox/names.ts';
import { createLoopbackNetwork } from '../../src/sandbox/network.ts';
import { createRandom } from '../../src/sandbox/random.ts';
import type { Region } from '../../src/sandbox/region.ts';
import { regionPlaces } from '../../src/sandbox/regions.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { createStateDir, removeSandbox, startGuard } from '../../src/sandbox/state-dir.ts';
import { forgetfulMoto } from '../forgetful-moto.ts';
import { ETCD_DIRECTORY } from '../tools.ts';
import { createClients } from '../unit/sandbox/cloud-fixture.ts';
import { program } from './build.ts';

/*
 * The script's sandbox with moto in the place of EC2, Auto Scaling and Route 53. moto has neither machines, nor metadata,
 * nor DNS: these are the sandbox's parts, fed with what moto says.
 *
 * Not done, because moto has none of it: lifecycle hooks that wait, completion and heartbeats; the replacement of
 * unhealthy instances; instance refresh; spreading over zones; instances that shut down before they are terminated, power
 * cuts and faults; Route 53's compare-and-swap (a CREATE of what exists with other values is taken), throttling, changes
 * that are pending. So two that claim in the same moment are not told apart here.
 */

const REGION = 'eu-central-1';
const STACK = 'etcd-demo';
const ZONE = 'example.org';
const LOOK_MS = 100;
const GRACE_MS = 30_000;
const METADATA_PORT = 1338;

/** The sandbox as the script needs it, over moto. `broken` rejects when moto or a machine fails. */
export interface MotoSandbox extends AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly broken: Promise<never>;
}

/** Starts moto, with a network of its own for the machines, and nothing in it. */
export async function createMotoSandbox(): Promise<MotoSandbox> {
  await using making = new AsyncDisposableStack();
  const moto = making.use(await forgetfulMoto());
  const clients = createClients(moto.url, 'AKIAOPERATOR');
  making.defer(() => clients.destroy());
  const prefix = `127.${130 + (process.pid % 120)}`;
  const stateDir = await createStateDir(tmpdir());
  const guard = startGuard(stateDir, { keep: false });
  making.defer(() => guard.release());
  making.defer(() => removeSandbox(stateDir));

  const clock = createSystemClock();
  const events = createEventLog(clock);
  const hypervisor = createHypervisor(
    {
      stateDir,
      command: [process.execPath, program(), 'run'],
      environment: ({ address, metadataEndpoint }) => ({
        PATH: process.env['PATH'] ?? '',
        HOSTED_ZONE: ZONE,
        ETCD_DIR: ETCD_DIRECTORY,
        LISTEN_ADDRESS: address,
        AWS_ENDPOINT_URL: moto.url,
        AWS_EC2_METADATA_SERVICE_ENDPOINT: metadataEndpoint,
      }),
    },
    { events, network: createLoopbackNetwork(prefix) },
  );
  const nothing = async (): Promise<void> => undefined;
  const parts = createCloud({
    places: regionPlaces({ regions: [REGION], network: prefix }),
    clients: `${prefix}.0.0/24`,
    clock,
    events,
    random: createRandom(1),
    runner: { boot: nothing, shutdown: nothing, powerCut: nothing },
  });
  making.defer(() => parts.close());
  making.defer(() => hypervisor.close());
  const dns = createDnsServer(parts.store);
  const where = await dns.start({ host: '127.0.0.1', port: 0 });
  making.defer(() => dns.close());

  await clients.route53.send(new CreateHostedZoneCommand({ Name: ZONE, CallerReference: 'script' }));
  // Before anybody asks: a zone that is not there is refused.
  await showZones({ clients, parts, hypervisor });
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => undefined);
  const mirror = startMirror({ clients, parts, hypervisor }, broken.reject);
  making.defer(() => mirror.stop());
  const fire = (act: Promise<unknown>): void => void act.catch(broken.reject);
  const made = making.move();
  const cloud: Sandbox['cloud'] = {
    ...parts.cloud,
    setDesired: (AutoScalingGroupName, DesiredCapacity) =>
      fire(
        clients.autoScaling.send(new SetDesiredCapacityCommand({ AutoScalingGroupName, DesiredCapacity })),
      ),
    terminateInstance: (id) => fire(clients.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))),
  };
  const close = async (): Promise<void> => made.disposeAsync();
  return {
    broken: broken.promise,
    sandbox: {
      addresses: {
        aws: moto.url,
        control: '',
        controlSocket: '',
        dns: { address: where.host, port: where.port },
        clusterName: `demo.${ZONE}`,
        group: STACK,
        stateDir,
        hub: null,
      },
      cloud,
      hypervisor,
      cuts: { cut: noCut, list: () => ({}), cutRegion: noCut, listRegions: () => ({}) },
      start: async () => {
        await makeGroup(clients, prefix);
      },
      stopped: new Promise(() => undefined),
      close,
      [Symbol.asyncDispose]: close,
    },
    [Symbol.asyncDispose]: close,
  };
}

function noCut(): Promise<never> {
  return Promise.reject(new Error('moto has no network to cut'));
}

type Clients = ReturnType<typeof createClients>;

/** Network and group, three instances at once. */
async function makeGroup({ ec2, autoScaling }: Clients, prefix: string): Promise<void> {
  const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: `${prefix}.0.0/16` }));
  const { Subnet } = await ec2.send(
    new CreateSubnetCommand({
      VpcId: Vpc?.VpcId,
      CidrBlock: `${prefix}.1.0/24`,
      AvailabilityZone: `${REGION}a`,
    }),
  );
  const LaunchTemplateData = { ImageId: 'ami-12c6146b', InstanceType: 't3.micro' } as const;
  await ec2.send(new CreateLaunchTemplateCommand({ LaunchTemplateName: STACK, LaunchTemplateData }));
  await autoScaling.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName: STACK,
      LaunchTemplate: { LaunchTemplateName: STACK, Version: '1' },
      MinSize: 0,
      MaxSize: 9,
      DesiredCapacity: 3,
      VPCZoneIdentifier: Subnet?.SubnetId,
      // moto takes the tags that on AWS only CloudFormation can give.
      Tags: [{ Key: 'aws:cloudformation:stack-name', Value: STACK, PropagateAtLaunch: true }],
    }),
  );
}

interface Mirrored {
  readonly clients: Clients;
  readonly parts: CloudParts;
  readonly hypervisor: Sandbox['hypervisor'];
}

/** Shows the sandbox's parts what moto says, and switches machines on and off with it, until stopped. */
function startMirror(mirrored: Mirrored, onFailure: (error: unknown) => void): { stop(): Promise<void> } {
  const metadata = new Map<string, Server>();
  const going: Promise<void>[] = [];
  let stopped = false;
  const switchOn = async (instance: Instance): Promise<void> => {
    const [id, address] = [instance.InstanceId ?? '', instance.PrivateIpAddress ?? ''];
    const server = createServer(createMetadataListener(regionOf(mirrored.parts), mirrored.parts.faults, id));
    metadata.set(id, server);
    await listen(server, { host: address, port: METADATA_PORT });
    await mirrored.hypervisor.boot({
      instanceId: id,
      address,
      publicAddress: null,
      region: REGION,
      zone: `${REGION}a`,
      stackName: STACK,
      groupName: STACK,
      launchedAtMs: Date.now(),
      metadataEndpoint: `http://${address}:${METADATA_PORT}`,
    });
  };
  const switchOff = async (id: string, show: (state: Ec2State) => void): Promise<void> => {
    show('shutting-down');
    await mirrored.hypervisor.shutdown(id, GRACE_MS);
    const server = metadata.get(id);
    if (server !== undefined) await closeServer(server);
    show('terminated');
  };
  const off = new Set<string>();
  const look = async (): Promise<void> => {
    const instances = await showInstances(mirrored, off);
    await showGroup(mirrored);
    await showZones(mirrored);
    for (const instance of instances) {
      const id = instance.InstanceId ?? '';
      const runs = instance.State?.Name === 'running';
      if (runs && !metadata.has(id)) await switchOn(instance);
      if (runs || !metadata.has(id) || off.has(id)) continue;
      off.add(id);
      const show = (state: Ec2State): void => showState(mirrored.parts, id, state);
      going.push(switchOff(id, show).catch(onFailure));
    }
  };
  const done = (async () => {
    while (!stopped) {
      await look();
      await delay(LOOK_MS);
    }
  })().catch(onFailure);
  return {
    stop: async () => {
      stopped = true;
      await done;
      await mirrored.hypervisor.close();
      await Promise.all([...going, ...[...metadata.values()].map((server) => closeServer(server))]);
    },
  };
}

function regionOf({ regions }: CloudParts): Region {
  const region = regions.get(REGION);
  if (region === undefined) throw new Error(`no region ${REGION}`);
  return region;
}

function showState(parts: CloudParts, id: string, state: Ec2State): void {
  const { store } = regionOf(parts);
  const instance = store.world().instances.get(id);
  if (instance !== undefined) store.setInstance({ ...instance, state });
}

/** All that moto's EC2 knows; those that are being switched off are shown as that, by who does it. */
async function showInstances(
  { clients, parts }: Mirrored,
  off: ReadonlySet<string>,
): Promise<readonly Instance[]> {
  const { Reservations } = await clients.ec2.send(new DescribeInstancesCommand({}));
  const instances = (Reservations ?? []).flatMap((it) => it.Instances ?? []);
  const { store } = regionOf(parts);
  for (const instance of instances) {
    const id = instance.InstanceId ?? '';
    const known = store.world().instances.get(id);
    if (off.has(id) || known !== undefined) continue;
    store.setInstance({
      id,
      reservationId: '',
      groupName: STACK,
      stackName: STACK,
      zone: `${REGION}a`,
      address: instance.PrivateIpAddress ?? '',
      publicAddress: null,
      securityGroupIds: [],
      launchedAtMs: Date.now(),
      state: (instance.State?.Name ?? 'pending') as Ec2State,
      terminatedAtMs: null,
      reason: '',
      tags: {},
    });
  }
  return instances;
}

async function showGroup({ clients, parts }: Mirrored): Promise<void> {
  const { AutoScalingGroups } = await clients.autoScaling.send(new DescribeAutoScalingGroupsCommand({}));
  const group = AutoScalingGroups?.[0];
  if (group === undefined) return;
  const { MinSize: min = 0, MaxSize: max = 0, DesiredCapacity: desired = 0, Instances } = group;
  const region = regionOf(parts);
  const made = region.newGroup({ name: STACK, stackName: STACK, min, max, desired }, []);
  const members = (Instances ?? []).map((it) => ({
    instanceId: it.InstanceId ?? '',
    lifecycle: it.LifecycleState as LifecycleState,
    health: 'Healthy' as const,
    waits: [],
    inServiceAtMs: null,
  }));
  region.store.setGroup({ ...made, members });
}

async function showZones({ clients, parts }: Mirrored): Promise<void> {
  const HostedZoneId = parts.store.world().zones.keys().next().value ?? (await zoneIdOf(clients));
  if (HostedZoneId === null) return;
  const { ResourceRecordSets } = await clients.route53.send(
    new ListResourceRecordSetsCommand({ HostedZoneId }),
  );
  const records = (ResourceRecordSets ?? []).map(snapshotOf);
  parts.store.setZone(
    {
      id: HostedZoneId,
      name: `${ZONE}.`,
      private: false,
      callerReference: 'script',
      comment: '',
      records: new Map(records.map((it) => [recordKey(it.name, it.type), it])),
      changedAtMs: null,
    },
    { id: 'C1', submittedAtMs: 0, comment: '' },
  );
}

async function zoneIdOf({ route53 }: Clients): Promise<string | null> {
  const { HostedZones } = await route53.send(new ListHostedZonesCommand({}));
  return HostedZones?.[0]?.Id?.replace('/hostedzone/', '') ?? null;
}

function snapshotOf({ Name = '', Type, TTL = 0, ResourceRecords }: ResourceRecordSet): RecordSnapshot {
  const values = (ResourceRecords ?? []).map(({ Value = '' }) => Value);
  return { name: plainName(Name), type: Type ?? '', ttl: TTL, values };
}
