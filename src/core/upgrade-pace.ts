import type { UpgradeCode } from './plan-upgrade.ts';

/**
 * What only an operator mends may stand for weeks, and each look asks every appliance what its log holds. Where it has been
 * the same for this long, it is looked at as where there is nothing to do: what cannot be told for a moment is told by then,
 * and a downgrade that nobody goes on with is cancelled.
 */
export const STANDS_FOR_MS = 60_000;

/** When a plan is made again: soon, as where there is nothing to do, or that rarely and at once when etcd says something new. */
export type UpgradePace = 'soon' | 'rarely' | 'on-news';

/**
 * How soon the next look comes after a plan of this code. `stoodForMs`: for how long it has stood still under that code, where
 * etcd tells what may bring it on; null: it does not stand still, or etcd does not tell.
 */
export function planPace(code: UpgradeCode, stoodForMs: number | null): UpgradePace {
  if (code === 'upgrade-done' || code === 'upgrade-held') return 'rarely';
  return stoodForMs !== null && stoodForMs >= STANDS_FOR_MS ? 'on-news' : 'soon';
}
