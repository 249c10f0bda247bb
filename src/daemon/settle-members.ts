import type { MemberList } from '../core/members.ts';
import { isStarted } from '../core/members.ts';
import { peerUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import { endpointOf } from './look.ts';

/** How often the list may change under a joiner, or be an old one somewhere, before it is left for the next tick. */
const LOOKS = 10;

/** After a look at a member that is behind; ms. */
const BEHIND_WAIT_MS = 500;

/**
 * The member list that every member that answers has applied, as it is right before the start: a linearizable list makes
 * it catch up first. etcd asks the first peer that it reaches for the members; it ends where that lists one too few or one
 * too many (a dead member may be evicted between the add and the start), and it takes the id that stands there at its own
 * address, be it a predecessor's (law 3). Null: etcd must not be started now, since this member was removed meanwhile, or
 * a member that is behind still has a predecessor at the own address.
 */
export async function settledMembers(
  context: Context,
  added: MemberList,
  memberId: string,
  signal: AbortSignal,
): Promise<MemberList | null> {
  const { admin, clock } = context.ports;
  let list = added;
  for (let look = 1; look <= LOOKS; look += 1) {
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
      continue;
    }
    const silent = answers.flatMap(({ endpoint, answer }) => (answer.known ? [] : [endpoint]));
    if (!(await hasPredecessor(context, silent, memberId, signal))) return list;
    await clock.sleep(BEHIND_WAIT_MS, signal);
  }
  return null;
}

/** Whether a member that has no quorum's answer lists another member at the own address. */
async function hasPredecessor(
  context: Context,
  endpoints: readonly string[],
  memberId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { admin, self } = context.ports;
  const own = peerUrl(self.address);
  const answers = await Promise.all(
    endpoints.map((endpoint) => admin.memberList(endpoint, { linearizable: false }, signal)),
  );
  return answers.some(
    (it) =>
      it.known && it.value.members.some(({ id, peerUrls }) => id !== memberId && peerUrls.includes(own)),
  );
}

function idsOf({ members }: MemberList): string {
  return members
    .map(({ id }) => id)
    .sort()
    .join();
}
