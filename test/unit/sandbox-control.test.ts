import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createSystemClock } from '../../src/sandbox/clock.ts';
import { createCloud } from '../../src/sandbox/cloud.ts';
import type { CloudParts } from '../../src/sandbox/cloud.ts';
import { createControlClient } from '../../src/sandbox/control-client.ts';
import type { ControlClient } from '../../src/sandbox/control-client.ts';
import { createControlListener } from '../../src/sandbox/control.ts';
import { createCuts } from '../../src/sandbox/cuts.ts';
import { createEventLog } from '../../src/sandbox/events.ts';
import type { RunningHypervisor } from '../../src/sandbox/hypervisor.ts';
import type { CloudEvent } from '../../src/sandbox/model.ts';
import { createLoopbackNetwork } from '../../src/sandbox/network.ts';
import { createRandom } from '../../src/sandbox/random.ts';
import { regionPlaces } from '../../src/sandbox/regions.ts';

let parts: CloudParts;
let server: Server;
let url: string;
let client: ControlClient;
/** What was done to machines: verb, instance, process. */
let done: string[];
let shutdowns: number;

const calm = new AbortController().signal;

function told(word: unknown): string {
  return typeof word === 'string' ? word : JSON.stringify(word);
}

/** Runs nothing, and writes down what it is told. */
function aHypervisor(): RunningHypervisor {
  const noteNow =
    (verb: string) =>
    (...words: unknown[]): void => {
      done.push([verb, ...words.filter((word) => word !== undefined).map(told)].join(' '));
    };
  const note =
    (verb: string) =>
    async (...words: unknown[]): Promise<void> =>
      noteNow(verb)(...words);
  return {
    boot: note('boot'),
    shutdown: note('shutdown'),
    powerCut: note('power-cut'),
    kill: note('kill'),
    freeze: note('freeze'),
    thaw: note('thaw'),
    restart: note('restart'),
    configure: noteNow('configure'),
    launchWith: noteNow('launch-with'),
    wipeData: note('wipe'),
    report: async () => [],
    close: note('close'),
  };
}

beforeEach(async () => {
  done = [];
  shutdowns = 0;
  const clock = createSystemClock();
  const hypervisor = aHypervisor();
  parts = createCloud(
    {
      places: regionPlaces({ regions: ['eu-central-1', 'eu-west-1'], network: '127.78' }),
      clients: '127.78.0.0/24',
      clock,
      random: createRandom(1),
      events: createEventLog(clock),
      runner: { ...hypervisor, boot: async () => undefined },
    },
    { launchDelayMs: 0 },
  );
  const { cloud } = parts;
  const addresses = {
    aws: 'http://aws',
    control: 'http://control',
    controlSocket: '/nowhere',
    dns: { address: '127.78.0.2', port: 5353 },
    clusterName: 'demo.example.org',
    group: 'etcd-demo',
    stateDir: '/nowhere',
    hub: null,
  };
  const addressOf = (id: string): string => {
    const found = cloud.describe().instances.find(({ instanceId }) => instanceId === id);
    if (found === undefined) throw new Error(`instance ${id} is not running`);
    return found.address;
  };
  const isolate = async (regions: ReadonlySet<string>): Promise<void> => {
    done.push(`isolate ${[...regions].join()}`);
  };
  const network = { ...createLoopbackNetwork('127.78'), isolate };
  const cuts = createCuts({ network, faults: cloud.faults, addressOf });
  const onShutdown = (): void => {
    shutdowns += 1;
  };
  server = createServer(createControlListener({ cloud, hypervisor, cuts, addresses, onShutdown }));
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  client = createControlClient({ url });
  cloud.createGroup({ name: 'etcd-demo', stackName: 'etcd-demo', min: 0, max: 3, desired: 1 });
});

afterEach(async () => {
  parts.close();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  await promise;
});

async function theInstance(): Promise<string> {
  return vi.waitFor(async () => {
    const running = (await client.state()).cloud.instances.find(({ state }) => state === 'running');
    if (running === undefined) throw new Error('none is running yet');
    return running.instanceId;
  });
}

