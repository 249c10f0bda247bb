import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createControlClient } from '../../src/sandbox/control-client.ts';
import type { ControlClient } from '../../src/sandbox/control-client.ts';
import type { SandboxAddresses } from '../../src/sandbox/control.ts';
import { inNamespace } from '../../src/sandbox/network.ts';
import { processesOf } from '../../src/sandbox/processes.ts';

const STAND_IN = join(import.meta.dirname, '../fixtures/stand-in-appliance.ts');
const MAIN = join(import.meta.dirname, '../../src/main.ts');
const METADATA = 'http://169.254.169.254/latest/api/token';

let parent: string;
let child: ChildProcess;
let output: string;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'namespaces-test-'));
});

function start(more: readonly string[]): void {
  const words = ['sandbox', 'start', '--namespaces', '--program', STAND_IN, '--json', '--quiet', ...more];
  child = spawn(process.execPath, [MAIN, ...words], {
    env: { ...process.env, TMPDIR: parent },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
}

afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  expect(processesOf(parent)).toEqual([]);
  await rm(parent, { recursive: true, force: true });
});

interface Running {
  readonly addresses: SandboxAddresses;
  readonly client: ControlClient;
  readonly ids: readonly string[];
  /** Status that one instance gets from a URL, null for nothing. */
  readonly reaches: (from: string, url: string) => Promise<number | null>;
  /** Whether one instance reaches the stand-in of another. */
  readonly reachesPeer: (from: string, to: string) => Promise<boolean>;
}

/** The sandbox once its three machines answer. Whoever asks them is in the hub: nothing leaves these namespaces. */
async function running(more: readonly string[] = []): Promise<Running> {
  start(more);
  const addresses = await vi.waitFor(
    () => (JSON.parse(output.split('\n')[0] ?? '') as { addresses: SandboxAddresses }).addresses,
    { timeout: 20_000, interval: 50 },
  );
  const client = createControlClient({ socket: addresses.controlSocket });
  const machines = await vi.waitFor(
    async () => {
      const state = await client.state();
      expect(state.machines.filter(({ etcd }) => etcd !== null)).toHaveLength(3);
      return state.machines;
    },
    { timeout: 20_000, interval: 50 },
  );
  const addressOf = (id: string) => machines.find(({ instanceId }) => instanceId === id)?.address ?? '';
  const reaches = async (from: string, url: string) => {
    const asked = `http://${addressOf(from)}:2378/?reach=${encodeURIComponent(url)}`;
    const [program = '', ...args] = inNamespace(addresses.hub ?? '', [
      'curl',
      '-s',
      '--max-time',
      '5',
      asked,
    ]);
    return JSON.parse((await execa(program, args)).stdout) as number | null;
  };
  await vi.waitFor(async () => Promise.all(machines.map(({ instanceId }) => reaches(instanceId, METADATA))), {
    timeout: 20_000,
    interval: 50,
  });
  return {
    addresses,
    client,
    ids: machines.map(({ instanceId }) => instanceId),
    reaches,
    reachesPeer: async (from, to) => (await reaches(from, `http://${addressOf(to)}:2378/`)) === 200,
  };
}

/** What a script prints that runs inside a namespace. */
async function runIn(namespace: string, script: string): Promise<string> {
  const node = [process.execPath, '--input-type=module', '--eval', script];
  const [program = '', ...args] = inNamespace(namespace, node);
  return (await execa(program, args)).stdout;
}

/** Adds a rule for an address, as an operator in the hub. */
async function letIn(
  { hub, aws }: SandboxAddresses,
  rule: { readonly region: string; readonly group: string; readonly address: string },
): Promise<void> {
  const form = new URLSearchParams({
    Action: 'AuthorizeSecurityGroupIngress',
    Version: '2016-11-15',
    GroupId: rule.group,
    'IpPermissions.1.IpProtocol': 'tcp',
    'IpPermissions.1.FromPort': '2378',
    'IpPermissions.1.ToPort': '2380',
    'IpPermissions.1.IpRanges.1.CidrIp': `${rule.address}/32`,
  });
  const scope = `AKIAOPERATOR/20260101/${rule.region}/ec2/aws4_request`;
  const authorization = `authorization: AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`;
  const [program = '', ...args] = inNamespace(hub ?? '', [
    'curl',
    '-sf',
    '-H',
    authorization,
    '-d',
    String(form),
    aws,
  ]);
  await execa(program, args);
}

async function namespacesOf(hub: string | null): Promise<readonly string[]> {
  return (await readdir('/run/netns').catch(() => [])).filter((name) => hub !== null && name.startsWith(hub));
}

const rootOnLinux = process.platform === 'linux' && process.getuid?.() === 0;

