import type { Transition } from '../fakes/fake-hooks.ts';
import { createSeededRandom, type SeededRandom } from '../fakes/seeded-random.ts';
import { drawDatabase, type PlotDatabase } from './database.ts';
import { drawTrope } from './tropes.ts';
import { drawIncident, type Incident, type IncidentKind, INCIDENT_KINDS, type Who } from './incident.ts';

/** What kind of trouble a history is about. `mixed` has some of all. */
export type Profile = 'mixed' | 'birth' | 'aws' | 'network' | 'crash' | 'disk' | 'scaling' | 'upgrade';

/**
 * All that happens to one fleet from outside, drawn from a seed: plain JSON, so that it can be printed, cut and played
 * again. What is random in the world itself (latencies, ids, elections) comes from streams of `seed`, not from here.
 */
export interface Plot {
  readonly seed: number;
  readonly profile: Profile;
  /** Instances that the group wants in the beginning: 1 to 7. */
  readonly desired: number;
  readonly hooks: readonly Transition[];
  readonly bootstrapWaitMs: number;
  /** Availability zones, over which the group spreads its machines: 1 to 3. */
  readonly zones: number;
  /** Regions over which the group's instances are spread, each with as many zones; one where it is left out. */
  readonly regions?: number;
  /** What clients fill the cluster's database with, once it is formed, and how slow that makes etcd; left out: it stays small. */
  readonly database?: PlotDatabase;
  /** Instances that the group keeps stopped in its warm pool. */
  readonly warmPool: number;
  /** How far EC2 and Auto Scaling may be behind the truth on a fair day; each asker has its own lag up to this. */
  readonly awsLagMs: number;
  /** Each machine's clock runs faster or slower by a share up to this; 0.05 is 5 %. */
  readonly clockDrift: number;
  /** Longest time between two writes of the clients; the shortest is a fifth of it. */
  readonly writeEveryMs: number;
  /** How long a fleet that is as it should be must do nothing at all. */
  readonly restMs: number;
  /** Whether incidents may take the data of a majority: then the cluster may be lost, and only safety is asked for. */
  readonly mayLoseMajority: boolean;
  /** What is installed on the first machines, and their `ETCD_VERSION`; null: the newest. */
  readonly image: PlotImage;
  /** In the order of their time. */
  readonly incidents: readonly Incident[];
}

/** An image with etcd in it: versions, and what of them is wanted. */
export interface PlotImage {
  readonly installed: readonly string[];
  readonly wanted: string | null;
}

/** What a machine has where nothing is to be upgraded. */
export const ONE_VERSION: PlotImage = { installed: ['3.5.35'], wanted: null };

type Weights = Partial<Readonly<Record<IncidentKind, number>>>;

interface ProfileTable {
  readonly weights: Weights;
  /** When the first incident comes: in the first seconds of the birth, somewhere during it, or long after. */
  readonly firstAt: readonly (readonly [fromMs: number, toMs: number])[];
  readonly mayLoseMajority: number;
  /** What the first machines have, and what sets an upgrade going; left out: one version, and nothing. */
  readonly upgrade?: (random: SeededRandom) => { readonly image: PlotImage; readonly mover: IncidentKind };
}

/** How many of what is mixed are about a meeting that chance alone brings about too rarely. */
const TROPE_CHANCE = 0.04;

/** How many fleets are spread over two regions. */
const TWO_REGIONS_CHANCE = 0.08;

/** How many fleets have a large database. */
const LARGE_CHANCE = 0.06;

const ANY_TIME = [
  [0, 4_000],
  [0, 12_000],
  [8_000, 25_000],
] as const;

/** What upgrades are about: nothing to a fleet that has one version. */
const UPGRADE_KINDS: readonly IncidentKind[] = [
  'image',
  'configure',
  'order',
  'bad-binary',
  'poll-health',
  'in-step',
];

/** What some profile alone is about. */
const SPECIAL: ReadonlySet<IncidentKind> = new Set([...UPGRADE_KINDS, 'kill-as-it-founds']);

const EVERYTHING: Weights = Object.fromEntries(
  INCIDENT_KINDS.filter((it) => !SPECIAL.has(it)).map((it) => [it, 2]),
);

