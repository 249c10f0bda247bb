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
  const statuses = await Promise.all(
    list.value.members.map(async (member) => ({
      member,
      status: await admin.status(endpointOf(member), signal),
    })),
  );
  const ownId = ({ member, status }: (typeof statuses)[number]): boolean =>
    status.known && status.value.memberId === member.id && status.value.clusterId === list.value.clusterId;
  const answered = statuses.filter(ownId);
  const highestIndex = Math.max(
    0,
    ...answered.map(({ status }) => (status.known ? status.value.raftIndex : 0)),
  );
  const members = statuses.map(({ member, status }): MemberLook => {
    const unhealthy = whyUnhealthy({ status, memberId: member.id, highestIndex });
    const address = addressOf(member);
    return { id: member.id, name: member.name, address, learner: member.learner, status, unhealthy };
  });
  return known({
    through: endpoint,
    list: list.value,
    members,
    healthy: new Set(members.filter((it) => it.unhealthy === null).map((it) => it.id)),
    answering: new Set(answered.map(({ member }) => member.id)),
    highestIndex,
  });
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
