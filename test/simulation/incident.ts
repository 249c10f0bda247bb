import type { BinaryFault } from '../fakes/etcd/world.ts';
import type { SeededRandom } from '../fakes/seeded-random.ts';

/**
 * Which machine something happens to: a number in [0, 1) that picks among the machines that are there at that moment,
 * so that a plot can still be played after something before it was cut.
 */
export type Who = number;

/** What a message carries: of etcd between members, to etcd from clients, between appliances, to AWS, to metadata. */
export type Traffic = 'peer' | 'client' | 'http' | 'aws' | 'imds';

/**
 * `node`: one machine is cut from all others. `group`: the machines fall into two parts. `one-way`: what one machine sends
 * to the others is lost, and not what they send to it. `deaf`: the other way round. `bridge`: two parts that only one machine
 * reaches both of.
 */
export type PartitionShape = 'node' | 'group' | 'one-way' | 'deaf' | 'bridge';

/** How AWS answers: not at all; wholly, but with instances missing; as it was when this began; after a long time; a refusal. */
export type AwsWeather = 'unknown' | 'self-only' | 'half' | 'stale' | 'empty' | 'late' | 'throttled';

/** What an appliance asks of when it is stopped. */
export type FrozenAt = (typeof FROZEN_AT)[number];
const FROZEN_AT = ['admin', 'fleet', 'zone', 'peers', 'data', 'process', 'hooks'] as const;

