import { atMost, beyondBare, type Measure, type Target } from './targets.ts';
import { UPGRADE_MEASURES } from './upgrade-measures.ts';

/**
 * The parts of a cluster's life that can be asked for alone; forming comes before each. Three are lives of their own:
 * steady, upgrades, and fleets of other sizes; a start is one of a process.
 */
export const PARTS = [
  'start',
  'form',
  'follower',
  'leader',
  'terminate',
  'terminate-leader',
  'power-cut',
  'power-cut-leader',
  'steady',
  'upgrade',
  'fleets',
] as const;
/** What takes long, and gigabytes of disk, is asked for by name. */
export const PARTS_BY_NAME = [...PARTS, 'big'] as const;
export type Part = (typeof PARTS_BY_NAME)[number];

/**
 * How many followers' etcds are killed in one life of a cluster, each once: an etcd that has died within a minute is started
 * again later, and bare etcd's loop knows no such thing.
 */
export const KILLED_FOLLOWERS = 2;

/** From one write through a member to the next: a gap in the writes is told no finer. */
export const PULSE_MS = 50;

const ELECTION = beyondBare('leader.write', 1, 0, "an election: bare etcd's write after its leader's death");

/**
 * Who loses the leader's power has one election to wait for, as bare etcd has, and by chance that takes one timeout or
 * two: a median of the one is above a median of the other in half of all runs. None may be longer than bare etcd's own.
 */
const LONGEST_ELECTION: Target = {
  text: "the longest election of bare etcd's, and the pace of the writes",
  limit: (bare) => {
    const floor = bare('leader.write');
    return floor === null ? null : floor.max + PULSE_MS;
  },
};

/** From a successor's process until it has its place whole. */
const TERMINATED_MS = 6_000;
const POWER_CUT_MS = 10_000;

/* What is measured alike of an instance that was ended in order and of one whose power was cut. */
const FIRST_CALL_BESIDE = {
  title: 'process start to the first call of AWS, on the cores that run the whole cluster',
  unit: 'ms',
} as const satisfies Measure;
const WRITE_GAP = {
  title: 'longest gap between acknowledged writes meanwhile',
  unit: 'ms',
  target: ELECTION,
} as const satisfies Measure;

