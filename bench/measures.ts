/** One figure: what it is, and in what. Times run from the act to the first look that found it done. */
export interface Measure {
  readonly title: string;
  readonly unit: 'ms' | 'MB' | 'calls' | '%';
  readonly target?: Target;
}

/** What the median must not be above. */
export interface Target {
  readonly text: string;
  /** `bare` gives the median of a measure of bare etcd in the same run; null: it was not taken, and nothing is judged. */
  readonly limit: (bare: (name: string) => number | null) => number | null;
}

const atMost = (limit: number): Target => ({ text: 'by itself', limit: () => limit });
/** So many times what bare etcd took, and so much more. */
const beyondBare = (name: string, times: number, moreMs: number, text: string): Target => ({
  text,
  limit: (bare) => {
    const floor = bare(name);
    return floor === null ? null : floor * times + moreMs;
  },
});

/**
 * The parts of a cluster's life that can be asked for alone; forming comes before each. Three are lives of their own:
 * steady, upgrades, and fleets of other sizes; a start is one of a process. What takes long is asked for by name.
 */
export const PARTS = [
  'start',
  'form',
  'follower',
  'leader',
  'terminate',
  'power-cut',
  'steady',
  'upgrade',
  'fleets',
] as const;
export type Part = (typeof PARTS)[number] | 'big';

const ELECTION = beyondBare('leader.write', 1, 0, "an election: bare etcd's write after its leader's death");

/** How long an upgrade may keep all writes waiting. */
const UPGRADE_GAP_MS = 500;

/* What is measured alike of an upgrade, by whatever way. */
const UPGRADE_GAP = {
  title: 'longest gap between acknowledged writes meanwhile',
  unit: 'ms',
  target: atMost(UPGRADE_GAP_MS),
} as const satisfies Measure;
const UPGRADE_ERRORS = {
  title: 'writes that were not acknowledged',
  unit: 'calls',
} as const satisfies Measure;
const UPGRADE_LOST = {
  title: 'acknowledged writes that were lost',
  unit: 'calls',
  target: atMost(0),
} as const satisfies Measure;

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
    target: atMost(6_000),
  },
  'terminate.total': { title: 'the same, from the order to terminate', unit: 'ms' },
  'terminate.first-call': FIRST_CALL_BESIDE,
  'terminate.answers': { title: 'process start to the first /birth answer, one alone', unit: 'ms' },
  'terminate.gap': WRITE_GAP,
  'power-cut.replaced': {
    title: "power cut of a follower: replaced, from the successor's process",
    unit: 'ms',
    target: atMost(10_000),
  },
  'power-cut.total': { title: 'the same, from the cut', unit: 'ms' },
  'power-cut.first-call': FIRST_CALL_BESIDE,
  'power-cut.gap': WRITE_GAP,
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
  'upgrade.images': { title: '3.4 to 3.5 by new images, terminated one by one: all three', unit: 'ms' },
  'upgrade.images-member': {
    title: "the same for each, beyond the boot of its successor's process",
    unit: 'ms',
    target: atMost(12_000),
  },
  'upgrade.images-gap': UPGRADE_GAP,
  'upgrade.images-errors': UPGRADE_ERRORS,
  'upgrade.images-lost': UPGRADE_LOST,
  'upgrade.refresh': { title: '3.4 to 3.5 by an instance refresh with hooks: all three', unit: 'ms' },
  'upgrade.refresh-member': {
    title: "the same for each, beyond the boot of its successor's process",
    unit: 'ms',
    target: atMost(12_000),
  },
  'upgrade.refresh-gap': UPGRADE_GAP,
  'upgrade.refresh-errors': UPGRADE_ERRORS,
  'upgrade.refresh-lost': UPGRADE_LOST,
  'upgrade.place': { title: '3.4 to 3.5 in place, appliances restarted one by one: all three', unit: 'ms' },
  'upgrade.place-step': {
    title: 'the same: a step, from the lock to its release',
    unit: 'ms',
    target: atMost(4_000),
  },
  'upgrade.place-gap': UPGRADE_GAP,
  'upgrade.place-errors': UPGRADE_ERRORS,
  'upgrade.place-lost': UPGRADE_LOST,
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
