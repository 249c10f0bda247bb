import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  DescribeLaunchConfigurationsCommand,
  type AutoScalingGroup,
  type LaunchConfiguration,
} from '@aws-sdk/client-auto-scaling';
import {
  DescribeInstancesCommand,
  DescribeSecurityGroupsCommand,
  EC2Client,
  type SecurityGroup,
} from '@aws-sdk/client-ec2';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { IAM_ACTIONS } from '../../src/aws/actions.ts';
import { program } from '../e2e/build.ts';
import { fleetForTest } from '../e2e/harness.ts';
import { LINTERS_DIRECTORY, motoServer, SENZA_DIRECTORY, temporaryDirectory } from '../tools.ts';

/*
 * The definitions for senza, by senza itself: what it prints, linted, and what stands in moto when it has created it. moto
 * has no machines, makes neither hooks nor signals, and drops a launch configuration's volumes and metadata options; what
 * an instance would do with its user data is told from the text.
 */

const run = promisify(execFile);
const DEFINITIONS = join(import.meta.dirname, '../../senza');
const STACK = 'etcd-cluster-releaseetcd';
/** As the Python original's README has it. */
const ARGUMENTS = ['releaseetcd', 'HostedZone=elephant.example.org', 'DockerImage=acid/etcd-appliance:1.0'];

/** What senza looks for: the newest image of this name. */
const TAUPAGE = {
  ami_id: 'ami-0123456789abcdef0',
  name: 'Taupage-AMI-20231001-120000',
  description: 'stands in for Taupage',
  owner_id: '123456789012',
  public: false,
  virtualization_type: 'hvm',
  architecture: 'x86_64',
  state: 'available',
  image_type: 'machine',
  hypervisor: 'xen',
  root_device_name: '/dev/sda1',
  root_device_type: 'ebs',
  creation_date: '2023-10-01T12:00:00.000Z',
};

/** What cfn-lint finds in everything that senza makes; nothing in the definitions can change it. */
const SENZAS_OWN = {
  W2001: 'senza fills the parameters in by itself, and declares them to CloudFormation all the same',
  W7001: 'senza writes mappings for load balancers and for itself, used or not',
  W3697: 'senza knows launch configurations only: docs/getting-started-senza.md says what that means',
} as const;

const cleanup = new AsyncDisposableStack();
const place = { home: '', url: '' };

beforeAll(async () => {
  const { path } = cleanup.use(await temporaryDirectory());
  const images = join(path, 'images.json');
  await writeFile(images, JSON.stringify([TAUPAGE]));
  const { url } = cleanup.use(await motoServer({ MOTO_AMIS_PATH: images }));
  Object.assign(place, { home: path, url });
}, 60_000);
afterAll(async () => await cleanup.disposeAsync());

/** What senza prints on its standard output. */
async function senza(verb: string, region: string, ...args: readonly string[]): Promise<string> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: place.home,
    AWS_ENDPOINT_URL: place.url,
    AWS_DEFAULT_REGION: region,
    AWS_ACCESS_KEY_ID: 'any',
    AWS_SECRET_ACCESS_KEY: 'any',
    LC_ALL: 'C.UTF-8',
  };
  const { stdout } = await run(join(SENZA_DIRECTORY, 'bin', 'senza'), [verb, '--region', region, ...args], {
    env,
    timeout: 120_000,
  });
  return stdout;
}

interface Made {
  readonly group: AutoScalingGroup;
  readonly launch: LaunchConfiguration;
  readonly security: SecurityGroup;
  /** Its instances, as `Name` tag and state. */
  readonly instances: readonly string[];
  readonly publicAddresses: number;
  /** What Taupage reads. */
  readonly taupage: Taupage;
}

interface Taupage {
  readonly application_id: string;
  readonly application_version: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly mounts: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly [key: string]: unknown;
}

/** What stands in moto after `senza create`. */
async function look(region: string): Promise<Made> {
  const config = {
    endpoint: place.url,
    region,
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
  };
  const [ec2, autoScaling] = [new EC2Client(config), new AutoScalingClient(config)];
  const { AutoScalingGroups } = await autoScaling.send(new DescribeAutoScalingGroupsCommand({}));
  const group = only(AutoScalingGroups);
  const name = group.LaunchConfigurationName ?? '';
  const launches = new DescribeLaunchConfigurationsCommand({ LaunchConfigurationNames: [name] });
  const launch = only((await autoScaling.send(launches)).LaunchConfigurations);
  const groups = new DescribeSecurityGroupsCommand({ GroupIds: launch.SecurityGroups });
  const security = only((await ec2.send(groups)).SecurityGroups);
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({}));
  const instances = Reservations.flatMap((it) => it.Instances ?? []);
  [ec2, autoScaling].forEach((client) => client.destroy());
  return {
    group,
    launch,
    security,
    instances: instances.map(({ Tags = [], State }) => {
      const tag = Tags.find(({ Key }) => Key === 'Name');
      return `${tag?.Value ?? ''} ${State?.Name ?? ''}`;
    }),
    publicAddresses: instances.filter(({ PublicIpAddress }) => PublicIpAddress !== undefined).length,
    taupage: readUserData(launch.UserData ?? ''),
  };
}

