import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createAdmin } from '../../src/etcd/admin.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import { missingInMembers, missingInNames, missingInReadiness, viewAll } from '../e2e/view.ts';
import { startWatch, type Watch } from '../e2e/watch.ts';
import { startWriters, type Writers } from '../e2e/writers.ts';
import { TESTED_MINORS } from '../tools.ts';
import { type ContainerCloud, HARDENED, startContainerCloud } from './docker-cloud.ts';
import { type Engine, startEngine, sweptDirectory } from './docker-engine.ts';
import { BASE, buildImage, IMAGE, LABELS } from './docker-image.ts';

const NETWORK = '10.79';
const LIMIT_MS = 120_000;
/** The program in a container, where nothing else can be run. */
const MAIN = ['/usr/local/bin/node', '/opt/etcd-appliance/main.js'];
const admin = createAdmin({ deadlineMs: 2_000 });
const place = await sweptDirectory();
let engine: Engine;

beforeAll(async () => {
  const directory = join(place.path, 'engine');
  await mkdir(join(place.path, 'context'));
  await buildImage(directory, join(place.path, 'context'));
  engine = await startEngine({ directory, outside: false });
});

afterAll(async () => {
  admin[Symbol.dispose]();
  await engine?.[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

/** What a verb prints in a container of the image, hardened, that reaches nobody. */
async function inContainer(...args: readonly string[]): Promise<string> {
  return engine.docker(['run', '--rm', '--network=none', ...HARDENED, ...args]);
}

/** Every path of an image with its owner and its mode, but what the engine puts into every container. */
async function filesOf(image: string): Promise<ReadonlyMap<string, string>> {
  const id = await engine.docker(['create', image, 'nothing']);
  const archive = join(place.path, 'image.tar');
  await engine.docker(['export', `--output=${archive}`, id]);
  await engine.docker(['rm', '--volumes', id]);
  const { stdout } = await execa('tar', ['--numeric-owner', '-tvf', archive], { maxBuffer: 1 << 26 });
  await rm(archive);
  const lines = stdout.split('\n').map((line) => /^(\S+) (\S+) +\S+ \S+ \S+ ([^ ]+)/.exec(line));
  const files = lines.map((found) => [`/${found?.[3] ?? ''}`, `${found?.[1]} ${found?.[2]}`] as const);
  return new Map(files.filter(([path]) => !/^\/(dev|proc|sys|etc|\.dockerenv)\b/.test(path)));
}

describe('what is built', () => {
  test('says what it is, and how it is run, stopped and asked', async () => {
    const [{ Config: config }] = JSON.parse(await engine.docker(['inspect', IMAGE]));
    expect(config).toMatchObject({
      User: '65532:65532',
      Volumes: { '/var/lib/etcd-appliance': {} },
      ExposedPorts: { '2378/tcp': {}, '2379/tcp': {}, '2380/tcp': {} },
      StopSignal: 'SIGTERM',
      Cmd: ['run'],
    });
    expect(config.Healthcheck.Test).toEqual(['CMD', ...config.Entrypoint, 'health']);
    const label = 'org.opencontainers.image';
    expect(config.Labels).toMatchObject({
      [`${label}.version`]: LABELS.VERSION,
      [`${label}.revision`]: LABELS.REVISION,
      [`${label}.created`]: LABELS.CREATED,
      [`${label}.source`]: LABELS.SOURCE,
      [`${label}.licenses`]: LABELS.LICENSES,
      [`${label}.base.name`]: BASE,
    });
    // Nothing of the build's environment: neither certificates nor a registry.
    expect(config.Env).toEqual([expect.stringMatching(/^PATH=/)]);
  });

  test('holds its base, Node, the bundle and etcds, none of which it may change, and one folder of its own', async () => {
    const base = await filesOf(BASE);
    const added = [...(await filesOf(IMAGE))].filter(([path]) => !base.has(path));
    const places = added.map(([path]) => path.replace(/^(\/opt\/[\w-]+\/).*$/, '$1'));
    const programs = ['node', 'etcd-appliance'].map((name) => `/usr/local/bin/${name}`);
    const documents = ['', 'LICENSE', 'sbom.cdx.json'].map((name) => `/usr/share/doc/etcd-appliance/${name}`);
    expect([...new Set(places)].toSorted()).toEqual(
      [
        '/opt/etcd-appliance/',
        '/opt/etcd/',
        '/var/lib/etcd-appliance/',
        ...programs,
        ...documents,
      ].toSorted(),
    );
    const bundle = added.filter(([path]) => path.startsWith('/opt/etcd-appliance/'));
    expect(bundle.filter(([path]) => /node_modules|\.ts$|\.map$/.test(path))).toEqual([]);
    const others = added.filter(([, how]) => !how.endsWith(' 0/0'));
    expect(others).toEqual([['/var/lib/etcd-appliance/', 'drwxr-xr-x 65532/65532']]);
    // A symbolic link's own mode means nothing.
    const writable = added.filter(([, how]) => /^[-d].{4}(w|.{3}w)/.test(how));
    expect(writable).toEqual([]);
  });

  test('has an etcd of every minor, Node 24, and its own compiled form', async () => {
    const listed = JSON.parse(await inContainer(IMAGE, 'etcd', 'list', '--json'));
    const minors = listed.binaries.map((it: { minor: string }) => it.minor);
    expect({ minors, broken: listed.broken }).toEqual({ minors: [...TESTED_MINORS], broken: [] });
    expect(await inContainer('--entrypoint=node', IMAGE, '--version')).toMatch(/^v24\./);
    expect(await inContainer('--entrypoint=etcd-appliance', IMAGE, 'version')).toMatch(/^\d+\.\d+\.\d+$/);
    const said = await engine.saidBy([
      'run',
      '--rm',
      ...HARDENED,
      '--env=NODE_DEBUG_NATIVE=COMPILE_CACHE',
      IMAGE,
      'config',
    ]);
    expect(said).toMatch(/cli\.js was accepted/);
    expect(said).not.toMatch(/was rejected|writing cache/);
  });

  test('names its parts in a bill of materials', async () => {
    const bill = await inContainer('--entrypoint=cat', IMAGE, '/usr/share/doc/etcd-appliance/sbom.cdx.json');
    const { bomFormat, metadata, components } = JSON.parse(bill);
    expect({ bomFormat, name: metadata.component.name }).toEqual({
      bomFormat: 'CycloneDX',
      name: 'etcd-appliance',
    });
    const names = components.map((it: { name: string }) => it.name);
    expect(names).toContain('@aws-sdk/client-route-53');
    expect(names).not.toContain('vitest');
  });

  test('is built of what belongs to it: nothing else of a work tree reaches the builder', async () => {
    const lines = `FROM ${BASE}\nCOPY . /given/\n`;
    await engine.docker(['build', '--tag=given', '--file=-', join(place.path, 'context/tree')], lines);
    const given = [...(await filesOf('given')).keys()].filter((path) => path.startsWith('/given/'));
    const top = new Set(given.map((path) => path.split('/')[2]));
    expect([...top].toSorted()).toEqual([
      '',
      '.ci',
      '.npmrc',
      'LICENSE',
      'docker',
      'package-lock.json',
      'package.json',
      'src',
      'tsconfig.json',
    ]);
  });

  test('says that nobody answers where no appliance runs', async () => {
    await expect(inContainer(IMAGE, 'health')).rejects.toMatchObject({
      exitCode: 69,
      stderr: expect.stringContaining('no appliance answers on port 2378'),
    });
  });
});

/** Looks again and again at a cloud of containers. */
function looking(cloud: ContainerCloud, watch: Watch) {
  const until = async (what: string, missing: () => Promise<readonly string[]>): Promise<void> => {
    const end = performance.now() + LIMIT_MS;
    for (;;) {
      const left = await missing();
      if (left.length === 0) return;
      if (performance.now() >= end)
        throw new Error(`${what}: not within ${LIMIT_MS} ms:\n${left.join('\n')}`);
      await delay(200);
    }
  };
  const whole = async (size: number): Promise<void> => {
    await until(`a whole cluster of ${size}`, async () => {
      const waiting = await missingInReadiness(cloud);
      if (waiting.length > 0) return waiting;
      const views = await viewAll(cloud, admin);
      const left = missingInMembers(size, views);
      return left.length > 0 ? left : missingInNames(cloud, views, watch);
    });
  };
  return { until, whole };
}

/** Where `words` stand in the log; behind its end where they do not. */
function indexOrEnd(log: string, words: string): number {
  const at = log.indexOf(words);
  return at < 0 ? log.length : at;
}

const stateOf = async (id: string) =>
  JSON.parse(await engine.docker(['inspect', '--format={{json .State}}', id])) as {
    readonly Pid: number;
    readonly StartedAt: string;
    readonly ExitCode: number;
    readonly Health: { readonly Status: string };
  };

describe('three containers with addresses of their own', () => {
  let cloud: ContainerCloud;
  let watch: Watch;
  let writers: Writers;
  let look: ReturnType<typeof looking>;

  const running = () => cloud.cloud.describe().instances.filter(({ state }) => state === 'running');
  const ids = () => running().map(({ instanceId }) => instanceId);
  const memberOf = async (instanceId: string) => {
    const views = await viewAll(cloud, admin);
    return views.find((it) => it.instanceId === instanceId)?.status?.memberId;
  };
  const first = (): string => ids()[0] ?? '';

  beforeAll(async () => {
    await engine.docker([
      'network',
      'create',
      `--subnet=${NETWORK}.0.0/16`,
      `--gateway=${NETWORK}.0.1`,
      'cluster',
    ]);
    cloud = await startContainerCloud(engine, { size: 3, network: NETWORK, dockerNetwork: 'cluster' });
    watch = startWatch(cloud, admin);
    look = looking(cloud, watch);
    writers = startWriters(admin, () => running().map(({ address }) => clientUrl(address)));
    cloud.start();
  });

  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    for (const id of ids()) {
      const log = await engine.docker(['logs', '--tail=60', id]).catch(String);
      process.stderr.write(`${id}:\n${log}\n`);
    }
  });

  afterAll(async () => {
    await writers.stop();
    await watch.stop();
    await cloud[Symbol.asyncDispose]();
  });

  test('form a cluster that DNS names, and are found healthy', async () => {
    await look.whole(3);
    await look.until('health', async () => {
      const states = await Promise.all(ids().map(async (id) => (await stateOf(id)).Health.Status));
      return states.every((it) => it === 'healthy') ? [] : states;
    });
    for (const id of ids()) {
      expect(await engine.docker(['exec', id, ...MAIN, 'health', '--ready'])).not.toBe('');
      const plan = await engine.docker(['exec', id, ...MAIN, 'plan', '--json']);
      expect(JSON.parse(plan)).toMatchObject({ unknown: [] });
      // Nothing but the volume was written, and no program but ours was there to be run.
      expect(await engine.docker(['diff', id])).toBe('');
      await expect(engine.docker(['exec', id, 'sh', '-c', 'true'])).rejects.toThrow('not found');
    }
  });

  test('replace one whose machine dies', async () => {
    const victim = first();
    cloud.cloud.powerCut(victim);
    await look.until('the end', async () => (cloud.ended(victim) === undefined ? ['it runs'] : []));
    await look.whole(3);
    expect(ids()).not.toContain(victim);
  });

  test('stop and start as the same member while the instance stays', async () => {
    const id = first();
    const member = await memberOf(id);
    await engine.docker(['stop', id]);
    // Not 137, which a kill at the end of the grace would leave.
    expect((await stateOf(id)).ExitCode).toBe(0);
    expect(await engine.docker(['logs', id])).toContain('"reason":"leave-restart"');
    await engine.docker(['start', id]);
    await look.whole(3);
    expect(await memberOf(id)).toBe(member);
  });

  test('come back as the same member after the appliance was killed, and its etcd with it', async () => {
    const id = first();
    const [member, { Pid, StartedAt }] = [await memberOf(id), await stateOf(id)];
    await engine.kill(Pid);
    await look.until('a new start', async () =>
      (await stateOf(id)).StartedAt === StartedAt ? ['not started again'] : [],
    );
    await look.whole(3);
    expect(await memberOf(id)).toBe(member);
  });

  test('leave the cluster within their grace when their instance is terminated', async () => {
    const id = first();
    const member = await memberOf(id);
    cloud.cloud.terminateInstance(id, { decrement: false });
    await look.until('the end', async () => (cloud.ended(id) === undefined ? ['it runs'] : []));
    const end = cloud.ended(id);
    expect(end).toMatchObject({ exitCode: 0, log: expect.stringContaining('"reason":"leave-remove"') });
    await look.whole(3);
    expect(watch.removed()).toContain(member);
  });

  test('leave by the hook of a group that has one, and do not come back though they are started again', async () => {
    await cloud.putTerminatingHook();
    const id = first();
    const member = await memberOf(id);
    cloud.cloud.terminateInstance(id, { decrement: false });
    await look.until('the end', async () => (cloud.ended(id) === undefined ? ['it runs'] : []));
    const log = cloud.ended(id)?.log ?? '';
    // It left before anybody stopped the container: the hook was completed by itself.
    expect(log).toContain('"reason":"leave-remove"');
    expect(log.indexOf('"reason":"leave-remove"')).toBeLessThan(indexOrEnd(log, 'stopping in order'));
    await look.whole(3);
    expect(watch.removed()).toContain(member);
    expect(watch.unjustified('all')).toEqual([]);
  });

  test('lost nothing that was acknowledged, in one cluster, and have no child but etcd', async () => {
    await writers.stop();
    expect(writers.acknowledged()).toBeGreaterThan(100);
    for (const { address } of running()) expect(await writers.lostAt(clientUrl(address))).toEqual([]);
    expect(watch.clusterIds()).toHaveLength(1);
    expect(watch.emptied()).toEqual([]);
    expect(watch.unjustified('voters')).toEqual([]);
    const processes = await engine.processes();
    for (const id of ids()) {
      const { Pid } = await stateOf(id);
      const children = processes.filter(({ parentPid }) => parentPid === Pid);
      expect(children).toEqual([
        { pid: expect.any(Number), parentPid: Pid, state: expect.not.stringMatching('Z') },
      ]);
    }
  });
});

test('on the network of the machine itself, a container serves and is found healthy', async () => {
  await using cloud = await startContainerCloud(engine, {
    size: 1,
    network: '127.79',
    dockerNetwork: 'host',
  });
  const watch = startWatch(cloud, admin);
  const look = looking(cloud, watch);
  try {
    cloud.start();
    await look.whole(1);
    const [instance] = cloud.cloud.describe().instances;
    await look.until('health', async () => {
      const { Status } = (await stateOf(instance?.instanceId ?? '')).Health;
      return Status === 'healthy' ? [] : [Status];
    });
  } finally {
    await watch.stop();
  }
});
