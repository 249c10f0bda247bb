import { isTakenBack } from './upgrade-downgrade.ts';
import { edgeUp, hasWayDown, isBadRelease, whyNotSteppedTo } from './upgrade-edges.ts';
import type { UpgradeMember, UpgradeObservation } from './upgrade.ts';
import { compareVersions, minorAbove, minorOf, minorsBetween } from './versions.ts';

/** One minor of the way to an order. */
export interface Leg {
  /** Minors. */
  readonly from: string;
  readonly to: string;
  /** What is stepped to: the order itself in the last one, else the minor. */
  readonly wish: string;
  /** The least patch that may be stepped to, and the least to step from; null: none is known of. */
  readonly leastTo: string | null;
  readonly leastFrom: string | null;
}

/** The way from a version to an order, minor by minor, up or down; empty within one minor. Null: to another major. */
export function legsTo(version: string, order: string): readonly Leg[] | null {
  const apart = minorsBetween(version, order);
  if (apart === null) return null;
  const sign = Math.sign(apart);
  return Array.from({ length: Math.abs(apart) }, (_, index) => {
    const [from, to] = [minorAbove(version, sign * index), minorAbove(version, sign * (index + 1))];
    const wish = to === minorOf(order) ? order : to;
    // What is stepped down to has to be able to step up again.
    return sign > 0
      ? {
          from,
          to,
          wish,
          leastTo: edgeUp(from, to)?.leastTo ?? null,
          leastFrom: edgeUp(from, to)?.leastFrom ?? null,
        }
      : { from, to, wish, leastTo: edgeUp(to, from)?.leastFrom ?? null, leastFrom: null };
  });
}

/**
 * Why an order could never be carried out to its end, whatever the images have, as a clause; null: it could. The preflight says
 * so, too, but of the next step alone: an order is refused before its first.
 */
export function whyNoWay(seen: UpgradeObservation, order: string): string | null {
  for (const member of seen.members) {
    const { version } = member;
    const why = version === null ? null : whyNotFor(member, version, seen, order);
    if (why !== null) return why;
  }
  return null;
}

function whyNotFor(
  { name }: UpgradeMember,
  version: string,
  seen: UpgradeObservation,
  order: string,
): string | null {
  const legs = legsTo(version, order);
  if (legs === null) return unknownWay(minorOf(version), minorOf(order));
  const isExact = minorOf(order) !== order;
  const last = legs.at(-1);
  if (last === undefined) {
    const ahead = compareVersions(order, version);
    if (isExact && ahead < 0) return `${name} runs etcd ${version}, and nobody goes back to an older patch`;
    return isExact && ahead > 0 ? unsound(order) : null;
  }
  return (
    legs.map((it) => whyNoLeg(it, seen, order)).find((it) => it !== null) ??
    (isExact ? whyNotTo(order, last) : null)
  );
}

function whyNoLeg({ from, to }: Leg, seen: UpgradeObservation, order: string): string | null {
  if (compareVersions(from, to) < 0) return edgeUp(from, to) === null ? unknownWay(from, to) : null;
  return hasWayDown(from) || isTakenBack(seen, to)
    ? null
    : `etcd has no way from ${from} down to ${minorOf(order)}`;
}

function whyNotTo(order: string, { from, leastTo }: Leg): string | null {
  return leastTo !== null && !isBadRelease(order) && compareVersions(order, leastTo) < 0
    ? `etcd ${order} is too old to be stepped to from ${from}: it takes ${leastTo}`
    : unsound(order);
}

function unknownWay(from: string, to: string): string {
  return `nothing is known of the way from etcd ${from} to ${to}`;
}

function unsound(version: string): string | null {
  const why = whyNotSteppedTo(version);
  return why === null ? null : `etcd ${version} ${why}`;
}
