import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  DescribeAutoScalingGroupsCommand,
  DescribeLifecycleHooksCommand,
} from '@aws-sdk/client-auto-scaling';
import {
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeInstancesCommand,
  DescribeLaunchTemplateVersionsCommand,
  DescribeSecurityGroupsCommand,
} from '@aws-sdk/client-ec2';
import { ListResourceRecordSetsCommand } from '@aws-sdk/client-route-53';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEYS } from '../../src/config-schema.ts';
import { LINTERS_DIRECTORY, motoServer, temporaryDirectory } from '../tools.ts';
import { createClients } from '../unit/sandbox/cloud-fixture.ts';
import { readTemplate } from './cloudformation.ts';
import type { Stack } from './stack.ts';
import { createStack, query, REGION } from './stack.ts';
import type { Machine, Ran } from './user-data.ts';
import { runUserData } from './user-data.ts';

const run = promisify(execFile);
const template = await readTemplate();
const cleanup = new AsyncDisposableStack();
afterAll(async () => await cleanup.disposeAsync());

const REGISTRY = '123456789012.dkr.ecr.eu-central-1.amazonaws.com';

const ZONE_ID = 'Z0123456789ABC';

/** What moto's CloudFormation knows nothing of, and drops. */
const DROPPED = /^(KeepBalance|BackupsPolicy|.*Filter|.*Alarm)$/;

async function deploy() {
  const moto = cleanup.use(await motoServer());
  const clients = createClients(moto.url, 'AKIAOPERATOR');
  cleanup.defer(() => clients.destroy());
  const { Vpc } = await clients.ec2.send(new CreateVpcCommand({ CidrBlock: '10.7.0.0/16' }));
  const subnets: string[] = [];
  for (const [index, zone] of ['a', 'b', 'c'].entries()) {
    const { Subnet } = await clients.ec2.send(
      new CreateSubnetCommand({
        VpcId: Vpc?.VpcId,
        CidrBlock: `10.7.${index}.0/24`,
        AvailabilityZone: `${REGION}${zone}`,
      }),
    );
    subnets.push(Subnet?.SubnetId ?? '');
  }
  const { GroupId: clientGroup = '' } = await clients.ec2.send(
    new CreateSecurityGroupCommand({ GroupName: 'clients', Description: 'Clients', VpcId: Vpc?.VpcId }),
  );
  const place = { Vpc: Vpc?.VpcId ?? '', Subnets: subnets.join(','), HostedZoneName: 'example.org' };
  const small = await createStack(moto.url, 'etcd-small', {
    ...place,
    ClusterName: 'small',
    ClusterSize: '1',
    Image: 'registry.example.org:5000/etcd-appliance:0.1.0',
    Alarms: 'no',
  });
  const zone = small.resources.get('Zone') ?? '';
  const stack = await createStack(moto.url, 'etcd-main', {
    ...place,
    HostedZoneId: zone,
    ClusterName: 'main',
    Image: `${REGISTRY}/etcd-appliance:0.1.0`,
    ImageRepository: 'etcd-appliance',
    ClientCidr: '10.0.0.0/8',
    ClientSecurityGroup: clientGroup,
    EtcdVersion: '3.6',
    EtcdExtraFlags: '--quota-backend-bytes=8589934592 --max-request-bytes=3145728',
    ActiveRegions: 'eu-central-1,eu-west-1',
    Bucket: 'yes',
  });
  return { url: moto.url, ...clients, clientGroup, small, zone, stack };
}

let cloud: Awaited<ReturnType<typeof deploy>>;
let stack: Stack;
let script: string;
beforeAll(async () => {
  cloud = await deploy();
  ({ stack } = cloud);
  const { LaunchTemplateVersions } = await cloud.ec2.send(
    new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateId: made('Template'), Versions: ['$Latest'] }),
  );
  const { UserData = '' } = LaunchTemplateVersions?.[0]?.LaunchTemplateData ?? {};
  // moto's ids are random, and not all of them begin with a Z, as AWS's do.
  script = Buffer.from(UserData, 'base64').toString('utf8').replaceAll(cloud.zone, ZONE_ID);
});

