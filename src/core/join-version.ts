import { mayJoinNewer } from './upgrade-edges.ts';
import { minorAbove, minorOf, minorsBetween, pickVersion } from './versions.ts';

/** The binary that an empty member joins with, or why it does not join. */
export type JoinVersion =
  { readonly kind: 'chosen'; readonly version: string } | { readonly kind: 'missing'; readonly why: string };

/** What the choice rests on. */
export interface JoinVersionObservation {
  readonly installed: readonly string[];
  /** The cluster's version; null: no member tells it. */
  readonly clusterVersion: string | null;
  /** Versions of the members that answer. */
  readonly running: readonly string[];
  /** Whether etcd's own downgrade is under way. */
  readonly downgrading: boolean;
}

/**
 * A member joins with the cluster's own minor; where its image has none, with the next one, if etcd stands that
 * (design.md, "Which binary"). A join that kills the others must be impossible.
 */
export function joinVersion({
  installed,
  clusterVersion,
  running,
  downgrading,
}: JoinVersionObservation): JoinVersion {
  if (clusterVersion === null)
    return { kind: 'missing', why: "no member tells its version, and so the cluster's is unknown" };
  const minor = minorOf(clusterVersion);
  if (downgrading)
    return { kind: 'missing', why: 'a downgrade is under way, and until its end etcd takes in nobody' };
  // etcd raises the version within seconds, and takes in nobody of the old one from then on.
  if (running.length > 0 && running.every((it) => (minorsBetween(minor, it) ?? 0) > 0))
    return {
      kind: 'missing',
      why: `all members have left etcd ${minor}, and the cluster's version follows in a moment`,
    };
  const own = pickVersion(installed, minor);
  if (own !== null) return { kind: 'chosen', version: own };
  const next = pickVersion(installed, minorAbove(minor, 1));
  if (next !== null && mayJoinNewer(minor, minorOf(next))) return { kind: 'chosen', version: next };
  const have = installed.join(', ') || 'none';
  const nextToo = mayJoinNewer(minor, minorAbove(minor, 1)) ? ` or ${minorAbove(minor, 1)}` : '';
  return {
    kind: 'missing',
    why: `no etcd ${minor}${nextToo} is installed, and the cluster runs ${minor} (installed: ${have})`,
  };
}
