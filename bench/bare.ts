import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { etcdEnvironment } from '../src/etcd/environment.ts';
import { clientUrl, etcdFlags, peerUrl } from '../src/etcd/flags.ts';
import { createAdmin, type EtcdAdmin } from '../src/etcd/admin.ts';
import type { EtcdBinary } from '../src/etcd/binaries.ts';
import { processesOf } from '../src/sandbox/processes.ts';
import { ownAddress, temporaryDirectory } from '../test/tools.ts';
import { createRecorder, type Life, type Part, type Recorder } from './measures.ts';
import { kill, leaderIndex, missingVoters, until, untilHealthy, untilWritten } from './wait.ts';

/** One etcd under a shell loop that starts it again whenever it ends. */
interface BareMember {
  readonly endpoint: string;
  readonly directory: string;
}

/** The loop ends with whoever holds the other end of its input, and takes its etcd with it. */
const LOOP = 'trap "kill -9 0" EXIT; while :; do "$@"; done & read -r _';

/**
 * The floor: a static cluster of three with the same binary and flags on the same kind of addresses, each member restarted
 * by a shell loop. Forms it, and does to it what is done to the appliance's.
 */
export async function liveBare(
  binary: EtcdBinary,
  parts: ReadonlySet<Part>,
  signal: AbortSignal,
): Promise<Life> {
  await using stack = new AsyncDisposableStack();
  const admin = stack.use(createAdmin());
  const { path } = stack.use(await temporaryDirectory());
  const recorder = createRecorder();
  const startedMs = performance.now();
  const members = startMembers(binary, path, stack);
  const endpoints = members.map(({ endpoint }) => endpoint);
  const whole = (): Promise<number> =>
    until('a bare cluster', startedMs, () => missingVoters(admin, endpoints, signal), signal);
  recorder.record('form.whole', await whole());
  if (parts.has('follower')) {
    await killFollower(admin, members, recorder, signal);
    await whole();
  }
  if (parts.has('leader')) await killLeader(admin, members, recorder, signal);
  return { samples: recorder.samples, milestones: new Map() };
}

function startMembers(binary: EtcdBinary, path: string, stack: AsyncDisposableStack): readonly BareMember[] {
  const members = ['n1', 'n2', 'n3'].map((name) => ({ name, address: ownAddress() }));
  const cluster = members.map(({ name, address }) => ({ name, peerUrl: peerUrl(address) }));
  const initial = { state: 'new', token: `bench-${process.pid}-${performance.now()}`, cluster } as const;
  return members.map(({ name, address }) => {
    const directory = join(path, name);
    const settings = { name, address, listenAddress: address, initial, logLevel: 'info', extra: [] } as const;
    const flags = etcdFlags(binary.version, { ...settings, dataDirectory: join(directory, 'data') });
    const child = spawn('sh', ['-c', LOOP, 'sh', binary.etcd, ...flags], {
      env: etcdEnvironment(process.env),
      stdio: ['pipe', 'ignore', 'ignore'],
      // A group of its own, so that the loop can end it whole.
      detached: true,
    });
    stack.defer(async () => {
      const ended = once(child, 'exit');
      child.stdin.end();
      if (child.exitCode === null && child.signalCode === null) await ended;
    });
    return { endpoint: clientUrl(address), directory };
  });
}

async function killFollower(
  admin: EtcdAdmin,
  members: readonly BareMember[],
  { record }: Recorder,
  signal: AbortSignal,
): Promise<void> {
  const leader = await leaderIndex(
    admin,
    members.map(({ endpoint }) => endpoint),
    signal,
  );
  const victim = members[(leader + 1) % members.length];
  if (victim === undefined) throw new Error('no follower');
  const killedMs = await kill(await etcdPid(victim));
  record('follower.healthy', await untilHealthy(admin, victim.endpoint, killedMs, signal));
}

async function killLeader(
  admin: EtcdAdmin,
  members: readonly BareMember[],
  { record }: Recorder,
  signal: AbortSignal,
): Promise<void> {
  const endpoints = members.map(({ endpoint }) => endpoint);
  const leader = members[await leaderIndex(admin, endpoints, signal)];
  if (leader === undefined) throw new Error('no leader');
  const others = endpoints.filter((it) => it !== leader.endpoint);
  const killedMs = await kill(await etcdPid(leader));
  const [written, healthy] = await Promise.all([
    untilWritten(admin, others, killedMs, signal),
    untilHealthy(admin, leader.endpoint, killedMs, signal),
  ]);
  record('leader.write', written);
  record('leader.healthy', healthy);
}

async function etcdPid({ directory }: BareMember): Promise<number> {
  const etcd = processesOf(directory).find(({ kind }) => kind === 'etcd');
  if (etcd === undefined) throw new Error(`no etcd in ${directory}`);
  return etcd.pid;
}