const made = (name: string): string => stack.resources.get(name) ?? '';

async function group() {
  const answer = await cloud.autoScaling.send(
    new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [made('Group')] }),
  );
  const [only] = answer.AutoScalingGroups ?? [];
  if (only === undefined) throw new Error('there is no group');
  return only;
}

interface Granted {
  readonly Sid?: string;
  readonly Resource: string;
}

/** What a role of the stack is granted by a policy in it. */
async function policyOf(role: string, policy: string): Promise<readonly Granted[]> {
  const answer = (await query(cloud.url, 'iam', {
    Action: 'GetRolePolicy',
    Version: '2010-05-08',
    RoleName: made(role),
    PolicyName: policy,
  })) as { readonly GetRolePolicyResponse: { readonly GetRolePolicyResult: { PolicyDocument: string } } };
  const { PolicyDocument } = answer.GetRolePolicyResponse.GetRolePolicyResult;
  // moto keeps the policy as Python shows it.
  const document = JSON.parse(decodeURIComponent(PolicyDocument).replaceAll("'", '"')) as {
    readonly Statement: readonly Granted[];
  };
  return document.Statement;
}

/** The ARNs that a statement is for, of which it names one with wildcards. */
function matching(granted: Granted | undefined): RegExp {
  const parts = (granted?.Resource ?? '').split('*').map((it) => it.replaceAll('.', '\\.'));
  return new RegExp(`^${parts.join('.*')}$`);
}

describe('a stack, deployed on moto', () => {
  it('is complete, but for what moto does not know', () => {
    expect(stack.status).toBe('CREATE_COMPLETE');
    const missing = Object.keys(template.Resources).filter((name) => made(name) === '');
    // moto makes rules of security groups, and says no id of theirs.
    const nameless = ['MembersToMembers', 'ClientsByAddress', 'ClientsBySecurityGroup'];
    const dropped = Object.keys(template.Resources).filter((name) => DROPPED.test(name));
    // The zone is the one that it was given.
    expect(missing.toSorted()).toEqual(['Zone', ...nameless, ...dropped].toSorted());
  });

  it('has three instances in its group, with both volumes', async () => {
    const { Instances = [], MinSize, MaxSize, DesiredCapacity } = await group();
    expect([MinSize, DesiredCapacity, MaxSize]).toEqual([3, 3, 4]);
    const ids = Instances.map((it) => it.InstanceId ?? '');
    expect(ids).toHaveLength(3);
    const answer = await cloud.ec2.send(new DescribeInstancesCommand({ InstanceIds: ids }));
    const instances = (answer.Reservations ?? []).flatMap((it) => it.Instances ?? []);
    expect(instances.map((it) => it.State?.Name)).toEqual(['running', 'running', 'running']);
    // moto's groups give their instances no profile.
    expect(instances.map((it) => it.IamInstanceProfile)).toEqual([undefined, undefined, undefined]);
    for (const { BlockDeviceMappings = [] } of instances) {
      const names = BlockDeviceMappings.map((it) => it.DeviceName);
      expect(names).toEqual(expect.arrayContaining(['/dev/xvda', '/dev/sdf']));
    }
  });

  it('has what moto drops of the group in the template: hooks, the refresh, suspended rebalancing', async () => {
    const { AutoScalingGroupName, SuspendedProcesses } = await group();
    const { LifecycleHooks } = await cloud.autoScaling.send(
      new DescribeLifecycleHooksCommand({ AutoScalingGroupName }),
    );
    expect(LifecycleHooks).toEqual([]);
    expect(SuspendedProcesses).toEqual([]);
    expect(template.Resources['Group']).toHaveProperty('Properties.LifecycleHookSpecificationList');
    expect(template.Resources['Group']).toHaveProperty('UpdatePolicy.AutoScalingInstanceRefresh');
    expect(template.Resources['KeepBalance']).toHaveProperty('Properties.Target');
  });

  it('lets in the members and the given clients, and nobody else', async () => {
    const { SecurityGroups } = await cloud.ec2.send(
      new DescribeSecurityGroupsCommand({ GroupIds: [made('Members')] }),
    );
    const rules = (SecurityGroups?.[0]?.IpPermissions ?? []).flatMap((it) => [
      ...(it.IpRanges ?? []).map(({ CidrIp }) => `${it.FromPort}-${it.ToPort} ${CidrIp}`),
      ...(it.UserIdGroupPairs ?? []).map(({ GroupId }) => `${it.FromPort}-${it.ToPort} ${GroupId}`),
    ]);
    expect(rules.toSorted()).toEqual(
      [`2378-2380 ${made('Members')}`, '2379-2379 10.0.0.0/8', `2379-2379 ${cloud.clientGroup}`].toSorted(),
    );
  });

  it('has a role that may act on its own group, its own names and its own log', async () => {
    const statements = await policyOf('Role', 'appliance');
    const of = (sid: string) => statements.find((it) => it.Sid === sid);
    const { AutoScalingGroupARN = '' } = await group();
    expect(AutoScalingGroupARN).toMatch(matching(of('AnswerTheHooks')));
    expect(of('WriteTheNamesOfThisCluster')).toMatchObject({
      Resource: `arn:aws:route53:::hostedzone/${cloud.zone}`,
      Condition: {
        'ForAllValues:StringLike': {
          'route53:ChangeResourceRecordSetsNormalizedRecordNames': ['main.example.org', '*.main.example.org'],
        },
      },
    });
    // With several regions alone.
    expect(of('LetEachOtherIn')).toBeDefined();
  });

  it('has a role for the schedule, which may suspend what its own group does', async () => {
    const [suspend, ...others] = await policyOf('KeepBalanceRole', 'suspend');
    const { AutoScalingGroupARN = '' } = await group();
    expect(AutoScalingGroupARN).toMatch(matching(suspend));
    expect(AutoScalingGroupARN.replace('etcd-main', 'etcd-other')).not.toMatch(matching(suspend));
    expect(others).toEqual([]);
  });

  it('says what to look up, and where', () => {
    expect(Object.fromEntries(stack.outputs)).toMatchObject({
      ZoneId: cloud.zone,
      Name: 'main.example.org',
      Endpoint: 'http://main.example.org:2379',
      ClientRecord: '_etcd-client._tcp.main.example.org',
      ServerRecord: '_etcd-server._tcp.main.example.org',
      GroupName: made('Group'),
    });
  });
});

