import {
  DetachInstancesCommand,
  EnterStandbyCommand,
  ExitStandbyCommand,
  SetDesiredCapacityCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from '@aws-sdk/client-auto-scaling';
import { StartInstancesCommand, StopInstancesCommand } from '@aws-sdk/client-ec2';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClients } from '../../src/aws/clients.ts';
import { createFleet } from '../../src/aws/fleet.ts';
import { createZone } from '../../src/aws/zone.ts';
import type { RecordChange, RecordSet } from '../../src/core/records.ts';
import type { FleetPort, ZonePort } from '../../src/daemon/ports.ts';
import { createFakeFleet } from '../fakes/fake-fleet.ts';
import { createFakeZone } from '../fakes/fake-zone.ts';
import { runs } from '../fixtures/hostile/runs.ts';
import { forgetfulMoto } from '../forgetful-moto.ts';
import { eventually } from '../tools.ts';
import { makeFleet, makeZoneId, openMoto, openSandbox, type OpenSubject } from './aws-subjects.ts';

/*
 * Random sequences of what the appliance and its operator do, on the sandbox, on the fakes that the simulator uses and on
 * moto: after each step all three must tell the same. A failure prints the seed and the shortest sequence.
 */

const never = new AbortController().signal;
const REGION = 'eu-central-1';
const observer = { onCall: () => undefined };

let subjects: { readonly sandbox: OpenSubject; readonly moto: OpenSubject } | undefined;
beforeAll(async () => {
  const [sandbox, moto] = await Promise.all([openSandbox(), openMoto(forgetfulMoto)]);
  subjects = { sandbox, moto };
});
afterAll(async () => {
  await subjects?.sandbox[Symbol.asyncDispose]();
  await subjects?.moto[Symbol.asyncDispose]();
});

function opened(): { readonly sandbox: OpenSubject; readonly moto: OpenSubject } {
  if (subjects === undefined) throw new Error('the subjects were not opened');
  return subjects;
}

