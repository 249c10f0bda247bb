import { describe, expect, test } from 'vitest';
import { createFleet } from '../../src/aws/fleet.ts';
import type { Advertise } from '../../src/core/fleet.ts';
import { ec2Answer, ec2Error, groupsAnswer, queryError } from '../fakes/wire-answers.ts';
import type { WireGroup, WireInstance } from '../fakes/wire-answers.ts';
import { wireAwsForTest } from '../fakes/wire-aws.ts';
import type { WireAnswer, WireRequest } from '../fakes/wire-server.ts';

const SELF = {
  id: 'i-1',
  region: 'eu-central-1',
  zone: 'eu-central-1a',
  address: '10.0.0.1',
  stack: 'etcd-demo',
};
const GROUP: WireGroup = {
  name: 'g',
  desired: 3,
  stack: 'etcd-demo',
  instances: { 'i-1': 'InService', 'i-2': 'InService', 'i-3': 'Pending' },
};
const RUNNING: readonly WireInstance[] = [
  { id: 'i-1', address: '10.0.0.1' },
  { id: 'i-2', address: '10.0.0.2' },
  { id: 'i-3', state: 'pending', address: '10.0.0.3' },
];
const never = new AbortController().signal;

/** What the two services say; a function is asked anew for each request. */
interface World {
  groups?: (request: WireRequest) => WireAnswer;
  instances?: (request: WireRequest) => WireAnswer;
  activeRegions?: readonly string[];
  group?: string | null;
  advertise?: Advertise;
  /** For a world that hangs: so long does each try wait. What is answered gets all the time that it needs. */
  tryMs?: number;
}

async function fleetOf(world: World) {
  const { clients, server } = await wireAwsForTest(
    (request) => {
      if (request.service === 'autoscaling') return world.groups?.(request) ?? groupsAnswer([GROUP]);
      return world.instances?.(request) ?? ec2Answer(RUNNING);
    },
    world.tryMs === undefined ? {} : { limits: { tryMs: world.tryMs } },
  );
  const time = { ms: 0 };
  const { activeRegions = [], group = 'g', advertise = 'private' } = world;
  const options = { self: SELF, group, activeRegions, advertise };
  const fleet = createFleet(options, { clients, now: () => time.ms });
  return { fleet, server, time };
}

function filterValues(request: WireRequest): readonly string[] {
  return [...request.params].filter(([key]) => /^Filter\.\d+\.Value/.test(key)).map(([, value]) => value);
}

describe('a whole answer', () => {
  test('joins who (Auto Scaling) with where and in which state (EC2)', async () => {
    const { fleet, server } = await fleetOf({});
    const seen = await fleet.observe(never);
    expect(seen).toMatchObject({
      known: true,
      value: { groups: [{ arn: 'arn:g', name: 'g', region: 'eu-central-1', desired: 3 }] },
    });
    expect(
      seen.known &&
        seen.value.instances.map(({ id, lifecycle, state, address }) => [id, lifecycle, state, address]),
    ).toEqual([
      ['i-1', 'InService', 'running', '10.0.0.1'],
      ['i-2', 'InService', 'running', '10.0.0.2'],
      ['i-3', 'Pending', 'pending', '10.0.0.3'],
    ]);
    const [groups, instances] = server.requests;
    expect(groups?.params.get('Filters.member.1.Name')).toBe('tag:aws:cloudformation:stack-name');
    expect(instances?.params.get('Filter.1.Name')).toBe('instance-id');
    expect(instances?.params.has('InstanceId.1')).toBe(false);
  });

  test('reads every page of both services', async () => {
    const { fleet } = await fleetOf({
      groups: ({ params }) =>
        params.has('NextToken')
          ? groupsAnswer([{ ...GROUP, name: 'h', instances: { 'i-4': 'InService' } }])
          : groupsAnswer([GROUP], 'more'),
      instances: ({ params }) =>
        params.has('NextToken')
          ? ec2Answer([{ id: 'i-4' }, { id: 'i-2' }])
          : ec2Answer([{ id: 'i-1' }], 'more'),
    });
    const seen = await fleet.observe(never);
    expect(seen.known && seen.value.instances.map((instance) => [instance.id, instance.state])).toEqual([
      ['i-1', 'running'],
      ['i-2', 'running'],
      ['i-3', null],
      ['i-4', 'running'],
    ]);
  });

  test('has no address for an instance that is pending and that EC2 does not show yet', async () => {
    const { fleet } = await fleetOf({ instances: () => ec2Answer(RUNNING.slice(0, 2)) });
    const seen = await fleet.observe(never);
    expect(seen.known && seen.value.instances[2]).toMatchObject({ id: 'i-3', state: null, address: null });
  });

  test('finds the own group by its name where it carries no tag of CloudFormation', async () => {
    const { stack: _, ...untagged } = GROUP;
    const { fleet } = await fleetOf({
      groups: ({ params }) => groupsAnswer(params.has('AutoScalingGroupNames.member.1') ? [untagged] : []),
    });
    expect((await fleet.observe(never)).known).toBe(true);
  });

  test('takes groups of the exact stack only', async () => {
    const { fleet } = await fleetOf({
      groups: () =>
        groupsAnswer([
          GROUP,
          { ...GROUP, name: 'x', stack: 'etcd-demo2', instances: { 'i-9': 'InService' } },
        ]),
    });
    const seen = await fleet.observe(never);
    expect(seen.known && seen.value.groups.map((group) => group.name)).toEqual(['g']);
  });

  test.each([
    { advertise: 'private', address: '10.0.0.1', otherAddress: '203.0.113.1', second: '10.0.0.2' },
    { advertise: 'public', address: '203.0.113.1', otherAddress: '10.0.0.1', second: null },
  ] as const)('knows instances by their $advertise addresses', async ({ advertise, second, ...first }) => {
    const { fleet } = await fleetOf({
      advertise,
      instances: () =>
        ec2Answer([
          { id: 'i-1', publicAddress: '203.0.113.1' },
          { id: 'i-2', address: '10.0.0.2' },
        ]),
    });
    const seen = await fleet.observe(never);
    const [one, two] = seen.known ? seen.value.instances : [];
    expect(one).toMatchObject(first);
    expect(two?.address).toBe(second);
  });

  test('asks each active region once, and allows a group without instances', async () => {
    const { fleet, server } = await fleetOf({
      activeRegions: ['eu-west-1', 'eu-central-1'],
      groups: ({ region }) =>
        groupsAnswer([
          region === 'eu-central-1' ? GROUP : { name: 'w', desired: 2, stack: 'etcd-demo', instances: {} },
        ]),
    });
    const seen = await fleet.observe(never);
    expect(seen.known && seen.value.groups.map(({ name, region }) => [name, region])).toEqual([
      ['g', 'eu-central-1'],
      ['w', 'eu-west-1'],
    ]);
    expect(server.requests.filter((request) => request.service === 'autoscaling')).toHaveLength(2);
  });
});

