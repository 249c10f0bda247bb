import { quorumOf } from '../../../src/core/members.ts';
import type { UpgradeCode } from '../../../src/core/plan-upgrade.ts';
import type { UpgradeStep } from '../../../src/core/upgrade.ts';
import {
  decodeRecord,
  UPGRADE_KEYS,
  UPGRADE_LOCK_KEY,
  UPGRADE_PREFIX,
} from '../../../src/core/upgrade-record.ts';
import { compareVersions, minorOf, minorsBetween, pickVersion } from '../../../src/core/versions.ts';
import type { InspectPort } from '../../../src/daemon/ports.ts';
import { known } from '../../../src/core/known.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import { SMALL_BYTES } from '../../fakes/etcd/large.ts';
import { lastIndex, type OddEntry } from '../../fakes/etcd/files.ts';
import type { EtcdNode } from '../../fakes/etcd/node.ts';
import { snapshotCountOf } from '../../fakes/etcd/versions.ts';
import { createFakeInspect } from '../../fakes/fake-inspect.ts';
import type { StepFacts } from './happening.ts';
import { OF_NO_VERSION } from '../../fakes/etcd/versions.ts';
import type { Machine } from './machine.ts';
import type { World } from './world.ts';

/*
 * What the world knows of versions and upgrades, past all appliances.
 */

const DEATHS = [
  'not implemented',
  'unmarshal should never fail',
  'disallowed v2 WAL',
  'invalid downgrade',
  'is not supported',
  'incompatible with current running cluster',
];

/** Whether an etcd that says this has ended because of a version. */
export function isOfVersion(words: string): boolean {
  return words !== OF_NO_VERSION && DEATHS.some((it) => words.includes(it));
}

/**
 * Whether etcd refuses a machine the way back, and nobody was there to say before that it would: of a cluster without a
 * quorum, only its data know what the cluster's version is.
 */
export function isRefused(world: World, id: string): boolean {
  const machine = world.machines.get(id);
  const isBack = (machine?.process?.appliance.state.swap?.step?.why ?? null) !== null;
  const cluster = machine === undefined ? null : clusterOf(world, machine);
  return isBack && cluster !== null && !cluster.hasQuorum();
}

/** What a machine's data say to whoever means to run another version on them. */
export function inspectOf(machine: Machine): InspectPort {
  const odd = (): readonly OddEntry[] => machine.disk.etcd?.odd ?? [];
  return createFakeInspect({
    v2Content: async () =>
      await Promise.resolve(known(odd().some((it) => it.form === 'request') ? 'wal-requests' : 'clean')),
    snapshotIndex: async () => await Promise.resolve(known(machine.disk.etcd?.replayedFrom ?? null)),
    async logReplay() {
      const { etcd } = machine.disk;
      return await Promise.resolve(
        known({
          snapshotIndex: etcd?.replayedFrom ?? 0,
          lastIndex: etcd === null ? 0 : lastIndex(etcd),
          lastV2Index: odd().findLast((it) => it.form !== 'v3')?.index ?? null,
        }),
      );
    },
    disk: async () =>
      await Promise.resolve(known({ freeBytes: machine.diskFull ? 0 : 50e9, totalBytes: 100e9 })),
    databaseBytes: async () =>
      await Promise.resolve(known(SMALL_BYTES + (machine.disk.etcd?.state.bytes ?? 0))),
    async binary(version) {
      const there = machine.image.versions.includes(version);
      return await Promise.resolve(there ? null : { kind: 'other', why: `no etcd ${version} is installed` });
    },
  });
}

function clusterOf(world: World, machine: Machine): EtcdCluster | null {
  const id = machine.disk.etcd?.clusterId;
  return id === undefined ? null : (world.etcd.clusters.get(id) ?? null);
}

/** Who holds the upgrade lock in the cluster that this machine is of; null: nobody. */
export function upgradeLockOf(world: World, machine: Machine): string | null {
  return clusterOf(world, machine)?.read(UPGRADE_LOCK_KEY)?.value ?? null;
}

/** The step that is recorded in a cluster. */
function stepIn(cluster: EtcdCluster): UpgradeStep | null {
  const record = decodeRecord(cluster.readPrefix(UPGRADE_PREFIX));
  return record.known ? record.value.step : null;
}

function orderIn(cluster: EtcdCluster): string | null {
  const record = decodeRecord(cluster.readPrefix(UPGRADE_PREFIX));
  return record.known ? record.value.to : null;
}

