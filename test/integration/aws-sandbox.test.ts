import { describe, expect, onTestFinished, test } from 'vitest';
import { findHostedZone } from '../../src/aws/hosted-zone.ts';
import { createHooks } from '../../src/aws/hooks.ts';
import { findPlace } from '../../src/aws/identity.ts';
import type { Limits } from '../../src/aws/limits.ts';
import { createZone } from '../../src/aws/zone.ts';
import type { RecordChange } from '../../src/core/records.ts';
import type { CloudSettings, FaultKind, Service } from '../../src/sandbox/model.ts';
import { BARE_REGION, startBareCloud } from '../fakes/bare-cloud.ts';
import type { BareCloud } from '../fakes/bare-cloud.ts';
import { SILENT_FAULTS } from '../fakes/fault-kinds.ts';
import { eventually } from '../tools.ts';

const never = new AbortController().signal;
/** So that a fault of each kind is over soon. */
const SHORT: Partial<Limits> = { tryMs: 100, callDeadlineMs: 1_000 };

async function bareCloud(settings: Partial<CloudSettings> = {}): Promise<BareCloud> {
  const bare = await startBareCloud(settings);
  onTestFinished(() => bare[Symbol.asyncDispose]());
  return bare;
}

describe('an instance finds itself', () => {
  test('by metadata and tags', async () => {
    const bare = await bareCloud();
    const [id = ''] = await bare.group(1);
    const identity = await bare.metadata(id).identity(never);
    expect(identity).toMatchObject({ known: true, value: { instanceId: id, region: BARE_REGION } });
    if (!identity.known) return;
    const clients = bare.clients(id);
    const calls = { ec2: clients.ec2(BARE_REGION), autoScaling: clients.autoScaling(BARE_REGION) };
    const { instanceId, accountId: _, ...where } = identity.value;
    expect(await findPlace(identity.value, null, calls, never)).toEqual({
      known: true,
      value: { self: { id: instanceId, ...where, stack: 'etcd-demo' }, group: 'group', stackFrom: 'tag' },
    });
    expect(await bare.metadata(id).targetState(never)).toEqual({ known: true, value: 'InService' });
    expect(await bare.metadata(id).spotNotice(never)).toEqual({ known: true, value: null });
  });

  test('not while metadata fails', async () => {
    const bare = await bareCloud();
    const [id = ''] = await bare.group(1);
    const metadata = bare.metadata(id);
    for (const kind of ['error', 'reset', 'refuse', 'hang', 'throttle'] as const) {
      const fault = bare.cloud.faults.add({ service: 'imds', action: '*', instance: '*', kind });
      expect({ kind, ...(await metadata.targetState(never)) }).toMatchObject({ kind, known: false });
      bare.cloud.faults.lift(fault.id);
      expect({ kind, ...(await metadata.targetState(never)) }).toEqual({
        kind,
        known: true,
        value: 'InService',
      });
    }
  });
});

describe('a fault makes the fleet unknown, and lifted leaves nothing behind', () => {
  const services: readonly Service[] = ['ec2', 'autoscaling'];
  const kinds: readonly FaultKind[] = [...SILENT_FAULTS, 'empty', 'self-only'];
  test.each(services.flatMap((service) => kinds.map((kind) => ({ service, kind }))))(
    '$kind of $service',
    async ({ service, kind }) => {
      const bare = await bareCloud();
      const ids = await bare.group(3);
      const fleet = bare.fleet(ids[1] ?? '', SHORT);
      const fault = bare.cloud.faults.add({ service, action: '*', instance: '*', kind });
      const seen = await fleet.observe(never);
      // Auto Scaling that lists only the asking instance is well-formed and contradicts nothing: the fleet is then too
      // small for its desired size, and evidence, which does not rest on it, is what evicts.
      if (service === 'autoscaling' && kind === 'self-only') {
        expect(seen.known && seen.value.instances).toHaveLength(1);
      } else {
        expect(seen).toMatchObject({ known: false });
      }
      expect(bare.cloud.faults.list()[0]?.hits).toBeGreaterThan(0);
      bare.cloud.faults.lift(fault.id);
      const after = await fleet.observe(never);
      expect(after.known && after.value.instances).toHaveLength(3);
    },
  );

  test('half an answer of EC2, whichever half', async () => {
    const bare = await bareCloud();
    const ids = await bare.group(4);
    bare.cloud.faults.add({ service: 'ec2', action: '*', instance: '*', kind: 'half' });
    for (const id of ids)
      expect({ id, ...(await bare.fleet(id).observe(never)) }).toMatchObject({ id, known: false });
  });

  test('half, empty and self-only answers are no evidence that an instance is gone', async () => {
    const bare = await bareCloud();
    const ids = await bare.group(4);
    for (const id of ids) {
      const fleet = bare.fleet(id);
      expect(await fleet.observe(never)).toMatchObject({ known: true });
      for (const kind of ['half', 'empty', 'self-only'] as const) {
        const fault = bare.cloud.faults.add({ service: 'ec2', action: '*', instance: '*', kind });
        const asked = ids.map((one) => ({ id: one, region: BARE_REGION }));
        expect({ kind, id, ...(await fleet.evidence(asked, never)) }).toMatchObject({
          kind,
          id,
          known: false,
        });
        bare.cloud.faults.lift(fault.id);
      }
    }
  });
});

