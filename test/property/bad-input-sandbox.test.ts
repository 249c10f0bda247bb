import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import {
  createControlListener,
  createRoutes,
  EVENT_STREAM,
  INSTANCE_VERBS,
} from '../../src/sandbox/control.ts';
import { createCuts } from '../../src/sandbox/cuts.ts';
import { closeServer, listen } from '../../src/sandbox/listen.ts';
import { createLoopbackNetwork } from '../../src/sandbox/network.ts';
import { attack, attacks } from '../fixtures/hostile/requests.ts';
import type { Attack } from '../fixtures/hostile/requests.ts';
import { runs } from '../fixtures/hostile/runs.ts';
import { processorMs } from '../processor-time.ts';
import { startCloud } from '../unit/sandbox/cloud-fixture.ts';

/*
 * Whatever comes in over its sockets, the sandbox lives, answers the next one, and never says that it failed itself.
 */

const cloud = await startCloud({ launchDelayMs: 0 });
const OPERATOR =
  'authorization: AWS4-HMAC-SHA256 Credential=AKIAOPERATOR/20260101/eu-central-1/ec2/aws4_request';
const addresses = {
  aws: cloud.awsEndpoint,
  control: 'http://control',
  controlSocket: '/nowhere',
  dns: { address: cloud.dns.host, port: cloud.dns.port },
  clusterName: 'demo.example.org',
  group: 'web',
  stateDir: '/nowhere',
  hub: null,
};
const nothing = async (): Promise<void> => undefined;
const idle = {
  kill: nothing,
  freeze: nothing,
  thaw: nothing,
  restart: nothing,
  configure: nothing,
  launchWith: nothing,
  wipeData: nothing,
  close: nothing,
};
const deps = {
  cloud: cloud.cloud,
  hypervisor: { ...cloud.hypervisor, ...idle, report: async () => [] },
  cuts: createCuts({
    network: { ...createLoopbackNetwork('127.78'), isolate: nothing },
    faults: cloud.cloud.faults,
    addressOf: () => '127.78.1.1',
  }),
  addresses,
  onShutdown: () => undefined,
};
const control = createServer(createControlListener(deps));
const ROUTES = Object.keys(createRoutes(deps)).map((key) => {
  const [, method = '', first = '', parts = ''] = /^(\w+) (\w+)\/(\d)$/.exec(key) ?? [];
  return { method, first, parts: Number(parts) };
});
await listen(control, { host: '127.0.0.1', port: 0 });
for (const name of ['web', 'spare'])
  cloud.cloud.createGroup({ name, stackName: 'etcd-demo', min: 0, max: 5, desired: 1 });
await cloud.clock.advance(500);
const [instanceId = ''] = cloud.members('web').map((member) => member.instanceId);
/** One that nothing else needs: it is ended. */
const [spareId = ''] = cloud.members('spare').map((member) => member.instanceId);
const metadataPort = Number(new URL(cloud.machines.get(instanceId)?.metadataEndpoint ?? '').port);

afterAll(async () => {
  await closeServer(control);
  await cloud[Symbol.asyncDispose]();
});

const portOf = {
  control: (): number => (control.address() as AddressInfo).port,
  aws: (): number => Number(new URL(cloud.awsEndpoint).port),
  metadata: (): number => metadataPort,
};

function request(line: string, headers: readonly string[] = [], body = ''): Attack {
  const head = [`${line} HTTP/1.1`, 'Host: x', `Content-Length: ${Buffer.byteLength(body)}`, ...headers];
  return { pieces: [`${head.join('\r\n')}\r\n\r\n${body}`], ending: 'fin' };
}

const form = (fields: Readonly<Record<string, string>>): string => new URLSearchParams(fields).toString();
const aws = (body: string): Attack => request('POST /', [OPERATOR], body);
const ec2 = (fields: Readonly<Record<string, string>>): Attack =>
  aws(form({ Version: '2016-11-15', Action: 'DescribeInstances', ...fields }));

/** What each server must answer to a proper request, whatever came before. */
const ALIVE: Readonly<Record<keyof typeof portOf, readonly [Attack, number]>> = {
  control: [request('GET /settings'), 200],
  aws: [ec2({}), 200],
  metadata: [request('PUT /latest/api/token', ['x-aws-ec2-metadata-token-ttl-seconds: 60']), 200],
};

async function survives(server: keyof typeof portOf, thrown: Attack): Promise<readonly number[]> {
  const { statuses } = await attack({ port: portOf[server]() }, thrown);
  // Of its own failures it has one, 500; a 501 and a refusal are answers.
  expect(statuses).not.toContain(500);
  const [proper, status] = ALIVE[server];
  expect((await attack({ port: portOf[server]() }, proper)).statuses).toEqual([status]);
  return statuses;
}

