import { clientUrl } from '../../src/etcd/flags.ts';
import type { Fleet } from './harness.ts';

const calm = new AbortController().signal;

/**
 * Ids of all members, sorted, as a linearizable read gives them: through the member at this address, or through the
 * first that answers. Asks until there is an answer, as a busy machine may take longer than one look waits.
 */
export async function memberIds(fleet: Fleet, address?: string): Promise<readonly string[]> {
  let ids: readonly string[] | null = null;
  await fleet.until('a member list', async () => {
    ids = await lookAtMembers(fleet, address);
    return ids === null ? ['nobody answers'] : [];
  });
  return ids ?? [];
}

/** Who is a member now, where those are not exactly `members`; nothing where nobody answers, or all is as it was. */
export async function otherMembers(
  fleet: Fleet,
  members: readonly string[],
  address?: string,
): Promise<readonly string[]> {
  const now = await lookAtMembers(fleet, address);
  return now === null || now.join() === members.join() ? [] : [`members ${now.join()}`];
}

async function lookAtMembers({ view, admin }: Fleet, address?: string): Promise<readonly string[] | null> {
  if (address === undefined) return sortedIds((await view()).find(({ list }) => list !== null)?.list ?? null);
  const list = await admin.memberList(clientUrl(address), { linearizable: true }, calm);
  return sortedIds(list.known ? list.value : null);
}

function sortedIds(
  list: { readonly members: readonly { readonly id: string }[] } | null,
): readonly string[] | null {
  return list?.members.map(({ id }) => id).toSorted() ?? null;
}
