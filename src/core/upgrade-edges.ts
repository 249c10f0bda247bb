import { compareVersions, minorAbove, minorOf } from './versions.ts';

/** What etcd demands of one way from a minor to the next, beyond what holds for all. */
export interface Edge {
  /** The least patch of the old minor that every member must run. */
  readonly leastFrom: string;
  /** The least patch of the new one. */
  readonly leastTo: string;
  /** Authentication must be off: members of the two minors do not understand each other's tokens. */
  readonly withoutAuth: boolean;
  /** No member's data may hold anything of the old API: the new minor dies of it. */
  readonly withoutV2: boolean;
  /** Every member needs a snapshot of its log taken under the old minor: the new one dies of entries older than that. */
  readonly needsSnapshot: boolean;
}

/*
 * Each line killed a cluster in a laboratory, or lost data in production: etcd's upgrade guides; etcd issues 11943 (auth),
 * 13766 (3.5.0 to 3.5.2), 19557 and 20793 (members that come back, mended in 3.5.26). test/upgrade-lab shows the deaths.
 */
const UP: Readonly<Record<string, Edge>> = {
  '3.4 3.5': {
    leastFrom: '3.4.0',
    leastTo: '3.5.26',
    withoutAuth: true,
    withoutV2: false,
    needsSnapshot: false,
  },
  '3.5 3.6': {
    leastFrom: '3.5.32',
    leastTo: '3.6.5',
    withoutAuth: false,
    withoutV2: true,
    needsSnapshot: false,
  },
  '3.6 3.7': {
    leastFrom: '3.6.11',
    leastTo: '3.7.0',
    withoutAuth: false,
    withoutV2: false,
    needsSnapshot: true,
  },
};

/** What etcd demands of the way up from one minor to the next; null: nothing is known of this way, and it is not gone. */
export function edgeUp(from: string, to: string): Edge | null {
  return UP[`${from} ${to}`] ?? null;
}

/** Whether etcd has a way back from a minor to the one below: from 3.6 on. */
export function hasWayDown(from: string): boolean {
  return compareVersions(from, '3.6') >= 0;
}

/** Whether a downgrade leads to a minor that does not tell of it: members of 3.5 say nothing of the one that they came by. */
export function hidesDowngrade(minor: string): boolean {
  return hasWayDown(minorAbove(minor, 1)) && !hasWayDown(minor);
}

/** Releases that lost data: nobody steps onto one of them, nor joins with one beside others. First and last, of one minor. */
const BAD_RELEASES = [
  ['3.5.0', '3.5.5'],
  ['3.4.0', '3.4.20'],
] as const;

/** Whether a release is one that lost data. */
export function isBadRelease(version: string): boolean {
  return BAD_RELEASES.some(
    ([first, last]) => compareVersions(version, first) >= 0 && compareVersions(version, last) <= 0,
  );
}

/**
 * The first patch of a minor that keeps its data where it is defragmented while it takes in a leader's snapshot. Who joins takes
 * an older one for want of another, since redundancy goes first; a step onto it can wait for a newer.
 */
const SOUND_FROM: Readonly<Record<string, string>> = { '3.4': '3.4.38', '3.5': '3.5.23', '3.6': '3.6.5' };

/** Why nobody steps onto a release, as a predicate and what to do; null: somebody may. */
export function whyNotSteppedTo(version: string): string | null {
  const minor = minorOf(version);
  if (isBadRelease(version)) return `is a release that lost data: install a newer one of ${minor}`;
  const sound = SOUND_FROM[minor];
  return sound !== undefined && compareVersions(version, sound) < 0
    ? `can lose data where it is defragmented while it takes in a snapshot: install ${sound} or a newer one of ${minor}`
    : null;
}

/**
 * Whether an empty member of a newer minor may join a cluster: by one minor, where a laboratory saw it work (3.6 kills the
 * members of 3.4; 3.7 dies where the log holds entries of 3.5's, which nobody outside can rule out).
 */
export function mayJoinNewer(clusterMinor: string, minor: string): boolean {
  return edgeUp(clusterMinor, minor)?.needsSnapshot === false;
}
