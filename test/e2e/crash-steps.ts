import { expect } from 'vitest';
import { clientUrl } from '../../src/etcd/flags.ts';
import { doom, type Doom } from './doom.ts';
import type { Fleet } from './harness.ts';
import { leaderInTheHouse } from './roles.ts';
import type { View } from './view.ts';

/* Crashes between any two steps of a join, an eviction, an eviction of who kept house, and a leave, on fleets whose appliances load DOOM_PRELOAD. */

const LOCK = 'Txn _self_maintenance_lock';
const PUBLISHED = 'Txn _appliance/published';
const NAMES = 'ChangeResourceRecordSets names';
const CLAIM_AND_NAMES = 'ChangeResourceRecordSets claim and names';

/** What an appliance is doing when it crashes, and all steps that it takes for it; the last of a join and of a leave is taken where there are hooks. */
export const STEPS = {
  join: [
    'MemberAdd',
    'start of etcd',
    'ChangeResourceRecordSets claim',
    'MemberPromote',
    'CompleteLifecycleAction',
  ],
  /** The last of the names are the successor's. */
  evict: ['MemberRemove', CLAIM_AND_NAMES, PUBLISHED, NAMES],
  /** The housekeeper is who ended: who leads now keeps house, and evicts it. */
  inherit: ['LeaseGrant', LOCK, 'MemberRemove', CLAIM_AND_NAMES, PUBLISHED],
  leave: [
    'RecordLifecycleActionHeartbeat',
    'LeaseGrant',
    'Txn _leaving/',
    NAMES,
    'LeaseRevoke',
    'MoveLeader',
    'MemberRemove',
    'CompleteLifecycleAction',
  ],
} as const;
export type Work = keyof typeof STEPS;

/** Another keeps house in the place of who crashed. */
const KEEPING_HOUSE = ['LeaseGrant', LOCK, 'Txn _appliance/housekeeping-wanted', 'LeaseRevoke'];

/** What those who were meant do besides, when one of them crashed: to be up again, and to keep house in its place. */
const GETTING_UP: Readonly<Record<Work, readonly string[]>> = {
  // Its member is in the cluster, and it may have no data of it: then it begins again.
  join: ['MemberRemove'],
  // Who starts asks whether its launch is completed; and the mark of who is gone may go after its names, by itself.
  evict: ['start of etcd', 'CompleteLifecycleAction', 'ChangeResourceRecordSets claim', ...KEEPING_HOUSE],
  inherit: ['start of etcd', 'CompleteLifecycleAction', NAMES, ...KEEPING_HOUSE],
  // In its next life it may keep house again, before it learns that it is to leave.
  leave: ['start of etcd', PUBLISHED, ...KEEPING_HOUSE],
};

/** Replaces an instance, and crashes who joins, evicts or leaves for it once, right before or after a step. */
export async function crashAt(
  fleet: Fleet,
  work: Work,
  how: Pick<Doom, 'step' | 'when' | 'withEtcd'>,
): Promise<void> {
  const { sandbox, view, followers, until, whole, writesGoOn, watch } = fleet;
  const before = await view();
  const [follower] = await followers();
  // The leader, which keeps house, leaves in more steps; who is evicted must not be who evicts.
  const isKeeper = work === 'leave' || work === 'inherit';
  const victim = isKeeper ? await keeperWhoLeads(fleet) : follower;
  if (victim === undefined) throw new Error('nobody to replace');
  const removed = watch.removed();
  const standing = await doom(fleet, { nth: 1, inFull: true, ...how, ...meantFor(work, victim, before) });
  if (work === 'evict' || work === 'inherit') sandbox.cloud.powerCut(victim.instanceId);
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

/** From a leader that did not see AWS for a while the house does not come back by itself: then leadership follows the lock. */
async function keeperWhoLeads(fleet: Fleet): Promise<View> {
  return await leaderInTheHouse(fleet, async (leader, by) => {
    const keeper = (await fleet.view()).find(({ instanceId }) => instanceId === by)?.status;
    if (keeper == null) return;
    await fleet.admin.moveLeader(clientUrl(leader.address), keeper.memberId, new AbortController().signal);
  });
}

/** Joiners are whoever is new; who evicts is whoever of the old keeps house. */
function meantFor(work: Work, victim: View, before: readonly View[]): Pick<Doom, 'meant' | 'instanceIds'> {
  const old = before.map(({ instanceId }) => instanceId);
  switch (work) {
    case 'join':
      return { meant: 'others', instanceIds: old };
    case 'evict':
    case 'inherit':
      return { meant: 'these', instanceIds: old.filter((id) => id !== victim.instanceId) };
    case 'leave':
      return { meant: 'these', instanceIds: [victim.instanceId] };
  }
}
