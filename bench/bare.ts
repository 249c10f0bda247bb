import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { etcdEnvironment } from '../src/etcd/environment.ts';
import { clientUrl, etcdFlags, peerUrl } from '../src/etcd/flags.ts';
import { createAdmin, type EtcdAdmin } from '../src/etcd/admin.ts';
import type { EtcdBinary } from '../src/etcd/binaries.ts';
import { processesOf } from '../src/sandbox/processes.ts';
import { ownAddress, temporaryDirectory } from '../test/tools.ts';
import { createRecorder, KILLED_FOLLOWERS, type Life, type Part, type Recorder } from './measures.ts';
import { writeBig } from './big-data.ts';
import {
  electionClocksSettle,
  kill,
  leaderIndex,
  missingVoters,
  until,
  untilHealthy,
  untilWritten,
} from './wait.ts';

/** One etcd under a shell loop that starts it again whenever it ends. */
interface BareMember extends Named {
  readonly endpoint: string;
  readonly directory: string;
}

/** The loop ends with whoever holds the other end of its input, and takes its etcd with it. */
const LOOP = 'trap "kill -9 0" EXIT; while :; do "$@"; done & read -r _';

/**
 * The floor: a static cluster with the same binary and flags on the same kind of addresses, each member restarted
 * by a shell loop. Forms it, and does to it what is done to the appliance's.
 */
export async function liveBare(
  binary: EtcdBinary,
  size: number,
  parts: ReadonlySet<Part>,
  signal: AbortSignal,
): Promise<Life> {
  await using stack = new AsyncDisposableStack();
  const admin = stack.use(createAdmin());
  const { path } = stack.use(await temporaryDirectory());
  const recorder = createRecorder();
  const startedMs = performance.now();
  const members = startMembers(binary, size, path, stack);
  const endpoints = members.map(({ endpoint }) => endpoint);
  const whole = (): Promise<number> =>
    until('a bare cluster', startedMs, () => missingVoters(admin, endpoints, signal), signal);
  recorder.record('form.whole', await whole());
  for (let other = 1; parts.has('follower') && other <= KILLED_FOLLOWERS; other += 1) {
    await killFollower(admin, members, other, recorder, signal);
    await whole();
  }
  if (parts.has('leader')) await killLeader(admin, members, recorder, signal);
  if (parts.has('big')) {
    await writeBig(admin, endpoints, signal);
    recorder.record('big.voter', await joinOne(binary, admin, members, path, stack, signal));
  }
  return { samples: recorder.samples, milestones: new Map(), timelines: new Map() };
}

/** Adds a learner to the cluster, by hand, and makes it a voter as soon as etcd lets it; ms from its process. */
async function joinOne(
  binary: EtcdBinary,
  admin: EtcdAdmin,
  members: readonly BareMember[],
  path: string,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<number> {
  const [first] = members;
  if (first === undefined) throw new Error('no members');
  const joiner = { name: 'joiner', address: ownAddress() };
  const added = await admin.addLearner(first.endpoint, peerUrl(joiner.address), signal);
  if (!added.ok) throw new Error(`a learner is refused: ${added.message}`);
  const { memberId } = added.value;
  const startedMs = performance.now();
  const token = `${TOKEN}-existing`;
  startLoops(binary, [joiner], { state: 'existing', token, cluster: [...members, joiner] }, path, stack);
  const promote = async (): Promise<readonly string[]> => {
    const outcome = await admin.promote(first.endpoint, memberId, signal);
    return outcome.ok ? [] : [outcome.message];
  };
  return await until('a bare learner is a voter', startedMs, promote, signal);
}

const TOKEN = `bench-${process.pid}`;

function startMembers(
  binary: EtcdBinary,
  size: number,
  path: string,
  stack: AsyncDisposableStack,
): readonly BareMember[] {
  const members = Array.from({ length: size }, (_, index) => ({
    name: `n${index + 1}`,
    address: ownAddress(),
  }));
  const token = `${TOKEN}-${performance.now()}`;
  return startLoops(binary, members, { state: 'new', token, cluster: members }, path, stack);
}

interface Named {
  readonly name: string;
  readonly address: string;
}

/** Starts each member under a loop of its own, which ends with the stack. */
function startLoops(
  binary: EtcdBinary,
  members: readonly Named[],
  words: { readonly state: 'new' | 'existing'; readonly token: string; readonly cluster: readonly Named[] },
  path: string,
  stack: AsyncDisposableStack,
): readonly BareMember[] {
  const cluster = words.cluster.map(({ name, address }) => ({ name, peerUrl: peerUrl(address) }));
  const initial = { ...words, cluster };
  return members.map(({ name, address }) => {
    const directory = join(path, name);
    const settings = {
      name,
      address,
      listenAddress: address,
      initial,
      snapshotCount: null,
      timing: null,
      logLevel: 'info',
      extra: [],
    } as const;
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
    return { name, address, endpoint: clientUrl(address), directory };
  });
}

/** Kills the one that is so many places after the leader. */
async function killFollower(
  admin: EtcdAdmin,
  members: readonly BareMember[],
  other: number,
  { record }: Recorder,
  signal: AbortSignal,
): Promise<void> {
  const leader = await leaderIndex(
    admin,
    members.map(({ endpoint }) => endpoint),
    signal,
  );
  const victim = members[(leader + other) % members.length];
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
  await electionClocksSettle(signal);
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
