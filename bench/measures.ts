/** One figure: what it is, and in what. Times run from the act to the first look that found it done. */
interface Measure {
  readonly title: string;
  readonly unit: 'ms' | 'MB' | 'calls' | '%';
}

/** The parts of a cluster's life that can be asked for alone; forming comes before each. */
export const PARTS = ['form', 'idle', 'follower', 'leader', 'terminate', 'power-cut'] as const;
export type Part = (typeof PARTS)[number];

/** Everything that is measured, in the order of the report. The name's first word is the part that gives it. */
export const MEASURES = {
  'form.whole': {
    title: 'forming: from the first process to three healthy voters, and DNS right',
    unit: 'ms',
  },
  'form.launched': { title: 'the same, from the launch of the instances', unit: 'ms' },
  'form.ready': { title: 'the same as the first, and every /readyz says yes', unit: 'ms' },
  'form.answers': { title: 'process start to the first /birth answer, three at once', unit: 'ms' },
  'form.route53': { title: 'Route 53 calls of a birth of three, all appliances', unit: 'calls' },
  'form.route53-ready': { title: 'the same, until every /readyz says yes', unit: 'calls' },
  'form.route53-founder': { title: 'Route 53 calls of the founder that made the most', unit: 'calls' },
  'form.ec2': { title: 'EC2 calls of a birth of three', unit: 'calls' },
  'form.autoscaling': { title: 'Auto Scaling calls of a birth of three', unit: 'calls' },
  'form.imds': { title: 'metadata calls of a birth of three', unit: 'calls' },
  'idle.memory': { title: 'resident memory of an idle appliance', unit: 'MB' },
  'idle.cpu': { title: 'CPU of an idle appliance, of one core', unit: '%' },
  'idle.aws': { title: 'AWS calls of an idle cluster of three, metadata aside, per hour', unit: 'calls' },
  'follower.healthy': { title: "killed follower's etcd: healthy again", unit: 'ms' },
  'leader.write': { title: "killed leader's etcd: a write through another member", unit: 'ms' },
  'leader.healthy': { title: "killed leader's etcd: healthy again", unit: 'ms' },
  'terminate.replaced': { title: "terminated follower: replaced, from the successor's process", unit: 'ms' },
  'terminate.total': { title: 'the same, from the order to terminate', unit: 'ms' },
  'terminate.answers': { title: 'process start to the first /birth answer, one alone', unit: 'ms' },
  'terminate.gap': { title: 'longest gap between acknowledged writes meanwhile', unit: 'ms' },
  'power-cut.replaced': {
    title: "power cut of a follower: replaced, from the successor's process",
    unit: 'ms',
  },
  'power-cut.total': { title: 'the same, from the cut', unit: 'ms' },
  'power-cut.gap': { title: 'longest gap between acknowledged writes meanwhile', unit: 'ms' },
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