describe('Route 53', () => {
  const values = {
    A: ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
    TXT: ['"one"', '"two"', '"three" "four"'],
    SRV: ['1 1 2380 a.example.', '1 1 2380 b.example.'],
  } as const;
  const type = fc.constantFrom('A', 'TXT', 'SRV');
  /** A change of a set under the zone; the label '' is the name itself. */
  const step = fc
    .record({
      action: fc.constantFrom('CREATE', 'DELETE'),
      label: fc.constantFrom('', 'a.', '_b._tcp.'),
      type,
      ttl: fc.constantFrom(5, 60),
      chosen: fc.subarray([0, 1, 2], { minLength: 1 }),
    })
    .map(({ action, label, type: of, ttl, chosen }) => ({
      action,
      label,
      type: of,
      ttl,
      values: [...new Set(chosen.map((at) => values[of][at % values[of].length] ?? ''))],
    }));
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
  const batches = fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8 });

  const changesOf = (steps: readonly Step[], zone: string): readonly RecordChange[] =>
    steps.map(({ action, label, ...set }) => ({ action, record: { ...set, name: label + zone } }));
  const inOrder = (changes: readonly RecordChange[]): readonly RecordChange[] =>
    changes.map(({ action, record }) => ({
      action,
      record: { ...record, values: record.values.toSorted() },
    }));
  const told = async (port: ZonePort, zone: string): Promise<readonly string[]> => {
    const listed = await port.list(never);
    if (!listed.known) throw new Error(listed.reason);
    return listed.value.map((set) => lineOf(set, zone));
  };
  /** The order of values means nothing. */
  const lineOf = ({ name, type: of, ttl, values: all }: RecordSet, zone: string): string =>
    `${name.slice(0, -zone.length)} ${of} ${ttl} ${all.toSorted().join(' | ')}`;

  /** Route 53 refuses it; the fake once took it. */
  const madeAndDeleted: Step[] = [
    { action: 'CREATE', label: '_b._tcp.', type: 'SRV', ttl: 5, values: [...values.SRV] },
    { action: 'DELETE', label: '_b._tcp.', type: 'SRV', ttl: 5, values: [...values.SRV] },
  ];

  /** As a member's address goes and comes back; moto as it is refuses the last of these. */
  const aSet = (action: Step['action'], ...all: Step['values']): Step => ({
    action,
    label: '',
    type: 'A',
    ttl: 60,
    values: [...all],
  });
  const [one, two] = values.A;
  const backAgain: Step[][] = [
    [aSet('CREATE', one, two)],
    [aSet('DELETE', one, two), aSet('CREATE', one)],
    [aSet('DELETE', one), aSet('CREATE', one, two)],
  ];

  test('sandbox, fake and moto take, refuse and list the same', async () => {
    await fc.assert(
      fc.asyncProperty(batches, async (all) => {
        const [real, stranger] = [await openZone(opened().sandbox), await openZone(opened().moto)];
        const fake = createFakeZone('example.org').port('example.org');
        for (const steps of all) {
          const kinds = [
            (await real.port.change(changesOf(steps, real.name), never)).kind,
            (await fake.change(changesOf(steps, 'example.org'), never)).kind,
          ];
          expect(kinds).toEqual([kinds[0], kinds[0]]);
          expect(['done', 'conflict']).toContain(kinds[0]);
          // moto compares values where Route 53 compares names and types, and carries out what comes before a refusal:
          // it is asked for what is taken (the values in one order: it minds that), and must then hold the same.
          if (kinds[0] === 'done') {
            const answer = await stranger.port.change(inOrder(changesOf(steps, stranger.name)), never);
            expect(answer).toEqual({ kind: 'done' });
          }
          const state = await told(real.port, real.name);
          expect(await told(fake, 'example.org')).toEqual(state);
          expect(await told(stranger.port, stranger.name)).toEqual(state);
        }
      }),
      { ...runs(15), examples: [[[madeAndDeleted]], [backAgain]] },
    );
  });

  let zones = 0;
  async function openZone(aws: OpenSubject): Promise<{ readonly name: string; readonly port: ZonePort }> {
    zones += 1;
    const name = `z${zones}.example.org`;
    const zone = { id: await makeZoneId(aws, name), name, private: false };
    const deps = { calls: callsOf(aws).route53(), fraction: () => 0, sleep: async () => undefined };
    return { name, port: createZone({ zone, name }, deps) };
  }
});

const made = new Map<OpenSubject, ReturnType<typeof createClients>>();
afterAll(() => {
  for (const clients of made.values()) clients.destroy();
});

function callsOf(aws: OpenSubject): ReturnType<typeof createClients> {
  const credentials = { accessKeyId: 'AKIAOPERATOR', secretAccessKey: 'secret' };
  const limits = { callDeadlineMs: 20_000, tryMs: 20_000 };
  const clients =
    made.get(aws) ??
    createClients({ region: REGION, endpoint: aws.endpoint, credentials, limits }, { observer });
  made.set(aws, clients);
  return clients;
}