function only<T>(all: readonly T[] | undefined): T {
  const [one, ...more] = all ?? [];
  if (one === undefined || more.length > 0) throw new Error(`${more.length + 1} where one is expected`);
  return one;
}

/** As Taupage's cloud-init reads it: a first line that says whose it is, then YAML. */
function readUserData(base64: string): Taupage {
  const text = Buffer.from(base64, 'base64').toString('utf8');
  expect(text.split('\n')[0]).toBe('#taupage-ami-config');
  return parse(text) as Taupage;
}

/** The policy of the stack's instances. moto gives a stack's policies as Python writes them, not as JSON. */
async function rolePolicy(): Promise<string> {
  const [role = ''] = /etcd-cluster-releaseetcd-EtcdRole-\w+/.exec(await iam({ Action: 'ListRoles' })) ?? [];
  const found = await iam({ Action: 'GetRolePolicy', RoleName: role, PolicyName: 'EtcdAppliance' });
  const text = /<PolicyDocument>(.*)<\/PolicyDocument>/s.exec(found)?.[1] ?? '';
  const policy = decodeURIComponent(text)
    .replaceAll(/&(quot|#39|#x27);/g, "'")
    .replaceAll('"', "'");
  expect(policy).toContain("'Effect'");
  expect(policy).not.toContain("'Deny'");
  return policy;
}

/** What a policy allows, sorted. */
function allowedActions(policy: string): readonly string[] {
  // Keys of conditions have names of the same form, and a colon behind them.
  return [...policy.matchAll(/'([a-z0-9]+:[A-Z]\w+)'(?!:)/g)].map(([, action]) => action ?? '').toSorted();
}

/** One call to IAM, unsigned: moto takes the service from the header alone. */
async function iam(parameters: Readonly<Record<string, string>>): Promise<string> {
  const scope = 'AKIA/20260101/us-east-1/iam/aws4_request';
  const response = await fetch(place.url, {
    method: 'POST',
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`,
    },
    body: new URLSearchParams({ ...parameters, Version: '2010-05-08' }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${parameters['Action']} was answered with ${response.status}: ${text}`);
  return text;
}

/** Codes of what cfn-lint finds in what senza prints, each once. */
async function lint(region: string, template: string): Promise<readonly string[]> {
  const file = join(place.home, 'template.json');
  await writeFile(file, template);
  const linter = join(LINTERS_DIRECTORY, 'bin', 'cfn-lint');
  const { stdout } = await run(linter, ['--regions', region, '--format', 'parseable', '--', file]).catch(
    (error: unknown) => error as { readonly stdout: string },
  );
  return [...new Set(stdout.match(/(?<=:)[EWI]\d{4}(?=:)/g))].toSorted();
}

/** What the appliance makes of the variables that Taupage's container has, by key. */
async function configOf(taupage: Taupage): Promise<Readonly<Record<string, string>>> {
  const env = {
    ...taupage.environment,
    CREDENTIALS_DIR: '/meta/credentials',
    APPLICATION_ID: taupage.application_id,
    APPLICATION_VERSION: taupage.application_version,
  };
  const { stdout, stderr } = await run(process.execPath, [program(), 'config', '--json'], { env });
  expect(stderr).toBe('');
  const rows = JSON.parse(stdout) as readonly { readonly key: string; readonly value: string }[];
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

interface Subject {
  readonly file: string;
  readonly regions: readonly string[];
  readonly actions: readonly string[];
  readonly publicAddresses: boolean;
  readonly config: Readonly<Record<string, string>>;
}

const SUBJECTS: readonly Subject[] = [
  {
    file: 'etcd-cluster.yaml',
    regions: ['eu-central-1'],
    actions: IAM_ACTIONS.filter((action) => !action.includes('SecurityGroup')),
    publicAddresses: false,
    config: {},
  },
  {
    file: 'etcd-cluster-multiregion.yaml',
    regions: ['eu-west-1', 'us-east-1'],
    actions: IAM_ACTIONS,
    publicAddresses: true,
    config: { ACTIVE_REGIONS: 'eu-west-1,eu-central-1', ADVERTISE: 'public' },
  },
];

describe.each(SUBJECTS)('$file', ({ file, regions, actions, publicAddresses, config }) => {
  const definition = join(DEFINITIONS, file);

  test('is printed as a template in which cfn-lint finds nothing but what senza puts into every one', async () => {
    for (const region of regions) {
      const template = await senza('print', region, '--force', definition, ...ARGUMENTS);
      expect(await lint(region, template)).toEqual(Object.keys(SENZAS_OWN).toSorted());
      // moto keeps neither of a launch configuration.
      const { Resources } = JSON.parse(template) as { readonly Resources: Readonly<Record<string, unknown>> };
      expect(Resources['AppServerConfig']).toMatchObject({
        Properties: {
          // Not required: Taupage itself asks without a token.
          MetadataOptions: { HttpTokens: 'optional' },
          BlockDeviceMappings: [{ DeviceName: '/dev/xvdf', Ebs: { VolumeType: 'gp3', Encrypted: true } }],
        },
      });
    }
  });

  test('takes the arguments by their places, as the original does', async () => {
    const [version = '', zone = '', image = ''] = ARGUMENTS.map((it) => it.split('=').at(-1) ?? '');
    const [region = ''] = regions;
    const byName = await senza('print', region, '--force', definition, ...ARGUMENTS);
    expect(await senza('print', region, '--force', definition, version, zone, image)).toBe(byName);
  });

  test('is created as what the original`s README lists', async () => {
    for (const region of regions) {
      await senza('create', region, '--force', '--disable-rollback', definition, ...ARGUMENTS);
      await senza('wait', region, 'etcd-cluster', 'releaseetcd');
      const made = await look(region);
      expect(made.instances).toEqual(Array.from({ length: 5 }, () => `${STACK} running`));
      expect(made.group).toMatchObject({ MinSize: 5, MaxSize: 5, DesiredCapacity: 5 });
      expect(made.publicAddresses).toBe(publicAddresses ? 5 : 0);
      expect(portsOf(made.security)).toEqual([
        '2378-2380 from itself',
        '2379-2379 from 10.0.0.0/8',
        '2379-2379 from 172.16.0.0/12',
        '2379-2379 from 192.168.0.0/16',
      ]);
      const { ImageId, AssociatePublicIpAddress } = made.launch;
      expect({ ImageId, AssociatePublicIpAddress }).toEqual({
        ImageId: TAUPAGE.ami_id,
        AssociatePublicIpAddress: publicAddresses,
      });
    }
    const policy = await rolePolicy();
    expect(allowedActions(policy)).toEqual(actions);
    const own = 'releaseetcd.elephant.example.org';
    expect(policy).toContain(`RecordNames': ['${own}', '*.${own}']`);
  });

  test('gives the appliance variables that it takes, and a place for its data', async () => {
    const [region = ''] = regions;
    const arguments_ = [...ARGUMENTS, 'EtcdVersion=3.6', 'ScalyrAccountKey=aws:kms:abc'];
    await senza('create', region, '--force', definition, ...arguments_);
    const { taupage } = await look(region);
    const read = await configOf(taupage);
    expect(read).toMatchObject({ HOSTED_ZONE: 'elephant.example.org', ETCD_VERSION: '3.6', ...config });
    expect(Object.keys(taupage.mounts)).toEqual([read['DATA_DIR']]);
    expect(taupage).toMatchObject({
      runtime: 'Docker',
      source: 'acid/etcd-appliance:1.0',
      networking: 'host',
      health_check_path: '/readyz',
      health_check_port: Number(read['STATUS_PORT']),
      notify_cfn: { stack: STACK, resource: 'AppServer' },
      scalyr_account_key: 'aws:kms:abc',
    });
  });

  afterEach(async () => {
    for (const region of regions) {
      await senza('delete', region, '--ignore-non-existent', 'etcd-cluster', 'releaseetcd');
    }
  });
});

test('a fleet that listens where the definitions say forms, and replaces an instance', async (context) => {
  const text = await readFile(join(DEFINITIONS, 'etcd-cluster.yaml'), 'utf8');
  const LISTEN_ADDRESS = /LISTEN_ADDRESS: (\S+)/.exec(text)?.[1] ?? '';
  const environment = { LISTEN_ADDRESS, ETCD_VERSION: '', ETCD_EXTRA_FLAGS: '' };
  const fleet = await fleetForTest(context, { size: 3, hooks: true, namespaces: true, environment });
  await fleet.whole(3);
  const { instanceId } = await fleet.leader();
  fleet.sandbox.cloud.terminateInstance(instanceId);
  await fleet.whole(3);
  await fleet.writesGoOn();
  await fleet.verify();
});

/** Who may come in where, sorted. */
function portsOf({ IpPermissions = [], GroupId }: SecurityGroup): readonly string[] {
  return IpPermissions.flatMap(({ FromPort, ToPort, IpRanges = [], UserIdGroupPairs = [] }) => {
    const groups = UserIdGroupPairs.map((it) => (it.GroupId === GroupId ? 'itself' : (it.GroupId ?? '')));
    const from = [...IpRanges.map(({ CidrIp }) => CidrIp ?? ''), ...groups];
    return from.map((who) => `${FromPort}-${ToPort} from ${who}`);
  }).toSorted();
}
