import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createControlClient } from '../../src/sandbox/control-client.ts';
import type { SandboxAddresses } from '../../src/sandbox/control.ts';
import { processesOf } from '../../src/sandbox/processes.ts';
import { createSandbox } from '../../src/sandbox/sandbox.ts';
import type { Sandbox, SandboxOptions } from '../../src/sandbox/sandbox.ts';
import { runningSandboxes } from '../../src/sandbox/state-dir.ts';
import { ETCD_DIRECTORY } from '../tools.ts';

const STAND_IN = join(import.meta.dirname, '../fixtures/stand-in-appliance.ts');
const MAIN = join(import.meta.dirname, '../../src/main.ts');

const WAIT = { timeout: 20_000, interval: 50 };

let parent: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'sandbox-test-'));
});

afterEach(async () => {
  expect(processesOf(parent)).toEqual([]);
  await rm(parent, { recursive: true, force: true });
});

function options(more: Partial<SandboxOptions> = {}): SandboxOptions {
  return {
    parent,
    searchPath: process.env['PATH'] ?? '',
    etcdDir: '/nowhere',
    program: STAND_IN,
    group: { desired: 2, min: 0, max: 5 },
    ...more,
  };
}

/** The addresses of `size` machines whose stand-ins answer. */
async function answering(sandbox: Sandbox, size: number): Promise<readonly string[]> {
  return vi.waitFor(
    async () => {
      const machines = await sandbox.hypervisor.report();
      expect(machines.filter(({ etcd }) => etcd !== null)).toHaveLength(size);
      return machines.map(({ address }) => address);
    },
    { timeout: 20_000, interval: 50 },
  );
}

