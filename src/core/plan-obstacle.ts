import type { Claim } from './claim.ts';
import { readClaim } from './claim.ts';
import { namesOf } from './names.ts';
import { ROOM_FOR_ETCD_BYTES } from './numbers.ts';
import type { Discard } from './plan-retention.ts';
import { planRetention } from './plan-retention.ts';
import { ask, wait } from './start-actions.ts';
import type { StartAction, StartObservation } from './start.ts';

/**
 * Room for a step that the disk must take: data that are about to be started, and whose etcd ended for want of room, or a mark
 * that is about to be written. Null: the step needs none, there is room, none can be made, or it is not known. Nothing is
 * waited for: the data may be what quorum needs, and who shows an old mark holds up every birth.
 */
export function planRoom(seen: StartObservation, step: StartAction): StartAction | null {
  const { aside } = seen.local;
  const marks = step.kind === 'clear-mark' || (step.kind === 'register' && step.mark !== null);
  const starts = step.kind === 'start-data' && seen.endedFull;
  if ((!marks && !starts) || aside.length === 0) return null;
  if (seen.room === undefined) return ask(['room']);
  if (!seen.room.known || seen.room.value.freeBytes >= ROOM_FOR_ETCD_BYTES) return null;
  return discardOf(planRetention(aside, standingClaim(seen)));
}

/** The stack's claim; null: it is unknown, or there is none. */
function standingClaim({ self, cluster, zone }: StartObservation): Claim | null {
  const reading = zone.known ? readClaim(namesOf(cluster).claim, zone.value) : null;
  return reading?.kind === 'claim' && reading.claim.stack === self.stack ? reading.claim : null;
}

function discardOf(discard: Discard | null): StartAction | null {
  return discard === null
    ? null
    : { kind: 'discard', directory: discard.entry.directory, reason: discard.reason };
}

/**
 * What keeps a member from starting here, looked at before anything is changed for it; null where nothing does. Where
 * the disk is short, data set aside that nobody needs go first. `claim` is the one that stands; null: it is unknown.
 */
export function planObstacle(seen: StartObservation, claim: Claim | null): StartAction | null {
  if (seen.preflight === undefined) return ask(['preflight']);
  if (seen.preflight === null) return null;
  const { kind, why } = seen.preflight;
  const discard = kind === 'disk-short' ? discardOf(planRetention(seen.local.aside, claim)) : null;
  return discard ?? wait('preflight-failed', `etcd cannot start here: ${why}`);
}