describe('Auto Scaling and EC2', () => {
  /** Launch one more; end the nth, replaced or not. */
  const step = fc.oneof(
    fc.constant({ kind: 'grow' as const }),
    fc.record({ kind: fc.constantFrom('replace' as const, 'shrink' as const), nth: fc.nat(4) }),
  );
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  /** A group on which the steps are made; its instances in the order in which they came. */
  interface Group {
    readonly ids: string[];
    readonly port: (asking: string) => FleetPort;
    /** Makes a step; ends when the group has what it wants. */
    act(wanted: number, step: Step, id: string | undefined): Promise<void>;
    /** Does what an operator does to one member; ends when the group wants so many, and lists so many. */
    operate(move: Move, id: string, wanted: number, listed: number): Promise<void>;
  }

  /** What an operator may do to a member; `detach` has the group send another, `release` has it want one less. */
  const MOVES = ['standby', 'back', 'detach', 'release', 'stop', 'start'] as const;
  type Move = (typeof MOVES)[number];

  async function openGroup(aws: OpenSubject): Promise<Group> {
    const { autoScaling, ec2 } = aws;
    const name = await makeFleet(aws, 2);
    const ids: string[] = [];
    const clients = callsOf(aws);
    const port = (id: string): FleetPort =>
      createFleet(
        {
          self: { id, region: REGION, zone: `${REGION}a`, address: '', stack: name },
          group: name,
          activeRegions: [],
        },
        { clients, now: () => performance.now() },
      );
    const settle = async (wanted: number, gone?: string): Promise<void> => {
      await eventually(async () => {
        const members = await aws.members(name);
        const serving = members.filter(({ lifecycle }) => lifecycle === 'InService');
        if (serving.length !== wanted || members.length !== wanted || serving.some(({ id }) => id === gone))
          return false;
        ids.push(...serving.map(({ id }) => id).filter((id) => !ids.includes(id)));
        return gone === undefined || (await aws.stateOf(gone)) === 'terminated';
      });
    };
    await settle(2);
    return {
      ids,
      port,
      async act(wanted, { kind }, id) {
        if (kind === 'grow') {
          await autoScaling.send(
            new SetDesiredCapacityCommand({ AutoScalingGroupName: name, DesiredCapacity: wanted }),
          );
        } else {
          await autoScaling.send(
            new TerminateInstanceInAutoScalingGroupCommand({
              InstanceId: id,
              ShouldDecrementDesiredCapacity: kind === 'shrink',
            }),
          );
        }
        await settle(wanted, id);
      },
      async operate(move, id, wanted, listed) {
        const InstanceIds = [id];
        const member = { AutoScalingGroupName: name, InstanceIds };
        const send: Record<Move, () => Promise<unknown>> = {
          standby: () =>
            autoScaling.send(new EnterStandbyCommand({ ...member, ShouldDecrementDesiredCapacity: true })),
          back: () => autoScaling.send(new ExitStandbyCommand(member)),
          detach: () =>
            autoScaling.send(
              new DetachInstancesCommand({ ...member, ShouldDecrementDesiredCapacity: false }),
            ),
          release: () =>
            autoScaling.send(new DetachInstancesCommand({ ...member, ShouldDecrementDesiredCapacity: true })),
          stop: () => ec2.send(new StopInstancesCommand({ InstanceIds })),
          start: () => ec2.send(new StartInstancesCommand({ InstanceIds })),
        };
        await send[move]();
        await eventually(async () => {
          const members = await aws.members(name);
          const serving = members.filter(({ lifecycle }) => lifecycle === 'InService');
          if (serving.length !== wanted || members.length !== listed) return false;
          ids.push(...members.map((it) => it.id).filter((it) => !ids.includes(it)));
          if (move !== 'stop' && move !== 'start') return true;
          return (await aws.stateOf(id)) === (move === 'stop' ? 'stopped' : 'running');
        });
      },
    };
  }

  function openFake(): Group {
    const fleet = createFakeFleet();
    const ids: string[] = [];
    const add = (): void => {
      const id = `i-${ids.length}`;
      fleet.add({ id, address: `10.0.0.${ids.length + 1}` });
      ids.push(id);
    };
    add();
    add();
    fleet.setDesired(2);
    return {
      ids,
      port: (id) => fleet.port(id),
      act: async (wanted, { kind }, id) => {
        fleet.setDesired(wanted);
        if (id !== undefined) fleet.terminate(id);
        if (id !== undefined) fleet.terminated(id);
        if (kind !== 'shrink') add();
        return Promise.resolve();
      },
      operate: async (move, id, wanted) => {
        fleet.setDesired(wanted);
        const does: Record<Move, () => void> = {
          standby: () => fleet.set(id, { lifecycle: 'Standby' }),
          back: () => fleet.set(id, { lifecycle: 'InService' }),
          detach: () => {
            fleet.unlist(id, 'running');
            add();
          },
          release: () => fleet.unlist(id, 'running'),
          stop: () => fleet.set(id, { state: 'stopped' }),
          start: () => fleet.set(id, { state: 'running' }),
        };
        does[move]();
        return Promise.resolve();
      },
    };
  }

  /** What the instance that came `asking`th is told of the group and of all that ever were. */
  async function told(group: Group, asking: number): Promise<object> {
    const port = group.port(group.ids[asking] ?? '');
    const [fleet, evidence] = [
      await port.observe(never),
      await port.evidence(
        group.ids.map((id) => ({ id, region: REGION })),
        never,
      ),
    ];
    if (!fleet.known) return { unknown: 'the fleet' };
    if (!evidence.known) return { unknown: 'the evidence' };
    const { groups, instances } = fleet.value;
    const nth = (id: string): number => group.ids.indexOf(id);
    return {
      desired: groups.map(({ desired }) => desired),
      instances: instances
        .map(({ id, lifecycle, state, address }) => ({
          nth: nth(id),
          lifecycle,
          state,
          addressed: address !== null,
        }))
        .toSorted((one, other) => one.nth - other.nth),
      evidence: [...evidence.value].map(([id, word]) => `${nth(id)} ${word}`).toSorted(),
    };
  }

  test('sandbox, fake and moto tell the same of a group that grows, shrinks and loses instances', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), async (steps) => {
        const groups = [openFake(), ...(await Promise.all([opened().sandbox, opened().moto].map(openGroup)))];
        // The places of those that live, in the order in which they came.
        let living = [0, 1];
        let born = 2;
        for (const one of steps) {
          const place = one.kind === 'grow' ? undefined : living[one.nth % living.length];
          if ((one.kind === 'grow' && living.length >= 5) || (one.kind === 'shrink' && living.length <= 1))
            continue;
          living = living.filter((at) => at !== place);
          if (one.kind !== 'shrink') living = [...living, born];
          if (one.kind !== 'shrink') born += 1;
          for (const group of groups) {
            await group.act(living.length, one, place === undefined ? undefined : group.ids[place]);
          }
          const asking = living[one.kind === 'grow' ? 0 : one.nth % living.length] ?? 0;
          const [fake, sandbox, moto] = await Promise.all(groups.map((group) => told(group, asking)));
          expect(sandbox).toEqual(fake);
          expect(moto).toEqual(fake);
        }
      }),
      runs(4),
    );
  }, 240_000);

  /** What a member is that the group lists. */
  type Place = 'serving' | 'standby' | 'stopped';
  const FROM: Readonly<Record<Move, Place>> = {
    standby: 'serving',
    back: 'standby',
    detach: 'serving',
    release: 'serving',
    stop: 'serving',
    start: 'stopped',
  };

  // The sandbox has none of these calls; and moto leaves those that are stopped in service, where Auto Scaling replaces them
  // within minutes.
  test('fake and moto tell the same of members that an operator puts in standby, detaches or stops', async () => {
    const moves = fc.array(fc.record({ move: fc.constantFrom(...MOVES), nth: fc.nat(9) }), {
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(moves, async (all) => {
        const groups = [openFake(), await openGroup(opened().moto)];
        const listed = new Map<number, Place>([
          [0, 'serving'],
          [1, 'serving'],
        ]);
        let born = 2;
        for (const { move, nth } of all) {
          const fitting = [...listed].flatMap(([at, place]) => (place === FROM[move] ? [at] : []));
          const at = fitting[nth % Math.max(1, fitting.length)];
          // Nobody asks for a group that lists nobody.
          if (at === undefined || (move === 'release' && listed.size === 1)) continue;
          if (move === 'detach' || move === 'release') listed.delete(at);
          else listed.set(at, move === 'standby' ? 'standby' : move === 'stop' ? 'stopped' : 'serving');
          if (move === 'detach') {
            listed.set(born, 'serving');
            born += 1;
          }
          // It takes one that is stopped for one in service until it has seen that it is unhealthy.
          const wanted = [...listed.values()].filter((place) => place !== 'standby').length;
          for (const group of groups) await group.operate(move, group.ids[at] ?? '', wanted, listed.size);
          const asking = [...listed.keys()][nth % listed.size] ?? 0;
          const [fake, moto] = await Promise.all(groups.map((group) => told(group, asking)));
          expect(moto).toEqual(fake);
        }
      }),
      runs(10),
    );
  }, 240_000);
});