function nodeAt(world: World, address: string): EtcdNode | null {
  return world.etcd.processAt(address)?.node ?? null;
}

function serves(world: World, machine: Machine): boolean {
  const process = world.etcd.processAt(machine.address);
  return process !== undefined && process.serving && !process.frozen && process.node?.leader !== null;
}

/** Members of a cluster with their machines. */
function membersOf(
  world: World,
  cluster: EtcdCluster,
): readonly { readonly id: string; readonly machine: Machine }[] {
  return cluster.members.flatMap(({ id }) => {
    const machine = [...world.machines.values()].find(
      (it) => it.state !== 'gone' && it.disk.etcd?.memberId === id && it.disk.etcd.clusterId === cluster.id,
    );
    return machine === undefined ? [] : [{ id, machine }];
  });
}

/** What a step is, at the moment when the appliance stops its etcd for it; null: the stop is for something else. */
export function stepFacts(world: World, machine: Machine): StepFacts | null {
  const swap = machine.process?.appliance.state.swap ?? null;
  const node = nodeAt(world, machine.address);
  const cluster = clusterOf(world, machine);
  // What was not ordered for the step is no part of it: its own failed liveness, say.
  if (swap?.ordered !== true || node === null || cluster === null) return null;
  const from = node.process.version;
  const members = membersOf(world, cluster);
  const others = members.filter((it) => it.machine !== machine).map((it) => it.machine);
  const isBack = stepIn(cluster)?.from === swap.version && from !== swap.version;
  const isStep = from !== swap.version && !isBack;
  return {
    lockHolder: cluster.read(UPGRADE_LOCK_KEY)?.value ?? null,
    from,
    to: swap.version,
    away: others
      .filter((it) => (it.process?.appliance.state.swap ?? null) !== null && !serves(world, it))
      .map((it) => it.id),
    amiss: isStep ? amissFor(cluster, members, { from, to: swap.version, nodeOf }) : [],
    unwell: isBack ? [] : unwellOf(world, cluster, others),
    after: { voters: cluster.voters().length, healthy: cluster.together(node.files.memberId) },
  };

  function nodeOf(it: Machine): EtcdNode | null {
    return nodeAt(world, it.address);
  }
}

interface Way {
  readonly from: string;
  readonly to: string;
  readonly nodeOf: (machine: Machine) => EtcdNode | null;
}

/** What etcd dies of on this way, and could be known for long. */
function amissFor(
  cluster: EtcdCluster,
  members: readonly { readonly machine: Machine }[],
  { from, to, nodeOf }: Way,
): readonly string[] {
  const amiss: string[] = [];
  const minor = minorOf(to);
  const isUp = compareVersions(minor, minorOf(from)) > 0;
  const { clusterVersion } = cluster.state;
  const expected = minorOf(from) === minor ? null : isUp ? minorOf(from) : minor;
  if (expected !== null && minorOf(clusterVersion ?? '') !== expected)
    amiss.push(`the cluster's version is ${clusterVersion ?? 'undecided'}`);
  for (const { machine } of members) {
    const node = nodeOf(machine);
    const runs = node?.process.version ?? null;
    if (!machine.image.versions.some((it) => minorOf(it) === minor))
      amiss.push(`${machine.id} has no etcd ${minor}`);
    if (runs !== null && Math.abs(minorsBetween(runs, to) ?? 2) > 1) amiss.push(`${machine.id} runs ${runs}`);
    const odd = node?.files.odd ?? [];
    const isBehind = runs !== null && minorOf(runs) === minorOf(from);
    if (isUp && minor === '3.6' && isBehind && odd.some((it) => it.form === 'request'))
      amiss.push(`the log of ${machine.id} holds requests of the old API`);
    if (isUp && minor === '3.7' && isBehind && odd.some((it) => it.form !== 'v3'))
      amiss.push(`the log of ${machine.id} goes back to before 3.6`);
    if (
      !isUp &&
      expected !== null &&
      from >= '3.6' &&
      node?.process.version === from &&
      minorOf(node.files.storage ?? '3.5') !== minor
    )
      amiss.push(`the data of ${machine.id} are of ${node.files.storage ?? '3.5'}`);
  }
  return amiss;
}

