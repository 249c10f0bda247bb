import { edgeUp, isBadRelease, mayJoinNewer } from './upgrade-edges.ts';
import type { MemberVersions } from './members.ts';
import { compareVersions, minorAbove, minorOf, minorsBetween, pickVersion } from './versions.ts';

/** The binary that an empty member joins with, or why it does not join. */
export type JoinVersion =
  | { readonly kind: 'chosen'; readonly version: string }
  /** `downgrade`: none is wrong, but etcd takes in nobody until its downgrade is over. */
  | { readonly kind: 'missing'; readonly why: string; readonly downgrade?: boolean };

/** What the choice rests on. */
export interface JoinVersionObservation {
  readonly installed: readonly string[];
  /** What the instance is to run, a version or a minor: an operator's order, else what is configured; null: the newest. */
  readonly wanted: string | null;
  /** The cluster's version; null: no member tells it. */
  readonly clusterVersion: string | null;
  /** Versions of the members that answer. */
  readonly running: readonly string[];
  /** How many members have started. */
  readonly started: number;
  /** Whether etcd's own downgrade is under way. */
  readonly downgrading: boolean;
  /** Whether a member's data hold anything of the old API; left out: nobody says so. */
  readonly oldApi?: boolean;
}

/**
 * A member joins with the cluster's own minor; where its image has none, with the next one, if etcd stands that
 * (design.md, "Which binary"). A join that kills the others must be impossible. Of a minor it takes the very version that it is
 * to run: nobody steps back from a newer patch, which may be the one that an operator keeps away from.
 */
export function joinVersion(seen: JoinVersionObservation): JoinVersion {
  const { installed, wanted, clusterVersion, running, started, downgrading } = seen;
  if (clusterVersion === null) return missing("no member tells its version, and so the cluster's is unknown");
  const minor = decidedMinor(clusterVersion, running);
  if (downgrading)
    return {
      ...missing('a downgrade is under way, and until its end etcd takes in nobody'),
      downgrade: true,
    };
  // etcd raises the version within seconds, and takes in nobody of the old one from then on. It does not while one is silent.
  if (
    running.length > 0 &&
    running.length === started &&
    running.every((it) => (minorsBetween(minor, it) ?? 0) > 0)
  )
    return missing(`all members have left etcd ${minor}, and the cluster's version follows in a moment`);
  const own = patchOf(minor, installed, wanted);
  const next = own ?? patchOf(minorAbove(minor, 1), installed, wanted);
  const have = installed.join(', ') || 'none';
  // Where the cluster has it already, another one beside it is worth more than none.
  if (own !== null && isBadRelease(own) && running.length > 0 && !running.some(isBadRelease))
    return missing(
      `etcd ${own} lost data, and of ${minor} this image has no other; the cluster runs ${running.join(', ')}`,
    );
  if (next === null || (own === null && !mayJoinNewer(minor, minorOf(next)))) {
    const nextToo = mayJoinNewer(minor, minorAbove(minor, 1)) ? ` or ${minorAbove(minor, 1)}` : '';
    return missing(
      `no etcd ${minor}${nextToo} is installed, and the cluster runs ${minor} (installed: ${have})`,
    );
  }
  const trouble = (own === null ? whyNotNewer(seen, minor, next) : null) ?? whyApart(running, next);
  return trouble === null ? { kind: 'chosen', version: next } : missing(trouble);
}

/** The patch of a minor that is joined with: the one that is wished for, else the newest; one that lost data only where there is no other. */
function patchOf(minor: string, installed: readonly string[], wanted: string | null): string | null {
  const patches = installed.filter((it) => minorOf(it) === minor);
  const sound = patches.filter((it) => !isBadRelease(it));
  const wish = wanted !== null && minorOf(wanted) === minor ? wanted : minor;
  return pickVersion(sound.length > 0 ? sound : patches, wish);
}

/**
 * Why an empty member that is listed already must not be started as the version that it chose before; null: it may be. What
 * the members say is asked after the add: from then on etcd raises no version before it has reached the new member, too. Who
 * chose before the add knows nothing of what was raised between the two, and so a silence is no word for it.
 */
export function whyNotJoinedAs(
  version: string,
  told: readonly Pick<MemberVersions, 'cluster' | 'downgradeTarget'>[],
): string | null {
  if (told.length === 0)
    return `no member says which version the cluster has by now, to start etcd ${version} in it`;
  if (told.some((it) => it.downgradeTarget !== null))
    return 'a downgrade has begun meanwhile, and until its end etcd takes in nobody';
  const above = told.find((it) => (minorsBetween(it.cluster, version) ?? -1) < 0);
  return above === undefined
    ? null
    : `the cluster has gone up to ${minorOf(above.cluster)} meanwhile, and takes in no etcd ${version}`;
}

/**
 * The minor that the cluster runs at. Until every member of a young one has been reached, etcd calls it 3.0: then it is
 * what the members run.
 */
function decidedMinor(clusterVersion: string, running: readonly string[]): string {
  const lowest = running.toSorted(compareVersions)[0] ?? clusterVersion;
  return minorOf(minorOf(clusterVersion) === '3.0' ? lowest : clusterVersion);
}

function missing(why: string): Extract<JoinVersion, { kind: 'missing' }> {
  return { kind: 'missing', why };
}

/** Beside a member two minors away, one of the two dies: 3.6 kills 3.4. Whoever tells the cluster's version may be behind. */
function whyApart(running: readonly string[], version: string): string | null {
  const far = running.find((it) => Math.abs(minorsBetween(it, version) ?? 2) > 1);
  return far === undefined ? null : `a member runs etcd ${far}, and ${version} must not stand beside it`;
}

/** An empty member of the next minor is a step to it: what holds for the patches of a step holds here. */
function whyNotNewer(
  { running, oldApi = false }: JoinVersionObservation,
  minor: string,
  version: string,
): string | null {
  const edge = edgeUp(minor, minorOf(version));
  if (edge === null || running.length === 0) return `nobody says which patch of etcd ${minor} it runs`;
  const old = running.find((it) => compareVersions(it, edge.leastFrom) < 0);
  if (old !== undefined)
    return `a member runs etcd ${old}, beside which no ${version} may join: it takes ${edge.leastFrom}, or etcd ${minor} in this image`;
  if (compareVersions(version, edge.leastTo) < 0)
    return `etcd ${version} is too old to join a cluster of ${minor}: it takes ${edge.leastTo}`;
  return edge.withoutV2 && oldApi
    ? `the data hold requests of the old API, which etcd ${version} dies of: this image needs etcd ${minor}`
    : null;
}