/** What the second and the third part of a path may be, by its first. */
const PARTS: Readonly<Record<string, readonly [names: readonly string[], verbs: readonly string[]]>> = {
  instances: [[spareId, 'i-0'], INSTANCE_VERBS],
  groups: [['web', 'none'], ['scale']],
  regions: [['eu-central-1', 'mars'], ['cut']],
  faults: [['1'], []],
};

/** All paths of routes. Throws for one whose parts are not written down here. */
function pathsOf(routes: typeof ROUTES): readonly string[] {
  return routes.flatMap(({ first, parts }) => {
    if (parts === 1) return [`/${first}`];
    const known = PARTS[first];
    if (known === undefined) throw new Error(`what is behind /${first} in a path?`);
    const [names, verbs] = known;
    if (parts === 2) return names.map((name) => `/${first}/${name}`);
    return names.flatMap((name) => verbs.map((verb) => `/${first}/${name}/${verb}`));
  });
}

const ZONE = '/2013-04-01/hostedzone';
const KNOWN = {
  control: {
    paths: [...pathsOf(ROUTES), EVENT_STREAM, `${EVENT_STREAM}?since=x`],
    bodies: [
      '{}',
      '[]',
      'null',
      '{"desired":1}',
      '{"from":"aws"}',
      '{"kind":"hang","service":"*"}',
      '{"__proto__":{}}',
    ],
  },
  aws: {
    paths: ['/', ZONE, `${ZONE}/Z1/rrset`, `${ZONE}/Z1/rrset/`, '/2013-04-01/hostedzonesbyname'],
    headers: [OPERATOR, 'authorization: AWS4', 'authorization: Credential=/'],
    bodies: ['Action=DescribeInstances&Version=2016-11-15', '<a><b>', '<?xml version="1.0"?>', '&&&==='],
  },
  metadata: {
    paths: ['/latest/api/token', '/latest/meta-data/', '/latest/', '/', '/latest/dynamic/instance-identity'],
    headers: ['x-aws-ec2-metadata-token: x', 'x-aws-ec2-metadata-token-ttl-seconds: 60'],
  },
} as const;

describe.each(['control', 'aws', 'metadata'] as const)('%s', (server) => {
  test('whatever is thrown at it, it answers the next one', async () => {
    await fc.assert(
      fc.asyncProperty(attacks(KNOWN[server]), async (thrown) => void (await survives(server, thrown))),
      runs(120),
    );
    // Some of what it takes silences AWS.
    cloud.cloud.faults.liftAll();
  });

  test.each(['//', '/%', '/%ff', '/%00', 'http://', 'http://[', '*', '/latest/%E0%A4%A'])(
    'the target %s is no reason to fail',
    async (target) => {
      await survives(server, request(`GET ${target}`));
      await survives(server, request(`PUT ${target}`));
    },
  );
});

/** What this thread may work on one request, however it was made: server and client. */
const THINKING_MS = 5_000;

async function quickly(server: keyof typeof portOf, thrown: Attack): Promise<readonly number[]> {
  const before = processorMs();
  const statuses = await survives(server, thrown);
  expect(processorMs() - before).toBeLessThan(THINKING_MS);
  return statuses;
}

