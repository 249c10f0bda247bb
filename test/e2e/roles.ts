import type { Fleet } from './harness.ts';
import type { View } from './view.ts';

export type Role = 'leader' | 'follower';

/** The leader, or the first of the followers. */
export async function memberOf({ leader, followers }: Fleet, role: Role): Promise<View> {
  const [found] = role === 'leader' ? [await leader()] : await followers();
  if (found === undefined) throw new Error(`no ${role}`);
  return found;
}
