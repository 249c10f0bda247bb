import { decodePublished, PUBLISHED_KEY } from '../../src/daemon/published.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import type { Fleet } from './harness.ts';
import type { View } from './view.ts';

export type Role = 'leader' | 'follower';

/** The leader, or the first of the followers. */
export async function memberOf({ leader, followers }: Fleet, role: Role): Promise<View> {
  const [found] = role === 'leader' ? [await leader()] : await followers();
  if (found === undefined) throw new Error(`no ${role}`);
  return found;
}

/**
 * The leader, once its appliance keeps house: the lock follows leadership by a few seconds. `meanwhile` is done where another
 * keeps house still, if anybody.
 */
export async function leaderInTheHouse(
  { admin, until, leader }: Fleet,
  meanwhile: (leader: View, keeper: string | null) => Promise<void> = () => Promise.resolve(),
): Promise<View> {
  let found: View | null = null;
  const calm = new AbortController().signal;
  await until('the leader keeps house', async () => {
    const now = await leader();
    const key = await admin.read(clientUrl(now.address), PUBLISHED_KEY, { serializable: false }, calm);
    const by = (key.known && key.value !== null ? decodePublished(key.value.value)?.by : null) ?? null;
    if (by === now.instanceId) {
      found = now;
      return [];
    }
    await meanwhile(now, by);
    return [`${by ?? 'nobody'} does`];
  });
  if (found === null) throw new Error('nobody keeps house');
  return found;
}
