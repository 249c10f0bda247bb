import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { createAdmin, type EtcdAdmin } from '../src/etcd/admin.ts';
import type { EtcdBinary } from '../src/etcd/binaries.ts';
import { clientUrl } from '../src/etcd/flags.ts';
import type { InstanceSnapshot } from '../src/sandbox/model.ts';
import { createSandbox, type Sandbox } from '../src/sandbox/sandbox.ts';
import { program } from '../test/e2e/build.ts';
import { askNames } from '../test/e2e/view.ts';
import { startWriters } from '../test/e2e/writers.ts';
import { ETCD_DIRECTORY } from '../test/tools.ts';
import { callsOf, type Counters, readCounters } from './counters.ts';
import {
  createRecorder,
  type Life,
  type Milestones,
  type Part,
  type Recorder,
  type Told,
} from './measures.ts';
import { OF_FORMING, OF_REPLACING, readMilestones } from './milestones.ts';
import { kill, leaderIndex, missingVoters, until, untilHealthy, untilWritten } from './wait.ts';

/** A cluster of the appliance's in a sandbox of its own. */
interface Group {
  readonly sandbox: Sandbox;
  readonly admin: EtcdAdmin;
  readonly recorder: Recorder;
  readonly starts: Starts;
  readonly signal: AbortSignal;
}

/** How an instance ends. */
type Ending = Extract<Part, 'terminate' | 'power-cut'>;

const SIZE = 3;
const IDLE_MS = 60_000;

/** Forms a cluster of three, idles, and does to it what `parts` say: etcds killed, instances ended. */
export async function liveAppliances(
  binary: EtcdBinary,
  parts: ReadonlySet<Part>,
  signal: AbortSignal,
): Promise<Life> {
  await using stack = new AsyncDisposableStack();
  const sandbox = stack.use(
    await createSandbox({
      parent: tmpdir(),
      searchPath: process.env['PATH'] ?? '',
      etcdDir: ETCD_DIRECTORY,
      program: program(),
      environment: { ETCD_VERSION: binary.version },
      group: { desired: SIZE, min: 0, max: 9 },
    }),
  );
  const admin = stack.use(createAdmin());
  const over = new AbortController();
  stack.defer(() => over.abort());
  const alive = AbortSignal.any([signal, over.signal]);
  const starts = watchStarts(sandbox, alive);
  const group: Group = { sandbox, admin, recorder: createRecorder(), starts, signal: alive };
  const milestones = new Map<Told, Milestones>([['form', await form(group)]]);
  const replaceBy = async (part: Ending, end: (instanceId: string) => void): Promise<void> =>
    void milestones.set(part, await replace(group, part, end));
  const acts: readonly [Part, () => Promise<void>][] = [
    ['idle', () => idle(group)],
    ['follower', () => killFollower(group)],
    ['leader', () => killLeader(group)],
    ['terminate', () => replaceBy('terminate', (id) => sandbox.cloud.terminateInstance(id))],
    ['power-cut', () => replaceBy('power-cut', (id) => sandbox.cloud.powerCut(id))],
  ];
  for (const [part, act] of acts) {
    if (!parts.has(part)) continue;
    await ready(group);
    await act();
  }
  return { samples: group.recorder.samples, milestones };
}

async function form(group: Group): Promise<Milestones> {
  const { sandbox, recorder, starts, signal } = group;
  const launchedMs = performance.now();
  await sandbox.start();
  const launchedToWhole = await whole(group, launchedMs);
  const atWhole = await countersOf(group);
  const [first] = starts.since(launchedMs);
  if (first === undefined) throw new Error('no appliance was started');
  const wholeMs = launchedMs + launchedToWhole - first.startedMs;
  recorder.record('form.launched', launchedToWhole);
  recorder.record('form.whole', wholeMs);
  const readyMs = await ready(group, first.startedMs);
  recorder.record('form.ready', readyMs);
  for (const { answered } of starts.since(launchedMs)) recorder.record('form.answers', await answered);
  recorder.record('form.route53', callsOf(atWhole, 'route53'));
  recorder.record('form.route53-founder', Math.max(...atWhole.map((it) => callsOf([it], 'route53'))));
  recorder.record('form.route53-ready', callsOf(await countersOf(group), 'route53'));
  for (const service of ['ec2', 'autoscaling', 'imds'] as const) {
    recorder.record(`form.${service}`, callsOf(atWhole, service));
  }
  signal.throwIfAborted();
  const moments = readMilestones(OF_FORMING, sandbox.addresses.stateDir, {
    fromMs: 0,
    originMs: performance.timeOrigin + first.startedMs,
  });
  return new Map([
    ...moments,
    ['whole, by the looks of a client', wholeMs],
    ['every /readyz says yes', readyMs],
  ]);
}

async function idle(group: Group): Promise<void> {
  const before = await countersOf(group);
  await delay(IDLE_MS, undefined, { signal: group.signal });
  const after = await countersOf(group);
  const { record } = group.recorder;
  record('idle.memory', ...after.map(({ memoryBytes }) => memoryBytes / 1e6));
  const cpuSeconds = after.map((it, index) => it.cpuSeconds - (before[index]?.cpuSeconds ?? 0));
  record('idle.cpu', ...cpuSeconds.map((seconds) => (seconds / (IDLE_MS / 1_000)) * 100));
  const calls = (all: readonly Counters[]): number =>
    callsOf(all, 'ec2') + callsOf(all, 'autoscaling') + callsOf(all, 'route53');
  record('idle.aws', ((calls(after) - calls(before)) * 3_600_000) / IDLE_MS);
}

