import { tmpdir } from 'node:os';
import { createAdmin, type EtcdAdmin } from '../src/etcd/admin.ts';
import type { EtcdBinary } from '../src/etcd/binaries.ts';
import { clientUrl } from '../src/etcd/flags.ts';
import type { CloudEvent, InstanceSnapshot } from '../src/sandbox/model.ts';
import { createSandbox, type Sandbox } from '../src/sandbox/sandbox.ts';
import { program } from '../test/e2e/build.ts';
import { askNames } from '../test/e2e/view.ts';
import { ETCD_DIRECTORY } from '../test/tools.ts';
import { type Counters, readCounters } from './counters.ts';
import { createRecorder, type Recorder } from './measures.ts';
import { leaderIndex, missingVoters, until } from './wait.ts';

/** A cluster of the appliance's in a sandbox of its own. */
export interface Group {
  readonly size: number;
  readonly sandbox: Sandbox;
  readonly admin: EtcdAdmin;
  readonly recorder: Recorder;
  readonly starts: Starts;
  readonly signal: AbortSignal;
}

/** Where a group differs from the usual one. */
export interface GroupOptions {
  /** With a launching and a terminating lifecycle hook. */
  readonly hooks?: boolean;
  /** Variables of the appliances, read at each launch. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Makes the sandbox; nothing runs in it yet. Its end is the stack's. */
export async function createGroup(
  binary: EtcdBinary,
  size: number,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
  { hooks = false, environment = { ETCD_VERSION: binary.version } }: GroupOptions = {},
): Promise<Group> {
  const sandbox = stack.use(
    await createSandbox({
      parent: tmpdir(),
      searchPath: process.env['PATH'] ?? '',
      etcdDir: ETCD_DIRECTORY,
      program: program(),
      environment,
      group: { desired: size, min: 0, max: 9, hooks },
    }),
  );
  const admin = stack.use(createAdmin());
  const over = new AbortController();
  stack.defer(() => over.abort());
  const alive = AbortSignal.any([signal, over.signal]);
  const starts = watchStarts(sandbox, alive);
  return { size, sandbox, admin, recorder: createRecorder(), starts, signal: alive };
}

/** Until the running instances are exactly the voters, and every name gives exactly their addresses; ms since `sinceMs`. */
export async function whole({ size, sandbox, admin, signal }: Group, sinceMs: number): Promise<number> {
  return await until(
    'a whole cluster',
    sinceMs,
    async () => {
      const addresses = running(sandbox).map(({ address }) => address);
      if (addresses.length !== size) return [`${addresses.length} instances run`];
      const missing = await missingVoters(admin, addresses.map(clientUrl), signal);
      if (missing.length > 0) return missing;
      const wanted = addresses.toSorted().join();
      return Object.entries(await askNames(sandbox))
        .filter(([, values]) => values.join() !== wanted)
        .map(([name, values]) => `${name} gives ${values.join() || 'nothing'}`);
    },
    signal,
  );
}

/** Until every appliance says that it is ready; ms since `sinceMs`. */
export async function ready({ size, sandbox, signal }: Group, sinceMs = 0): Promise<number> {
  return await until(
    'all are ready',
    sinceMs,
    async () => {
      const answers = await Promise.all(running(sandbox).map(({ address }) => answers200(address, 'readyz')));
      return answers.length === size && answers.every((it) => it) ? [] : ['not all are'];
    },
    signal,
  );
}

export function running({ cloud }: Sandbox): readonly InstanceSnapshot[] {
  return cloud.describe().instances.filter(({ state }) => state === 'running');
}

/** What every running appliance counted, in the order of the instances. */
export async function countersOf({ sandbox, signal }: Group): Promise<readonly Counters[]> {
  return await Promise.all(running(sandbox).map(({ address }) => readCounters(address, signal)));
}

interface Roles {
  readonly leader: InstanceSnapshot;
  readonly followers: readonly [InstanceSnapshot, ...InstanceSnapshot[]];
}

/** Who leads now. Throws where nobody does. */
export async function roles({ sandbox, admin, signal }: Group): Promise<Roles> {
  const instances = running(sandbox);
  const endpoints = instances.map(({ address }) => clientUrl(address));
  const leader = instances[await leaderIndex(admin, endpoints, signal)];
  const [first, ...rest] = instances.filter((it) => it !== leader);
  if (leader === undefined || first === undefined) throw new Error(`${instances.length} instances run`);
  return { leader, followers: [first, ...rest] };
}

/** The process id of an instance's etcd. Throws where none runs. */
export async function etcdPid({ sandbox }: Group, { instanceId }: InstanceSnapshot): Promise<number> {
  const machine = (await sandbox.hypervisor.report()).find((it) => it.instanceId === instanceId);
  if (!machine?.etcd) throw new Error(`no etcd runs on ${instanceId}`);
  return machine.etcd.pid;
}

/** One start of an appliance; ms, monotonic. */
export interface Start {
  readonly instanceId: string;
  readonly address: string;
  readonly startedMs: number;
  /** How long it took to answer /birth; ms. */
  readonly answered: Promise<number>;
  /** How long it took until its first call reached AWS, metadata aside; null: none did yet; ms. */
  readonly firstCallMs: () => number | null;
}

export interface Starts {
  readonly since: (ms: number) => readonly Start[];
}

/** Asks every appliance from its start on until it answers, and notes its first call. */
function watchStarts(sandbox: Sandbox, signal: AbortSignal): Starts {
  const starts: Start[] = [];
  const calls = new Map<string, number>();
  sandbox.cloud.events.subscribe((event) => {
    const asking = event.fields['asking'];
    if (isCall(event) && typeof asking === 'string' && !calls.has(asking))
      calls.set(asking, performance.now());
    const { type, fields } = event;
    if (type !== 'process-start' || fields['process'] !== 'appliance') return;
    const startedMs = performance.now();
    const instanceId = textOf(fields['instanceId']);
    const address = running(sandbox).find((it) => it.instanceId === instanceId)?.address ?? '';
    const asked = async (): Promise<readonly string[]> =>
      (await answers200(address, 'birth')) ? [] : ['no answer'];
    const answered = until('/birth answers', startedMs, asked, signal);
    // It is asked for later, or the run has failed already.
    answered.catch(() => undefined);
    const firstCallMs = (): number | null => {
      const at = calls.get(instanceId);
      return at === undefined ? null : at - startedMs;
    };
    starts.push({ instanceId, address, startedMs, answered, firstCallMs });
  });
  return { since: (ms) => starts.filter(({ startedMs }) => startedMs >= ms) };
}

/** A field of an event as text; empty where it is none. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Whether an event is a call of AWS, as AWS counts them. */
export function isCall({ type }: CloudEvent): boolean {
  return type === 'api-read' || type === 'api-change';
}

/** Whether an appliance answers a path with 200 now. */
export async function answers200(address: string, path: 'birth' | 'readyz'): Promise<boolean> {
  return await fetch(`http://${address}:2378/${path}`).then(
    async (response) => {
      await response.body?.cancel();
      return response.ok;
    },
    () => false,
  );
}