test('every page is read, however small the pages are', async () => {
  const bare = await bareCloud({ pageSize: 1 });
  const ids = await bare.group(5);
  const seen = await bare.fleet(ids[0] ?? '').observe(never);
  expect(seen.known && seen.value.instances.map((instance) => instance.id).toSorted()).toEqual(
    ids.toSorted(),
  );
});

test('a terminated instance is evidence as soon as EC2 says so', async () => {
  const bare = await bareCloud();
  const ids = await bare.group(3);
  const [self = '', victim = ''] = ids;
  const fleet = bare.fleet(self);
  await fleet.observe(never);
  bare.cloud.powerCut(victim);
  await eventually(async () => {
    const seen = await fleet.evidence([{ id: victim, region: BARE_REGION }], never);
    return seen.known && seen.value.get(victim) === 'terminated';
  });
  await eventually(async () => {
    const seen = await fleet.observe(never);
    return (
      seen.known && seen.value.instances.length === 3 && !seen.value.instances.some(({ id }) => id === victim)
    );
  });
});

describe('lifecycle hooks', () => {
  const hook = { name: 'ready', heartbeatTimeoutMs: 3_600_000, defaultResult: 'ABANDON' } as const;

  test('the launching hook holds the instance until it is completed', async () => {
    const bare = await bareCloud();
    bare.cloud.createGroup({
      name: 'group',
      stackName: 'etcd-demo',
      min: 0,
      max: 3,
      desired: 1,
      hooks: [{ ...hook, transition: 'autoscaling:EC2_INSTANCE_LAUNCHING' }],
    });
    await eventually(() => bare.cloud.describe().instances[0]?.lifecycleState === 'Pending:Wait');
    const id = bare.cloud.describe().instances[0]?.instanceId ?? '';
    const seen = await bare.fleet(id).observe(never);
    expect(seen.known && seen.value.instances[0]).toMatchObject({
      id,
      lifecycle: 'Pending:Wait',
      state: 'running',
    });
    const hooks = createHooks(
      { instanceId: id, group: 'group' },
      { autoScaling: bare.clients(id).autoScaling(BARE_REGION), now: () => performance.now() },
    );
    expect(await hooks.heartbeat('launching', never)).toEqual({ known: true, value: 'done' });
    expect(await hooks.complete('terminating', 'CONTINUE', never)).toEqual({ known: true, value: 'no-hook' });
    expect(await hooks.complete('launching', 'CONTINUE', never)).toEqual({ known: true, value: 'done' });
    await eventually(() => bare.cloud.describe().instances[0]?.lifecycleState === 'InService');
    expect(await hooks.complete('launching', 'CONTINUE', never)).toEqual({
      known: true,
      value: 'not-waiting',
    });
  });

  test('the terminating hook does, and metadata tells that the end is meant', async () => {
    const bare = await bareCloud();
    const [id = ''] = await bare.group(1, [{ ...hook, transition: 'autoscaling:EC2_INSTANCE_TERMINATING' }]);
    bare.cloud.setDesired('group', 0);
    await eventually(async () => {
      const target = await bare.metadata(id).targetState(never);
      return target.known && target.value === 'Terminated';
    });
    const hooks = createHooks(
      { instanceId: id, group: 'group' },
      { autoScaling: bare.clients(id).autoScaling(BARE_REGION), now: () => performance.now() },
    );
    await eventually(() => bare.cloud.describe().instances[0]?.lifecycleState === 'Terminating:Wait');
    expect(await hooks.complete('terminating', 'CONTINUE', never)).toEqual({ known: true, value: 'done' });
    await eventually(() => bare.cloud.describe().instances.every(({ state }) => state === 'terminated'));
  });
});

