import type { Member } from '../../../src/core/members.ts';
import type { AdminPort, Ports, ProcessPort, RunningEtcd } from '../../../src/daemon/ports.ts';
import { known } from '../../../src/core/known.ts';
import { quorumOf } from '../../../src/core/members.ts';
import { hostOf } from '../../../src/core/urls.ts';
import { createEtcdAdmin } from '../../fakes/etcd/admin.ts';
import { createEtcdClient, type EtcdClient } from '../../fakes/etcd/client.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import { isReadable, lastIndex } from '../../fakes/etcd/files.ts';
import type { EtcdBusy, EtcdNode, EtcdProcess, MembershipChange } from '../../fakes/etcd/node.ts';
import type { Wire } from '../../fakes/wire.ts';
import type { MemberName, Votes } from './happening.ts';
import { lostByEtcd, lostProbe, overNetwork } from './links.ts';
import { type Machine, runOf } from './machine.ts';
import { stepFacts } from './upgrade.ts';
import type { World } from './world.ts';

/*
 * What the world and the laws know of etcd: the one file that knows its model.
 */

/** The appliance's client gives up on a call after this; ms. */
const ADMIN_DEADLINE_MS = 2_000;
const PROBE_DEADLINE_MS = 1_000;

const LOCK_KEY = '_self_maintenance_lock';

/** A cluster at this moment, as whoever sees everything has it. */
export interface ClusterView {
  readonly id: string;
  readonly members: readonly MemberName[];
  readonly voters: readonly MemberName[];
  /** Member id; null: nobody leads with a quorum behind it. */
  readonly leader: string | null;
  /** Voters that run. */
  readonly upVoters: readonly MemberName[];
}

/** The ports of one machine that lead to etcd. */
export function etcdPorts(
  world: World,
  machine: Machine,
  wire: Wire,
): Pick<Ports, 'admin' | 'probe' | 'process'> {
  const { etcd, clock, network } = world;
  const link = { network, clock, from: machine.address, traffic: 'client' as const };
  return {
    admin: overNetwork(createEtcdAdmin(machine, { etcd, wire }), {
      ...link,
      to: (args) => hostOf(String(args[0])),
      deadlineMs: ADMIN_DEADLINE_MS,
      lost: lostByEtcd,
    }) satisfies AdminPort,
    probe: overNetwork(wire.port([1, 4], etcd.probe(machine.address)), {
      ...link,
      to: (args) => String(args[0]),
      deadlineMs: PROBE_DEADLINE_MS,
      lost: lostProbe,
    }),
    process: wire.port([1, 4], processPort(world, machine)),
  };
}

/** Processes on a disk that may be full, and whose stops are told. */
function processPort(world: World, machine: Machine): ProcessPort {
  const port = world.etcd.machine({ ...machine, binaries: machine.image, isOn: runOf(machine) });
  const watched = (running: RunningEtcd): RunningEtcd => ({
    ...running,
    exited: running.exited.then((exit) => (machine.diskFull ? { ...exit, saysFull: true } : exit)),
    async stop(graceMs) {
      tellStop(world, machine);
      const exit = await running.stop(graceMs);
      machine.starts = 0;
      machine.stoppedAt = world.clock.now();
      return exit;
    },
  });
  return {
    binaries: port.binaries,
    async preflight(version, address, signal) {
      const isShort = machine.diskFull || (world.disksShort && machine.disk.aside.length > 0);
      if (!isShort) return await port.preflight(version, address, signal);
      machine.shortAt = world.clock.now();
      return { kind: 'disk-short', why: 'the disk is full' };
    },
    async adopt(signal) {
      const adopted = await port.adopt(signal);
      return adopted === null ? null : watched(adopted);
    },
    async start(start, signal) {
      const started = await port.start(start, signal);
      machine.starts += 1;
      // It cannot write its log.
      if (machine.diskFull) world.clock.after(5, () => world.etcd.kill(machine.address));
      return started.known ? known(watched(started.value)) : started;
    },
  };
}

/** Tells of a change of members, at the moment when the first of them applies it. */
export function tellMembership(world: World, change: MembershipChange): void {
  const { kind, caller, cluster, member, hadQuorum } = change;
  world.note('world', `cluster ${cluster.id}: ${kind} ${member.id} ${member.name} by ${caller}`);
  const machine = [...world.machines.values()].find((it) => memberOnDisk(it)?.memberId === member.id);
  const node = machine === undefined ? null : nodeOn(world, machine);
  const leader = leaderOf(world, cluster);
  const after = { voters: cluster.voters().length, healthy: cluster.together() };
  world.tell({
    kind: 'membership',
    change: kind,
    by: caller,
    clusterId: cluster.id,
    member: nameOf(member),
    before: { ...after, healthy: hadQuorum ? quorumOf(after.voters) : 0 },
    after,
    outOfSpace: cluster.state.outOfSpace,
    losesMajority: kind === 'remove' && losesMajority(world, cluster, member),
    learners: cluster.members.filter((it) => it.learner).length,
    answers: node !== null && node.files.memberId === member.id && !node.process.frozen,
    behind: leader === null ? 0 : lastIndex(leader.files) - (node === null ? 0 : lastIndex(node.files)),
    hasData: machine !== undefined && machine.state !== 'gone',
  });
}

