import type { Claim } from './claim.ts';
import { planRetention } from './plan-retention.ts';
import { ask, wait } from './start-actions.ts';
import type { StartAction, StartObservation } from './start.ts';

/**
 * What keeps a member from starting here, looked at before anything is changed for it; null where nothing does. Where
 * the disk is short, data set aside that nobody needs go first. `claim` is the one that stands; null: it is unknown.
 */
export function planObstacle(seen: StartObservation, claim: Claim | null): StartAction | null {
  if (seen.preflight === undefined) return ask(['preflight']);
  if (seen.preflight === null) return null;
  const { kind, why } = seen.preflight;
  const discard = kind === 'disk-short' ? planRetention(seen.local.aside, claim) : null;
  if (discard === null) return wait('preflight-failed', `etcd cannot start here: ${why}`);
  return { kind: 'discard', directory: discard.entry.directory, reason: discard.reason };
}
