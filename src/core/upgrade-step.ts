import { LIVENESS_LIMIT_MS, SNAPSHOT_BYTES_PER_MS, UPGRADE_STEP_LIMIT_MS } from './numbers.ts';
import type { UpgradeObservation, UpgradeStep } from './upgrade.ts';
import { compareVersions, minorOf } from './versions.ts';

/** Ends and failed starts after which a binary does not come up: one may be an accident. */
const MOST_FAILURES = 2;

/** What is known of a binary that was started in a step. */
export interface Attempt {
  readonly version: string;
  /** Ends that nobody ordered, and starts that failed. */
  readonly failures: number;
  /** What the last of them said. */
  readonly lastWords: string;
  /** What is amiss; null: nothing is. */
  readonly unwell: string | null;
  /** How long the step had taken when that was asked, and how long it may take; ms. */
  readonly tookMs: number;
  readonly limitMs: number;
  /** How long before that etcd was last busy with its database, and answered nobody for it; null: not in this step; ms. */
  readonly busyMsAgo: number | null;
}

/**
 * How long a step may take; ms. Until it has read all keys etcd opens no port, so a step has time for the size of the largest
 * database that is known (bytes), in whole seconds: members of one cluster have the same keys.
 */
export function stepLimitMs(dbSizesBytes: readonly number[]): number {
  const seconds = Math.floor(Math.max(0, ...dbSizesBytes) / SNAPSHOT_BYTES_PER_MS / 1000);
  return UPGRADE_STEP_LIMIT_MS + seconds * 1000;
}

/**
 * Why a binary counts as one that does not come up; null: it may yet. Law 7: whoever puts a snapshot of the leader in place, or
 * defragments, is on its way, and has the time of a failed liveness from when that is done.
 */
export function whyNotUp(attempt: Attempt): string | null {
  const { version, failures, lastWords, unwell, tookMs, limitMs, busyMsAgo } = attempt;
  if (failures >= MOST_FAILURES)
    return `etcd ${version} does not come up${lastWords === '' ? ', and does not say why' : `: ${lastWords}`}`;
  if (unwell === null || tookMs < limitMs) return null;
  if (busyMsAgo === null) return `etcd ${version} is not well within ${limitMs / 1000} s: ${unwell}`;
  return busyMsAgo < LIVENESS_LIMIT_MS
    ? null
    : `etcd ${version} is not well within ${limitMs / 1000} s, nor ${LIVENESS_LIMIT_MS / 1000} s after it was busy with its database: ${unwell}`;
}

/**
 * Whether a step that succeeded leads as far as one that failed, in its direction: it came to that minor, by that patch or
 * another, or beyond. One to another patch of the minor before proves nothing of it.
 */
export function isPassed(failed: Pick<UpgradeStep, 'from' | 'to'>, { to }: Pick<UpgradeStep, 'to'>): boolean {
  const isPatch = minorOf(failed.from) === minorOf(failed.to);
  const short = isPatch ? compareVersions(to, failed.to) : compareVersions(minorOf(to), minorOf(failed.to));
  return compareVersions(failed.to, failed.from) >= 0 ? short >= 0 : short <= 0;
}

/**
 * Whether what a step left behind, its lock or its record, is this instance's to clear away: it is its own, of an earlier life;
 * or of an instance that is gone, where this member leads. Nobody else would ever end that where there is nothing more to do.
 */
export function isLeft({ members, leaderId, lockedBy, record, self }: UpgradeObservation): boolean {
  const by = record.known ? (record.value.step?.by ?? null) : null;
  const isGone = by !== null && members.every((it) => it.name !== by);
  const leads = members.some((it) => it.id === leaderId && it.name === self);
  return lockedBy === self || (lockedBy === null && (by === self || (isGone && leads)));
}
