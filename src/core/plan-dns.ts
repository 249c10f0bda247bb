import type { Member } from './members.ts';
import { addressOf, isStarted } from './members.ts';
import { hostName, namesOf } from './names.ts';
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
  /** Ids of instances that leave in order. */
  readonly leaving: ReadonlySet<string>;
  /** Whether AWS's view of the fleet is known: while it is not, nothing that stands is taken away (law 4). */
  readonly fleetKnown: boolean;
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
 * each member its own host name. Client and server sets are never emptied; only records of ours are looked at.
 */
export function planDns(seen: DnsObservation): DnsPlan {
  const changes: RecordChange[] = [];
  const reasons: Reason<DnsCode>[] = [];
  for (const set of desiredSets(seen)) {
    const current = seen.records.find((it) => it.name === set.name && it.type === set.type);
    const step = planSet(seen, current, set);
    if (step === null) continue;
    if ('code' in step) reasons.push(step);
    else changes.push(...step);
  }
  changes.push(...orphans(seen).map((record): RecordChange => ({ action: 'DELETE', record })));
  if (!seen.fleetKnown) {
    reasons.push(reason('dns-fleet-unknown', 'the fleet is unknown: records are added, none is taken away'));
  }
  reasons.push(
    changes.length === 0
      ? reason('dns-right', 'the records are right')
      : reason('dns-change', `changes ${describeChanges(changes)}`),
  );
  return { changes, reasons };
}

function planSet(
  seen: DnsObservation,
  current: RecordSet | undefined,
  set: RecordSet,
): readonly RecordChange[] | Reason<DnsCode> | null {
  if (set.values.length === 0) {
    return current === undefined
      ? null
      : reason('dns-kept', `${set.name} would be empty: its last values stay`);
  }
  const values = seen.fleetKnown ? set.values : union(current?.values ?? [], set.values);
  const wanted = { ...set, values };
  if (current === undefined) return [{ action: 'CREATE', record: wanted }];
  if (sameSet(current, wanted)) return null;
  return [
    { action: 'DELETE', record: current },
    { action: 'CREATE', record: wanted },
  ];
}

/** The sets under the name as they should be; an empty one means that there is nothing to name. */
function desiredSets(seen: DnsObservation): readonly RecordSet[] {
  const names = namesOf(seen.cluster);
  const nameable = seen.members.filter(isNameable);
  const present = nameable.filter((it) => !seen.leaving.has(it.name));
  const serving = present.filter((it) => !it.learner && seen.healthy.has(it.id));
  const started = present.filter(isStarted);
  const addresses = sorted(serving.map(addressOf));
  const clients = sorted(serving.map((it) => `1 1 ${CLIENT_PORT} ${hostName(seen.cluster, it.name)}`));
  const servers = sorted(started.map((it) => `1 1 ${PEER_PORT} ${hostName(seen.cluster, it.name)}`));
  const a = (name: string, values: readonly string[]): RecordSet => ({
    name,
    type: 'A',
    ttl: NAME_TTL_SECONDS,
    values,
  });
  const srv = (name: string, values: readonly string[]): RecordSet => ({
    name,
    type: 'SRV',
    ttl: NAME_TTL_SECONDS,
    values,
  });
  return [
    a(names.cluster, addresses),
    a(names.server, addresses),
    srv(names.srvServer, servers),
    ...names.srvClient.map((name) => srv(name, clients)),
    // A leaving member keeps its own name while it is a member: the SRV sets that clients still hold must resolve.
    ...nameable.filter(isStarted).map((it) => a(hostName(seen.cluster, it.name), [addressOf(it)])),
  ];
}

/** Host records of instances that are no members: they go whole, with their member. */
function orphans(seen: DnsObservation): readonly RecordSet[] {
  if (!seen.fleetKnown) return [];
  const members = new Set(seen.members.map((it) => hostName(seen.cluster, it.name)));
  return seen.records.filter(
    (it) => it.type === 'A' && isHostName(seen.cluster, it.name) && !members.has(it.name),
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

function sameSet(a: RecordSet, b: RecordSet): boolean {
  const [left, right] = [sorted(a.values), sorted(b.values)];
  return (
    a.ttl === b.ttl && left.length === right.length && left.every((value, index) => value === right[index])
  );
}

function describeChanges(changes: readonly RecordChange[]): string {
  return [...new Set(changes.map((it) => `${it.record.name} ${it.record.type}`))].join(', ');
}