/** What may have come a moment ago. */
function unwellOf(world: World, cluster: EtcdCluster, others: readonly Machine[]): readonly string[] {
  const learners = cluster.members.filter((it) => it.learner).map((it) => `${it.name} is a learner`);
  const silent = others.filter((it) => !serves(world, it)).map((it) => `${it.id} does not serve`);
  return [...learners, ...silent];
}

/** Whom a member has to let step first: followers that aim at the same minor and are not there. */
export function stepsBefore(
  world: World,
  machine: Machine,
): { readonly leads: boolean; readonly before: readonly string[] } {
  const cluster = clusterOf(world, machine);
  const step = cluster === null ? null : stepIn(cluster);
  const own = machine.disk.etcd?.memberId;
  const kind = machine.process?.appliance.state.upgrade?.action.kind;
  // A restart as the same version has no order.
  if (kind !== 'step' || cluster === null || step === null || minorOf(step.from) === minorOf(step.to))
    return { leads: false, before: [] };
  const isUp = compareVersions(step.to, step.from) > 0;
  const order = orderIn(cluster);
  const before = membersOf(world, cluster).flatMap(({ machine: it }) => {
    const runs = nodeAt(world, it.address)?.process.version;
    if (it === machine || runs === undefined || minorOf(runs) !== minorOf(step.from)) return [];
    const aim = order ?? it.image.wanted ?? pickVersion(it.image.versions, null) ?? runs;
    const goes = isUp
      ? compareVersions(minorOf(aim), minorOf(step.to)) >= 0
      : compareVersions(minorOf(aim), minorOf(step.to)) <= 0;
    return goes ? [it.id] : [];
  });
  return { leads: cluster.leader === own, before };
}

/** Codes with which an upgrade may stand still until somebody mends, replaces or says something. */
const STANDS: ReadonlySet<UpgradeCode> = new Set<UpgradeCode>([
  'upgrade-held',
  'upgrade-paused',
  'upgrade-failed',
  'upgrade-no-way-back',
  'upgrade-lacks',
  'upgrade-release',
  'upgrade-patch',
  'upgrade-v2',
  'upgrade-snapshot',
]);

/** Null where every member runs what its instance aims at, or the upgrade stands for a reason; and nothing is left over. */
export function whyNotUpgraded(world: World, clusterId: string, machines: readonly Machine[]): string | null {
  const cluster = world.etcd.clusters.get(clusterId);
  if (cluster === undefined) return 'there is no cluster';
  const holder = cluster.read(UPGRADE_LOCK_KEY)?.value;
  if (holder !== undefined) return `${holder} holds the upgrade lock`;
  const record = decodeRecord(cluster.readPrefix(UPGRADE_PREFIX));
  if (!record.known) return record.reason;
  const { step, to, paused, failed } = record.value;
  if (step !== null) return `the step of ${step.by} to ${step.to} is recorded`;
  for (const machine of machines) {
    const code = machine.process?.appliance.state.upgrade?.action.reason.code ?? null;
    if (code === null) return `${machine.id} has no plan of an upgrade`;
    const runs = nodeAt(world, machine.address)?.process.version;
    const aim = pickVersion(machine.image.versions, to ?? machine.image.wanted);
    const { version = '', snapshotCount = 0 } = nodeAt(world, machine.address)?.process ?? {};
    if (version !== '' && snapshotCount !== snapshotCountOf(version))
      return `the etcd of ${machine.id} takes a snapshot after each ${snapshotCount} entries`;
    if (code === 'upgrade-paused' && paused === null)
      return `${machine.id} says paused, and nobody paused it`;
    if (code === 'upgrade-failed' && failed === null)
      return `${machine.id} says failed, and no failure is recorded`;
    if (code === 'upgrade-done' && runs !== aim)
      return `${machine.id} runs ${runs ?? 'nothing'}, aims at ${aim ?? 'nothing'}, and says that all is done`;
    if (code !== 'upgrade-done' && !STANDS.has(code)) return `the upgrade, for ${machine.id}: ${code}`;
  }
  const { downgrade } = cluster.state;
  return downgrade === null ? null : `a downgrade to ${downgrade} is left over`;
}

/** Whether a cluster keeps its majority with this many. */
export function keepsQuorum({ voters, healthy }: StepFacts['after']): boolean {
  // A cluster of two, or of one, has nothing to spare.
  return voters <= 2 || healthy >= quorumOf(voters);
}

/** The keys that a holder of the upgrade lock writes. */
export const FENCED_KEYS: readonly string[] = [UPGRADE_KEYS.step, UPGRADE_KEYS.failed];
