import { hasWayDown } from './upgrade-edges.ts';
import { UPGRADE_DOWNGRADE_IDLE_MS } from './numbers.ts';
import type { Check, CheckCode, UpgradeMember, UpgradeObservation } from './upgrade.ts';
import type { Work } from './upgrade-work.ts';
import { minorOf } from './versions.ts';

/** How far etcd itself is with a way down: members step only when it has changed the cluster's version and their data. */
export type DowngradeView =
  { readonly kind: 'enable' } | { readonly kind: 'wait'; readonly why: string } | { readonly kind: 'ready' };

/** The version that a downgrade under way leads to, as the own etcd tells; null: none is, or it is older than 3.6. */
export function downgradeTarget({ versions }: UpgradeObservation): string | null {
  return versions.known ? versions.value.downgradeTarget : null;
}

/**
 * What comes before a member steps down. An old etcd dies of data whose version is above its own, and of a cluster's version
 * that is (facts of a laboratory: both follow 2 to 8 s after the downgrade was enabled). Where some run the old minor
 * already, and the cluster's version is theirs, etcd needs no word.
 */
export function downgradeOf(seen: UpgradeObservation, { candidates, from, to }: Work): DowngradeView {
  const cluster = seen.versions.known ? minorOf(seen.versions.value.cluster) : null;
  const whole = candidates.length === seen.members.length;
  if (whole && downgradeTarget(seen) === null)
    return cluster === from
      ? { kind: 'enable' }
      : { kind: 'wait', why: `all run etcd ${from}: waits until etcd takes it for the cluster's version` };
  if (cluster !== to)
    return { kind: 'wait', why: `waits until etcd takes ${to} for the cluster's version, to go down to it` };
  const late = candidates.find(({ member }) => hasWayDown(from) && !isStoredAs(member, to));
  return late === undefined
    ? { kind: 'ready' }
    : { kind: 'wait', why: `waits until the data of ${late.member.name} are such as etcd ${to} can read` };
}

/** Whether a step to this minor is only taken back: not all have made the step up from it, and the cluster has not. */
export function isTakenBack(
  { members, versions }: Pick<UpgradeObservation, 'members' | 'versions'>,
  to: string,
): boolean {
  const isMixed = members.some((it) => it.version !== null && minorOf(it.version) === to);
  return isMixed && versions.known && minorOf(versions.value.cluster) === to;
}

function isStoredAs({ storage }: UpgradeMember, minor: string): boolean {
  return typeof storage === 'string' && minorOf(storage) === minor;
}

/**
 * Whether a downgrade under way is one that members go down by now. While it is not, it only keeps joiners out: etcd takes
 * in nobody until it is over, and what was stepped down stays down without it. What bars the next step may be over in a
 * moment, but for two things; once nothing does, the downgrade is begun again.
 */
export function isDowngradeWanted(
  seen: UpgradeObservation,
  target: string,
  work: Work | null,
  checks: readonly Check[],
): boolean {
  const goes = work !== null && work.kind === 'down' && minorOf(target) === work.to;
  const isLeft = isDowngradeLeft(seen);
  return goes && checks.every((it) => it.ok || !(isLeft || LASTING.has(it.code)));
}

/** Whether a downgrade under way has had nobody at work on it for longer than what is over in a moment takes. */
export function isDowngradeLeft({ downgradeIdleForMs = 0 }: UpgradeObservation): boolean {
  return downgradeIdleForMs >= UPGRADE_DOWNGRADE_IDLE_MS;
}

/** What only an operator mends. */
const LASTING: ReadonlySet<CheckCode> = new Set(['upgrade-release', 'upgrade-lacks']);

/** Whether a downgrade is under way at which nobody else works: who cancels it under the lock counts on. */
export function isDowngradeIdle(seen: UpgradeObservation): boolean {
  const { lockedBy, self } = seen;
  return downgradeTarget(seen) !== null && (lockedBy === null || lockedBy === self);
}

/** Who can cancel a downgrade: one that is well, and whose etcd tells of it. */
export function canCancel({ version, learner, unhealthy, answer }: UpgradeMember): boolean {
  const well = !learner && unhealthy === null && answer.known;
  return well && version !== null && hasWayDown(minorOf(version));
}
