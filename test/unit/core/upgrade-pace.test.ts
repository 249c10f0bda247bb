import { expect, it } from 'vitest';
import type { UpgradeCode } from '../../../src/core/plan-upgrade.ts';
import { planPace, STANDS_FOR_MS, type UpgradePace } from '../../../src/core/upgrade-pace.ts';

it.each<[UpgradePace, UpgradeCode, number | null, string]>([
  ['rarely', 'upgrade-done', null, 'there is nothing to do'],
  ['rarely', 'upgrade-held', 0, 'it is held off until an operator says otherwise'],
  ['rarely', 'upgrade-held', STANDS_FOR_MS, 'it is held off for long'],
  ['soon', 'upgrade-step', null, 'somebody steps'],
  ['soon', 'upgrade-unknown', null, 'it is not known'],
  ['soon', 'upgrade-lacks', null, 'an image lacks the next minor, and etcd does not tell of news'],
  ['soon', 'upgrade-lacks', STANDS_FOR_MS - 1, 'an image has lacked the next minor for a moment'],
  ['on-news', 'upgrade-lacks', STANDS_FOR_MS, 'an image has lacked the next minor for long'],
  ['on-news', 'upgrade-paused', 10 * STANDS_FOR_MS, 'an operator has paused it'],
])('looks %s after %s, %s ms: %s', (pace, code, stoodForMs) => {
  expect(planPace(code, stoodForMs)).toBe(pace);
});
