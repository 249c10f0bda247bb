import { claimWithLost } from './claim.ts';
import { markRecord, readMark } from './mark.ts';
import type { StandingClaim } from './claim.ts';
import { swap } from './records.ts';
import { reason } from './reason.ts';
import type { RecordSet } from './records.ts';
import { planObstacle } from './plan-obstacle.ts';
import { wait, writeClaim } from './start-actions.ts';
import type { StartAction, StartObservation } from './start.ts';

/**
 * A founder without data, before it runs etcd under the claim's token. Its mark says beforehand that it does, made by itself
 * or, with the nonce that it offered, by who claimed; a mark whose nonce this disk does not have, or has used, tells that it
 * did so before, and lost the data: founding twice with one token would bring a wiped member back under its old id (law 3). `code` says whether it founds in time or late.
 */
export function planFounding(
  seen: StartObservation,
  records: readonly RecordSet[],
  standing: StandingClaim,
  code: 'found' | 'late-founder',
): StartAction {
  const { claim } = standing;
  if (claim.lost.includes(seen.self.id)) {
    return wait(
      'forming-lost',
      `lost its data of epoch ${claim.epoch}: waits for it to be formed, or for the next`,
    );
  }
  const { mark: kept } = seen.local;
  const made = readMark(seen.cluster, seen.self.id, records);
  // One that was started under another token was forgotten before.
  if (kept?.started === true)
    return declareLost(seen, standing, 'etcd was started under it, and its data are gone');
  if (made === null || made.mark.token !== claim.token) {
    const obstacle = planObstacle(seen, claim);
    if (obstacle !== null) return obstacle;
    const nonce = kept?.nonce ?? seen.freshNonce;
    const mark = { token: claim.token, nonce, started: false };
    return {
      kind: 'register',
      changes: swap(made?.record ?? null, markRecord(seen.cluster, { instanceId: seen.self.id, ...mark })),
      mark,
      // The claim may have been replaced since it was read: it is read once more before etcd is started on its word.
      readAgain: true,
      hint: null,
      reason: reason('mark', `says that it founds epoch ${claim.epoch}, before it does so`),
    };
  }
  if (kept === null || kept.nonce !== made.mark.nonce) {
    return declareLost(seen, standing, 'its mark was made by a disk that is gone');
  }
  if (kept.token !== claim.token) {
    // Another made the mark, and did not look whether etcd can start here.
    const obstacle = planObstacle(seen, claim);
    if (obstacle !== null) return obstacle;
  }
  return {
    kind: 'found',
    claim,
    mark: { token: claim.token, nonce: kept.nonce, started: true },
    reason: reason(code, `founds epoch ${claim.epoch} with ${claim.founders.length} founders`),
  };
}

function declareLost(seen: StartObservation, standing: StandingClaim, why: string): StartAction {
  const { claim, record } = standing;
  return writeClaim(
    seen.cluster,
    record,
    claimWithLost(claim, seen.self.id),
    reason('data-lost', `does not found epoch ${claim.epoch} again: ${why}`),
  );
}
