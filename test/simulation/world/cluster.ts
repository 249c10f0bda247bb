import type { Ports, RunningEtcd } from '../../../src/daemon/ports.ts';
import { known } from '../../../src/core/known.ts';
import { quorumOf } from '../../../src/core/members.ts';
import { hostOf } from '../../../src/core/urls.ts';
import type { EtcdCluster } from '../../fakes/etcd-cluster.ts';
import { createFakeAdmin } from '../../fakes/fake-admin.ts';
import type { Wire } from '../../fakes/wire.ts';
import type { MemberName, Votes } from './happening.ts';
import { lostByEtcd, lostProbe, overNetwork } from './links.ts';
import type { Machine } from './machine.ts';
import type { World } from './world.ts';

/*
 * What the world and the laws know of etcd: the one file that knows which model of etcd there is.
 */

/** etcd gives up on a call after this; ms. */
const ADMIN_DEADLINE_MS = 2_000;
const PROBE_DEADLINE_MS = 1_000;

const LOCK_KEY = '_self_maintenance_lock';

/** A cluster at this moment, as its leader, or else its most advanced member, has it. */
export interface ClusterView {
  readonly id: string;
  readonly members: readonly MemberName[];
  readonly voters: readonly MemberName[];
  /** Member id; null: nobody leads. */
  readonly leader: string | null;
  /** Voters that run, and are reached by a majority. */
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
  const admin = createFakeAdmin(machine.id, {
    etcd,
    clock,
    wire,
    onChange: ({ kind, caller, cluster, member, hadQuorum }) => {
      const after = votesOf(cluster);
      const before = { ...after, healthy: hadQuorum ? quorumOf(after.voters) : 0 };
      tellChange(world, { change: kind, by: caller, cluster, member, before, after });
    },
  });
  const process = etcd.machine(machine);
  const watched = (running: RunningEtcd): RunningEtcd => ({
    ...running,
    async stop(graceMs) {
      tellStop(world, machine);
      return await running.stop(graceMs);
    },
  });
  return {
    admin: overNetwork(admin, {
      ...link,
      to: (args) => hostOf(String(args[0])),
      deadlineMs: ADMIN_DEADLINE_MS,
      lost: lostByEtcd,
    }),
    probe: overNetwork(wire.port([1, 4], etcd.probe), {
      ...link,
      to: (args) => String(args[0]),
      deadlineMs: PROBE_DEADLINE_MS,
      lost: lostProbe,
    }),
    process: wire.port([1, 4], {
      binaries: process.binaries,
      preflight: async (version: string, address: string, signal: AbortSignal) =>
        machine.diskFull
          ? { kind: 'disk-short', why: 'the disk is full' }
          : await process.preflight(version, address, signal),
      async adopt(signal: AbortSignal) {
        const adopted = await process.adopt(signal);
        return adopted === null ? null : watched(adopted);
      },
      async start(start, signal: AbortSignal) {
        const started = await process.start(start, signal);
        if (machine.diskFull) world.clock.after(100, () => etcd.kill(machine.address));
        return started.known ? known(watched(started.value)) : started;
      },
    } satisfies Ports['process']),
  };
}

function votesOf(cluster: EtcdCluster): Votes {
  return { voters: cluster.voters().length, healthy: cluster.upVoters().length };
}

function tellChange(
  world: World,
  change: {
    readonly change: 'add' | 'promote' | 'remove';
    readonly by: string;
    readonly cluster: EtcdCluster;
    readonly member: { readonly id: string; readonly name: string; readonly learner: boolean };
    readonly before: Votes;
    readonly after: Votes;
  },
): void {
  const { cluster, member } = change;
  world.note('world', `cluster ${cluster.id}: ${change.change} ${member.id} ${member.name} by ${change.by}`);
  const machine = [...world.machines.values()].find((it) => memberOnDisk(it)?.memberId === member.id);
  const node = machine === undefined ? undefined : world.etcd.processAt(machine.address);
  world.tell({
    kind: 'membership',
    change: change.change,
    by: change.by,
    clusterId: cluster.id,
    member: nameOf(member),
    before: change.before,
    after: change.after,
    learners: cluster.members.filter((it) => it.learner).length,
    answers: node?.files?.memberId === member.id && node.alive && !node.frozen,
    behind: cluster.index - (node?.files?.appliedIndex ?? 0),
    hasData: machine !== undefined && machine.state !== 'gone',
  });
}

function tellStop(world: World, machine: Machine): void {
  const node = world.etcd.processAt(machine.address);
  const cluster = node === undefined ? undefined : world.etcd.clusterOf(node);
  const served = node !== undefined && node.serving && !node.frozen && cluster?.leader != null;
  const member = cluster?.find(node?.files?.memberId ?? '');
  world.tell({
    kind: 'etcd-stopped',
    id: machine.id,
    clusterId: cluster?.id ?? '',
    served: served && member !== undefined,
    silentMs: 0,
  });
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
export function holdings({ disk }: Machine): readonly string[] {
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

function clusterAt(world: World, address: string): EtcdCluster | undefined {
  const node = world.etcd.processAt(address);
  return node === undefined ? undefined : world.etcd.clusterOf(node);
}

/** Files go while no process runs: etcd's, or all on the disk. */
export function wipe(world: World, machine: Machine, what: 'etcd' | 'disk'): void {
  if (what === 'etcd') machine.disk.etcd = null;
  else machine.disk.wipe();
  world.tell({ kind: 'disk', id: machine.id, holds: holdings(machine), wiped: true });
}

/** Etcd dies, and from then on cannot read what it wrote. */
export function damage(world: World, machine: Machine, what: 'wal' | 'database'): void {
  world.etcd.kill(machine.address);
  const { etcd } = machine.disk;
  if (etcd === null) return;
  etcd.unreadable = true;
  world.note(machine.id, `the ${what} of member ${etcd.memberId} is damaged`);
}