/** Whether what is left of the voters lacks the data of a majority by the end of this one. */
function losesMajority(world: World, cluster: EtcdCluster, member: Member): boolean {
  if (member.learner) return false;
  const machines = [...world.machines.values()].filter((it) => it.state !== 'gone');
  const has = (ids: readonly string[]): boolean =>
    ids.filter((id) => machines.some((it) => keepsData(it, id))).length >= quorumOf(ids.length);
  const left = cluster.voters().map((it) => it.id);
  return has([...left, member.id]) && !has(left);
}

/** Whether this machine has the data of that member, in use or set aside: data set aside count as data. */
export function keepsData({ disk }: Machine, memberId: string): boolean {
  return [disk.etcd, ...disk.aside.map((it) => it.etcd)].some(
    (it) => it !== null && isReadable(it) && it.memberId === memberId,
  );
}

function nodeOn(world: World, machine: Machine): EtcdNode | null {
  return world.etcd.processAt(machine.address)?.node ?? null;
}

function leaderOf(world: World, cluster: EtcdCluster): EtcdNode | null {
  const { leader, id } = cluster;
  return world.etcd.nodesOf(id).find((it) => it.files.memberId === leader) ?? null;
}

function tellStop(world: World, machine: Machine): void {
  const step = stepFacts(world, machine);
  const process = world.etcd.processAt(machine.address);
  const cluster = process === undefined ? undefined : world.etcd.clusterOf(process);
  const member = cluster?.find(process?.files?.memberId ?? '');
  const busy = process === undefined ? null : busyWith(world, machine, process);
  const serves =
    process !== undefined &&
    process.serving &&
    process.busy === null &&
    // The answer that it is stopped for may be of a moment before.
    world.clock.now() - process.servingSince >= ADMIN_DEADLINE_MS &&
    !process.frozen &&
    cluster?.leader != null;
  world.tell({
    kind: 'etcd-stopped',
    id: machine.id,
    // Who still reads its database has not said of which cluster it is.
    clusterId: cluster?.id ?? machine.disk.etcd?.clusterId ?? '',
    served: serves && member !== undefined && process.node?.leader != null,
    ...(member !== undefined && isWaiting(machine, process) && { waits: nameOf(member) }),
    ...(busy === null ? {} : { busy }),
    ...(process?.busy?.kind === 'defragments' && { defragmentsMs: world.clock.now() - process.busy.since }),
    ...(step === null ? {} : { step }),
  });
}

/** Runs, and waits for what only its peers can give; of a step, its limit decides. */
function isWaiting(machine: Machine, process: EtcdProcess | undefined): boolean {
  if (process === undefined || process.node === null || process.serving || process.frozen) return false;
  return !process.node.doomed && (machine.process?.appliance.state.swap ?? null) === null;
}

/** From the end of one etcd to the start of the next, where nothing comes between; ms. */
const AT_ONCE_MS = 5_000;

/**
 * What an etcd is in the middle of, whose member is one: nothing hinders it but its database. A step's time counts from the
 * first start after the stop: who died once, or began late, has less of it left.
 */
function busyWith(world: World, machine: Machine, process: EtcdProcess): 'starts' | EtcdBusy['kind'] | null {
  const { clusterId, memberId } = machine.disk.etcd ?? {};
  const cluster = world.etcd.clusters.get(clusterId ?? '');
  if (process.frozen || memberId === undefined || cluster?.find(memberId) === undefined) return null;
  if (process.busy !== null) return process.busy.until > world.clock.now() ? process.busy.kind : null;
  const reads = process.node === null && process.bootsAt > world.clock.now() && process.readsMs > 0;
  if (!reads || machine.image.bad.has(process.version)) return null;
  if ((machine.process?.appliance.state.swap ?? null) === null) return 'starts';
  const startedAt = process.bootsAt - process.readsMs;
  return machine.starts === 1 && startedAt - machine.stoppedAt < AT_ONCE_MS ? 'starts' : null;
}

function nameOf({ id, name, learner }: MemberName): MemberName {
  return { id, name, learner };
}

/** The cluster of this id; null: there is none. */
export function clusterView(world: World, clusterId: string | null): ClusterView | null {
  const cluster = clusterId === null ? undefined : world.etcd.clusters.get(clusterId);
  if (cluster === undefined) return null;
  return {
    id: cluster.id,
    members: cluster.members,
    voters: cluster.voters(),
    leader: cluster.leader,
    upVoters: cluster.upVoters(),
  };
}

/** Ids of all clusters that there ever were. */
export function clusterIds(world: World): readonly string[] {
  return [...world.etcd.clusters.keys()];
}

/** Which member the data in use on this machine's disk are; null: none, or none that can be read. */
export function memberOnDisk(
  machine: Machine,
): { readonly clusterId: string; readonly memberId: string } | null {
  const { etcd } = machine.disk;
  return etcd === null || etcd.unreadable ? null : etcd;
}