/** What happens to each kind of incident, beside its time; `lastsMs`: how long, where it lasts. */
interface IncidentParams {
  /** Processes die by SIGKILL, now; each is started again by whatever keeps it. */
  readonly kill: { readonly who: Who; readonly what: 'appliance' | 'etcd' | 'both' };
  /** The same at the appliance's `call`-th port call from now, which never settles; `taken`: what it asks for happens. */
  readonly 'kill-at-call': {
    readonly who: Who;
    readonly what: 'appliance' | 'both';
    readonly call: number;
    readonly taken: boolean;
  };
  /** The next so many etcds that found a cluster within so long are killed before their logs have an entry. */
  readonly 'kill-as-it-founds': {
    readonly what: 'etcd' | 'both';
    readonly times: number;
    readonly withinMs: number;
  };
  /** SIGTERM to the appliance, of which nobody else knows; it is started again afterwards. */
  readonly restart: { readonly who: Who };
  /** The machine is without power for so long, and comes back on the same disk. */
  readonly 'power-cut': { readonly who: Who; readonly lastsMs: number };
  /** SIGSTOP, and SIGCONT at the end. */
  readonly freeze: {
    readonly who: Who;
    readonly what: 'appliance' | 'etcd' | 'machine';
    readonly lastsMs: number;
  };
  /**
   * The same to the appliance, right after its `call`-th call of a port, or of any, has gone out; if that is so within so
   * long. `who` null: to the one that keeps house.
   */
  readonly 'freeze-at-call': {
    readonly who: Who | null;
    readonly port: FrozenAt | null;
    readonly call: number;
    readonly withinMs: number;
    readonly forMs: number;
  };
  /** Both processes die and files are gone when they come back: etcd's data directory, or all on the disk. */
  readonly wipe: { readonly who: Who; readonly what: 'etcd' | 'disk' };
  /** Etcd dies, and its files are unreadable from then on. */
  readonly damage: { readonly who: Who; readonly what: 'wal' | 'database' };
  /** `aside`: by data set aside that nobody needs, and until its appliance deletes them. */
  readonly 'disk-full': { readonly who: Who; readonly lastsMs: number; readonly aside?: boolean };
  /** Everybody's disk is too small for data that are set aside beside those in use. */
  readonly 'disks-short': { readonly lastsMs: number };
  /** The machine boots with an empty disk, and again, with its own, when its volume is there. */
  readonly unmount: { readonly who: Who; readonly lastsMs: number };
  /** The database of etcd is as large as it may be: the cluster takes no writes until somebody has made room. */
  readonly 'no-space': { readonly lastsMs: number };
  /** Somebody has the database of an etcd defragmented: it applies nothing, and answers no client, for so long. */
  readonly defragment: { readonly who: Who; readonly lastsMs: number };
  /** `share`: how many of the machines are on the first side of a group or bridge, [0, 1). */
  readonly partition: {
    readonly who: Who;
    readonly shape: PartitionShape;
    readonly traffic: readonly Traffic[];
    readonly share: number;
    readonly lastsMs: number;
  };
  /** Messages of one machine, or of all, are late by up to so much. */
  readonly slow: {
    readonly who: Who | null;
    readonly traffic: readonly Traffic[];
    readonly delayMs: number;
    readonly lastsMs: number;
  };
  /** A share of the messages of one machine, or of all, is lost. */
  readonly loss: {
    readonly who: Who | null;
    readonly traffic: readonly Traffic[];
    readonly share: number;
    readonly lastsMs: number;
  };
  /** Clients write so much, now. */
  readonly load: { readonly entries: number; readonly lastsMs: number };
  /** EC2 and Auto Scaling, for one asker or for all. */
  readonly aws: { readonly who: Who | null; readonly weather: AwsWeather; readonly lastsMs: number };
  /** The machine's metadata do not answer. */
  readonly metadata: { readonly who: Who; readonly lastsMs: number };
  /**
   * Route 53: `times` changes go wrong, or it is `down`, or `denied` (it can be read, and not changed), or `stale` (its lists are
   * as they were when this began) for so long.
   */
  readonly zone: {
    readonly failure: 'lost' | 'unknown' | 'busy' | 'down' | 'denied' | 'stale';
    readonly times: number;
    readonly lastsMs: number;
  };
  /**
   * A person deletes the claim, or all records of the cluster (`claim release`); or writes into the claim what nobody can read,
   * and puts it back after so long.
   */
  readonly claim: { readonly does: 'delete' | 'release' | 'garble'; readonly lastsMs: number };
  /** A stack update replaces the group of a machine's region by another, and its instances one after the other. */
  readonly regroup: { readonly who: Who };
  /** The group wants so many; 0 takes all data away, and so needs a plot that may lose the majority. */
  readonly scale: { readonly desired: number };
  /** Taken away by its group in order: by hook where there is one, then SIGTERM and a grace. */
  readonly terminate: { readonly who: Who };
  /** Dies without a word, and EC2 notices. */
  readonly lose: { readonly who: Who };
  /** Notice two minutes ahead, then taken. */
  readonly spot: { readonly who: Who };
  /** EC2 stops it (a scheduled event, a person), and its group replaces it. */
  readonly 'ec2-stop': { readonly who: Who };
  /** A person puts it into Standby, and back. */
  readonly standby: { readonly who: Who; readonly lastsMs: number };
  /** Its group puts it into the warm pool instead of taking it away, and takes it again when it wants one more. */
  readonly rest: { readonly who: Who; readonly lastsMs: number };
  /** Every instance is replaced, one after the other, as an instance refresh does it. */
  readonly refresh: { readonly minHealthyPercent: number };
  /** Instances are launched with these versions from now on, beside those of before, and this `ETCD_VERSION`. */
  readonly image: { readonly installs: readonly string[]; readonly wanted: string | null };
  /** The same on a machine that runs, or on one after the other, each with a restart of the appliance. */
  readonly configure: {
    readonly who: Who | null;
    readonly installs: readonly string[];
    readonly wanted: string | null;
  };
  /** An operator's word; `to`: the version that he aims at, null: none any more. */
  readonly order: {
    readonly what: 'to' | 'pause' | 'resume' | 'abort';
    readonly to: string | null;
    /** Whether the appliances are told at once. */
    readonly rings: boolean;
  };
  /** All binaries of a minor are broken on a machine, or on all, for so long. */
  readonly 'bad-binary': {
    readonly who: Who | null;
    readonly minor: string;
    readonly fault: BinaryFault;
    readonly lastsMs: number;
  };
  /** Somebody asks an etcd for /health, once in a second. */
  readonly 'poll-health': { readonly who: Who; readonly lastsMs: number };
  /**
   * The next time within so long that somebody begins a step of an upgrade, this happens so much later to it, or to another;
   * and lasts so long.
   */
  readonly 'in-step': {
    readonly to: 'holder' | 'other';
    readonly does:
      | { readonly kind: 'kill'; readonly what: 'appliance' | 'etcd' | 'both' }
      | {
          readonly kind: 'kill-at-call';
          readonly what: 'appliance' | 'both';
          readonly call: number;
          readonly taken: boolean;
        }
      | { readonly kind: 'freeze'; readonly what: 'appliance' | 'etcd' | 'machine' }
      | { readonly kind: 'partition' | 'power-cut' | 'lose' | 'terminate' };
    readonly afterMs: number;
    readonly forMs: number;
    readonly withinMs: number;
  };
}

export type IncidentKind = keyof IncidentParams;

/** One thing that happens to the fleet from outside, at its time. */
export type Incident<Kind extends IncidentKind = IncidentKind> = {
  readonly [K in Kind]: { readonly atMs: number; readonly kind: K } & IncidentParams[K];
}[Kind];

interface Draw {
  readonly random: SeededRandom;
  /** Instances that the group wants in the beginning. */
  readonly desired: number;
  who(): Who;
  /** Mostly short; now and then longer than any lease, limit or patience of the appliance. */
  lasts(): number;
}

