import type { MemberList } from '../core/members.ts';
import { isStarted } from '../core/members.ts';
import { LIVENESS_LIMIT_MS } from '../core/numbers.ts';
import { reason } from '../core/reason.ts';
import { peerUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import { endpointOf } from './look.ts';

/** How often the list may change under a joiner, or be an old one somewhere, before it is left for the next tick. */
const LOOKS = 10;

/** After a look at a member that is behind, or silent; ms. */
const BEHIND_WAIT_MS = 500;

/**
 * The member list that every member that answers has applied, as it is right before the start: a linearizable list makes
 * it catch up first. etcd asks the first peer that it reaches for the members; it ends where that lists one too few or one
 * too many (a dead member may be evicted between the add and the start), and it takes the id that stands there at its own
 * address, be it a predecessor's (law 3). So who is silent is waited for, too, as long as one that hangs is left alone: it
 * may come back just then, and be behind. Null: etcd must not be started now, since this member was removed meanwhile, or
 * a member that is behind still has a predecessor at the own address.
 */
export async function settledMembers(
  context: Context,
  added: MemberList,
  memberId: string,
  signal: AbortSignal,
): Promise<MemberList | null> {
  const { admin, clock } = context.ports;
  const silentUntil = clock.now() + LIVENESS_LIMIT_MS;
  let list = added;
  let looks = 0;
  while (looks < LOOKS) {
    const endpoints = list.members.filter(isStarted).map(endpointOf);
    const answers = await Promise.all(
      endpoints.map(async (endpoint) => ({
        endpoint,
        answer: await admin.memberList(endpoint, { linearizable: true }, signal),
      })),
    );
    const lists = answers
      .flatMap(({ answer }) => (answer.known ? [answer.value] : []))
      .filter((it) => it.clusterId === added.clusterId);
    if (lists.some((it) => !it.members.some(({ id }) => id === memberId))) return null;
    const before = idsOf(list);
    const changed = lists.find((it) => idsOf(it) !== before);
    if (changed !== undefined) {
      list = changed;
      looks += 1;
      continue;
    }
    const rest = answers.flatMap(({ endpoint, answer }) => (answer.known ? [] : [endpoint]));
    const { behind, silent } = await askRest(context, rest, memberId, signal);
    if (!behind && (silent.length === 0 || clock.now() >= silentUntil)) return list;
    if (context.state.phase === 'leaving') return null;
    if (silent.length > 0) sayWaiting(context, silent);
    // How long who is silent is waited for is bounded by time.
    if (behind) looks += 1;
    await clock.sleep(BEHIND_WAIT_MS, signal);
  }
  return null;
}

/** Of those that have no quorum's answer: whether one lists another member at the own address, and who says nothing at all. */
async function askRest(
  context: Context,
  endpoints: readonly string[],
  memberId: string,
  signal: AbortSignal,
): Promise<{ readonly behind: boolean; readonly silent: readonly string[] }> {
  const { admin, self } = context.ports;
  const own = peerUrl(self.address);
  const answers = await Promise.all(
    endpoints.map(async (endpoint) => ({
      endpoint,
      answer: await admin.memberList(endpoint, { linearizable: false }, signal),
    })),
  );
  return {
    behind: answers.some(
      ({ answer }) =>
        answer.known &&
        answer.value.members.some(({ id, peerUrls }) => id !== memberId && peerUrls.includes(own)),
    ),
    silent: answers.flatMap(({ endpoint, answer }) => (answer.known ? [] : [endpoint])),
  };
}

function sayWaiting({ chronicle }: Context, silent: readonly string[]): void {
  const who = silent.join(', ');
  chronicle.trouble(
    'join',
    reason(
      'members-silent',
      `${who} is silent, and may not know who was at this address before: waits up to ${LIVENESS_LIMIT_MS / 1000} s for it`,
    ),
  );
}

function idsOf({ members }: MemberList): string {
  return members
    .map(({ id }) => id)
    .sort()
    .join();
}
