import { expect } from 'vitest';
import { decodePublished, PUBLISHED_KEY } from '../../src/daemon/published.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import { doom, type Doom } from './doom.ts';
import type { Fleet } from './harness.ts';
import type { View } from './view.ts';

/* Crashes between any two steps of a join, an eviction and a leave, on fleets whose appliances load DOOM_PRELOAD. */

/** What an appliance is doing when it crashes, and all steps that it takes for it; the last of a join and of a leave is taken where there are hooks. */
export const STEPS = {
  join: [
    'MemberAdd',
    'start of etcd',
    'ChangeResourceRecordSets',
    'MemberPromote',
    'CompleteLifecycleAction',
  ],
  evict: ['Txn', 'MemberRemove', 'ChangeResourceRecordSets'],
  leave: [
    'RecordLifecycleActionHeartbeat',
    'LeaseGrant',
    'Txn',
    'ChangeResourceRecordSets',
    'LeaseRevoke',
    'MoveLeader',
    'MemberRemove',
    'CompleteLifecycleAction',
  ],
} as const;
export type Work = keyof typeof STEPS;

/** What those who were meant do besides, when one of them crashed: to be up again, and to keep house in its place. */
const GETTING_UP: Readonly<Record<Work, readonly string[]>> = {
  join: [],
  // Who starts asks whether its launch is completed.
  evict: ['start of etcd', 'LeaseGrant', 'CompleteLifecycleAction'],
  leave: ['start of etcd'],
};

/** Replaces an instance, and crashes who joins, evicts or leaves for it once, right before or after a step. */
export async function crashAt(
  fleet: Fleet,
  work: Work,
  how: Pick<Doom, 'step' | 'when' | 'withEtcd'>,
): Promise<void> {
  const { sandbox, view, leader, followers, until, whole, writesGoOn, watch } = fleet;
  const before = await view();
  const [follower] = await followers();
  // The leader, which keeps house, leaves in more steps; who is evicted must not be who evicts.
  const victim = work === 'leave' ? await leader() : follower;
  if (victim === undefined) throw new Error('nobody to replace');
  if (work === 'leave') await untilKeepsHouse(fleet, victim);
  const removed = watch.removed();
  const standing = await doom(fleet, { nth: 1, ...how, ...meantFor(work, victim, before) });
  if (work === 'evict') sandbox.cloud.powerCut(victim.instanceId);
  // By the group, which has the hook wait; EC2's own call would not.
  else sandbox.cloud.terminateInstance(victim.instanceId, { decrement: false });
  // A launch is completed a moment after all is whole.
  await until(`a crash ${how.when} ${how.step}`, async () =>
    standing.fulfilled() === null ? [`seen: ${standing.seen().join()}`] : [],
  );
  await whole(before.length);
  await writesGoOn();
  await standing.lift();
  const gone = watch.removed().filter((id) => !removed.includes(id));
  // A joiner that crashed may have had to begin again under another id.
  expect(gone).toContain(victim.status?.memberId);
  expect(gone.length).toBeLessThanOrEqual(work === 'join' ? 2 : 1);
  expect(standing.fulfilled()).toContain(`${how.when} ${how.step}`);
  // A step that is not in the list is one around which nothing was tried.
  const known: readonly string[] = [...STEPS[work], ...GETTING_UP[work]];
  expect(standing.seen().filter((step) => !known.includes(step))).toEqual([]);
}

/** The lock follows leadership by a few seconds. */
async function untilKeepsHouse({ admin, until }: Fleet, { instanceId, address }: View): Promise<void> {
  await until('the leader keeps house', async () => {
    const key = await admin.read(
      clientUrl(address),
      PUBLISHED_KEY,
      { serializable: false },
      new AbortController().signal,
    );
    const by = key.known && key.value !== null ? decodePublished(key.value.value)?.by : undefined;
    return by === instanceId ? [] : [`${by ?? 'nobody'} does`];
  });
}

/** Joiners are whoever is new; who evicts is whoever of the old keeps house. */
function meantFor(work: Work, victim: View, before: readonly View[]): Pick<Doom, 'meant' | 'instanceIds'> {
  const old = before.map(({ instanceId }) => instanceId);
  switch (work) {
    case 'join':
      return { meant: 'others', instanceIds: old };
    case 'evict':
      return { meant: 'these', instanceIds: old.filter((id) => id !== victim.instanceId) };
    case 'leave':
      return { meant: 'these', instanceIds: [victim.instanceId] };
  }
}