const DRAWS: { readonly [K in IncidentKind]: (draw: Draw) => IncidentParams[K] } = {
  kill: ({ random, who }) => ({ who: who(), what: random.pick(['appliance', 'etcd', 'both']) }),
  'kill-at-call': ({ random, who }) => ({
    who: who(),
    what: random.chance(0.8) ? 'appliance' : 'both',
    call: random.int(1, 40),
    taken: random.chance(0.5),
  }),
  'kill-as-it-founds': ({ random, desired }) => ({
    what: random.pick(['etcd', 'both']),
    times: random.int(1, desired + 1),
    withinMs: random.int(5_000, 30_000),
  }),
  restart: ({ who }) => ({ who: who() }),
  'power-cut': ({ random, who }) => ({
    who: who(),
    lastsMs: random.pick([random.int(500, 5_000), random.int(5_000, 60_000)]),
  }),
  freeze: ({ random, who }) => ({
    who: who(),
    what: random.pick(['appliance', 'etcd', 'machine']),
    lastsMs: random.pick([
      random.int(500, 4_000),
      random.int(500, 4_000),
      random.int(2_000, 45_000),
      random.int(2_000, 45_000),
      random.int(30_000, 120_000),
    ]),
  }),
  'freeze-at-call': ({ random, who }) => {
    const port = random.pick([null, ...FROZEN_AT]);
    return {
      who: random.chance(0.5) ? who() : null,
      port,
      call: random.int(1, port === null ? 40 : 5),
      withinMs: random.int(2_000, 20_000),
      forMs: random.pick([random.int(500, 8_000), random.int(8_000, 30_000), random.int(30_000, 60_000)]),
    };
  },
  wipe: ({ random, who }) => ({ who: who(), what: random.chance(0.7) ? 'disk' : 'etcd' }),
  damage: ({ random, who }) => ({ who: who(), what: random.pick(['wal', 'database']) }),
  'disk-full': ({ random, who, lasts }) => ({ who: who(), lastsMs: lasts(), aside: random.chance(0.5) }),
  'disks-short': ({ random }) => ({ lastsMs: random.int(20_000, 120_000) }),
  'no-space': ({ lasts }) => ({ lastsMs: lasts() }),
  defragment: ({ random, who }) => ({ who: who(), lastsMs: random.int(5, 60) * 1_000 }),
  unmount: ({ who, lasts }) => ({ who: who(), lastsMs: lasts() }),
  partition: ({ random, who, lasts }) => ({
    who: who(),
    shape: random.pick(['node', 'node', 'group', 'one-way', 'deaf', 'bridge']),
    traffic: random.pick<readonly Traffic[]>([ALL_TRAFFIC, BETWEEN, ['peer'], ['http'], ['client'], ['aws']]),
    share: rounded(random.fraction()),
    lastsMs: lasts(),
  }),
  slow: ({ random, who, lasts }) => ({
    who: random.chance(0.5) ? who() : null,
    traffic: random.pick<readonly Traffic[]>([ALL_TRAFFIC, BETWEEN, ['peer'], ['aws']]),
    delayMs: random.pick([200, 1_000, 5_000]),
    lastsMs: lasts(),
  }),
  loss: ({ random, who, lasts }) => ({
    who: random.chance(0.5) ? who() : null,
    traffic: random.pick<readonly Traffic[]>([ALL_TRAFFIC, BETWEEN, ['client'], ['http'], ['aws']]),
    share: random.pick([0.1, 0.5, 0.9]),
    lastsMs: lasts(),
  }),
  load: ({ random }) => ({ entries: random.int(6_000, 30_000), lastsMs: random.int(8_000, 25_000) }),
  aws: ({ random, who, lasts }) => ({
    who: random.chance(0.4) ? who() : null,
    weather: random.pick(['unknown', 'self-only', 'half', 'stale', 'empty', 'late', 'throttled']),
    lastsMs: lasts(),
  }),
  metadata: ({ who, lasts }) => ({ who: who(), lastsMs: lasts() }),
  zone: ({ random, lasts }) => ({
    failure: random.pick(['lost', 'unknown', 'busy', 'down', 'denied', 'stale']),
    times: random.int(1, 4),
    lastsMs: lasts(),
  }),
  claim: ({ random, lasts }) => ({
    does: random.pick(['delete', 'release', 'garble']),
    lastsMs: lasts(),
  }),
  regroup: ({ who }) => ({ who: who() }),
  scale: ({ random, desired }) => ({
    desired: random.pick([random.int(1, 5), random.int(1, 5), Math.min(7, desired + 1), desired, 1, 0]),
  }),
  terminate: ({ who }) => ({ who: who() }),
  lose: ({ who }) => ({ who: who() }),
  spot: ({ who }) => ({ who: who() }),
  'ec2-stop': ({ who }) => ({ who: who() }),
  standby: ({ who, lasts }) => ({ who: who(), lastsMs: lasts() }),
  rest: ({ random, who }) => ({ who: who(), lastsMs: random.int(32_000, 60_000) }),
  refresh: ({ random }) => ({ minHealthyPercent: random.pick([100, 66, 50]) }),
  image: ({ random }) => imageOf(random),
  configure: ({ random, who }) => ({ who: random.chance(0.25) ? who() : null, ...imageOf(random) }),
  order: ({ random }) => ({
    what: random.pick(['to', 'to', 'to', 'pause', 'resume', 'abort']),
    to: random.pick(['3.5', '3.6', '3.7', '3.6', '3.7', '3.6.16', '3.4', null]),
    rings: random.chance(0.7),
  }),
  'bad-binary': ({ random, who }) => ({
    who: random.chance(0.7) ? who() : null,
    minor: random.pick(['3.5', '3.6', '3.6', '3.7', '3.7']),
    fault: random.pick(['crashes', 'mute', 'unreadable']),
    lastsMs: random.int(20_000, 200_000),
  }),
  'poll-health': ({ who, random }) => ({ who: who(), lastsMs: random.int(1_000, 20_000) }),
  'in-step': ({ random }) => ({
    to: random.chance(0.75) ? 'holder' : 'other',
    does: random.pick<IncidentParams['in-step']['does']>([
      { kind: 'kill', what: random.pick(['appliance', 'etcd', 'both']) },
      {
        kind: 'kill-at-call',
        what: random.chance(0.6) ? 'appliance' : 'both',
        call: random.int(1, 60),
        taken: random.chance(0.5),
      },
      {
        kind: 'kill-at-call',
        what: random.chance(0.6) ? 'appliance' : 'both',
        call: random.int(1, 20),
        taken: random.chance(0.5),
      },
      { kind: 'freeze', what: random.pick(['appliance', 'appliance', 'etcd', 'machine']) },
      { kind: 'partition' },
      { kind: 'power-cut' },
      { kind: 'lose' },
      { kind: 'terminate' },
    ]),
    afterMs: random.pick([0, random.int(0, 300), random.int(0, 4_000)]),
    forMs: random.pick([random.int(1_000, 8_000), random.int(20_000, 60_000), random.int(60_000, 150_000)]),
    withinMs: random.int(10_000, 60_000),
  }),
};

