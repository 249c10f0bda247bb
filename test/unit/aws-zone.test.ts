import { describe, expect, onTestFinished, test } from 'vitest';
import { findHostedZone } from '../../src/aws/hosted-zone.ts';
import { createZone } from '../../src/aws/zone.ts';
import type { RecordChange } from '../../src/core/records.ts';
import { CHANGE_TAKEN, queryError, recordsAnswer, zoneAnswer, zonesAnswer } from '../fakes/wire-answers.ts';
import { wireAwsForTest } from '../fakes/wire-aws.ts';
import { startWireServer, type WireAnswer, type WireRequest } from '../fakes/wire-server.ts';

const never = new AbortController().signal;
const CLAIM: readonly RecordChange[] = [
  {
    action: 'DELETE',
    record: { name: '_etcd-cluster.demo.example.org', type: 'TXT', ttl: 5, values: ['"a"'] },
  },
  {
    action: 'CREATE',
    record: { name: '_etcd-cluster.demo.example.org', type: 'TXT', ttl: 5, values: ['"b"', '"c"'] },
  },
];

async function zoneOf(
  answer: (request: WireRequest, earlier: number) => WireAnswer,
  options: { deadlineMs?: number; tryMs?: number; name?: string; endpoint?: string } = {},
) {
  const deadlineMs = options.deadlineMs ?? 5_000;
  const { clients, server } = await wireAwsForTest(answer, {
    // A short try is for what hangs: what is answered gets all the time that it needs.
    limits: { ...(options.tryMs === undefined ? {} : { tryMs: options.tryMs }), callDeadlineMs: deadlineMs },
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
  });
  const pauses: number[] = [];
  const calls = clients.route53();
  const zone = createZone(
    { zone: { id: 'Z1', name: 'example.org', private: false }, name: options.name ?? 'Demo.example.org.' },
    {
      calls,
      fraction: () => 0.5,
      sleep: (ms) => {
        pauses.push(ms);
        return Promise.resolve();
      },
      deadlineMs,
    },
  );
  return { zone, server, pauses, calls };
}

test('the register names the zone by id and the claim by name', async () => {
  const { zone } = await zoneOf(() => CHANGE_TAKEN);
  expect(zone.register).toBe('route53:Z1/_etcd-cluster.demo.example.org');
});

describe('list', () => {
  test('gives what stands at and below the name, in plain words, by one call', async () => {
    const { zone, server } = await zoneOf(() =>
      recordsAnswer([
        { name: 'demo.example.org.', type: 'A', values: ['10.0.0.1', '10.0.0.2'] },
        { name: 'demo.example.org.', type: 'MX', values: ['1 mail.'] },
        { name: '\\052.demo.example.org.', type: 'A', values: ['10.0.0.3'] },
        {
          name: '_ETCD-cluster.demo.example.org.',
          type: 'TXT',
          ttl: 5,
          values: ['"v1 &amp; more" "second"'],
        },
        { name: 'weighted.demo.example.org.', type: 'A', values: ['10.0.0.4'], setIdentifier: 'one' },
        { name: 'demo2.example.org.', type: 'A', values: ['10.0.0.9'] },
        { name: 'xdemo.example.org.', type: 'A', values: ['10.0.0.9'] },
      ]),
    );
    expect(await zone.list(never)).toEqual({
      known: true,
      value: [
        { name: 'demo.example.org', type: 'A', ttl: 60, values: ['10.0.0.1', '10.0.0.2'] },
        { name: '*.demo.example.org', type: 'A', ttl: 60, values: ['10.0.0.3'] },
        { name: '_etcd-cluster.demo.example.org', type: 'TXT', ttl: 5, values: ['"v1 & more" "second"'] },
      ],
    });
    expect(server.requests.map(({ action, params }) => [action, params.get('name')])).toEqual([
      ['GET /2013-04-01/hostedzone/Z1/rrset', 'demo.example.org.'],
    ]);
  });

  test('goes on while the answer was cut short within the name, and only then', async () => {
    const { zone, server } = await zoneOf((_, earlier) =>
      earlier === 0
        ? recordsAnswer([{ name: 'demo.example.org.', type: 'A', values: ['10.0.0.1'] }], {
            name: '_etcd._tcp.demo.example.org.',
            type: 'SRV',
          })
        : recordsAnswer([{ name: '_etcd._tcp.demo.example.org.', type: 'SRV', values: ['1 1 2379 a.'] }], {
            name: 'other.example.org.',
            type: 'A',
          }),
    );
    const listed = await zone.list(never);
    expect(listed.known && listed.value.map((record) => record.type)).toEqual(['A', 'SRV']);
    expect(server.requests.map(({ params }) => [params.get('name'), params.get('type')])).toEqual([
      ['demo.example.org.', null],
      ['_etcd._tcp.demo.example.org.', 'SRV'],
    ]);
  });

  test.each<{ name: string; answer: WireAnswer; reason: RegExp }>([
    { name: 'a refusal', answer: queryError(403, 'AccessDenied'), reason: /answered AccessDenied/ },
    {
      name: 'a zone that is not there',
      answer: queryError(404, 'NoSuchHostedZone'),
      reason: /NoSuchHostedZone/,
    },
    { name: 'a reset', answer: 'reset', reason: /did not answer/ },
    { name: 'no answer', answer: 'hang', reason: /did not answer/ },
    {
      name: 'half a document',
      answer: { body: '<ListResourceRecordSetsResponse><Resource' },
      reason: /Route 53/,
    },
  ])('is unknown after $name', async ({ answer, reason }) => {
    const { zone } = await zoneOf(() => answer, answer === 'hang' ? { tryMs: 150 } : {});
    expect(await zone.list(never)).toEqual({ known: false, reason: expect.stringMatching(reason) as string });
  });

  test('tries again by itself when throttled', async () => {
    const { zone, server } = await zoneOf((_, earlier) =>
      earlier === 0 ? queryError(400, 'Throttling') : recordsAnswer([]),
    );
    expect(await zone.list(never)).toEqual({ known: true, value: [] });
    expect(server.requests).toHaveLength(2);
  });
});

