import type { EtcdBinary } from '../src/etcd/binaries.ts';
import { clientUrl } from '../src/etcd/flags.ts';
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
import { KILLED_FOLLOWERS, type Life, type Milestones, type Part, type Told } from './measures.ts';
import { OF_FORMING, OF_REPLACING, readMilestones } from './milestones.ts';
import { startPulse } from './pulse.ts';
import { tellTimeline } from './timeline.ts';
import { electionClocksSettle, kill, until, untilHealthy, untilWritten } from './wait.ts';

/** How an instance ends, and whose. */
type Cause = Extract<Part, 'terminate' | 'power-cut'>;
type Role = 'follower' | 'leader';

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
  const told = new Map<Told, Telling>([['form', await form(group)]]);
  const endOne = async (cause: Cause, role: Role): Promise<void> => {
    const telling = await replace(group, cause, role);
    if (role === 'follower') told.set(cause, telling);
  };
  const acts: readonly [Part, () => Promise<void>][] = [
    ['follower', () => killFollowers(group)],
    ['leader', () => killLeader(group)],
    ['terminate', () => endOne('terminate', 'follower')],
    ['terminate-leader', () => endOne('terminate', 'leader')],
    ['power-cut', () => endOne('power-cut', 'follower')],
    ['power-cut-leader', () => endOne('power-cut', 'leader')],
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

async function killFollowers(group: Group): Promise<void> {
  const { admin, recorder, signal } = group;
  const { followers } = await roles(group);
  for (const victim of followers.slice(0, KILLED_FOLLOWERS)) {
    await ready(group);
    const killedMs = await kill(await etcdPid(group, victim));
    recorder.record(
      'follower.healthy',
      await untilHealthy(admin, clientUrl(victim.address), killedMs, signal),
    );
  }
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

/** Ends the instance of a follower or of the leader, under writes, and waits for its successor to have its place whole. */
async function replace(group: Group, cause: Cause, role: Role): Promise<Telling> {
  const { sandbox, admin, recorder, starts } = group;
  if (role === 'leader') await electionClocksSettle(group.signal);
  const { leader, followers } = await roles(group);
  const { instanceId } = role === 'leader' ? leader : followers[0];
  const pulse = startPulse(admin, () => running(sandbox).map(({ address }) => clientUrl(address)));
  try {
    await until('writes', 0, async () => (pulse.acknowledged() > 0 ? [] : ['none yet']), group.signal);
    pulse.resetGap();
    const endedMs = performance.now();
    if (cause === 'terminate') sandbox.cloud.terminateInstance(instanceId);
    else sandbox.cloud.powerCut(instanceId);
    const total = await whole(group, endedMs);
    const gapMs = pulse.longestGapMs();
    const successor = starts.since(endedMs)[0];
    if (successor === undefined) throw new Error('no successor was started');
    const replacedMs = endedMs + total - successor.startedMs;
    const name = role === 'leader' ? (`${cause}-leader` as const) : cause;
    recorder.record(`${name}.gap`, gapMs);
    recorder.record(`${name}.total`, total);
    recorder.record(`${name}.replaced`, replacedMs);
    if (role === 'follower') recorder.record(`${cause}.first-call`, firstCallOf(successor));
    if (name === 'terminate') recorder.record('terminate.answers', await successor.answered);
    const fromMs = performance.timeOrigin + endedMs;
    const originMs = performance.timeOrigin + successor.startedMs;
    const moments = readMilestones(OF_REPLACING, sandbox.addresses.stateDir, { fromMs, originMs });
    return {
      milestones: new Map([...moments, ['whole, by the looks of a client', replacedMs]]),
      timeline: tellTimeline(sandbox, { fromMs, originMs }),
    };
  } finally {
    await pulse.stop();
  }
}