describe('a stack with as little as can be asked for', () => {
  it('is complete, too: one member', async () => {
    const { small } = cloud;
    expect(small.status).toBe('CREATE_COMPLETE');
    expect(small.outputs.has('BucketName')).toBe(false);
    expect(['Backups', 'ClientsByAddress'].filter((name) => small.resources.has(name))).toEqual([]);
    const { AutoScalingGroups } = await cloud.autoScaling.send(
      new DescribeAutoScalingGroupsCommand({ AutoScalingGroupNames: [small.resources.get('Group') ?? ''] }),
    );
    expect(AutoScalingGroups?.[0]?.Instances).toHaveLength(1);
  });

  it('has a private zone of its own, and says which', async () => {
    expect(cloud.small.outputs.get('ZoneId')).toBe(cloud.zone);
    const { ResourceRecordSets } = await cloud.route53.send(
      new ListResourceRecordSetsCommand({ HostedZoneId: cloud.zone }),
    );
    expect(ResourceRecordSets?.map((it) => it.Name)).toContain('example.org.');
  });
});

describe('the user data, as rendered', () => {
  it('is what it was', async () => {
    await expect(script).toMatchFileSnapshot('../fixtures/cloudformation/user-data.sh');
  });

  it('is without findings of shellcheck', async () => {
    await using folder = await temporaryDirectory();
    const file = join(folder.path, 'user-data.sh');
    await writeFile(file, script);
    const { stdout } = await run(join(LINTERS_DIRECTORY, 'bin', 'shellcheck'), [
      // It is not told where /etc/os-release is.
      '--exclude=SC1091',
      file,
    ]).catch((error: unknown) => error as { readonly stdout: string });
    expect(stdout).toBe('');
  });
});

