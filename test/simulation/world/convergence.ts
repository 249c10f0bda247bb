import type { Claim, Founder } from '../../../src/core/claim.ts';
import { quorumOf } from '../../../src/core/members.ts';
import { hostName, namesOf } from '../../../src/core/names.ts';
import { claimIn } from './claim.ts';
import { clusterView, keepsData } from './cluster.ts';
import type { MemberName } from './happening.ts';
import { whyNotLetIn } from './let-in.ts';
import type { Machine } from './machine.ts';
import { CLUSTER } from './names.ts';
import { whyNotUpgraded } from './upgrade.ts';
import { present, type World } from './world.ts';

const NAMES = namesOf(CLUSTER);

/** The claim that stands, where one does. */
export function standingClaim(world: World): Claim | null {
  return claimIn(world.zone.records());
}

/** The claim of the cluster that the name is promised to: where a person took that away, it is promised all the same. */
export function promisedClaim(world: World): Claim | null {
  const standing = standingClaim(world);
  return standing?.state === 'formed' ? standing : (world.claimTaken ?? standing);
}

/** Whether the machine could be lost for good, and its data with it, without taking the cluster along. */
export function isDispensable(world: World, machine: Machine): boolean {
  const intact = intactVoters(world, (it) => it.state === 'up' && !it.doomed);
  if (intact === null) return true;
  const others = intact.names.filter((it) => it !== machine.id).length;
  return others >= quorumOf(intact.voters);
}

/** Whether a majority of the formed cluster's voters still has its data: else only a recovery could help. */
export function isRecoverable(world: World): boolean {
  // Who is told to go may still leave in order.
  const intact = intactVoters(
    world,
    (it) => it.state !== 'gone',
    promisedClaim(world) ?? returnedClaim(world),
  );
  return intact === null || intact.names.length >= quorumOf(intact.voters);
}

/** Whether the machine knows, of its data in use or set aside, that this cluster was formed. */
export function remembers({ disk }: Machine, clusterId: string | null): boolean {
  return [disk.identity, ...disk.aside.map((it) => it.identity)].some(
    (it) => it !== null && it.formed && it.clusterId === clusterId,
  );
}

/**
 * The claim that a person took away, and whose cluster nobody at hand knew of for a time, where somebody is back with its
 * data before another cluster took the name: a machine that lay in the warm pool. Those data hold up every birth.
 */
function returnedClaim(world: World): Claim | null {
  const { claimFreed } = world;
  if (claimFreed === null) return null;
  return present(world).some((it) => remembers(it, claimFreed.clusterId)) ? claimFreed : null;
}

/** Whose machines have their voter's data, of the cluster that this claim says was formed; null: none was. */
export function intactVoters(
  world: World,
  counts: (machine: Machine) => boolean,
  claim = promisedClaim(world),
): { readonly names: readonly string[]; readonly voters: number } | null {
  if (claim?.state !== 'formed') return null;
  const cluster = clusterView(world, claim.clusterId);
  if (cluster === null) return null;
  const machines = [...world.machines.values()];
  const names = cluster.voters.flatMap((voter) => {
    const there = machines.find((it) => counts(it) && keepsData(it, voter.id));
    return there === undefined ? [] : [there.id];
  });
  return { names, voters: cluster.voters.length };
}

/** Null where the fleet is as it should be: N healthy voters, claim and names right; else what is not. */
export function whyNotConverged(world: World): string | null {
  const machines = present(world);
  if (world.busy > 0) return `the group is in the middle of ${world.busy} things`;
  if (machines.length !== world.desired) return `${machines.length} of ${world.desired} machines`;
  const claim = standingClaim(world);
  if (claim?.state !== 'formed') return `the claim is ${claim?.state ?? 'missing'}`;
  const cluster = clusterView(world, claim.clusterId);
  if (cluster === null || cluster.leader === null) return 'the cluster has no leader';
  const notReady = machines.find((it) => it.process?.appliance.state.notReady !== null);
  if (notReady !== undefined)
    return `${notReady.id} is not ready: ${notReady.process?.appliance.state.notReady ?? 'no appliance'}`;
  const waiting = machines.find((it) => it.hooks.waits.size > 0);
  if (waiting !== undefined) return `${waiting.id} waits in a hook`;
  const groups = world.aws.fleet().groups.map((it) => it.arn);
  const ids = machines.map((it) => it.id);
  const hosts = ids.map((it) => hostName(CLUSTER, it));
  const records = world.zone.records();
  const values = (name: string, type: string): readonly string[] =>
    records.find((it) => it.name === name && it.type === type)?.values ?? [];
  const servers = hosts.map((it) => `1 1 2380 ${it}`);
  const clients = hosts.map((it) => `1 1 2379 ${it}`);
  const addresses = machines.map((it) => it.address);
  const named = records.flatMap((it) => (it.name.startsWith('i-') ? [it.name] : []));
  return (
    whyOthers('members', cluster.members.map(nameOf), ids) ??
    whyOthers('healthy voters', cluster.upVoters.map(nameOf), ids) ??
    whyOthers('claimed voters', claim.voters.map(instanceOf), ids) ??
    whyOthers('claimed founders', claim.founders.map(instanceOf), []) ??
    whyOthers('claimed groups', claim.groups, groups) ??
    whyOthers('addresses', values(NAMES.cluster, 'A'), addresses) ??
    whyOthers('servers', values(NAMES.srvServer, 'SRV'), servers) ??
    whyOthers('clients', values(NAMES.srvClient[0] ?? '', 'SRV'), clients) ??
    whyOthers('host records', named, hosts) ??
    whyNotLetIn(world) ??
    whyNotUpgraded(world, cluster.id, machines)
  );
}

/** Null where they are those that should be, each once, in any order. */
function whyOthers(what: string, are: readonly string[], should: readonly string[]): string | null {
  const isSame = are.length === should.length && should.every((it) => are.includes(it));
  return isSame ? null : `${what}: ${are.join()} for ${should.join()}`;
}

function nameOf({ name }: MemberName): string {
  return name;
}

function instanceOf({ instanceId }: Pick<Founder, 'instanceId'>): string {
  return instanceId;
}
