import type { Claim } from '../../src/core/claim.ts';
import { readClaim } from '../../src/core/claim.ts';
import { hostName, namesOf } from '../../src/core/names.ts';
import { quorumOf } from '../../src/core/members.ts';
import type { RecordSet } from '../../src/core/records.ts';
import type { EtcdStart } from '../../src/daemon/ports.ts';
import type { MembershipChange } from './etcd/node.ts';
import type { Fleet, FleetWatch, Machine } from './fleet.ts';
import { CLUSTER } from './fleet.ts';

/** Watches over a fleet: what must never happen (design.md section 2), whatever the faults. */
export interface FleetChecks {
  readonly watch: FleetWatch;
  /** What did happen and must not have, oldest first. */
  readonly wrongs: readonly string[];
  /** A fault begins now, and lasts so long: what breaks then, or right after it, may be the fault's. */
  faulted(lastsMs: number): void;
  /** Looks at everything that may have changed; after each step of the clock. */
  look(fleet: Fleet): void;
}

/** An act after which quorum is lost is ours unless a fault came so shortly before it that nobody could know; ms. */
const NOTICED_MS = 4_000;

const NAMES = namesOf(CLUSTER);
/** The records that clients and servers are found by. */
const FINDING = [
  `${NAMES.cluster} A`,
  `${NAMES.server} A`,
  `${NAMES.srvServer} SRV`,
  ...NAMES.srvClient.map((it) => `${it} SRV`),
];

/** Checks for one fleet. */
export function createFleetChecks(): FleetChecks {
  const wrongs: string[] = [];
  const founded = new Set<string>();
  const promised = new Map<number, string>();
  const standing = new Set<string>();
  let fleet: Fleet | null = null;
  let faultedAt = Number.NEGATIVE_INFINITY;
  let batches = 0;
  let offences = 0;
  const wrong = (what: string): void => {
    wrongs.push(what);
    fleet?.note(`WRONG: ${what}`);
  };

  const started = (instanceId: string, start: EtcdStart): void => {
    if (start.initial?.state !== 'new') return;
    const key = `${instanceId} ${start.initial.token}`;
    if (founded.has(key)) wrong(`${instanceId} founds twice under the token ${start.initial.token}`);
    founded.add(key);
  };

  const lookAtZone = (zone: readonly RecordSet[]): void => {
    const reading = readClaim(NAMES.claim, zone);
    if (reading.kind === 'unreadable') wrong(`the claim is unreadable: ${reading.why}`);
    if (reading.kind === 'claim' && reading.claim.state === 'formed') promise(reading.claim);
    const there = new Set(zone.map((it) => `${it.name} ${it.type}`));
    for (const it of FINDING) {
      if (there.has(it)) standing.add(it);
      else if (standing.has(it)) wrong(`${it} was emptied`);
    }
  };
  const promise = (claim: Claim): void => {
    const id = claim.clusterId ?? 'null';
    const before = promised.get(claim.epoch);
    if (before !== undefined && before !== id) wrong(`epoch ${claim.epoch} is ${before} and ${id}`);
    // No stack is deleted here and no claim released: the first promise is the only one.
    if (before === undefined && promised.size > 0)
      wrong(`a second cluster ${id} is promised in epoch ${claim.epoch}`);
    promised.set(claim.epoch, id);
  };

  const membership = ({ kind, caller, cluster, member, hadQuorum }: MembershipChange): void => {
    fleet?.note(`cluster ${cluster.id}: ${kind} ${member.id} ${member.name} by ${caller}`);
    if (fleet === null || kind === 'add') return;
    const recent = fleet.clock.now() - faultedAt < NOTICED_MS;
    if (hadQuorum && !cluster.hasQuorum() && !recent) wrong(`${kind} of ${member.id} broke the quorum`);
    if (kind === 'remove' && !member.learner) {
      const why = whyNotRemovable(fleet, caller, member.name);
      if (why !== null) wrong(`voter ${member.id} was removed by ${caller} though ${why}`);
    }
  };

  return {
    wrongs,
    watch: {
      etcd: {
        started,
        ended: (instanceId, exit) =>
          fleet?.note(`${instanceId}: etcd ended (${exit.signal ?? exit.code ?? ''}) ${exit.lastWords}`),
      },
      membership,
      wrong,
    },
    faulted(lastsMs) {
      faultedAt = Math.max(faultedAt, (fleet?.clock.now() ?? 0) + lastsMs);
    },
    look(now) {
      fleet = now;
      if (now.zone.taken.length !== batches) {
        batches = now.zone.taken.length;
        lookAtZone(now.zone.records());
      }
      const serving = servingClusters(now);
      if (serving.size > 1) wrong(`two clusters serve: ${[...serving].join(', ')}`);
      const ran = now.lives.flatMap((it) => it.offences);
      if (ran.length > offences) wrong(`a killed appliance ran on: ${ran.slice(offences).join(', ')}`);
      offences = ran.length;
    },
  };
}