describe('a demo that is interrupted', () => {
  test.each([['--json'], []])(
    'says so, fails, and leaves nothing: %j',
    async (...more: readonly string[]) => {
      const demo = spawn(process.execPath, [MAIN, 'demo', '--script', '--program', STAND_IN, ...more], {
        env: { ...process.env, TMPDIR: parent, ETCD_DIR: ETCD_DIRECTORY },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      onTestFinished(() => void demo.kill('SIGKILL'));
      const ended = Promise.all([text(demo.stdout), text(demo.stderr), once(demo, 'close')]);
      await vi.waitFor(() => expect(processesOf(parent).length).toBeGreaterThan(5), WAIT);
      demo.kill('SIGINT');
      const [out, err, [code]] = await ended;
      expect({ code, err }).toEqual({ code: 1, err: '' });
      const last = out.trimEnd().split('\n').at(-1) ?? '';
      if (more.length === 0) expect(last).toMatch(/^interrupted after \d+ ms$/);
      else expect(JSON.parse(last)).toMatchObject({ ok: false, interrupted: true, writes: { lost: null } });
    },
  );
});

describe('a sandbox', () => {
  test('gives the last number that is said to the groups that have none of their own', async () => {
    const regions = ['eu-central-1', 'eu-west-1', 'us-east-1'];
    const settings = { launchDelayMs: 60_000 };
    const sizesOf = async (desired: number | readonly number[]): Promise<readonly number[]> => {
      await using sandbox = await createSandbox(
        options({ regions, settings, group: { desired, min: 0, max: 5 } }),
      );
      await sandbox.start();
      return sandbox.cloud.describe().groups.map((group) => group.desired);
    };
    expect(await sizesOf([1, 2])).toEqual([1, 2, 2]);
    expect(await sizesOf(3)).toEqual([3, 3, 3]);
  });

  test('runs its group, tells its machines what user data would, and leaves nothing', async () => {
    const sandbox = await createSandbox(options({ environment: { LOG_LEVEL: 'debug' } }));
    try {
      await sandbox.start();
      const [address] = await answering(sandbox, 2);
      // The stand-in starts its etcd first, and listens then.
      const answer = await vi.waitFor(() => fetch(`http://${address}:2378/`), { timeout: 20_000 });
      const { env } = (await answer.json()) as { env: Record<string, string> };
      const { DATA_DIR, HOME, PATH, ...rest } = env;
      expect(rest).toEqual({
        HOSTED_ZONE: 'example.org',
        ETCD_DIR: '/nowhere',
        LISTEN_ADDRESS: address,
        STATUS_PORT: '2378',
        LOG_LEVEL: 'debug',
        AWS_ENDPOINT_URL: sandbox.addresses.aws,
        AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://${address}:1338`,
      });
      expect([DATA_DIR, HOME].every((path) => path?.startsWith(sandbox.addresses.stateDir))).toBe(true);
      expect(PATH).toBe(process.env['PATH']);
    } finally {
      await sandbox.close();
    }
    expect(await readdir(parent)).toEqual([]);
  });

  test('replaces what is terminated, and ends what is scaled away', async () => {
    await using sandbox = await createSandbox(options());
    await sandbox.start();
    await answering(sandbox, 2);
    const client = createControlClient({ url: sandbox.addresses.control });
    const [first] = (await client.state()).machines;
    await client.onInstance(first?.instanceId ?? '', 'terminate');
    await vi.waitFor(
      async () => {
        const { machines } = await client.state();
        expect(machines).toHaveLength(2);
        expect(machines.map(({ instanceId }) => instanceId)).not.toContain(first?.instanceId);
      },
      { timeout: 20_000, interval: 50 },
    );
    await client.scale(sandbox.addresses.group, 0);
    await vi.waitFor(async () => expect((await client.state()).machines).toEqual([]), {
      timeout: 20_000,
      interval: 50,
    });
    expect(processesOf(sandbox.addresses.stateDir)).toEqual([]);
  });

  test('has a network of its own beside another one, and both are found', async () => {
    await using one = await createSandbox(options());
    await using other = await createSandbox(options());
    expect(other.addresses.aws).not.toBe(one.addresses.aws);
    const found = (await runningSandboxes(parent)).map(({ stateDir }) => stateDir);
    expect(found.toSorted()).toEqual([one.addresses.stateDir, other.addresses.stateDir].toSorted());
    for (const { addresses } of [one, other]) {
      const client = createControlClient({ socket: addresses.controlSocket });
      expect((await client.state()).addresses).toEqual(addresses);
    }
  });

  test('leaves nothing where it cannot be made', async () => {
    await using one = await createSandbox(options());
    const network = one.addresses.aws.replace(/^http:\/\/(\d+\.\d+)\..*$/, '$1');
    await expect(createSandbox(options({ network }))).rejects.toThrow('cannot listen on');
    expect(await readdir(parent)).toHaveLength(1);
  });

  test('keeps its files where it is told to, but no process', async () => {
    const sandbox = await createSandbox(options({ keep: true }));
    await sandbox.start();
    await answering(sandbox, 2);
    await sandbox.close();
    expect(existsSync(sandbox.addresses.stateDir)).toBe(true);
    expect(processesOf(parent)).toEqual([]);
  });
});

describe('etcd-appliance sandbox start', () => {
  const children: ChildProcess[] = [];

  afterEach(async () => {
    // Where a test failed half-way, its sandbox still runs.
    const running = children
      .splice(0)
      .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    await Promise.all(
      running.map(async (child) => {
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        await ended;
      }),
    );
  });

  async function started(): Promise<{
    stateDir: string;
    controlSocket: string;
    end: (name: NodeJS.Signals) => Promise<number | null>;
  }> {
    const child = spawn(
      process.execPath,
      [MAIN, 'sandbox', 'start', '--program', STAND_IN, '--json', '--quiet'],
      {
        env: { ...process.env, TMPDIR: parent },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    children.push(child);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { addresses } = JSON.parse(line.toString()) as { addresses: SandboxAddresses };
    await vi.waitFor(() => expect(processesOf(addresses.stateDir)).toHaveLength(6), WAIT);
    return {
      stateDir: addresses.stateDir,
      controlSocket: addresses.controlSocket,
      end: async (name) => {
        const ended = once(child, 'exit');
        child.kill(name);
        return ((await ended) as [number | null])[0];
      },
    };
  }

  /** A verb of the sandbox that runs. */
  async function exitOf(...words: readonly string[]): Promise<number | null> {
    const verb = spawn(process.execPath, [MAIN, 'sandbox', ...words], {
      env: { ...process.env, TMPDIR: parent },
      stdio: ['ignore', 'inherit', 'ignore'],
    });
    return ((await once(verb, 'exit')) as [number | null])[0];
  }

  test.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'ends in order on %s, with all that it ran',
    async (name) => {
      const { stateDir, end } = await started();
      expect(await end(name)).toBe(0);
      expect(existsSync(stateDir)).toBe(false);
      expect(processesOf(stateDir)).toEqual([]);
    },
  );

  test('leaves nothing even when it is killed', async () => {
    const { stateDir, end } = await started();
    await end('SIGKILL');
    await vi.waitFor(() => expect(existsSync(stateDir)).toBe(false), { timeout: 10_000, interval: 20 });
    expect(processesOf(stateDir)).toEqual([]);
  });

  test('has other variables after configure and restart, and no instance but those that are named', async () => {
    const { controlSocket } = await started();
    const client = createControlClient({ socket: controlSocket });
    const variables = async (): Promise<readonly unknown[]> => {
      const { machines } = await client.state();
      const answers = machines.map(async ({ address }) => (await fetch(`http://${address}:2378/`)).json());
      return (await Promise.all(answers)).map((it) => (it as { env: Record<string, string> }).env['TRIED']);
    };
    const [first, second] = (await client.state()).machines;
    expect(await exitOf('configure', first?.address ?? '', 'TRIED=a=b')).toBe(0);
    expect(await exitOf('restart', first?.address ?? '')).toBe(0);
    await vi.waitFor(async () => expect(await variables()).toEqual(['a=b', undefined, undefined]), WAIT);
    expect(await exitOf('configure', 'all', '--launches', 'TRIED=c')).toBe(0);
    expect(await exitOf('restart', second?.address ?? '')).toBe(0);
    await vi.waitFor(async () => expect(await variables()).toEqual(['a=b', 'c', undefined]), WAIT);
    await client.scale('etcd-demo', 4);
    await vi.waitFor(async () => expect(await variables()).toEqual(['a=b', 'c', undefined, 'c']), WAIT);
  });

  test('refuses to configure nobody, nothing, what has no name, and who is not there', async () => {
    await started();
    for (const words of [['TRIED=a'], ['all'], ['all', '=a'], ['nobody', 'TRIED=a']])
      expect(await exitOf('configure', ...words)).toBe(64);
  });

  test('is followed no longer than somebody reads', async () => {
    const { controlSocket } = await started();
    const follower = spawn(process.execPath, [MAIN, 'sandbox', 'events', '--follow'], {
      env: { ...process.env, TMPDIR: parent },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(follower);
    const ended = Promise.all([text(follower.stderr), once(follower, 'exit')]);
    await once(follower.stdout, 'data');
    follower.stdout.destroy();
    await once(follower.stdout, 'close');
    await createControlClient({ socket: controlSocket }).scale('etcd-demo', 4);
    expect(await ended).toEqual(['', [0, null]]);
  });

  test('is ended by the verb stop', async () => {
    const { stateDir } = await started();
    expect(await exitOf('stop')).toBe(0);
    await vi.waitFor(() => expect(existsSync(stateDir)).toBe(false), { timeout: 10_000, interval: 20 });
  });
});
