import { lackingNow, silentIn } from '../core/order-images.ts';
import type { Lack } from '../core/order-images.ts';
import { whyNoWay } from '../core/order-way.ts';
import type { UpgradePlan } from '../core/plan-upgrade.ts';
import type { UpgradeObservation } from '../core/upgrade.ts';
import { ApplianceError } from '../errors.ts';
import { refreshAdvice } from './upgrade-place.ts';
import type { Place } from './upgrade-place.ts';
import type { Wish } from './upgrade-wish.ts';

/**
 * Whose images lack what is wished; `after` is what was seen with the wish written, `plan` that of the appliances then. Throws
 * `conflict`, before anything is written: for an order that nobody could follow, for images that lack it where they are not to
 * be replaced, and where they are to be and it is not known which.
 */
export function lackingFor(
  place: Place,
  { to, refresh, dryRun }: Pick<Wish, 'to' | 'refresh' | 'dryRun'>,
  after: UpgradeObservation,
  plan: UpgradePlan,
): readonly Lack[] {
  const why = to === null ? null : whyImpossible(to, after, plan);
  if (why !== null) throw conflict(`nothing was written: etcd ${to} cannot be ordered: ${why}`);
  const hidden = refresh ? hiddenIn(after) : [];
  if (hidden.length > 0)
    throw conflict(
      `nothing was written, and no instance is replaced: ${hidden.join('; ')}. Call it again once that is known`,
    );
  const isAsked = to !== null || refresh || plan.checks.some((it) => !it.ok && it.code === 'upgrade-lacks');
  const lacking = isAsked ? lackingNow(after) : [];
  if (to !== null && lacking.length > 0 && !refresh && !dryRun)
    throw conflict(
      `nothing was written: ${clausesOf(lacking)}. Give the group an image that has it, then: ${refreshAdvice(place, to)}`,
    );
  return lacking;
}

/** What has to be known before instances are replaced, and is not; clauses. */
export function hiddenIn(seen: UpgradeObservation): readonly string[] {
  return [...(seen.record.known ? [] : [seen.record.reason]), ...silentIn(seen)];
}

/** What images lack as one clause. */
export function clausesOf(lacking: readonly Lack[]): string {
  return lacking.map((it) => it.sentence).join('; ');
}

/** In which regions groups are to be refreshed: where those are that lack something; in all, where nobody knows. */
export function regionsOf({ regions }: Place, lacking: readonly Lack[]): (region: string) => boolean {
  const known = new Set(lacking.flatMap(({ name }) => regions.get(name) ?? []));
  return (region) => known.size === 0 || known.has(region);
}

function whyImpossible(to: string, seen: UpgradeObservation, { action }: UpgradePlan): string | null {
  const { code, sentence } = action.reason;
  return code === 'upgrade-unknown' || code === 'upgrade-apart' ? sentence : whyNoWay(seen, to);
}

function conflict(message: string): ApplianceError {
  return new ApplianceError({ code: 'conflict', what: 'upgrade' }, message);
}
