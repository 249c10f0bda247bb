import { quorumOf } from '../../../src/core/members.ts';
import { connectedMs, isOlder } from './links.ts';
import { lastIndex } from './files.ts';
import type { EtcdNode, Etcds } from './node.ts';
import type { Refusal } from './state.ts';

/** A peer counts for a membership change only when it has been connected so long (etcd's HealthInterval); ms. */
const HEALTH_INTERVAL_MS = 5_000;
/** A learner is promoted when it has this share of the leader's log. */
const READY = 0.9;

const UNHEALTHY: Refusal = { code: 'unhealthy-cluster', message: 'etcdserver: unhealthy cluster' };
const NOT_ENOUGH_STARTED: Refusal = {
  code: 'not-enough-started',
  message: 'etcdserver: re-configuration failed due to not enough started members',
};
const NOT_FOUND: Refusal = { code: 'not-found', message: 'etcdserver: member not found' };
const NOT_IN_SYNC: Refusal = {
  code: 'not-in-sync',
  message: 'etcdserver: can only promote a learner member which is in sync with leader',
};

/*
 * What the member that is asked checks before it proposes a change (--strict-reconfig-check, the default): by what it
 * knows itself, and by its own connections.
 */

/** Whether the asked member takes the addition of a learner. Null: it does. */
export function whyNoLearner(etcds: Etcds, node: EtcdNode): Refusal | null {
  const voters = node.files.state.voters.length;
  const connected = connectedVoters(etcds, node);
  if (isBefore(node.process.version, LENIENT_SINCE)) return connected < voters ? UNHEALTHY : null;
  // The new member counts as down; a cluster of one is exempt.
  return voters > 1 && connected < quorumOf(voters + 1) ? UNHEALTHY : null;
}

/** The first releases that want a quorum connected, and not every voter. */
const LENIENT_SINCE: Readonly<Record<string, number>> = { '3.5': 30, '3.6': 11 };

/** Whether the asked member takes the removal. Null: it does. */
export function whyNotRemoved(etcds: Etcds, node: EtcdNode, memberId: string): Refusal | null {
  const { members, voters } = node.files.state;
  if (members.get(memberId)?.learner === true) return null;
  const rest = voters.filter((it) => it !== memberId);
  // To this check a member is started when it has a name; a founder has one before it ever ran.
  const started = rest.filter((it) => members.get(it)?.name !== '').length;
  if (started < quorumOf(rest.length)) return NOT_ENOUGH_STARTED;
  // A member that is down is no part of the quorum in use, and may go.
  if (memberId !== node.files.memberId && connectedMs(etcds, node, memberId) === null) return null;
  const left = connectedVoters(etcds, node) - 1;
  return left < 1 + Math.floor((voters.length - 1) / 2) ? UNHEALTHY : null;
}

/** Whether the leader takes the promotion. Null: it does. It goes by what it last heard of the learner, dead or not. */
export function whyNotPromoted(leader: EtcdNode, memberId: string): Refusal | null {
  const { members, voters } = leader.files.state;
  if (!members.has(memberId)) return NOT_FOUND;
  const isLeader = memberId === leader.files.memberId;
  const match = isLeader ? lastIndex(leader.files) : (leader.progress.get(memberId) ?? 0);
  if (match < READY * lastIndex(leader.files)) return NOT_IN_SYNC;
  const started = 1 + voters.filter((it) => members.get(it)?.name !== '').length;
  return started < quorumOf(voters.length + 1) ? NOT_ENOUGH_STARTED : null;
}

function connectedVoters(etcds: Etcds, node: EtcdNode): number {
  return node.files.state.voters.filter(
    (it) => it === node.files.memberId || (connectedMs(etcds, node, it) ?? 0) >= HEALTH_INTERVAL_MS,
  ).length;
}

function isBefore(version: string, since: Readonly<Record<string, number>>): boolean {
  if (isOlder(version, '3.5')) return true;
  const [major, minor, patch] = version.split('.').map(Number);
  const from = since[`${major}.${minor}`];
  return from !== undefined && (patch ?? 0) < from;
}