const ALL_TRAFFIC: readonly Traffic[] = ['peer', 'client', 'http', 'aws'];
const BETWEEN: readonly Traffic[] = ['peer', 'client', 'http'];

/** Most are short, because virtual time costs real time; some are longer than any limit of the appliance but the last. */
const LASTS_MS = [
  [1_000, 8_000],
  [1_000, 8_000],
  [5_000, 40_000],
  [5_000, 40_000],
  [30_000, 200_000],
] as const;

/** What an operator installs: all there is, up to some minor, or all but one; and what of it he wants. */
function imageOf(random: SeededRandom): Pick<IncidentParams['image'], 'installs' | 'wanted'> {
  const all = ['3.4.45', '3.5.35', '3.6.16', '3.7.3'];
  const installs = random.pick([
    all,
    all,
    all.slice(0, 3),
    all.slice(0, 2),
    all.toSpliced(random.int(1, 2), 1),
  ]);
  return { installs, wanted: random.pick([null, null, null, '3.5', '3.6', '3.7', '3.6.16']) };
}

/** Every kind of incident. */
export const INCIDENT_KINDS = Object.keys(DRAWS) as readonly IncidentKind[];

/** So that a printed plot can be read; below 1 as before. */
function rounded(fraction: number): number {
  return Math.floor(fraction * 1_000) / 1_000;
}

/** An incident of this kind at this time. */
export function drawIncident(
  random: SeededRandom,
  { atMs, kind, desired }: { readonly atMs: number; readonly kind: IncidentKind; readonly desired: number },
): Incident {
  const draw: Draw = {
    random,
    desired,
    who: () => rounded(random.fraction()),
    lasts: () => {
      const [shortest, longest] = random.pick(LASTS_MS);
      return random.int(shortest, longest);
    },
  };
  return { atMs, kind, ...DRAWS[kind](draw) } as Incident;
}

/** How long the incident lasts, 0 where it is a moment; ms. */
export function lastsMsOf(incident: Incident): number {
  if (incident.kind === 'zone')
    return ['down', 'denied', 'stale'].includes(incident.failure) ? incident.lastsMs : 0;
  if (incident.kind === 'claim') return incident.does === 'garble' ? incident.lastsMs : 0;
  // What is done in a step is told when it is done.
  if (incident.kind === 'in-step') return incident.withinMs + incident.afterMs + incident.forMs;
  if (incident.kind === 'freeze-at-call') return incident.withinMs + incident.forMs;
  if (incident.kind === 'kill-as-it-founds') return incident.withinMs;
  return 'lastsMs' in incident ? incident.lastsMs : 0;
}