// Who may not make namespaces is told so, and that is what is tested there.
if (rootOnLinux) {
  test('partitions are real, and mend', async () => {
    const { addresses, client, ids, reaches, reachesPeer } = await running();
    const [a = '', b = '', c = ''] = ids;
    expect(await namespacesOf(addresses.hub)).toHaveLength(4);
    expect(await Promise.all([reachesPeer(a, b), reachesPeer(b, a), reachesPeer(a, c)])).toEqual([
      true,
      true,
      true,
    ]);
    expect(await reaches(a, METADATA)).toBe(200);
    expect(await reaches(a, addresses.aws)).not.toBeNull();

    await client.cut(a, { from: 'peers' });
    expect(await Promise.all([reachesPeer(a, b), reachesPeer(b, a), reachesPeer(b, c)])).toEqual([
      false,
      false,
      true,
    ]);
    expect(await reaches(a, METADATA)).toBe(200);

    await client.cut(a, { from: 'both', only: [b] });
    expect(await Promise.all([reachesPeer(a, b), reachesPeer(b, a), reachesPeer(a, c)])).toEqual([
      false,
      false,
      true,
    ]);
    expect(await Promise.all([reaches(a, METADATA), reaches(a, addresses.aws)])).toEqual([null, null]);
    expect(await reaches(b, METADATA)).toBe(200);

    await client.cut(a, { from: 'none' });
    expect(await Promise.all([reachesPeer(a, b), reachesPeer(b, a)])).toEqual([true, true]);
    expect(await reaches(a, METADATA)).toBe(200);

    await client.shutdown();
    await once(child, 'exit');
    expect(await namespacesOf(addresses.hub)).toEqual([]);
    expect(existsSync(addresses.stateDir)).toBe(false);
  });

  test('two regions reach each other by public addresses as the rules allow, until one is cut off', async () => {
    const { addresses, client, reaches, reachesPeer } = await running([
      '--regions',
      'eu-central-1,eu-west-1',
      '--size',
      '2,1',
    ]);
    const { instances, securityGroups } = (await client.state()).cloud;
    const [a, b, c] = instances;
    if (a === undefined || b === undefined || c === undefined) throw new Error('there are not three');
    const group = securityGroups.find(({ region }) => region === c.region)?.id ?? '';
    const byPublic = () => reaches(a.instanceId, `http://${c.publicAddress}:2378/`);
    expect(await byPublic()).toBeNull();
    await letIn(addresses, { region: c.region, group, address: a.publicAddress ?? '' });
    await vi.waitFor(async () => expect(await byPublic()).toBe(200), { timeout: 20_000 });

    await client.cutRegion(c.region, 'peers');
    const [ab, ac] = [
      () => reachesPeer(a.instanceId, b.instanceId),
      () => reachesPeer(a.instanceId, c.instanceId),
    ];
    expect(await Promise.all([ab(), ac(), byPublic()])).toEqual([true, false, null]);
    await client.cutRegion(c.region, 'none');
    expect(await Promise.all([ab(), ac(), byPublic()])).toEqual([true, true, 200]);

    await client.onInstance(c.instanceId, 'power-cut');
    await vi.waitFor(async () => expect(await byPublic()).toBeNull(), { timeout: 20_000 });
  });

  test('the metadata of an instance are its own, and end with it', async () => {
    const { addresses, client, ids } = await running();
    const [a = '', b = ''] = ids;
    const ask = async (id: string): Promise<string> => {
      const script = `
        const put = { method: 'PUT', headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60' } };
        const headers = { 'x-aws-ec2-metadata-token': await (await fetch('${METADATA}', put)).text() };
        console.log(await (await fetch('http://169.254.169.254/latest/meta-data/instance-id', { headers })).text());`;
      return runIn(`${addresses.hub}-${id}`, script);
    };
    await vi.waitFor(async () => expect(await Promise.all([ask(a), ask(b)])).toEqual([a, b]), {
      timeout: 20_000,
    });
    await client.onInstance(a, 'terminate', { decrement: true });
    await vi.waitFor(async () => expect(await namespacesOf(`${addresses.hub}-${a}`)).toEqual([]), {
      timeout: 20_000,
      interval: 50,
    });
    expect(await ask(b)).toBe(b);
  });

  // Those that are there would go on sending to the old one: for a minute they had no AWS, and nobody had their answers.
  test('the sandbox itself has the same hardware address as machines come and go', async () => {
    const { addresses, client, ids } = await running();
    const ask = async (): Promise<string> => {
      const [program = '', ...args] = inNamespace(addresses.hub ?? '', [
        'ip',
        '-json',
        'link',
        'show',
        'br0',
      ]);
      const [link] = JSON.parse((await execa(program, args)).stdout) as readonly {
        readonly address: string;
      }[];
      return link?.address ?? '';
    };
    const seen = [await ask()];
    for (const id of ids) {
      await client.onInstance(id, 'power-cut');
      await vi.waitFor(async () => expect(await namespacesOf(`${addresses.hub}-${id}`)).toEqual([]), {
        timeout: 20_000,
        interval: 50,
      });
      seen.push(await ask());
    }
    expect(new Set(seen)).toEqual(new Set([seen[0]]));
    expect(seen[0]).toMatch(/^02:/);
  });

  test('a sandbox that is killed leaves no namespace', async () => {
    const { addresses } = await running();
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    await vi.waitFor(
      async () => {
        expect(await namespacesOf(addresses.hub)).toEqual([]);
        expect(existsSync(addresses.stateDir)).toBe(false);
      },
      { timeout: 20_000, interval: 50 },
    );
  });
} else {
  test('namespaces are refused in one line', async () => {
    start([]);
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(69);
    expect(output).toMatch(/^etcd-appliance: no network namespaces here: [^\n]+\n$/);
    expect(await readdir(parent)).toEqual([]);
  });
}