describe('the control API', () => {
  test('shows everything', async () => {
    const id = await theInstance();
    const state = await client.state();
    expect(state.addresses.group).toBe('etcd-demo');
    expect(state.cloud.groups[0]?.instances).toEqual([id]);
    expect(state.cuts).toEqual({});
  });

  test.for([
    ['kill-etcd', 'kill ID etcd'],
    ['freeze-etcd', 'freeze ID etcd'],
    ['thaw-etcd', 'thaw ID etcd'],
    ['kill-appliance', 'kill ID appliance'],
    ['freeze-appliance', 'freeze ID appliance'],
    ['thaw-appliance', 'thaw ID appliance'],
    ['wipe-data', 'wipe ID'],
    ['restart', 'restart ID'],
  ] as const)('does %s to the instance that is named', async ([verb, expected]) => {
    const id = await theInstance();
    await client.onInstance(id, verb);
    expect(done).toEqual([expected.replace('ID', id)]);
  });

  test('hands variables to an instance, and to those that are launched from now on', async () => {
    const id = await theInstance();
    await client.configure(id, { ETCD_VERSION: '3.6', EMPTY: '' });
    await client.launchWith({ ETCD_VERSION: '3.7' });
    expect(done).toEqual([
      `configure ${id} {"ETCD_VERSION":"3.6","EMPTY":""}`,
      'launch-with {"ETCD_VERSION":"3.7"}',
    ]);
  });

  test.for([
    [{}, 'name one at least'],
    [{ 'NO NAME': 'x' }, '"NO NAME" is no name of a variable'],
    [{ '': 'x' }, 'is no name of a variable'],
    [{ 'A=B': 'x' }, 'is no name of a variable'],
    [{ A: 'x\0' }, 'the value of A must be a text without NUL'],
    [{ A: 3.6 as never }, 'the value of A must be a text'],
    [['A=B'] as never, 'variables must be an object'],
    [null as never, 'variables must be an object'],
  ] as const)('hands on no variables that a process could not have: %j', async ([variables, words]) => {
    const id = await theInstance();
    await expect(client.configure(id, variables)).rejects.toThrow(words);
    await expect(client.launchWith(variables)).rejects.toThrow(words);
    expect(done).toEqual([]);
  });

  test('terminates through EC2 and through Auto Scaling', async () => {
    const id = await theInstance();
    await client.onInstance(id, 'terminate', { decrement: true });
    await vi.waitFor(async () => {
      const { cloud } = await client.state();
      expect(cloud.groups[0]?.desired).toBe(0);
      expect(cloud.instances.find(({ instanceId }) => instanceId === id)?.state).not.toBe('running');
    });
  });

  test('scales, within the bounds of the group', async () => {
    await client.scale('etcd-demo', 3);
    expect((await client.state()).cloud.groups[0]?.desired).toBe(3);
    await expect(client.scale('etcd-demo', 4)).rejects.toThrow('above max value 3');
    await expect(client.scale('no-such', 1)).rejects.toThrow('no-such');
  });

  test('adds, lists and lifts faults, and says what is no fault', async () => {
    const fault = await client.addFault({ service: 'route53', action: '*', instance: '*', kind: 'throttle' });
    expect((await client.state()).cloud.faults.map(({ id }) => id)).toEqual([fault.id]);
    await client.liftFault(fault.id);
    await expect(client.liftFault(fault.id)).rejects.toThrow(`no fault ${fault.id}`);
    const wrong = { service: 'route53', action: '*', instance: '*', kind: 'melt' } as never;
    await expect(client.addFault(wrong)).rejects.toThrow('melt');
    await client.addFault({ service: '*', action: '*', instance: '*', kind: 'reset' });
    await client.liftAllFaults();
    expect((await client.state()).cloud.faults).toEqual([]);
  });

  test('cuts an instance off from AWS, mends it, and refuses partitions on loopback', async () => {
    const id = await theInstance();
    await client.cut(id, { from: 'aws' });
    await client.cut(id, { from: 'aws' });
    const cut = await client.state();
    expect(cut.cuts).toEqual({ [id]: { from: 'aws' } });
    expect(cut.cloud.faults).toMatchObject([{ service: '*', action: '*', instance: id, kind: 'hang' }]);
    await expect(client.cut(id, { from: 'peers' })).rejects.toThrow('--namespaces');
    await expect(client.cut(id, { from: 'moon' as never })).rejects.toThrow('from must be one of');
    await client.cut(id, { from: 'none' });
    const mended = await client.state();
    expect(mended.cuts).toEqual({});
    expect(mended.cloud.faults).toEqual([]);
  });

  test('cuts a region off, its API and all that its instances ask with it, and mends it', async () => {
    await client.cutRegion('eu-west-1', 'both');
    const cut = await client.state();
    expect(cut.regionCuts).toEqual({ 'eu-west-1': 'both' });
    expect(cut.cloud.faults).toMatchObject([
      { service: '*', action: '*', instance: '*', region: 'eu-west-1', kind: 'hang' },
      { service: '*', action: '*', instance: '*', fromRegion: 'eu-west-1', kind: 'hang' },
    ]);
    await client.cutRegion('eu-west-1', 'peers');
    expect((await client.state()).cloud.faults).toEqual([]);
    await client.cutRegion('eu-west-1', 'none');
    expect((await client.state()).regionCuts).toEqual({});
    expect(done).toEqual(['isolate eu-west-1', 'isolate eu-west-1', 'isolate ']);
    await expect(client.cutRegion('moon', 'aws')).rejects.toThrow('no region');
    await expect(client.cutRegion('eu-west-1', 'moon' as never)).rejects.toThrow('from must be one of');
  });

  test('changes settings, everywhere or in one region', async () => {
    expect((await client.changeSettings({ launchDelayMs: 7 })).launchDelayMs).toBe(7);
    expect((await client.changeSettings({ launchDelayMs: 8 }, 'eu-west-1')).launchDelayMs).toBe(8);
    const { settings, regionSettings } = (await client.state()).cloud;
    expect(settings.launchDelayMs).toBe(7);
    expect(regionSettings).toEqual({ 'eu-west-1': { launchDelayMs: 8 } });
  });

  test('scales and launches in the region that is named', async () => {
    const group = { name: 'etcd-demo', stackName: 'etcd-demo', min: 0, max: 3, desired: 0 };
    parts.cloud.createGroup({ ...group, region: 'eu-west-1' });
    await expect(client.scale('etcd-demo', 2)).rejects.toThrow('say which region');
    await client.scale('etcd-demo', 2, 'eu-west-1');
    const { groups } = (await client.state()).cloud;
    expect(groups.map(({ region, desired }) => `${region} ${desired}`)).toEqual([
      'eu-central-1 1',
      'eu-west-1 2',
    ]);
    await client.launchWith({ ETCD_VERSION: '3.7' }, 'eu-west-1');
    expect(done).toEqual(['launch-with {"ETCD_VERSION":"3.7"} eu-west-1']);
    await expect(client.launchWith({ ETCD_VERSION: '3.7' }, 'moon')).rejects.toThrow('no region');
  });

  test('gives the events so far, and follows them', async () => {
    await theInstance();
    const sofar = await client.events(0);
    expect(sofar.length).toBeGreaterThan(0);
    const seen: CloudEvent[] = [];
    const following = client.follow(sofar.at(-1)?.seq ?? 0, (event) => seen.push(event), calm);
    parts.cloud.events.emit('test', { text: 'a\n\ndata: b' });
    await vi.waitFor(() => expect(seen.map(({ fields }) => fields['text'])).toEqual(['a\n\ndata: b']));
    server.closeAllConnections();
    await following;
  });

  test.each(['before', 'after'])('follows no longer than it is to: told %s the first event', async (when) => {
    await theInstance();
    const enough = new AbortController();
    if (when === 'before') enough.abort();
    await client.follow(0, () => enough.abort(), enough.signal);
    await vi.waitFor(async () => {
      const connections = await new Promise<number>((resolve, reject) => {
        server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      });
      expect(connections).toBe(0);
    });
  });

  test('shuts down when it is told to, and answers first', async () => {
    await client.shutdown();
    expect(shutdowns).toBe(1);
  });

  test.for([
    ['GET', '/nothing', 404, 'no route GET /nothing'],
    ['DELETE', '/state', 404, 'no route DELETE /state'],
    ['POST', '/instances/i-1/melt', 400, 'no verb melt'],
    ['POST', '/groups/etcd-demo/melt', 400, 'no verb melt'],
    ['POST', '/groups/etcd-demo/scale', 400, 'desired must be a number'],
    ['POST', '/regions/eu-west-1/melt', 400, 'no verb melt'],
    ['GET', '/settings?region=moon', 400, 'no region'],
    ['GET', '/events?since=x', 400, 'since must be a number'],
  ] as const)('answers %s %s with %i', async ([method, path, status, words]) => {
    const answer = await fetch(`${url}${path}`, { method });
    expect(answer.status).toBe(status);
    expect(((await answer.json()) as { error: string }).error).toContain(words);
  });

  test('refuses what is no JSON object, and what comes from a page in a browser', async () => {
    const post = (body: string, headers = {}) => fetch(`${url}/faults`, { method: 'POST', body, headers });
    expect((await post('{')).status).toBe(400);
    expect((await post('[]')).status).toBe(400);
    expect((await post('x'.repeat(1_000_001))).status).toBe(413);
    expect((await post('{}', { origin: 'http://evil.example' })).status).toBe(403);
    expect(parts.cloud.faults.list()).toEqual([]);
  });
});

test('a sandbox that is not there is said to be so', async () => {
  const nobody = createControlClient({ socket: '/nowhere/control.sock' });
  await expect(nobody.state()).rejects.toThrow('the sandbox does not answer');
  await expect(nobody.follow(0, () => undefined, calm)).rejects.toThrow('the sandbox does not answer');
});