/** Everything that is measured, in the order of the report. The name's first word is the part that gives it. */
export const MEASURES = {
  'start.first-call': {
    title: 'process start to the first call of AWS, on a machine of its own',
    unit: 'ms',
    target: atMost(300),
  },
  'form.whole': {
    title: 'forming: from the first process to all healthy voters, and DNS right',
    unit: 'ms',
    target: beyondBare('form.whole', 2, 1_500, '2x bare + 1.5 s'),
  },
  'form.launched': { title: 'the same, from the launch of the instances', unit: 'ms' },
  'form.ready': { title: 'the same as the first, and every /readyz says yes', unit: 'ms' },
  'form.first-call': { title: 'process start to the first call of AWS, all at once', unit: 'ms' },
  'form.answers': { title: 'process start to the first /birth answer, all at once', unit: 'ms' },
  'form.route53': { title: 'Route 53 calls of a birth, all appliances', unit: 'calls' },
  'form.route53-ready': { title: 'the same, until every /readyz says yes', unit: 'calls' },
  'form.route53-founder': { title: 'Route 53 calls of the founder that made the most', unit: 'calls' },
  'form.ec2': { title: 'EC2 calls of a birth', unit: 'calls' },
  'form.autoscaling': { title: 'Auto Scaling calls of a birth', unit: 'calls' },
  'form.imds': { title: 'metadata calls of a birth', unit: 'calls' },
  'follower.healthy': {
    title: "killed follower's etcd: healthy again",
    unit: 'ms',
    target: beyondBare('follower.healthy', 1, 200, 'bare + 0.2 s'),
  },
  'leader.write': { title: "killed leader's etcd: a write through another member", unit: 'ms' },
  'leader.healthy': {
    title: "killed leader's etcd: healthy again",
    unit: 'ms',
    target: beyondBare('leader.healthy', 1, 300, 'bare + 0.3 s'),
  },
  'terminate.replaced': {
    title: "terminated follower: replaced, from the successor's process",
    unit: 'ms',
    target: atMost(TERMINATED_MS),
  },
  'terminate.total': { title: 'the same, from the order to terminate', unit: 'ms' },
  'terminate.first-call': FIRST_CALL_BESIDE,
  'terminate.answers': { title: 'process start to the first /birth answer, one alone', unit: 'ms' },
  'terminate.gap': WRITE_GAP,
  'terminate-leader.replaced': {
    title: "terminated leader: replaced, from the successor's process",
    unit: 'ms',
    target: atMost(TERMINATED_MS),
  },
  'terminate-leader.total': { title: 'the same, from the order to terminate', unit: 'ms' },
  'terminate-leader.gap': WRITE_GAP,
  'power-cut.replaced': {
    title: "power cut of a follower: replaced, from the successor's process",
    unit: 'ms',
    target: atMost(POWER_CUT_MS),
  },
  'power-cut.total': { title: 'the same, from the cut', unit: 'ms' },
  'power-cut.first-call': FIRST_CALL_BESIDE,
  'power-cut.gap': WRITE_GAP,
  'power-cut-leader.replaced': {
    title: "power cut of the leader: replaced, from the successor's process",
    unit: 'ms',
    target: atMost(POWER_CUT_MS),
  },
  'power-cut-leader.total': { title: 'the same, from the cut', unit: 'ms' },
  'power-cut-leader.gap': { ...WRITE_GAP, target: LONGEST_ELECTION },
  'steady.memory': {
    title: 'resident memory of an appliance while all is well',
    unit: 'MB',
    target: atMost(140),
  },
  'steady.growth': {
    title: 'what that grew by: the last fifth of the time beside the first',
    unit: 'MB',
    target: atMost(5),
  },
  'steady.cpu': {
    title: 'CPU of an appliance while all is well, of one core',
    unit: '%',
    target: atMost(0.5),
  },
  'steady.aws': {
    title: 'AWS calls of the whole cluster while all is well, counted at AWS, per hour',
    unit: 'calls',
    target: atMost(120),
  },
  'steady.ec2': { title: 'EC2 among them', unit: 'calls' },
  'steady.autoscaling': { title: 'Auto Scaling among them', unit: 'calls' },
  'steady.route53': { title: 'Route 53 among them', unit: 'calls' },
  'steady.imds': {
    title: "metadata's answers beside them, on the machines themselves, per hour",
    unit: 'calls',
  },
  ...UPGRADE_MEASURES,
  'big.voter': {
    title: 'with 1 GB of data: the successor of a terminated follower is a voter, from its process',
    unit: 'ms',
    target: beyondBare('big.voter', 1, 6_000, "bare etcd's learner + 6 s"),
  },
  'big.port': { title: 'the same: its etcd answers on its port', unit: 'ms' },
  'big.ready': { title: 'the same: /readyz says yes', unit: 'ms' },
  'big.settled': {
    title: 'from the later of vote and port until /readyz says yes',
    unit: 'ms',
    target: atMost(1_500),
  },
} as const satisfies Readonly<Record<`${Part}.${string}`, Measure>>;
export type MeasureName = keyof typeof MEASURES;

/** Parts of which the way is told, too. */
export type Told = Extract<Part, 'form' | 'terminate' | 'power-cut'>;

/** Moments on the way, for the question where the time goes; ms from the first process of the part. */
export type Milestones = ReadonlyMap<string, number>;

/** What one life of a cluster gave. */
export interface Life {
  readonly samples: ReadonlyMap<MeasureName, readonly number[]>;
  readonly milestones: ReadonlyMap<Told, Milestones>;
  /** Who did what when, line by line. */
  readonly timelines: ReadonlyMap<Told, string>;
}

/** A life of which only one part's samples count: what came before that is measured by others. */
export function onlyOf(part: Part, { samples }: Pick<Life, 'samples'>): Life {
  const own = [...samples].filter(([name]) => name.startsWith(`${part}.`));
  return { samples: new Map(own), milestones: new Map(), timelines: new Map() };
}

/** Samples by measure, as they come in. */
export interface Recorder {
  readonly record: (name: MeasureName, ...values: readonly number[]) => void;
  readonly samples: ReadonlyMap<MeasureName, readonly number[]>;
}

/** An empty recorder. */
export function createRecorder(): Recorder {
  const samples = new Map<MeasureName, readonly number[]>();
  return {
    samples,
    record: (name, ...values) => void samples.set(name, [...(samples.get(name) ?? []), ...values]),
  };
}

/** The middle one, or the mean of the middle two. Throws for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new Error('no samples to take the median of');
  return (upper + lower) / 2;
}