async function killFollower(group: Group): Promise<void> {
  const { admin, recorder, signal } = group;
  const { followers } = await roles(group);
  const victim = followers[0];
  const killedMs = await kill(await etcdPid(group, victim));
  recorder.record('follower.healthy', await untilHealthy(admin, clientUrl(victim.address), killedMs, signal));
}

async function killLeader(group: Group): Promise<void> {
  const { admin, recorder, signal } = group;
  const { leader, followers } = await roles(group);
  const others = followers.map(({ address }) => clientUrl(address));
  const killedMs = await kill(await etcdPid(group, leader));
  const [written, healthy] = await Promise.all([
    untilWritten(admin, others, killedMs, signal),
    untilHealthy(admin, clientUrl(leader.address), killedMs, signal),
  ]);
  recorder.record('leader.write', written);
  recorder.record('leader.healthy', healthy);
}

/** Ends a follower's instance by `end`, while clients write, and waits for its successor to have its place whole. */
async function replace(group: Group, part: Ending, end: (instanceId: string) => void): Promise<Milestones> {
  const { sandbox, admin, recorder, starts } = group;
  const { followers } = await roles(group);
  const writers = startWriters(admin, () => running(sandbox).map(({ address }) => clientUrl(address)));
  try {
    await until('writes', 0, async () => (writers.acknowledged() > 0 ? [] : ['none yet']), group.signal);
    writers.resetGap();
    const endedMs = performance.now();
    end(followers[0].instanceId);
    const total = await whole(group, endedMs);
    const successor = starts.since(endedMs)[0];
    if (successor === undefined) throw new Error('no successor was started');
    const replacedMs = endedMs + total - successor.startedMs;
    recorder.record(`${part}.gap`, writers.longestGapMs());
    recorder.record(`${part}.total`, total);
    recorder.record(`${part}.replaced`, replacedMs);
    if (part === 'terminate') recorder.record('terminate.answers', await successor.answered);
    const moments = readMilestones(OF_REPLACING, sandbox.addresses.stateDir, {
      fromMs: performance.timeOrigin + endedMs,
      originMs: performance.timeOrigin + successor.startedMs,
    });
    return new Map([...moments, ['whole, by the looks of a client', replacedMs]]);
  } finally {
    await writers.stop();
  }
}

/** Until the running instances, three of them, are exactly the voters, and every name gives exactly their addresses. */
async function whole({ sandbox, admin, signal }: Group, sinceMs: number): Promise<number> {
  return await until(
    'a whole cluster',
    sinceMs,
    async () => {
      const addresses = running(sandbox).map(({ address }) => address);
      if (addresses.length !== SIZE) return [`${addresses.length} instances run`];
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
async function ready({ sandbox, signal }: Group, sinceMs = 0): Promise<number> {
  return await until(
    'all are ready',
    sinceMs,
    async () => {
      const answers = await Promise.all(running(sandbox).map(({ address }) => answers200(address, 'readyz')));
      return answers.length === SIZE && answers.every((it) => it) ? [] : ['not all are'];
    },
    signal,
  );
}

function running({ cloud }: Sandbox): readonly InstanceSnapshot[] {
  return cloud.describe().instances.filter(({ state }) => state === 'running');
}

async function countersOf({ sandbox, signal }: Group): Promise<readonly Counters[]> {
  return await Promise.all(running(sandbox).map(({ address }) => readCounters(address, signal)));
}

interface Roles {
  readonly leader: InstanceSnapshot;
  readonly followers: readonly [InstanceSnapshot, ...InstanceSnapshot[]];
}

async function roles({ sandbox, admin, signal }: Group): Promise<Roles> {
  const instances = running(sandbox);
  const index = await leaderIndex(
    admin,
    instances.map(({ address }) => clientUrl(address)),
    signal,
  );
  const leader = instances[index];
  const [first, ...rest] = instances.filter((it) => it !== leader);
  if (leader === undefined || first === undefined) throw new Error(`${instances.length} instances run`);
  return { leader, followers: [first, ...rest] };
}

async function etcdPid({ sandbox }: Group, { instanceId }: InstanceSnapshot): Promise<number> {
  const machine = (await sandbox.hypervisor.report()).find((it) => it.instanceId === instanceId);
  if (!machine?.etcd) throw new Error(`no etcd runs on ${instanceId}`);
  return machine.etcd.pid;
}

/** One start of an appliance: when, and how long it took to answer /birth; ms. */
interface Start {
  readonly startedMs: number;
  readonly answered: Promise<number>;
}

interface Starts {
  readonly since: (ms: number) => readonly Start[];
}

/** Asks every appliance from its start on until it answers. */
function watchStarts(sandbox: Sandbox, signal: AbortSignal): Starts {
  const starts: Start[] = [];
  sandbox.cloud.events.subscribe(({ type, fields }) => {
    if (type !== 'process-start' || fields['process'] !== 'appliance') return;
    const startedMs = performance.now();
    const address = running(sandbox).find((it) => it.instanceId === fields['instanceId'])?.address ?? '';
    const asked = async (): Promise<readonly string[]> =>
      (await answers200(address, 'birth')) ? [] : ['no answer'];
    const answered = until('/birth answers', startedMs, asked, signal);
    // It is asked for later, or the run has failed already.
    answered.catch(() => undefined);
    starts.push({ startedMs, answered });
  });
  return { since: (ms) => starts.filter(({ startedMs }) => startedMs >= ms) };
}

async function answers200(address: string, path: 'birth' | 'readyz'): Promise<boolean> {
  return await fetch(`http://${address}:2378/${path}`).then(
    async (response) => {
      await response.body?.cancel();
      return response.ok;
    },
    () => false,
  );
}
