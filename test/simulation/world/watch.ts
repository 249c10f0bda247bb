import { ownRecords } from '../../../src/core/own-records.ts';
import type { Weather } from '../../fakes/aws-weather.ts';
import { isReadable } from '../../fakes/etcd/files.ts';
import { clusterView, holdings, runningCluster } from './cluster.ts';
import { intactVoters, promisedClaim, remembers } from './convergence.ts';
import type { Machine } from './machine.ts';
import { CLUSTER } from './names.ts';
import { present, type World } from './world.ts';

/** The clock is told of this often; ms. */
const TIME_EVERY_MS = 2_000;

/** Looks at what may have changed since its last look, and tells the laws. */
export interface Watch {
  /** After each step of the clock. */
  look(): void;
}

/** Says of what was set aside last whether anybody still counts on it. */
function tellAside(world: World, machine: Machine): void {
  const etcd = machine.disk.aside.at(-1)?.etcd ?? null;
  if (etcd === null) return;
  const claim = promisedClaim(world);
  const lives = claim?.state === 'formed' && claim.clusterId === etcd.clusterId;
  const voters = lives ? (clusterView(world, etcd.clusterId)?.voters ?? []) : [];
  world.tell({
    kind: 'set-aside',
    id: machine.id,
    memberId: etcd.memberId,
    voter: voters.some((it) => it.id === etcd.memberId),
    readable: isReadable(etcd),
  });
}

/**
 * Whether nothing that a birth looks at says any more that the cluster lives whose claim a person took away. Where AWS leaves
 * instances out of answers that are whole by all signs, a birth does not look at those that know better, unless it met them.
 */
function isFreed(world: World): boolean {
  const { claimTaken } = world;
  if (claimTaken === null || ownRecords(CLUSTER, world.zone.records()).length > 0) return false;
  const machines = [...world.machines.values()];
  // A frozen one says nothing, and a birth of the majority waits for it no longer than for any other.
  const isMeant = ({ state, place, powered, shutsDown, process }: Machine): boolean =>
    state === 'up' && place === 'group' && powered && !shutsDown && process?.life.frozen !== true;
  const holds = (it: Machine): boolean => remembers(it, claimTaken.clusterId);
  // One that leaves holds up a birth for as long as its etcd answers.
  const speaks = ({ address }: Machine): boolean =>
    world.etcd.processAt(address)?.files?.clusterId === claimTaken.clusterId;
  const knowing = machines.filter((it) => (isMeant(it) && holds(it)) || speaks(it));
  const seesNone = ({ id, met }: Machine): boolean =>
    LEAVES_OUT.has(world.weather.get(id) ?? world.weather.get('*') ?? 'fair') &&
    !knowing.some((it) => met.has(it.address));
  return knowing.length === 0 || machines.some((it) => isMeant(it) && !holds(it) && seesNone(it));
}

/** What AWS then says of a fleet lacks instances, and no sign of it. */
const LEAVES_OUT: ReadonlySet<Weather> = new Set<Weather>(['half', 'self-only']);

/** Whom clients may be sent to: machines that are meant to stay, whose appliances say that they are ready. */
function serving(world: World): readonly string[] {
  return present(world).flatMap(({ id, doomed, hooks, process }) =>
    !doomed && hooks.waits.size === 0 && process !== null && process.appliance.state.notReady === null
      ? [id]
      : [],
  );
}

/** A machine as it was last looked at. */
interface Seen {
  readonly machine: Machine;
  etcd: unknown;
  /** Data set aside; null: it was never looked at. */
  aside: number | null;
  /** The cluster for which its appliance says that it is ready. */
  ready: string | null;
}

function readyCluster(world: World, machine: Machine): string | null {
  const { process } = machine;
  return process === null || process.appliance.state.notReady !== null
    ? null
    : runningCluster(world, machine);
}

/** A watch over a world; cheap where nothing changed. */
export function createWatch(world: World): Watch {
  /** All machines, each as it was last looked at. */
  const seen: Seen[] = [];
  /** A volume that is there again holds what it held. */
  const begun = new WeakSet<object>();
  let batches = 0;
  let ready = '';
  let timeAt = 0;
  let votersLeft = '';

  const tellDisk = (it: Seen): void => {
    const { machine } = it;
    const { etcd, aside } = machine.disk;
    const asideBefore = it.aside;
    it.etcd = etcd;
    it.aside = aside.length;
    if (etcd !== null && !begun.has(etcd)) {
      begun.add(etcd);
      world.tell({
        kind: 'member-begins',
        id: machine.id,
        clusterId: etcd.clusterId,
        memberId: etcd.memberId,
        listed: world.etcd.clusters.get(etcd.clusterId)?.find(etcd.memberId) !== undefined,
      });
    }
    if (aside.length > (asideBefore ?? 0)) tellAside(world, machine);
    world.tell({ kind: 'disk', id: machine.id, holds: holdings(machine), wiped: false });
  };
  const lookAtRecords = (): void => {
    const { taken } = world.zone;
    if (taken.length === batches) return;
    const changes = taken.slice(batches).flat();
    batches = taken.length;
    world.tell({ kind: 'records', changes, after: world.zone.records() });
  };
  const lookAtReadiness = (): void => {
    const clusters = [...new Set(seen.flatMap((it) => it.ready ?? []))];
    const key = clusters.join();
    if (key === ready) return;
    ready = key;
    world.tell({ kind: 'ready', clusters });
  };
  const lookAtVoters = (): void => {
    const intact = intactVoters(world, (it) => it.state !== 'gone');
    const key = intact === null ? '' : `${intact.names.length}/${intact.voters}`;
    if (intact === null || key === votersLeft) return;
    votersLeft = key;
    world.tell({ kind: 'voters-left', intact: intact.names.length, voters: intact.voters });
  };

  const lookAtName = (): void => {
    if (!isFreed(world)) return;
    world.claimFreed = world.claimTaken;
    world.claimTaken = null;
    world.tell({ kind: 'freed' });
  };

  return {
    look() {
      if (seen.length < world.machines.size)
        for (const machine of [...world.machines.values()].slice(seen.length))
          seen.push({ machine, etcd: undefined, aside: null, ready: null });
      let isDiskChanged = false;
      let isReadyChanged = false;
      for (const it of seen) {
        const { disk } = it.machine;
        if (it.etcd !== disk.etcd || it.aside !== disk.aside.length) {
          tellDisk(it);
          isDiskChanged = true;
        }
        const cluster = readyCluster(world, it.machine);
        if (it.ready === cluster) continue;
        it.ready = cluster;
        isReadyChanged = true;
      }
      if (isDiskChanged) lookAtVoters();
      lookAtName();
      lookAtRecords();
      if (isReadyChanged) lookAtReadiness();
      const now = world.clock.now();
      if (now - timeAt < TIME_EVERY_MS) return;
      timeAt = now;
      lookAtVoters();
      world.tell({ kind: 'serving', ids: serving(world) });
      world.tell({ kind: 'time' });
    },
  };
}