describe('the control API', () => {
  const json = (path: string, body: unknown): Attack =>
    request(`POST ${path}`, [], typeof body === 'string' ? body : JSON.stringify(body));

  test('whatever JSON it is handed, it takes or refuses', async () => {
    const before = cloud.cloud.settings();
    const routes = ROUTES.filter(({ method }) => method === 'POST').map((route) => pathsOf([route]));
    const somePath = fc.constantFrom(...routes).chain((paths) => fc.constantFrom(...paths));
    const fields = fc.dictionary(
      fc.constantFrom(
        'desired',
        'kind',
        'service',
        'from',
        'only',
        'rate',
        'pageSize',
        'stalenessMs',
        'variables',
        'region',
        'decrement',
        'x',
      ),
      fc.oneof(
        fc.jsonValue(),
        fc.constantFrom('hang', '*', 'peers', 'aws', 'both', 'none', 1, 0.5, -1, 1e308, null),
      ),
    );
    await fc.assert(
      fc.asyncProperty(somePath, fc.oneof(fields, fc.jsonValue()), async (path, body) => {
        const { statuses } = await attack({ port: portOf.control() }, json(path, body));
        expect([200, 400, 404]).toContain(statuses[0]);
        cloud.cloud.faults.liftAll();
        // What was taken must leave a cloud that still works.
        const [settings, group] = [cloud.cloud.settings(), cloud.cloud.describe().groups[0]];
        expect(Object.keys(settings)).toEqual(Object.keys(before));
        expect(Number.isInteger(group?.desired)).toBe(true);
        expect((await attack({ port: portOf.aws() }, ec2({}))).statuses).toEqual([200]);
      }),
      runs(60),
    );
    cloud.cloud.changeSettings(before);
  });

  test.each([
    ['a number of instances that is none', '/groups/web/scale', { desired: 1.5 }],
    ['a setting that there is not', '/settings', { launchDelay: 1 }],
    ['a setting of another kind', '/settings', { launchDelayMs: 'soon' }],
    ['a setting below zero', '/settings', { pageSize: -1 }],
    ['a list that is none', '/settings', { zonesWithoutCapacity: 'a' }],
    ['half a list', '/faults', '['],
    ['a rate in words', '/faults', { kind: 'hang', service: '*', action: '*', instance: '*', rate: 'often' }],
    ['variables that are a list', '/launches', { variables: ['A=B'] }],
    ['a variable without a name', '/launches', { variables: { '': 'x' } }],
    ['a fault for nobody', '/faults', { kind: 'hang', service: 'ec2', action: '*' }],
  ])('%s is refused in one line', async (_, path, body) => {
    const { bytes, statuses } = await attack({ port: portOf.control() }, json(path, body));
    expect(statuses).toEqual([400]);
    const said: unknown = JSON.parse(
      bytes.slice(bytes.indexOf('\r\n\r\n')).replace(/\r\n[0-9a-f]+\r\n/g, ''),
    );
    expect(said).toEqual({ error: expect.stringMatching(/^.{10,400}$/) });
  });

  test('a body without an end is refused, not collected', async () => {
    const pieces = [
      `POST /faults HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n`,
      'x'.repeat(1_100_000),
    ];
    expect(await quickly('control', { pieces, ending: 'fin' })).toEqual([413]);
  });

  test('who follows the events and does not read them is let go', async () => {
    const reader = connect(portOf.control(), '127.0.0.1');
    reader.write('GET /events/stream HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(reader, 'readable');
    const gone = once(reader, 'close');
    const open = async (): Promise<number> => promisify(control.getConnections.bind(control))();
    const text = 'x'.repeat(100_000);
    // What the kernel holds for both sides comes on top of what the sandbox does.
    for (let sent = 0; (await open()) > 0 && sent < 1_000; sent += 1) {
      cloud.cloud.events.emit('noise', { text });
      await setImmediate();
    }
    expect(await open()).toBe(0);
    reader.destroy();
    await gone;
  });
});

describe('the AWS endpoint', () => {
  const xml = (body: string): Attack => request(`POST ${ZONE}/${zoneId}/rrset`, [OPERATOR], body);
  const zoneId = cloud.cloud.createZone('example.org');

  test('whatever form it is handed, it answers or refuses', async () => {
    const name = fc.constantFrom(
      'InstanceId.1',
      'Filter.1.Name',
      'Filter.1.Value.1',
      'Filter.99999999999999999999.Name',
      'MaxResults',
      'NextToken',
      'AutoScalingGroupName',
      'DesiredCapacity',
      'Tags.member.1.Key',
      'AutoScalingGroupNames.member.1',
      'MinSize',
      'MaxSize',
      'LifecycleHookName',
      'InstanceId',

      '__proto__',
      'constructor',
      'HealthStatus',
      'ShouldDecrementDesiredCapacity',
      'Filters.member.1.Name',
    );
    const value = fc.oneof(
      fc.constantFrom('web', '1', '0', '-1', '1e9', 'tag:constructor', 'tag:__proto__', 'instance-id', '*'),
      fc.constantFrom('true', 'i-0', 'Healthy', 'none', 'instance-state-name'),
      fc.string(),
      fc.string({ unit: 'binary' }),
    );
    const action = fc.constantFrom(
      'DescribeInstances',
      'DescribeTags',
      'DescribeAutoScalingGroups',
      'DescribeAutoScalingInstances',
      'DescribeLifecycleHooks',
      'SetDesiredCapacity',
      'UpdateAutoScalingGroup',
      'SetInstanceHealth',
      'PutLifecycleHook',
      'CompleteLifecycleAction',
      'StartInstanceRefresh',
      'toString',
      '__proto__',
      '',
    );
    const version = fc.constantFrom('2016-11-15', '2011-01-01', '2011-01-01', '', 'constructor');
    await fc.assert(
      fc.asyncProperty(version, action, fc.dictionary(name, value), async (Version, Action, fields) => {
        await survives('aws', aws(form({ Version, Action, ...fields })));
      }),
      runs(100),
    );
  });

  test('whatever change of records it is handed, it makes or refuses', async () => {
    const text = fc.oneof(
      fc.constantFrom('CREATE', 'DELETE', 'UPSERT', 'a.example.org', 'example.org', '\\052.example.org', 'A'),
      fc.constantFrom(
        'SRV',
        'TXT',
        'CNAME',
        '10.0.0.1',
        '"x"',
        '"',
        '60',
        '-1',
        '1e400',
        '&#0;',
        '<![CDATA[x]]>',
      ),
      fc.string().map((it) => it.replaceAll(/[<&]/g, '')),
    );
    const tag = fc.constantFrom(
      'Action',
      'Name',
      'Type',
      'TTL',
      'Value',
      '__proto__',
      'AliasTarget',
      'Region',
    );
    const change = fc
      .tuple(text, text, text, text, text, tag)
      .map(
        ([act, name, type, ttl, value, also]) =>
          `<Change><Action>${act}</Action><ResourceRecordSet><Name>${name}</Name><Type>${type}</Type><TTL>${ttl}</TTL>` +
          `<ResourceRecords><ResourceRecord><Value>${value}</Value></ResourceRecord></ResourceRecords>` +
          `<${also}>x</${also}></ResourceRecordSet></Change>`,
      );
    const batch = fc
      .array(change, { maxLength: 3 })
      .map(
        (all) =>
          `<ChangeResourceRecordSetsRequest><ChangeBatch><Changes>${all.join('')}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>`,
      );
    const broken = fc
      .tuple(batch, fc.nat(400), fc.nat(30))
      .map(([it, at, less]) => it.slice(0, at) + it.slice(at + less));
    await fc.assert(
      fc.asyncProperty(fc.oneof(batch, broken), async (body) => void (await survives('aws', xml(body)))),
      runs(100),
    );
  });

  const bomb = Array.from({ length: 12 }, (_, at) => `<!ENTITY e${at + 1} "${`&e${at};`.repeat(12)}">`).join(
    '',
  );
  test.each([
    ['a bomb of entities', `<!DOCTYPE x [<!ENTITY e0 "ha">${bomb}]><ChangeResourceRecordSetsRequest>&e12;`],
    ['elements without an end', '<a>'.repeat(300_000)],
    ['attributes without an end', `<a ${'b="c" '.repeat(300_000)}>`],
    ['a comment without an end', `<!--${'-'.repeat(1_000_000)}`],
  ])('%s is refused', async (_, body) => {
    expect(await quickly('aws', xml(body))).toEqual([400]);
  });

  test('patterns that could be matched in too many ways are matched', async () => {
    const Value = `${'*a'.repeat(40)}b`;
    const tagged = { 'ResourceId.1': instanceId, 'Tag.1.Key': 'long', 'Tag.1.Value': 'a'.repeat(250) };
    expect(await quickly('aws', ec2({ Action: 'CreateTags', ...tagged }))).toEqual([200]);
    expect(await quickly('aws', ec2({ 'Filter.1.Name': 'tag:long', 'Filter.1.Value.1': Value }))).toEqual([
      200,
    ]);
  });

  test('fields without number are refused', async () => {
    const fields = Array.from(
      { length: 50_000 },
      (_, at) => [`Filter.${at + 1}.Name`, 'instance-id'] as const,
    );
    expect(await quickly('aws', ec2(Object.fromEntries(fields)))).toEqual([400]);
  });

  test('a body without an end is refused, not collected', async () => {
    const head = `POST / HTTP/1.1\r\nHost: x\r\n${OPERATOR}\r\nContent-Length: 900000000\r\n\r\n`;
    expect(await quickly('aws', { pieces: [head, 'x'.repeat(4_300_000)], ending: 'fin' })).toEqual([413]);
  });
});

test('tokens of the metadata service are not kept without end', async () => {
  const token = `PUT /latest/api/token HTTP/1.1\r\nHost: x\r\nx-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n`;
  const { statuses, bytes } = await attack(
    { port: metadataPort },
    { pieces: [token.repeat(1_200)], ending: 'fin' },
  );
  expect(statuses).toHaveLength(1_200);
  const tokens = [...bytes.matchAll(/[\w-]{43}/g)].map(([it]) => it);
  const asks = async (it: string | undefined): Promise<readonly number[]> => {
    const asking = request('GET /latest/meta-data/instance-id', [`x-aws-ec2-metadata-token: ${it ?? ''}`]);
    return (await attack({ port: metadataPort }, asking)).statuses;
  };
  expect(await asks(tokens.at(-1))).toEqual([200]);
  expect(await asks(tokens[0])).toEqual([401]);
});
