import { expect, it } from 'vitest';
import type { UpgradeAction, UpgradeCode } from '../../../src/core/plan-upgrade.ts';
import { standingOf } from '../../../src/core/upgrade-standing.ts';

const BY_STANDING: Readonly<Record<ReturnType<typeof standingOf>, readonly UpgradeCode[]>> = {
  none: ['upgrade-done'],
  moves: [
    'upgrade-step',
    'upgrade-clear',
    'upgrade-bring-snapshot',
    'upgrade-enable-downgrade',
    'upgrade-cancel-downgrade',
    'upgrade-locked',
    'upgrade-orphaned',
  ],
  waits: [
    'upgrade-settling',
    'upgrade-unknown',
    'upgrade-silent',
    'upgrade-learner',
    'upgrade-unhealthy',
    'upgrade-unstarted',
  ],
  stands: [
    'upgrade-held',
    'upgrade-apart',
    'upgrade-paused',
    'upgrade-failed',
    'upgrade-no-way-back',
    'upgrade-lacks',
    'upgrade-release',
    'upgrade-patch',
    'upgrade-auth',
    'upgrade-v2',
    'upgrade-snapshot',
    'upgrade-alarm',
    'upgrade-disk',
  ],
};

it.each(
  Object.entries(BY_STANDING).flatMap(([standing, codes]) => codes.map((code) => ({ code, standing }))),
)('$code $standing', ({ code, standing }) => {
  const action: UpgradeAction = { kind: 'none', reason: { code, sentence: '' } };
  expect(standingOf(action)).toBe(standing);
});
