import { createEtcdWorld, type EtcdWorld } from '../../fakes/etcd/world.ts';
import type { FakeFirewall } from '../../fakes/fake-firewall.ts';
import { createFakeFleet, type FakeFleet } from '../../fakes/fake-fleet.ts';
import { createFakeZone, type FakeZone } from '../../fakes/fake-zone.ts';
import { createNetwork, type Network } from '../../fakes/network.ts';
import { createSeededRandom, type SeededRandom } from '../../fakes/seeded-random.ts';
import { createVirtualClock, type VirtualClock } from '../../fakes/virtual-clock.ts';
import type { Weather } from '../../fakes/aws-weather.ts';
import type { Claim } from '../../../src/core/claim.ts';
import { etcdIds } from '../../../src/etcd/ids.ts';
import type { Line, Sabotage, Slowness } from '../ending.ts';
import type { Plot, PlotImage } from '../plot.ts';
import { tellMembership } from './cluster.ts';
import { isOfVersion, isRefused } from './upgrade.ts';
import type { Happening } from './happening.ts';
import { rememberedIds } from './ids.ts';
import type { Machine } from './machine.ts';
import { FOREIGN, ZONE_NAME } from './names.ts';
import { groupIn, openFirewall, regionsOf, shareOf } from './regions.ts';

/** What a world is made from. */
export type WorldPlot = Omit<Plot, 'profile' | 'incidents'>;

/** Real appliances over a world of fakes, on virtual time. Everything that happens follows from the plot. */
export interface World {
  readonly plot: WorldPlot;
  readonly clock: VirtualClock;
  /** What the group and AWS do by themselves. */
  readonly random: SeededRandom;
  readonly network: Network;
  readonly zone: FakeZone;
  readonly aws: FakeFleet;
  /** Each region's security group. */
  readonly firewall: FakeFirewall;
  readonly etcd: EtcdWorld;
  /** All there ever were, in the order of their launches. */
  readonly machines: Map<string, Machine>;
  readonly weather: Map<string, Weather>;
  readonly timeline: Line[];
  readonly reasons: Set<string>;
  readonly sabotage: Sabotage | null;
  /** What is launched from now on. */
  image: PlotImage;
  /** Are told who begins a step of an upgrade. */
  readonly onStep: Set<(holder: Machine) => void>;
  /** Are told whose etcd founds a cluster, before its log has an entry. */
  readonly onFounding: Set<(founder: Machine) => void>;
  /** What the group wants. */
  desired: number;
  /** So many more than it wants it launches for a while, during a refresh. */
  surplus: number;
  refreshing: boolean;
  /** When somebody last asked for the housekeeping lock; ms. */
  lockAskedAt: number;
  /** The claim that a person deleted last, or made unreadable; null: nobody did. */
  claimTaken: Claim | null;
  /** The one that nothing a birth looks at spoke for any more; null: none. A machine may come back with its cluster's data. */
  claimFreed: Claim | null;
  /** There is room for what is in use, and for nothing that was set aside. */
  disksShort: boolean;
  /** Things that the group is in the middle of, each of which ends in bounded time. */
  busy: number;
  /** What the incident that is being brought about is told as, right before it begins; null: none is, or it has been told. */
  strikes: Extract<Happening, { readonly kind: 'fault' }> | null;
  /** How often an etcd was busy with its database for long, by what it did. */
  readonly slow: Record<keyof Slowness, number>;
  note(who: string, what: string): void;
  tell(happening: Happening): void;
}

/** How a world is watched. */
export interface WorldWatch {
  hear(happening: Happening, atMs: number): void;
  readonly onLine?: (line: Line) => void;
  readonly sabotage?: Sabotage;
}

const SLOW_WORDS: Readonly<Record<keyof Slowness, string>> = {
  starts: 'reads its database',
  restores: 'puts a snapshot of the leader in place',
  defragments: 'defragments its database',
};

/** A world in which nothing has been launched yet (`openGroup` begins). */
export function createWorld(plot: WorldPlot, watch: WorldWatch): World {
  const streams = createSeededRandom(plot.seed);
  const clock = createVirtualClock();
  const lag = streams.fork();
  const timeline: Line[] = [];
  const network = createNetwork(streams.fork());
  const world: World = {
    plot,
    clock,
    random: streams.fork(),
    network,
    zone: createFakeZone(ZONE_NAME),
    aws: createFakeFleet(
      regionsOf(plot).map((region) => ({
        arn: groupIn(region),
        name: 'main',
        region,
        desired: shareOf(plot, region, plot.desired),
      })),
      { now: clock.now, lagMs: () => (plot.awsLagMs === 0 ? 0 : lag.int(0, plot.awsLagMs)) },
    ),
    firewall: openFirewall(network, plot),
    etcd: createEtcdWorld({
      clock,
      random: streams.fork(),
      ids: rememberedIds(etcdIds),
      network,
      ...(plot.database === undefined ? {} : { large: plot.database }),
      watch: {
        started(id, { initial }) {
          if (initial?.state === 'new') world.tell({ kind: 'founding', id, token: initial.token });
        },
        founds(id) {
          const founder = world.machines.get(id);
          if (founder !== undefined) for (const it of world.onFounding) it(founder);
        },
        ended(id, exit) {
          world.note(id, `etcd ended (${exit.signal ?? exit.code ?? ''}) ${exit.lastWords}`);
          if (isOfVersion(exit.lastWords) && !isRefused(world, id))
            world.tell({ kind: 'version-death', id, words: exit.lastWords });
        },
        isBusy(id, what, ms) {
          world.slow[what] += 1;
          world.note(id, `etcd ${SLOW_WORDS[what]} for ${ms} ms`);
        },
        runs: (id, versions) => world.tell({ kind: 'members-run', id, versions }),
        changed: (change) => tellMembership(world, change),
      },
    }),
    machines: new Map(),
    weather: new Map(),
    timeline,
    reasons: new Set(),
    sabotage: watch.sabotage ?? null,
    image: plot.image,
    onStep: new Set(),
    onFounding: new Set(),
    desired: plot.desired,
    surplus: 0,
    refreshing: false,
    lockAskedAt: Number.NEGATIVE_INFINITY,
    claimTaken: null,
    claimFreed: null,
    disksShort: false,
    busy: 0,
    strikes: null,
    slow: { starts: 0, restores: 0, defragments: 0 },
    note(who, what) {
      const line = { atMs: clock.now(), who, what };
      timeline.push(line);
      watch.onLine?.(line);
    },
    tell: (happening) => watch.hear(happening, clock.now()),
  };
  const zonePort = world.zone.port(ZONE_NAME);
  void zonePort.change(
    FOREIGN.map((record) => ({ action: 'CREATE' as const, record })),
    new AbortController().signal,
  );
  return world;
}

/** Machines that the group means to have. */
export function present(world: World): readonly Machine[] {
  const machines: Machine[] = [];
  for (const it of world.machines.values()) if (it.state === 'up' && it.place === 'group') machines.push(it);
  return machines;
}

/** Machines on which something can run, or come back: whoever holds a member's data is among them. */
export function alive(world: World): readonly Machine[] {
  return [...world.machines.values()].filter((it) => it.state !== 'gone');
}

/** Says what EC2 would say of a machine if it told the truth. */
export function tellEc2(world: World, machine: Machine): void {
  const { id } = machine;
  const listed = world.aws.fleet().instances.find((it) => it.id === id);
  const word = world.aws.truth(id);
  world.tell({ kind: 'ec2', id, word, listed: listed !== undefined });
}