/** All data on this machine's disk, in use or set aside, as cluster/member. */
export function holdings({ disk }: Pick<Machine, 'disk'>): readonly string[] {
  const held = [disk.etcd, ...disk.aside.map((it) => it.etcd)];
  return held.flatMap((it) => (it === null ? [] : [`${it.clusterId}/${it.memberId}`]));
}

/** Which cluster's etcd runs on this machine; null: none, or none that knows yet. */
export function runningCluster(world: World, machine: Machine): string | null {
  return world.etcd.processAt(machine.address)?.files?.clusterId ?? null;
}

/** The member of this id, in the cluster of the etcd at this address. */
export function memberNamed(world: World, address: string, memberId: string): MemberName {
  const member = clusterAt(world, address)?.find(memberId);
  return member === undefined ? { id: memberId, name: '', learner: true } : nameOf(member);
}

/** Who holds the housekeeping lock in the cluster of the etcd at this address; null: nobody. */
export function lockHolderAt(world: World, address: string): string | null {
  return clusterAt(world, address)?.read(LOCK_KEY)?.value ?? null;
}

/** Who keeps house in this cluster, by the lock; null: nobody, or there is no such cluster. */
export function lockHolderIn(world: World, clusterId: string | null): string | null {
  return world.etcd.clusters.get(clusterId ?? '')?.read(LOCK_KEY)?.value ?? null;
}

/** The votes in the cluster of the etcd at this address, as they are, and as they would be without this member. */
export function votesAt(
  world: World,
  address: string,
  memberId: string,
): { readonly before: Votes; readonly after: Votes } {
  const cluster = clusterAt(world, address);
  const voters = cluster?.voters() ?? [];
  return {
    before: { voters: voters.length, healthy: cluster?.together() ?? 0 },
    after: {
      voters: voters.filter((it) => it.id !== memberId).length,
      healthy: cluster?.together(memberId) ?? 0,
    },
  };
}

function clusterAt(world: World, address: string): EtcdCluster | undefined {
  const node = world.etcd.processAt(address);
  return node === undefined ? undefined : world.etcd.clusterOf(node);
}

/** Files go while no process runs: etcd's, or all on the disk. */
export function wipe(world: World, machine: Machine, what: 'etcd' | 'disk'): void {
  if (what === 'etcd') {
    machine.disk.etcd = null;
  } else {
    machine.disk.wipe();
    fill(machine, null);
  }
  world.tell({ kind: 'disk', id: machine.id, holds: holdings(machine), wiped: true });
}

/** The disk is not there; what is written from now on goes when it is back. Gives what brings it back. */
export function unmount(world: World, machine: Machine): () => void {
  const { id, disk, fullOf } = machine;
  const { etcd, identity, mark, aside } = disk;
  disk.wipe();
  fill(machine, null);
  const tell = (): void => world.tell({ kind: 'disk', id, holds: holdings({ disk }), wiped: true });
  tell();
  return () => {
    Object.assign(disk, { etcd, identity, mark, aside });
    fill(machine, fullOf);
    tell();
  };
}

/** What is set aside in this folder takes all the room of the disk; null: nothing that is set aside does. */
function fill(machine: Machine, fullOf: string | null): void {
  if (machine.fullOf === null && fullOf === null) return;
  Object.assign(machine, { diskFull: fullOf !== null, fullOf });
}

/** Etcd dies, and from then on cannot read what it wrote. */
export function damage(world: World, machine: Machine, what: 'wal' | 'database'): void {
  world.etcd.kill(machine.address);
  const { etcd } = machine.disk;
  if (etcd === null) return;
  etcd.unreadable = true;
  world.note(machine.id, `the ${what} of member ${etcd.memberId} is damaged`);
}

/** Clients write so many entries at once, in every cluster that somebody leads. */
export function writeMuch(world: World, entries: number): void {
  for (const it of world.etcd.clusters.values()) it.load(entries);
}

/** Every cluster that somebody leads says that it is out of space; false: there is none. */
export function raiseNoSpace(world: World): boolean {
  return [...world.etcd.clusters.values()].filter((it) => it.alarm(true)).length > 0;
}

/** Disarms that where somebody leads; false: one is left. */
export function disarmNoSpace(world: World): boolean {
  const full = [...world.etcd.clusters.values()].filter((it) => it.state.outOfSpace);
  for (const it of full) it.alarm(false);
  return full.length === 0;
}

/** A client of etcd outside the fleet. */
export function clientOf(world: World, place: string): EtcdClient {
  return createEtcdClient(world.etcd, place);
}

/** Which of these keys the leader of a cluster does not have; null: nobody leads. */
export function missingKeys(
  world: World,
  clusterId: string | null,
  keys: readonly string[],
): readonly string[] | null {
  const cluster = clusterId === null ? undefined : world.etcd.clusters.get(clusterId);
  const leader = cluster === undefined ? null : leaderOf(world, cluster);
  return leader === null ? null : keys.filter((it) => !leader.files.state.keys.has(it));
}

/** An operator writes a key into every cluster that somebody leads. */
export function writeAsOperator(world: World, key: string, value: string): void {
  for (const it of world.etcd.clusters.values()) if (it.leader !== null) it.put(key, value, null);
}
