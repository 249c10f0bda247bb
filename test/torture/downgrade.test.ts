import { describe, test } from 'vitest';
import { isCancelledByAnybody, isLedByTheVersions, letsNobodyJoin } from '../upgrade-lab/downgrades.ts';

/* From 3.6 to 3.5 the same goes on in test/upgrade-lab. */
const EDGE = { from: '3.7', to: '3.6' };

describe('a downgrade from 3.7 to 3.6', () => {
  test.concurrent('is led by the versions, member by member, and ends by itself', async () => {
    await isLedByTheVersions(EDGE);
  });

  test.concurrent('lets nobody join, of neither minor, until it is cancelled', async () => {
    await letsNobodyJoin(EDGE);
  });

  test.concurrent('that nobody goes on with is seen by every member, and cancelled by anybody', async () => {
    await isCancelledByAnybody(EDGE);
  });
});
