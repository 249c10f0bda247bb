import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { Member, MemberList } from '../core/members.ts';
import { addressOf } from '../core/members.ts';
import { clientUrl } from '../core/urls.ts';
import { whyUnhealthy } from '../core/readiness.ts';
import type { Context } from './context.ts';
import { ownCluster } from './own-cluster.ts';
import type { Ports } from './ports.ts';
import type { MemberLook } from './state.ts';

/** Everybody at one moment: the linearizable list, and each member's own word. */
export interface Look {
  /** The endpoint that gave the list. */
  readonly through: string;
  readonly list: MemberList;
  readonly members: readonly MemberLook[];
  /** Ids of voters that serve. */
  readonly healthy: ReadonlySet<string>;
  /** Ids of members that answered under their own id. */
  readonly answering: ReadonlySet<string>;
  readonly highestIndex: number;
}

/** The client URL under which a member is asked: the one that it published, else that of its address. */
export function endpointOf(member: Member): string {
  return member.clientUrls[0] ?? clientUrl(addressOf(member));
}

/** A member as it was seen, and where it is asked. */
export type AskedMember = MemberLook & { readonly endpoint: string };

/** Somebody who is to be asked for a status, and where. */
type Asked = Omit<AskedMember, 'status' | 'unhealthy'>;

/**
 * Looks at all members through one endpoint; unknown where that gives no linearizable list. `confirmed`: a linearizable read
 * through this endpoint was answered just before.
 */
export async function look(
  context: { readonly ports: Pick<Ports, 'admin'> },
  endpoint: string,
  signal: AbortSignal,
  { confirmed }: { readonly confirmed: boolean } = { confirmed: false },
): Promise<Known<Look>> {
  const { admin } = context.ports;
  const list = await admin.memberList(endpoint, { linearizable: true, confirmed }, signal);
  if (!list.known) return list;
  const { clusterId } = list.value;
  const { members, highestIndex } = await askEach(admin, list.value.members.map(asked), clusterId, signal);
  return known({
    through: endpoint,
    list: list.value,
    members,
    healthy: new Set(members.filter((it) => it.unhealthy === null).map((it) => it.id)),
    answering: new Set(members.filter((it) => answersAsItself(it, clusterId)).map((it) => it.id)),
    highestIndex,
  });
}

/**
 * Each member's own word where nobody can confirm who is a member: of those that the own etcd has, else of those that were
 * last listed. A status needs no quorum. For people alone: nothing is decided on it.
 */
export async function lookWithoutQuorum(
  { ports: { admin }, state }: Pick<Context, 'ports' | 'state'>,
  endpoint: string,
  signal: AbortSignal,
): Promise<readonly MemberLook[]> {
  const own: Known<MemberList> = state.ownStatus.known
    ? await admin.memberList(endpoint, { linearizable: false }, signal)
    : state.ownStatus;
  const last = state.members.map((it) => ({ ...it, endpoint: clientUrl(it.address) }));
  const listed = own.known ? own.value.members.map(asked) : last;
  return (await askEach(admin, listed, own.known ? own.value.clusterId : null, signal)).members;
}

function asked(member: Member): Asked {
  const { id, name, learner } = member;
  return { id, name, learner, address: addressOf(member), endpoint: endpointOf(member) };
}

/** Asks each for its status, and judges all by the furthest of those of this cluster; null: of whichever they are. */
async function askEach(
  admin: Ports['admin'],
  members: readonly Asked[],
  clusterId: string | null,
  signal: AbortSignal,
): Promise<Pick<Look, 'members' | 'highestIndex'>> {
  const statuses = await Promise.all(
    members.map(async (member) => ({ ...member, status: await admin.status(member.endpoint, signal) })),
  );
  const highestIndex = Math.max(
    0,
    ...statuses
      .filter((it) => answersAsItself(it, clusterId))
      .map(({ status }) => (status.known ? status.value.raftIndex : 0)),
  );
  return {
    highestIndex,
    members: statuses.map(({ id, name, address, learner, status }): MemberLook => {
      const unhealthy = whyUnhealthy({ status, memberId: id, highestIndex });
      return { id, name, address, learner, status, unhealthy };
    }),
  };
}

/** Which of the voters that were healthy in a look still are, but for one: by the time it ended, it may have been old. */
export async function stillHealthy(
  { ports: { admin } }: { readonly ports: Pick<Ports, 'admin'> },
  seen: Look,
  butId: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const counted = seen.list.members.filter((it) => !it.learner && it.id !== butId && seen.healthy.has(it.id));
  const { members } = await askEach(admin, counted.map(asked), seen.list.clusterId, signal);
  return members.filter((it) => it.unhealthy === null).map((it) => it.id);
}

/** Members of a look, each with where it is asked: it may have published another client URL than its address's. */
export function withEndpoints({ list, members }: Look): readonly AskedMember[] {
  const endpoints = new Map(list.members.map((it) => [it.id, endpointOf(it)]));
  return members.map((it) => ({ ...it, endpoint: endpoints.get(it.id) ?? clientUrl(it.address) }));
}

/** Whether a status is this very member's; of this cluster, or, where that is null, of whichever it is. */
export function answersAsItself(
  { id, status }: Pick<MemberLook, 'id' | 'status'>,
  clusterId: string | null,
): boolean {
  if (!status.known || status.value.memberId !== id) return false;
  return clusterId === null || status.value.clusterId === clusterId;
}

/**
 * A look through the first of these endpoints that gives one of the own cluster: where a member was that is gone, another
 * stack's may be by now.
 */
export async function lookThrough(
  context: Pick<Context, 'ports' | 'state'>,
  endpoints: readonly string[],
  signal: AbortSignal,
): Promise<Known<Look>> {
  const own = await ownCluster(context, signal);
  let last: Known<Look> = unknown('nobody is known who could be asked');
  for (const endpoint of endpoints) {
    last = await look(context, endpoint, signal);
    if (last.known && (own === null || last.value.list.clusterId === own)) return last;
    if (last.known)
      last = unknown(`${endpoint} is of cluster ${last.value.list.clusterId}, and not of ${own ?? ''}`);
  }
  return last;
}

/** Through which endpoint a member of any kind reaches its cluster: itself, or, for a learner, the leader or a voter. */
export async function votersList(
  context: Context,
  learner: boolean,
  leaderId: string | null,
  signal: AbortSignal,
): Promise<{ readonly list: Known<MemberList>; readonly leader: string | null }> {
  const { admin, self } = context.ports;
  const own = clientUrl(self.address);
  if (!learner) return { list: await admin.memberList(own, { linearizable: true }, signal), leader: null };
  // A learner refuses to list members: the last known list, or the claim, says whom else to ask.
  const before = context.state.list.known ? context.state.list.value.members : [];
  const voters = before.filter((it) => !it.learner);
  const leaderFirst = [
    ...voters.filter((it) => it.id === leaderId),
    ...voters.filter((it) => it.id !== leaderId),
  ];
  const endpoints = [...new Set([...leaderFirst.map(endpointOf), ...claimedEndpoints(context)])].filter(
    (it) => it !== own,
  );
  let why = 'no voter is known';
  for (const endpoint of endpoints) {
    const list = await admin.memberList(endpoint, { linearizable: true }, signal);
    if (list.known) {
      const leader = list.value.members.find((it) => it.id === leaderId);
      return { list, leader: leader === undefined ? null : endpointOf(leader) };
    }
    why = list.reason;
  }
  return { list: unknown(why), leader: null };
}

function claimedEndpoints(context: Context): readonly string[] {
  return (context.register.standing()?.voters ?? []).map((it) => clientUrl(it.address));
}
