import type { EtcdBinary } from '../src/etcd/binaries.ts';
import { clientUrl } from '../src/etcd/flags.ts';
import { startWriters } from '../test/e2e/writers.ts';
import { callsOf } from './counters.ts';
import {
  countersOf,
  createGroup,
  etcdPid,
  type Group,
  ready,
  roles,
  running,
  type Start,
  whole,
} from './group.ts';
import type { Life, Milestones, Part, Told } from './measures.ts';
import { OF_FORMING, OF_REPLACING, readMilestones } from './milestones.ts';
import { tellTimeline } from './timeline.ts';
import { electionClocksSettle, kill, until, untilHealthy, untilWritten } from './wait.ts';

/** How an instance ends. */
type Ending = Extract<Part, 'terminate' | 'power-cut'>;

/** What is told of one part. */
interface Telling {
  readonly milestones: Milestones;
  readonly timeline: string;
}

/** Forms a cluster and does to it what `parts` say: etcds killed, instances ended. */
export async function liveAppliances(
  binary: EtcdBinary,
  size: number,
  parts: ReadonlySet<Part>,
  signal: AbortSignal,
): Promise<Life> {
  await using stack = new AsyncDisposableStack();
  const group = await createGroup(binary, size, stack, signal);
  const { cloud } = group.sandbox;
  const told = new Map<Told, Telling>([['form', await form(group)]]);
  const replaceBy = async (part: Ending, end: (instanceId: string) => void): Promise<void> =>
    void told.set(part, await replace(group, part, end));
  const acts: readonly [Part, () => Promise<void>][] = [
    ['follower', () => killFollower(group)],
    ['leader', () => killLeader(group)],
    ['terminate', () => replaceBy('terminate', (id) => cloud.terminateInstance(id))],
    ['power-cut', () => replaceBy('power-cut', (id) => cloud.powerCut(id))],
  ];
  for (const [part, act] of acts) {
    if (!parts.has(part)) continue;
    await ready(group);
    await act();
  }
  return {
    samples: group.recorder.samples,
    milestones: new Map([...told].map(([part, { milestones }]) => [part, milestones])),
    timelines: new Map([...told].map(([part, { timeline }]) => [part, timeline])),
  };
}

/** Launches all instances and waits until the cluster is whole and ready. */
export async function form(group: Group): Promise<Telling> {
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
  for (const start of starts.since(launchedMs)) {
    recorder.record('form.answers', await start.answered);
    recorder.record('form.first-call', firstCallOf(start));
  }
  recorder.record('form.route53', callsOf(atWhole, 'route53'));
  recorder.record('form.route53-founder', Math.max(...atWhole.map((it) => callsOf([it], 'route53'))));
  recorder.record('form.route53-ready', callsOf(await countersOf(group), 'route53'));
  for (const service of ['ec2', 'autoscaling', 'imds'] as const) {
    recorder.record(`form.${service}`, callsOf(atWhole, service));
  }
  signal.throwIfAborted();
  const originMs = performance.timeOrigin + first.startedMs;
  const moments = readMilestones(OF_FORMING, sandbox.addresses.stateDir, { fromMs: 0, originMs });
  return {
    milestones: new Map([
      ...moments,
      ['whole, by the looks of a client', wholeMs],
      ['every /readyz says yes', readyMs],
    ]),
    timeline: tellTimeline(sandbox, { fromMs: 0, originMs }),
  };
}

function firstCallOf(start: Start): number {
  const firstMs = start.firstCallMs();
  if (firstMs === null) throw new Error(`${start.instanceId} called AWS never`);
  return firstMs;
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
  await electionClocksSettle(signal);
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
async function replace(group: Group, part: Ending, end: (instanceId: string) => void): Promise<Telling> {
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
    recorder.record(`${part}.first-call`, firstCallOf(successor));
    if (part === 'terminate') recorder.record('terminate.answers', await successor.answered);
    const fromMs = performance.timeOrigin + endedMs;
    const originMs = performance.timeOrigin + successor.startedMs;
    const moments = readMilestones(OF_REPLACING, sandbox.addresses.stateDir, { fromMs, originMs });
    return {
      milestones: new Map([...moments, ['whole, by the looks of a client', replacedMs]]),
      timeline: tellTimeline(sandbox, { fromMs, originMs }),
    };
  } finally {
    await writers.stop();
  }
}