describe('change', () => {
  test('sends the batch as it is, and it is done', async () => {
    const { zone, server } = await zoneOf(() => CHANGE_TAKEN);
    expect(await zone.change(CLAIM, never)).toEqual({ kind: 'done' });
    const [request] = server.requests;
    expect(request?.action).toBe('POST /2013-04-01/hostedzone/Z1/rrset');
    const body = (request?.body ?? '').replaceAll(/\s+/g, '');
    expect(body).toContain(
      '<Action>DELETE</Action><ResourceRecordSet><Name>_etcd-cluster.demo.example.org.</Name>',
    );
    expect(body).toContain('<TTL>5</TTL>');
    expect(body).toMatch(/<Value>(&quot;|")b(&quot;|")<\/Value>.*<Value>(&quot;|")c(&quot;|")<\/Value>/);
    expect(body).not.toContain('UPSERT');
  });

  test.each<{ name: string; answer: WireAnswer }>([
    {
      name: 'as ErrorResponse',
      answer: queryError(400, 'InvalidChangeBatch', '[... but it already exists]'),
    },
    {
      name: 'as InvalidChangeBatch',
      answer: {
        status: 400,
        body: '<InvalidChangeBatch xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Messages><Message>[... but it already exists]</Message></Messages><RequestId>r</RequestId></InvalidChangeBatch>',
      },
    },
  ])('is a conflict when Route 53 refuses the batch, said $name', async ({ answer }) => {
    const { zone, server } = await zoneOf(() => answer);
    expect(await zone.change(CLAIM, never)).toEqual({
      kind: 'conflict',
      message: expect.stringContaining('but it already exists') as string,
    });
    expect(server.requests).toHaveLength(1);
  });

  test('is tried again while an earlier change of the zone goes on, with a pause', async () => {
    const { zone, server, pauses } = await zoneOf((_, earlier) =>
      earlier < 4 ? queryError(400, 'PriorRequestNotComplete') : CHANGE_TAKEN,
    );
    expect(await zone.change(CLAIM, never)).toEqual({ kind: 'done' });
    expect(server.requests).toHaveLength(5);
    expect(pauses).toEqual([200, 200, 200, 200]);
  });

  test('is tried three times in all when throttled, with pauses that grow', async () => {
    const passing = await zoneOf((_, earlier) =>
      earlier < 2 ? queryError(400, 'Throttling') : CHANGE_TAKEN,
    );
    expect(await passing.zone.change(CLAIM, never)).toEqual({ kind: 'done' });
    expect(passing.pauses).toEqual([100, 200]);
    const lasting = await zoneOf(() => queryError(400, 'Throttling'));
    expect(await lasting.zone.change(CLAIM, never)).toEqual({
      kind: 'busy',
      message: expect.stringContaining('Throttling') as string,
    });
    expect(lasting.server.requests).toHaveLength(3);
    expect(lasting.pauses).toEqual([100, 200]);
  });

  test('is busy when it was refused like that until the deadline', async () => {
    const server = await startWireServer(() => queryError(400, 'PriorRequestNotComplete'));
    onTestFinished(() => server[Symbol.asyncDispose]());
    const { calls } = await zoneOf(() => CHANGE_TAKEN, { endpoint: server.endpoint });
    let pauses = 0;
    const zone = createZone(
      { zone: { id: 'Z1', name: 'example.org', private: false }, name: 'demo.example.org' },
      {
        calls,
        fraction: () => 0,
        // The third pause outlasts the deadline.
        sleep: (_, signal) =>
          (pauses += 1) < 3
            ? Promise.resolve()
            : new Promise((_resolve, reject) => {
                signal.addEventListener('abort', () => {
                  reject(signal.reason as Error);
                });
              }),
        deadlineMs: 1_000,
      },
    );
    expect(await zone.change(CLAIM, never)).toEqual({
      kind: 'busy',
      message: expect.stringContaining('PriorRequestNotComplete') as string,
    });
    expect(server.requests).toHaveLength(3);
  });

  test.each<{ name: string; answer: WireAnswer }>([
    { name: 'reset', answer: 'reset' },
    { name: 'hang', answer: 'hang' },
    { name: '500', answer: queryError(500, 'InternalFailure') },
    { name: '503', answer: queryError(503, 'ServiceUnavailable') },
    { name: 'an unreadable 200', answer: { body: '<ChangeResourceRecordSetsRes' } },
  ])('is unknown after $name, and was sent only once', async ({ answer }) => {
    const { zone, server } = await zoneOf(() => answer, answer === 'hang' ? { deadlineMs: 1_000 } : {});
    expect(await zone.change(CLAIM, never)).toMatchObject({ kind: 'unknown' });
    expect(server.requests).toHaveLength(1);
  });

  test('was certainly not taken where nobody listens, or the credentials do not allow it', async () => {
    const closed = await startWireServer(() => 'reset');
    await closed[Symbol.asyncDispose]();
    const nobody = await zoneOf(() => CHANGE_TAKEN, { endpoint: closed.endpoint });
    expect(await nobody.zone.change(CLAIM, never)).toMatchObject({ kind: 'busy' });
    const denied = await zoneOf(() => queryError(403, 'AccessDenied'));
    expect(await denied.zone.change(CLAIM, never)).toMatchObject({ kind: 'busy' });
    expect(denied.server.requests).toHaveLength(1);
  });

  test('throws the reason of an abort', async () => {
    const { zone } = await zoneOf(() => 'hang');
    const controller = new AbortController();
    const changing = zone.change(CLAIM, controller.signal);
    controller.abort(new Error('enough'));
    await expect(changing).rejects.toThrow('enough');
  });
});