/** A voter goes by its own appliance, that leaves or has lost the data; or by another's, when it is terminated for certain. */
function whyNotRemovable(fleet: Fleet, caller: string, name: string): string | null {
  const machine = fleet.machines.get(name);
  if (machine === undefined) return 'nothing is known of its instance';
  if (caller === name) {
    const { spot } = machine.metadata;
    const taken = spot.known && spot.value !== null;
    if (machine.state !== 'up' || taken || machine.disk.etcd === null) return null;
    return 'it neither leaves nor lost its data';
  }
  return fleet.aws.isTerminated(name) ? null : 'EC2 does not say that it is gone for good';
}

/** Ids of the clusters of members whose appliances say that they are ready. */
function servingClusters(fleet: Fleet): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const { process, address } of fleet.machines.values()) {
    if (process === null || process.appliance.state.notReady !== null) continue;
    const etcd = fleet.etcd.processAt(address);
    if (etcd?.files != null) ids.add(etcd.files.clusterId);
  }
  return ids;
}

/** The claim that stands, where one does. */
export function standingClaim(fleet: Fleet): Claim | null {
  const reading = readClaim(NAMES.claim, fleet.zone.records());
  return reading.kind === 'claim' ? reading.claim : null;
}

/** Whether the machine could be lost for good, and its data with it, without taking the cluster along. */
export function isDispensable(fleet: Fleet, machine: Machine): boolean {
  const intact = intactVoters(fleet, (it) => it.state === 'up');
  if (intact === null) return true;
  const others = intact.names.filter((it) => it !== machine.id).length;
  return others >= quorumOf(intact.voters);
}

/** Whether a majority of the formed cluster's voters still has its data: else only a recovery could help. */
export function isRecoverable(fleet: Fleet): boolean {
  // Who is told to go may still leave in order.
  const intact = intactVoters(fleet, (it) => it.state !== 'gone');
  return intact === null || intact.names.length >= quorumOf(intact.voters);
}

function intactVoters(
  fleet: Fleet,
  counts: (machine: Machine) => boolean,
): { readonly names: readonly string[]; readonly voters: number } | null {
  const claim = standingClaim(fleet);
  if (claim?.state !== 'formed') return null;
  const cluster = fleet.etcd.clusters.get(claim.clusterId ?? '');
  if (cluster === undefined) return null;
  const machines = [...fleet.machines.values()];
  const names = cluster.voters().flatMap((voter) => {
    const there = machines.find((it) => counts(it) && it.disk.etcd?.memberId === voter.id);
    return there === undefined ? [] : [there.id];
  });
  return { names, voters: cluster.voters().length };
}

/** Null where the fleet is as it should be: N healthy voters, claim and names right; else what is not. */
export function whyNotConverged(fleet: Fleet): string | null {
  const machines = fleet.present();
  if (machines.length !== fleet.desired()) return `${machines.length} of ${fleet.desired()} machines`;
  const claim = standingClaim(fleet);
  if (claim?.state !== 'formed') return `the claim is ${claim?.state ?? 'missing'}`;
  const cluster = fleet.etcd.clusters.get(claim.clusterId ?? '');
  if (cluster === undefined || cluster.leader === null) return 'the cluster has no leader';
  const up = cluster.upVoters().map((it) => it.name);
  const differs = (what: string, are: readonly string[], should: readonly string[]): string | null =>
    are.toSorted().join() === should.toSorted().join() ? null : `${what}: ${are.join()} for ${should.join()}`;
  const ids = machines.map((it) => it.id);
  const values = (name: string, type: string): readonly string[] =>
    fleet.zone.records().find((it) => it.name === name && it.type === type)?.values ?? [];
  const hosts = ids.map((it) => hostName(CLUSTER, it));
  const notReady = machines.find((it) => it.process?.appliance.state.notReady !== null);
  return (
    differs(
      'members',
      cluster.members.map((it) => it.name),
      ids,
    ) ??
    differs('healthy voters', up, ids) ??
    differs(
      'claimed voters',
      claim.voters.map((it) => it.instanceId),
      ids,
    ) ??
    differs(
      'claimed founders',
      claim.founders.map((it) => it.instanceId),
      [],
    ) ??
    differs(
      'addresses',
      values(NAMES.cluster, 'A'),
      machines.map((it) => it.address),
    ) ??
    differs(
      'servers',
      values(NAMES.srvServer, 'SRV'),
      hosts.map((it) => `1 1 2380 ${it}`),
    ) ??
    differs(
      'clients',
      values(NAMES.srvClient[0] ?? '', 'SRV'),
      hosts.map((it) => `1 1 2379 ${it}`),
    ) ??
    differs(
      'host records',
      fleet.zone.records().flatMap((it) => (it.name.startsWith('i-') ? [it.name] : [])),
      hosts,
    ) ??
    (notReady === undefined
      ? null
      : `${notReady.id} is not ready: ${notReady.process?.appliance.state.notReady ?? 'no appliance'}`)
  );
}