const TABLES: Readonly<Record<Profile, ProfileTable>> = {
  mixed: {
    // What takes a history apart quickest is drawn most.
    weights: { ...EVERYTHING, 'kill-at-call': 6, aws: 4, partition: 4, terminate: 3, freeze: 4, scale: 3 },
    firstAt: ANY_TIME,
    mayLoseMajority: 0.05,
  },
  birth: {
    weights: {
      ...EVERYTHING,
      'kill-at-call': 8,
      'kill-as-it-founds': 4,
      wipe: 4,
      lose: 4,
      scale: 4,
      zone: 4,
      aws: 4,
      partition: 4,
      // Founders whose images differ.
      configure: 3,
      image: 2,
    },
    firstAt: [
      [0, 3_000],
      [1_000, 8_000],
    ],
    mayLoseMajority: 0.1,
  },
  aws: {
    weights: {
      aws: 8,
      metadata: 3,
      zone: 5,
      claim: 2,
      kill: 2,
      lose: 2,
      terminate: 2,
      scale: 1,
      wipe: 1,
      refresh: 1,
      regroup: 1,
    },
    firstAt: ANY_TIME,
    mayLoseMajority: 0,
  },
  network: {
    weights: {
      partition: 10,
      slow: 4,
      loss: 4,
      freeze: 2,
      kill: 2,
      // Who leaves in order, while not all hear each other.
      refresh: 4,
      terminate: 1,
      scale: 1,
      lose: 1,
      aws: 1,
    },
    firstAt: ANY_TIME,
    mayLoseMajority: 0,
  },
  crash: {
    weights: {
      'kill-at-call': 10,
      'freeze-at-call': 6,
      kill: 5,
      restart: 3,
      'power-cut': 3,
      freeze: 4,
      lose: 2,
      terminate: 2,
      scale: 1,
    },
    firstAt: ANY_TIME,
    mayLoseMajority: 0,
  },
  disk: {
    weights: {
      wipe: 6,
      damage: 6,
      unmount: 4,
      'disks-short': 3,
      'disk-full': 5,
      defragment: 3,
      'power-cut': 3,
      kill: 2,
      'kill-at-call': 3,
      lose: 1,
    },
    firstAt: ANY_TIME,
    mayLoseMajority: 0.2,
  },
  scaling: {
    weights: {
      scale: 7,
      terminate: 5,
      lose: 4,
      refresh: 4,
      spot: 3,
      'ec2-stop': 2,
      standby: 2,
      rest: 3,
      'kill-at-call': 2,
      'freeze-at-call': 3,
      regroup: 2,
      claim: 1,
      partition: 1,
      aws: 1,
      load: 2,
      'no-space': 1,
      defragment: 1,
    },
    firstAt: [
      [0, 12_000],
      [8_000, 25_000],
    ],
    mayLoseMajority: 0.05,
  },
  upgrade: {
    weights: {
      'in-step': 12,
      order: 5,
      configure: 2,
      image: 2,
      refresh: 2,
      'bad-binary': 4,
      'poll-health': 2,
      terminate: 2,
      lose: 1,
      'kill-at-call': 2,
      'freeze-at-call': 2,
      kill: 1,
      restart: 1,
      'power-cut': 1,
      freeze: 2,
      partition: 2,
      aws: 1,
      zone: 1,
      claim: 1,
      regroup: 1,
      scale: 1,
      wipe: 1,
      load: 1,
      slow: 1,
      loss: 1,
      'no-space': 1,
      defragment: 1,
    },
    firstAt: [[15_000, 30_000]],
    mayLoseMajority: 0,
    upgrade: drawUpgrade,
  },
};

/** Every minor, each in its newest patch. */
export const ALL_MINORS: readonly string[] = ['3.4.45', '3.5.35', '3.6.16', '3.7.3'];

function drawUpgrade(random: SeededRandom): { readonly image: PlotImage; readonly mover: IncidentKind } {
  const born = random.pick(['3.4.23', '3.4.45', '3.5.35', '3.5.35', '3.6.16', '3.6.16', '3.7.3']);
  const mover = random.pick(['configure', 'configure', 'order', 'image'] as const);
  // An order needs what it leads to; the others bring it.
  const whole = mover === 'order' || random.chance(0.4);
  return { image: { installed: whole ? [...new Set([born, ...ALL_MINORS])] : [born], wanted: born }, mover };
}

/** Every profile. */
export const PROFILES: readonly Profile[] = [
  'mixed',
  'birth',
  'aws',
  'network',
  'crash',
  'disk',
  'scaling',
  'upgrade',
];

