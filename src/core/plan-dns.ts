import type { Member } from './members.ts';
import { addressOf, isStarted } from './members.ts';
import { hostName, hostOfService, namesOf, serviceValue } from './names.ts';
import { CLIENT_PORT, NAME_TTL_SECONDS, PEER_PORT } from './numbers.ts';
import type { Reason } from './reason.ts';
import { reason } from './reason.ts';
import type { RecordChange, RecordSet } from './records.ts';

/** What the records are planned from. */
export interface DnsObservation {
  readonly cluster: string;
  /** All record sets at and under the name, as read. */
  readonly records: readonly RecordSet[];
  /** The linearizable member list. */
  readonly members: readonly Member[];
  /** Ids of voters that answer, follow the leader closely and report no error. */
  readonly healthy: ReadonlySet<string>;
  /**
   * Ids of voters that were healthy in the look before, and are not in this one: they stay named where they are, and are
   * not added. One status that comes late must not change the records twice.
   */
  readonly doubtful: ReadonlySet<string>;
  /** Ids of instances that leave in order. */
  readonly leaving: ReadonlySet<string>;
  /** Whether AWS's view of the fleet is known: while it is not, nothing that stands is taken away (law 4). */
  readonly fleetKnown: boolean;
  /** Why it is not, as a clause; left out where it is, or nobody knows. */
  readonly fleetFailure?: string;
}

/** Why records change, or do not. */
export type DnsCode = 'dns-right' | 'dns-change' | 'dns-kept' | 'dns-fleet-unknown';

/** The smallest batch that makes the records right; none where they are. */
export interface DnsPlan {
  readonly changes: readonly RecordChange[];
  readonly reasons: readonly Reason<DnsCode>[];
}

/**
 * Makes DNS name what serves (design.md section 5): client names the healthy voters, server names the started members,
 * each member its own host name. Who leaves is named only where nobody else could be. Client and server sets are never
 * emptied; only records of ours are looked at.
 */
export function planDns(seen: DnsObservation): DnsPlan {
  const changes: RecordChange[] = [];
  const reasons: Reason<DnsCode>[] = [];
  const kept: string[] = [];
  for (const desired of desiredSets(seen)) {
    const step = planSet(seen, desired);
    if (step === null) continue;
    if ('kept' in step) {
      kept.push(...step.kept.values);
      reasons.push(reason('dns-kept', `${step.kept.name} would be empty: its last values stay`));
    } else changes.push(...step);
  }
  changes.push(...orphans(seen, kept).map((record): RecordChange => ({ action: 'DELETE', record })));
  if (!seen.fleetKnown) {
    const why = seen.fleetFailure === undefined ? '' : ` (${seen.fleetFailure})`;
    const sentence = `the fleet is unknown${why}: records are added, none is taken away`;
    reasons.push(reason('dns-fleet-unknown', sentence));
  }
  reasons.push(
    changes.length === 0
      ? reason('dns-right', 'the records are right')
      : reason('dns-change', `changes ${describeChanges(changes)}`),
  );
  return { changes, reasons };
}

/** The changes that make a set right; null: it is, or there is nothing to name. */
function planSet(
  seen: DnsObservation,
  [set, doubtful, serving]: DesiredSet,
): readonly RecordChange[] | { readonly kept: RecordSet } | null {
  const current = seen.records.find((it) => it.name === set.name && it.type === set.type);
  const standing = current?.values ?? [];
  const staying = union(
    set.values,
    standing.filter((it) => doubtful.includes(it)),
  );
  const named = staying.length > 0 ? staying : sorted(serving);
  if (named.length === 0) return current === undefined ? null : { kept: current };
  const wanted = { ...set, values: seen.fleetKnown ? named : union(standing, named) };
  if (current === undefined) return [{ action: 'CREATE', record: wanted }];
  if (isAsWanted(current, wanted)) return null;
  return [
    { action: 'DELETE', record: current },
    { action: 'CREATE', record: wanted },
  ];
}