describe('the zone', () => {
  const claim = (value: string): RecordChange => ({
    action: 'CREATE',
    record: { name: '_etcd-cluster.demo.example.org', type: 'TXT', ttl: 5, values: [`"${value}"`] },
  });

  async function openZone(bare: BareCloud, limits: Partial<Limits> = {}) {
    const zoneId = bare.cloud.createZone('example.org');
    const [id = ''] = await bare.group(1);
    const calls = bare.clients(id, limits).route53();
    const found = await findHostedZone(calls, 'example.org', never);
    if (!found.known) throw new Error(found.reason);
    expect(found.value).toEqual({ id: zoneId, name: 'example.org', private: false });
    const pauses: number[] = [];
    const zone = createZone(
      { zone: found.value, name: 'demo.example.org' },
      {
        calls,
        fraction: () => 0,
        sleep: (ms) => {
          pauses.push(ms);
          return Promise.resolve();
        },
      },
    );
    return { zone, pauses };
  }

  test.each<{ kind: FaultKind; outcome: string; taken: boolean }>([
    { kind: 'lost-answer', outcome: 'unknown', taken: true },
    { kind: 'malformed', outcome: 'unknown', taken: true },
    { kind: 'reset', outcome: 'unknown', taken: false },
    { kind: 'refuse', outcome: 'unknown', taken: false },
    { kind: 'hang', outcome: 'unknown', taken: false },
    { kind: 'error', outcome: 'unknown', taken: false },
    { kind: 'throttle', outcome: 'done', taken: true },
  ])('a change that meets $kind is $outcome', async ({ kind, outcome, taken }) => {
    const bare = await bareCloud();
    const { zone, pauses } = await openZone(bare, kind === 'hang' ? SHORT : {});
    bare.cloud.faults.add({
      service: 'route53',
      action: 'ChangeResourceRecordSets',
      instance: '*',
      kind,
      count: kind === 'throttle' ? 2 : 1,
    });
    expect(await zone.change([claim('a')], never)).toMatchObject({ kind: outcome });
    const listed = await zone.list(never);
    expect(listed.known && listed.value.map((record) => record.values)).toEqual(taken ? [['"a"']] : []);
    expect(pauses).toHaveLength(kind === 'throttle' ? 2 : 0);
  });

  test.each<FaultKind>(['throttle', 'error', 'hang', 'reset', 'refuse', 'malformed'])(
    'is not listed while it meets %s',
    async (kind) => {
      const bare = await bareCloud();
      const { zone } = await openZone(bare, kind === 'hang' ? SHORT : {});
      await zone.change([claim('a')], never);
      const fault = bare.cloud.faults.add({
        service: 'route53',
        action: 'ListResourceRecordSets',
        instance: '*',
        kind,
      });
      expect(await zone.list(never)).toMatchObject({ known: false });
      bare.cloud.faults.lift(fault.id);
      expect(await zone.list(never)).toMatchObject({ known: true, value: [{ type: 'TXT' }] });
    },
  );

  test('an empty answer shows no claim, and the compare-and-swap holds all the same', async () => {
    const bare = await bareCloud();
    const { zone } = await openZone(bare);
    await zone.change([claim('a')], never);
    bare.cloud.faults.add({
      service: 'route53',
      action: 'ListResourceRecordSets',
      instance: '*',
      kind: 'empty',
    });
    expect(await zone.list(never)).toEqual({ known: true, value: [] });
    expect(await zone.change([claim('b')], never)).toMatchObject({ kind: 'conflict' });
  });

  test('a private and a public zone of one name must be told apart', async () => {
    const bare = await bareCloud();
    bare.cloud.createZone('example.org');
    const [id = ''] = await bare.group(1);
    const hidden = bare.cloud.createZone('example.org', { private: true });
    const calls = bare.clients(id).route53();
    await expect(findHostedZone(calls, 'example.org', never)).rejects.toMatchObject({
      code: 'configuration',
    });
    expect(await findHostedZone(calls, hidden, never)).toMatchObject({
      known: true,
      value: { private: true },
    });
  });

  test.each([1, 2])('a read that the limit of requests refuses %i times is asked again', async (refusals) => {
    const bare = await bareCloud();
    const { zone } = await openZone(bare);
    let refused = 0;
    bare.cloud.events.subscribe(({ type }) => {
      if (type !== 'throttled') return;
      refused += 1;
      if (refused === refusals) bare.cloud.changeSettings({ route53RateLimit: 0 });
    });
    // Below one there is never a whole request to spend: each is refused, however slow the machine is.
    bare.cloud.changeSettings({ route53RateLimit: 0.5 });
    expect(await zone.list(never)).toEqual({ known: true, value: [] });
    expect(refused).toBe(refusals);
  });
});