/** The plot of a seed; the same seed and profile always give the same plot. */
export function drawPlot(seed: number, profile: Profile): Plot {
  // The world's streams come from the seed itself: these must not be theirs.
  const random = createSeededRandom(seed ^ 0x5eed_9107);
  const table = TABLES[tableOf(random, profile)];
  const desired = random.pick([1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 5, 5, 6, 7]);
  const hooks = random.pick<readonly Transition[]>([
    [],
    [],
    ['launching', 'terminating'],
    ['launching'],
    ['terminating'],
  ]);
  const plot: Plot = {
    seed,
    profile,
    desired,
    hooks,
    bootstrapWaitMs: random.pick([15_000, 120_000]),
    zones: random.int(1, 3),
    warmPool: random.chance(profile === 'scaling' ? 0.3 : 0.05) ? random.int(1, 2) : 0,
    awsLagMs: random.pick([0, 0, 2_000, 20_000]),
    clockDrift: random.pick([0, 0, 0.005, 0.05]),
    writeEveryMs: random.pick([1_000, 3_000]),
    // Longer than AWS is looked at without a cause; but most histories have found what they can by then.
    restMs: random.chance(0.06) ? 150_000 : 8_000,
    mayLoseMajority: random.chance(table.mayLoseMajority),
    ...drawStory(random, table, desired),
  };
  if (profile === 'mixed' && random.chance(TROPE_CHANCE))
    return { ...plot, image: ONE_VERSION, ...drawTrope(random) };
  const regions = random.chance(TWO_REGIONS_CHANCE) ? { regions: 2 } : {};
  const large = random.chance(LARGE_CHANCE) ? { database: drawDatabase(random, desired) } : {};
  return { ...plot, ...regions, ...large };
}

/** Half of what is mixed is one of the others: two faults of a kind find what one of each does not. */
function tableOf(random: SeededRandom, profile: Profile): Profile {
  if (profile !== 'mixed' || random.chance(0.5)) return profile;
  return random.pick(['birth', 'aws', 'network', 'crash', 'disk', 'scaling', 'upgrade']);
}

function drawStory(
  random: SeededRandom,
  table: ProfileTable,
  desired: number,
): Pick<Plot, 'image' | 'incidents'> {
  const upgrade = table.upgrade?.(random);
  const incidents = drawIncidents(random, table, desired);
  if (upgrade === undefined) return { image: ONE_VERSION, incidents };
  const [first, ...rest] = incidents;
  const atMs = first?.atMs ?? 0;
  const moving = drawIncident(random, { atMs, kind: upgrade.mover, desired });
  // A new image changes nothing by itself.
  const refresh = upgrade.mover === 'image' ? [drawIncident(random, { atMs, kind: 'refresh', desired })] : [];
  return { image: upgrade.image, incidents: [moving, ...refresh, ...rest].slice(0, 6) };
}

function drawIncidents(random: SeededRandom, table: ProfileTable, desired: number): readonly Incident[] {
  const [first, ...others] = table.firstAt;
  if (first === undefined) return [];
  const [fromMs, toMs] = random.pick([first, ...others]);
  const count = random.int(1, 6);
  const incidents: Incident[] = [];
  let atMs = random.int(fromMs, toMs);
  for (let drawn = 0; drawn < count; drawn += 1) {
    const incident = drawIncident(random, { atMs, kind: pickWeighted(random, table.weights), desired });
    // What one machine has not mended yet is where its next trouble finds most.
    const who = incidents.map(whoOf).findLast((it) => it !== null);
    const again = who !== undefined && whoOf(incident) !== null && random.chance(0.35);
    incidents.push(again ? ({ ...incident, who } as Incident) : incident);
    // Now and then two at once: whatever one of them needs to be mended, the other may take.
    atMs += random.pick([0, random.int(0, 1_000), random.int(0, 20_000), random.int(0, 20_000)]);
  }
  return incidents;
}

/** Whom it happens to; null: nobody in particular. */
function whoOf(incident: Incident): Who | null {
  return 'who' in incident ? incident.who : null;
}

function pickWeighted(random: SeededRandom, weights: Weights): IncidentKind {
  const kinds = INCIDENT_KINDS.filter((it) => (weights[it] ?? 0) > 0);
  const sum = kinds.reduce((total, it) => total + (weights[it] ?? 0), 0);
  let left = random.fraction() * sum;
  for (const kind of kinds) {
    left -= weights[kind] ?? 0;
    if (left < 0) return kind;
  }
  return kinds[0] ?? 'kill';
}