const EBS = 'Amazon Elastic Block Store';
const AMAZON: Machine = { distribution: 'amzn', disks: [{ file: 'data-disk', model: EBS }] };
const DEBIAN: Machine = { ...AMAZON, distribution: 'debian' };

async function ranOn(machine: Machine, prepare?: (folder: string) => Promise<void>) {
  const folder = cleanup.use(await temporaryDirectory()).path;
  await prepare?.(folder);
  return { folder, ...(await runUserData(folder, script, machine)) };
}

const installs = ({ calls }: Ran): readonly string[] => calls.filter((it) => / install /.test(it));
const starts = ({ calls }: Ran): readonly string[] => calls.filter((it) => it.startsWith('docker run '));

describe('the user data, run', () => {
  it.each([
    [AMAZON, ['dnf install --assumeyes docker amazon-ecr-credential-helper']],
    [
      DEBIAN,
      [
        'apt-get -o Acquire::Retries=5 -o DPkg::Lock::Timeout=-1 install --yes --no-install-recommends docker.io ca-certificates amazon-ecr-credential-helper',
        'apt-get -o DPkg::Lock::Timeout=-1 install --yes --no-install-recommends curl',
      ],
    ],
    [
      { ...DEBIAN, clientApart: true },
      [
        'apt-get -o Acquire::Retries=5 -o DPkg::Lock::Timeout=-1 install --yes --no-install-recommends docker.io ca-certificates amazon-ecr-credential-helper docker-cli',
        'apt-get -o DPkg::Lock::Timeout=-1 install --yes --no-install-recommends curl',
      ],
    ],
  ] satisfies readonly (readonly [Machine, readonly string[]])[])(
    'installs Docker and starts the appliance on $distribution',
    async (machine, installed) => {
      const ran = await ranOn(machine);
      expect(ran).toMatchObject({ code: 0 });
      expect(installs(ran)).toEqual(installed);
      expect(starts(ran)).toEqual([
        [
          'docker run --detach --name etcd-appliance --restart always --network host',
          '--read-only --cap-drop ALL --security-opt no-new-privileges --stop-timeout 60',
          '--mount type=bind,source=/var/lib/etcd-appliance/data,target=/var/lib/etcd-appliance',
          '--env-file /etc/etcd-appliance/environment',
          `--log-driver awslogs --log-opt awslogs-region=${REGION} --log-opt awslogs-group=/etcd/etcd-main`,
          '--log-opt awslogs-stream=i-0123456789abcdef0 --log-opt mode=non-blocking --log-opt max-buffer-size=8m',
          `${REGISTRY}/etcd-appliance:0.1.0`,
        ].join(' '),
      ]);
      expect(ran.calls.indexOf('mount /var/lib/etcd-appliance')).toBeLessThan(
        ran.calls.indexOf('systemctl enable --now docker'),
      );
    },
  );

  it('makes a file system on the data volume, and mounts it at each boot before Docker starts', async () => {
    const ran = await ranOn(AMAZON);
    const id = await identityOf(join(ran.folder, 'data-disk'));
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await ran.file('/etc/fstab')).toBe(
      `UUID=${id} /var/lib/etcd-appliance auto defaults,noatime,nofail 0 2\n`,
    );
    expect(await ran.file('/etc/systemd/system/docker.service.d/etcd-appliance.conf')).toBe(
      '[Unit]\nRequiresMountsFor=/var/lib/etcd-appliance\n',
    );
    expect(await ran.file('/etc/etcd-appliance/docker/config.json')).toBe(
      `{"credHelpers":{"${REGISTRY}":"ecr-login"}}\n`,
    );
  });

  it('leaves a file system that is there as it is, and starts nothing twice', async () => {
    const ran = await ranOn(AMAZON);
    const before = await readFile(join(ran.folder, 'data-disk'));
    const again = await runUserData(ran.folder, script, AMAZON);
    expect(again.code).toBe(0);
    expect(starts(again)).toEqual([]);
    expect((await readFile(join(ran.folder, 'data-disk'))).equals(before)).toBe(true);
  });

  it('touches no disk that has anything else on it', async () => {
    const table = Buffer.alloc(8 << 20);
    // The table of a disk of old: one partition of Linux.
    table.set([0x00, 0, 2, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 0x00, 0x10], 446);
    table.set([0x55, 0xaa], 510);
    const ran = await ranOn(AMAZON, async (folder) => await writeFile(join(folder, 'data-disk'), table));
    expect(ran.code).not.toBe(0);
    expect(ran.errors).toContain('has no file system to mount');
    expect(starts(ran)).toEqual([]);
    expect((await readFile(join(ran.folder, 'data-disk'))).equals(table)).toBe(true);
  });

  it('takes no disk of the machine itself, nor one of two', async () => {
    const instanceStore = { file: 'local-disk', model: 'Amazon EC2 NVMe Instance Storage' };
    const [data] = AMAZON.disks;
    const one = await ranOn({ ...AMAZON, disks: [instanceStore, ...AMAZON.disks] });
    expect(one.code).toBe(0);
    expect(await identityOf(join(one.folder, 'local-disk'))).toBe('');
    const two = await ranOn({
      ...AMAZON,
      disks: [...AMAZON.disks, { file: 'second', model: data?.model ?? '' }],
    });
    expect(two.code).not.toBe(0);
    expect(two.errors).toContain('of the disks, 2 could be the data volume');
    expect(await identityOf(join(two.folder, 'second'))).toBe('');
    const none = await ranOn({ ...AMAZON, disks: [] });
    expect(none.errors).toContain('of the disks, 0 could be the data volume');
  });

  it.each(['dnf', 'mount', 'docker'])(
    'starts nothing, and says where it stopped, where %s fails',
    async (name) => {
      const ran = await ranOn({ ...AMAZON, failing: [name] });
      expect(ran.code).not.toBe(0);
      expect(ran.errors).toMatch(/etcd-appliance: line \d+ failed: this instance will not serve/);
    },
  );

  it.each([
    [2, 1],
    [3, 0],
  ])("tries three times, with pauses, to read Debian's lists (locked %s times)", async (locked, started) => {
    const ran = await ranOn({ ...DEBIAN, locked });
    const update = 'apt-get -o Acquire::Retries=5 update';
    expect(ran.calls.filter((it) => it === update || it.startsWith('sleep '))).toEqual([
      update,
      'sleep 20',
      update,
      'sleep 40',
      update,
    ]);
    expect(starts(ran)).toHaveLength(started);
    expect(ran.code === 0).toBe(started === 1);
  });

  it('serves where Session Manager cannot be had', async () => {
    const ran = await ranOn({ ...DEBIAN, failing: ['curl'] });
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.errors).toContain('Session Manager cannot be had');
    expect(starts(ran)).toHaveLength(1);
  });

  it('gives the appliance a configuration that it takes', async () => {
    const ran = await ranOn(AMAZON);
    const lines = (await ran.file('/etc/etcd-appliance/environment')).trimEnd().split('\n');
    const settings = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
    for (const name of Object.keys(settings)) expect(KEYS).toContain(name);
    const { stdout } = await run(process.execPath, ['src/main.ts', 'config', '--json'], {
      cwd: join(import.meta.dirname, '../..'),
      env: { PATH: process.env['PATH'] ?? '', ...settings },
    });
    expect(stdout).toContain(ZONE_ID);
    expect(stdout).toContain('--quota-backend-bytes=8589934592 --max-request-bytes=3145728');
    expect(stdout).toContain('eu-central-1,eu-west-1');
  });
});

/** The UUID of the file system on a disk; empty where there is none. */
async function identityOf(disk: string): Promise<string> {
  const { stdout } = await run('/sbin/blkid', [
    '--probe',
    '--match-tag',
    'UUID',
    '--output',
    'value',
    disk,
  ]).catch(() => ({ stdout: '' }));
  return stdout.trim();
}