describe('the hosted zone', () => {
  const next = { id: 'Z9', name: 'example.org.uk.' };

  test('is found by its exact name, not by what follows it', async () => {
    const { calls } = await zoneOf(() => zonesAnswer([{ id: 'Z1', name: 'example.org.' }, next]));
    expect(await findHostedZone(calls, 'Example.org.', never)).toEqual({
      known: true,
      value: { id: 'Z1', name: 'example.org', private: false },
    });
  });

  test('is unknown, not missing, where the answer does not show it', async () => {
    const { calls } = await zoneOf(() => zonesAnswer([next]));
    expect(await findHostedZone(calls, 'example.org', never)).toMatchObject({
      known: false,
      reason: expect.stringContaining('HOSTED_ZONE') as string,
    });
  });

  test('must be given by id where the name fits two', async () => {
    const { calls } = await zoneOf((request) =>
      request.action.endsWith('/hostedzonesbyname')
        ? zonesAnswer([
            { id: 'Z1', name: 'example.org.' },
            { id: 'Z2', name: 'example.org.', private: true },
            next,
          ])
        : zoneAnswer({ id: 'Z2', name: 'example.org.', private: true }),
    );
    await expect(findHostedZone(calls, 'example.org', never)).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringMatching(/Z1 \(public\), Z2 \(private\).*HOSTED_ZONE/) as string,
    });
    for (const id of ['Z2', '/hostedzone/Z2', 'Z0123456789ABCDEFGHIJ']) {
      expect(await findHostedZone(calls, id, never)).toMatchObject({
        known: true,
        value: { id: 'Z2', private: true },
      });
    }
  });
});