describe('an answer that is not whole is unknown', () => {
  const cases: readonly { name: string; world: World; reason: RegExp }[] = [
    { name: 'no groups', world: { groups: () => groupsAnswer([]) }, reason: /does not show the own group g/ },
    {
      name: 'the own group without the asking instance',
      world: { groups: () => groupsAnswer([{ ...GROUP, instances: { 'i-2': 'InService' } }]) },
      reason: /does not list the asking instance i-1/,
    },
    {
      name: 'EC2 shows nothing',
      world: { instances: () => ec2Answer([]) },
      reason: /does not show the asking instance/,
    },
    {
      name: 'EC2 shows all but the asking instance',
      world: { instances: () => ec2Answer(RUNNING.slice(1)) },
      reason: /does not show the asking instance/,
    },
    {
      name: 'EC2 shows only the asking instance',
      world: { instances: () => ec2Answer(RUNNING.slice(0, 1)) },
      reason: /does not show i-2/,
    },
    { name: 'no group at all', world: { group: null }, reason: /in no Auto Scaling group/ },
    {
      name: 'the group is there by name, but not by the tag that it carries',
      world: {
        groups: ({ params }) => groupsAnswer(params.has('AutoScalingGroupNames.member.1') ? [GROUP] : []),
      },
      reason: /contradict/,
    },
    {
      name: 'another active region shows no group',
      world: {
        activeRegions: ['eu-west-1'],
        groups: ({ region }) => groupsAnswer(region === 'eu-west-1' ? [] : [GROUP]),
      },
      reason: /no group of stack etcd-demo in eu-west-1/,
    },
    {
      name: 'another active region fails',
      world: {
        activeRegions: ['eu-west-1'],
        groups: ({ region }) =>
          region === 'eu-west-1' ? queryError(403, 'AccessDenied') : groupsAnswer([GROUP]),
      },
      reason: /Auto Scaling in eu-west-1 answered AccessDenied/,
    },
    {
      name: 'the second page fails',
      world: {
        instances: ({ params }) =>
          params.has('NextToken') ? ec2Error(400, 'InvalidNextToken') : ec2Answer(RUNNING, 'more'),
      },
      reason: /EC2 in eu-central-1 answered InvalidNextToken/,
    },
    {
      name: 'EC2 throttles',
      world: { instances: () => ec2Error(503, 'RequestLimitExceeded') },
      reason: /RequestLimitExceeded/,
    },
    {
      name: 'EC2 hangs',
      world: { instances: () => 'hang', tryMs: 150 },
      reason: /EC2 in eu-central-1 did not answer/,
    },
    {
      name: 'Auto Scaling resets',
      world: { groups: () => 'reset' },
      reason: /Auto Scaling in eu-central-1 did not answer/,
    },
  ];
  test.each(cases)('$name', async ({ world, reason }) => {
    const { fleet } = await fleetOf(world);
    expect(await fleet.observe(never)).toEqual({
      known: false,
      reason: expect.stringMatching(reason) as string,
    });
  });

  test('an id that EC2 has forgotten for an hour does not keep the fleet unknown for ever', async () => {
    const { fleet, time } = await fleetOf({ instances: () => ec2Answer(RUNNING.slice(0, 1)) });
    expect((await fleet.observe(never)).known).toBe(false);
    time.ms = 59 * 60_000;
    expect((await fleet.observe(never)).known).toBe(false);
    time.ms = 60 * 60_000;
    const seen = await fleet.observe(never);
    expect(seen.known && seen.value.instances[1]).toMatchObject({ id: 'i-2', state: null, address: null });
  });

  test('throws the reason of an abort, and nothing else', async () => {
    const { fleet } = await fleetOf({ instances: () => 'hang' });
    const controller = new AbortController();
    const observing = fleet.observe(controller.signal);
    controller.abort(new Error('enough'));
    await expect(observing).rejects.toThrow('enough');
  });
});

