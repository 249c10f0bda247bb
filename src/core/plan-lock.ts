import { BLIND_LEADER_MS, FREE_LOCK_MS } from './numbers.ts';
import type { Reason } from './reason.ts';
import { reason } from './reason.ts';

/** What the right to keep house is planned from. */
export interface LockObservation {
  readonly leads: boolean;
  /** A started voter of the claim's cluster. */
  readonly voter: boolean;
  /** etcd is out of space and takes no writes: no lease is granted, and so no lock can be had. */
  readonly outOfSpace: boolean;
  readonly holds: boolean;
  /** Whether the leader's appliance has asked for the lock. */
  readonly wantedByLeader: boolean;
  /** For how long nobody has held it; 0 while somebody does; ms. */
  readonly freeForMs: number;
  /** For how long the own view of AWS has been unknown; 0: it is known, or was never asked; ms. */
  readonly blindForMs: number;
  /** Whether the own instance is in the fleet as joinable; null: not asked. */
  readonly inFleet: boolean | null;
  readonly leaving: boolean;
}

/** Why the lock is taken, asked for, kept or let go. */
export type LockCode =
  | 'lock-keep'
  | 'lock-take'
  | 'lock-ask'
  | 'lock-look'
  | 'lock-release-leaving'
  | 'lock-release-wanted'
  | 'lock-release-blind'
  | 'lock-no-space'
  | 'lock-not-mine';

/** What to do about the maintenance lock. `look`: ask AWS, to know whether one may take it; `unlocked`: keep house without. */
export interface LockAction {
  readonly kind: 'keep' | 'take' | 'ask' | 'look' | 'unlocked' | 'release' | 'none';
  readonly reason: Reason<LockCode>;
}

/**
 * Who keeps house (design.md, "Housekeeping"): the leader's appliance has the first right; one that is blind to AWS or no
 * longer in the fleet lets go, and after the lock was free for a while any voter with a known view may take it.
 */
export function planLock(seen: LockObservation): LockAction {
  const act = (kind: LockAction['kind'], code: LockCode, sentence: string): LockAction => ({
    kind,
    reason: reason(code, sentence),
  });
  const blind = seen.blindForMs >= BLIND_LEADER_MS || seen.inFleet === false;
  if (seen.holds) {
    if (seen.leaving)
      return act('release', 'lock-release-leaving', 'this instance leaves: another keeps house');
    if (blind)
      return act(
        'release',
        'lock-release-blind',
        'this appliance does not see the fleet: another keeps house',
      );
    if (!seen.leads && seen.wantedByLeader)
      return act('release', 'lock-release-wanted', "the leader's appliance asks for it");
    return act('keep', 'lock-keep', 'this appliance keeps house');
  }
  if (seen.leaving || !seen.voter) return act('none', 'lock-not-mine', 'this appliance does not keep house');
  const free = seen.freeForMs >= (seen.leads ? 1 : FREE_LOCK_MS);
  if (blind) {
    // Who does not ask AWS cannot know that it answers again: were all blind, nobody would ever keep house.
    return free
      ? act('look', 'lock-look', 'nobody keeps house: it looks whether it sees the fleet again')
      : act('none', 'lock-not-mine', 'this appliance does not keep house');
  }
  if (seen.leads && free && seen.outOfSpace) {
    return act(
      'unlocked',
      'lock-no-space',
      'etcd is out of space and grants no lock: its etcd leads, and it looks after members and records without',
    );
  }
  if (seen.leads) {
    return free
      ? act('take', 'lock-take', 'its etcd leads: it keeps house')
      : act('ask', 'lock-ask', 'its etcd leads: it asks for the lock');
  }
  if (!free) return act('none', 'lock-not-mine', "the leader's appliance keeps house");
  if (seen.inFleet === null || seen.blindForMs > 0) {
    return act('look', 'lock-look', 'nobody keeps house: it looks whether it sees the fleet');
  }
  return act('take', 'lock-take', 'nobody keeps house, and this appliance sees the fleet');
}
