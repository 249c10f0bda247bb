import { describe, expect, it } from 'vitest';
import type { Claim } from '../../../src/core/claim.ts';
import { known } from '../../../src/core/known.ts';
import { planRoom } from '../../../src/core/plan-obstacle.ts';
import { startData } from '../../../src/core/start-actions.ts';
import type { StartAction } from '../../../src/core/start.ts';
import { beside } from '../../fixtures/core/start.ts';
import { clusterIdOf, diskWith, formed, identity } from '../../fixtures/core/world.ts';

/** Data set aside that were never born, on a full disk, beside this claim. */
function roomBeside(claim: Claim): StartAction | null {
  const unborn = {
    directory: 'aside/one',
    identity: identity({ formed: false }),
    at: '2026-01-01',
    reason: 'removed-while-away',
  };
  const seen = beside(claim, {
    endedFull: true,
    local: { ...diskWith(), aside: [unborn] },
    room: known({ freeBytes: 0, totalBytes: 100e9 }),
  });
  return planRoom(seen, startData('own-data', 'its cluster has it'));
}

describe('planRoom', () => {
  const next = formed({ epoch: 2, token: 'token-2', clusterId: clusterIdOf('token-2') });

  it('deletes what was never born, where a later epoch of the stack is formed', () => {
    expect(roomBeside(next)).toMatchObject({ kind: 'discard', reason: { code: 'discard-never-born' } });
  });

  it('deletes nothing on the word of a claim of another stack, whose epochs are counted on their own', () => {
    expect(roomBeside({ ...next, stack: 'other-main' })).toBeNull();
  });
});