describe('evidence', () => {
  const gone = { id: 'i-9', region: 'eu-central-1' };

  test('is the state, or that EC2 does not know the id; the asking instance is asked along', async () => {
    const { fleet, server } = await fleetOf({
      instances: () => ec2Answer([...RUNNING, { id: 'i-8', state: 'terminated', address: null }]),
    });
    const seen = await fleet.evidence([gone, { id: 'i-8', region: 'eu-central-1' }], never);
    expect(seen.known && [...seen.value]).toEqual([
      ['i-9', 'not-found'],
      ['i-8', 'terminated'],
    ]);
    const [request] = server.requests;
    expect(request && filterValues(request)).toEqual(['i-1', 'i-9', 'i-8']);
  });

  test.each([
    { there: ['i-9'], word: 'running' },
    { there: [], word: 'not-found' },
  ])(
    'of an instance whose region nobody remembers is $word where eu-west-1 shows $there',
    async ({ there, word }) => {
      const { fleet, server } = await fleetOf({
        activeRegions: ['eu-west-1'],
        instances: ({ region }) => ec2Answer(region === 'eu-west-1' ? there.map((id) => ({ id })) : RUNNING),
      });
      const seen = await fleet.evidence([{ id: 'i-9', region: null }], never);
      expect(seen.known && [...seen.value]).toEqual([['i-9', word]]);
      expect(server.requests.map(({ region }) => region).toSorted()).toEqual(['eu-central-1', 'eu-west-1']);
    },
  );

  test('of a region that is silent takes nothing from what the others say', async () => {
    const { fleet } = await fleetOf({
      activeRegions: ['eu-west-1'],
      instances: ({ region }) =>
        region === 'eu-west-1' ? ec2Error(503, 'RequestLimitExceeded') : ec2Answer(RUNNING),
    });
    const west = { id: 'i-7', region: 'eu-west-1' };
    const anywhere = { id: 'i-8', region: null };
    const seen = await fleet.evidence([west, gone, anywhere], never);
    expect(seen.known && [...seen.value]).toEqual([['i-9', 'not-found']]);
    expect(await fleet.evidence([west], never)).toMatchObject({ known: false });
  });

  test('is unknown where the answer does not show the asking instance', async () => {
    const { fleet } = await fleetOf({ instances: () => ec2Answer([]) });
    expect(await fleet.evidence([gone], never)).toMatchObject({ known: false });
  });

  test('is unknown where the answer lacks an instance that ran just now, in any region', async () => {
    let half = false;
    const { fleet, time } = await fleetOf({
      activeRegions: ['eu-west-1'],
      groups: ({ region }) =>
        groupsAnswer([
          region === 'eu-central-1'
            ? GROUP
            : { name: 'w', desired: 1, stack: 'etcd-demo', instances: { 'i-7': 'InService' } },
        ]),
      instances: ({ region }) => {
        if (region === 'eu-west-1') return ec2Answer(half ? [] : [{ id: 'i-7' }]);
        return ec2Answer(half ? RUNNING.slice(0, 1) : RUNNING);
      },
    });
    expect((await fleet.observe(never)).known).toBe(true);
    half = true;
    expect(await fleet.evidence([gone], never)).toMatchObject({
      known: false,
      reason: expect.stringMatching(/i-2/) as string,
    });
    const west = { id: 'i-6', region: 'eu-west-1' };
    expect(await fleet.evidence([west], never)).toMatchObject({
      known: false,
      reason: expect.stringMatching(/i-7/) as string,
    });
    time.ms = 31 * 60_000;
    expect(await fleet.evidence([gone], never)).toMatchObject({ known: true });
  });

  test('asks nothing about nobody', async () => {
    const { fleet, server } = await fleetOf({});
    expect(await fleet.evidence([], never)).toEqual({ known: true, value: new Map() });
    expect(server.requests).toEqual([]);
  });

  test('asks in chunks that each show the asking instance', async () => {
    const { fleet, server } = await fleetOf({ instances: () => ec2Answer(RUNNING) });
    const many = Array.from({ length: 450 }, (_, index) => ({ id: `i-x${index}`, region: 'eu-central-1' }));
    const seen = await fleet.evidence(many, never);
    expect(seen.known && seen.value.size).toBe(450);
    expect(server.requests.map((request) => filterValues(request).length)).toEqual([200, 200, 53]);
    expect(server.requests.every((request) => filterValues(request).includes('i-1'))).toBe(true);
  });
});