/** A set as it should be, the values that may stay in it, and those of all that serve, who leaves, too: in place of none. */
type DesiredSet = readonly [set: RecordSet, doubtful: readonly string[], serving: readonly string[]];

/** The sets under the name as they should be; an empty one means that there is nothing to name. */
function desiredSets(seen: DnsObservation): readonly DesiredSet[] {
  const names = namesOf(seen.cluster);
  const nameable = seen.members.filter(isNameable);
  const present = nameable.filter((it) => !seen.leaving.has(it.name));
  const doubtful = present.filter((it) => !it.learner && seen.doubtful.has(it.id));
  const isServing = (it: Member): boolean => !it.learner && seen.healthy.has(it.id);
  const service =
    (port: number) =>
    (it: Member): string =>
      serviceValue(seen.cluster, it.name, port);
  const set = (
    [type, name]: readonly ['A' | 'SRV', string],
    valueOf: (member: Member) => string,
    belongs: (member: Member) => boolean,
    perhaps: readonly Member[],
  ): DesiredSet => [
    { name, type, ttl: NAME_TTL_SECONDS, values: sorted(present.filter(belongs).map(valueOf)) },
    perhaps.map(valueOf),
    nameable.filter(belongs).map(valueOf),
  ];
  const host = (it: Member): DesiredSet => [
    { name: hostName(seen.cluster, it.name), type: 'A', ttl: NAME_TTL_SECONDS, values: [addressOf(it)] },
    [],
    [],
  ];
  return [
    set(['A', names.cluster], addressOf, isServing, doubtful),
    set(['A', names.server], addressOf, isServing, doubtful),
    set(['SRV', names.srvServer], service(PEER_PORT), isStarted, []),
    ...names.srvClient.map((name) => set(['SRV', name], service(CLIENT_PORT), isServing, doubtful)),
    // A leaving member keeps its own name while it is a member: the SRV sets that clients still hold must resolve.
    // Who answers has started, though the list may be of a moment before.
    ...nameable.filter((it) => isStarted(it) || seen.healthy.has(it.id)).map(host),
  ];
}

/** Host records of instances that are no members: they go whole, with their member, unless a set that is kept leads there. */
function orphans(seen: DnsObservation, kept: readonly string[]): readonly RecordSet[] {
  if (!seen.fleetKnown) return [];
  const hosts = new Set([
    ...seen.members.map((it) => hostName(seen.cluster, it.name)),
    ...kept.map(hostOfService),
  ]);
  return seen.records.filter(
    (it) => it.type === 'A' && isHostName(seen.cluster, it.name) && !hosts.has(it.name),
  );
}

/** Whether a name is one that `hostName` gives: `i-….<cluster>`, and nothing that somebody else may have put there. */
function isHostName(cluster: string, name: string): boolean {
  return name.endsWith(`.${cluster}`) && isInstanceId(name.slice(0, -cluster.length - 1));
}

/** Whether a member's name is an EC2 instance id; other members are never named in DNS, as nothing can be known of them. */
function isInstanceId(name: string): boolean {
  return /^i-[0-9a-f]+$/.test(name);
}

/** Members that records can name: an address that is none would make Route 53 refuse the whole batch. */
function isNameable(member: Member): boolean {
  return isInstanceId(member.name) && /^\d{1,3}(\.\d{1,3}){3}$/.test(addressOf(member));
}

function sorted(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort();
}

function union(a: readonly string[], b: readonly string[]): readonly string[] {
  return sorted([...a, ...b]);
}

/** `wanted` has its values sorted. */
function isAsWanted(current: RecordSet, wanted: RecordSet): boolean {
  const values = sorted(current.values);
  return (
    current.ttl === wanted.ttl &&
    values.length === wanted.values.length &&
    values.every((value, index) => value === wanted.values[index])
  );
}

function describeChanges(changes: readonly RecordChange[]): string {
  return [...new Set(changes.map((it) => `${it.record.name} ${it.record.type}`))].join(', ');
}
