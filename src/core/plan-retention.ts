import type { Claim } from './claim.ts';
import type { AsideEntry, DataIdentity } from './local-data.ts';
import type { Reason } from './reason.ts';
import { reason } from './reason.ts';

/** Why data that were set aside may go. */
export type RetentionCode = 'discard-never-voter' | 'discard-never-born' | 'discard-older';

/** Data set aside that make room. */
export interface Discard {
  readonly entry: AsideEntry;
  readonly reason: Reason<RetentionCode>;
}

/**
 * Which data set aside may go when the disk is short (law 2), one folder at a time; null: none may. First what was never
 * a voter's, then what was never born, then what newer data of the same cluster stand for. Data that nobody can name, and
 * the newest intact ones of a cluster, are only ever deleted by a person. `claim` is the claim that stands; null where it
 * is unknown, and then nothing is taken for never born.
 */
export function planRetention(aside: readonly AsideEntry[], claim: Claim | null): Discard | null {
  const oldestFirst = aside.toSorted((one, other) => (one.at < other.at ? -1 : one.at > other.at ? 1 : 0));
  const tell = (entry: AsideEntry | undefined, code: RetentionCode, why: string): Discard | null =>
    entry === undefined
      ? null
      : { entry, reason: reason(code, `deletes ${entry.directory} to make room: ${why}`) };
  return (
    tell(
      oldestFirst.find(({ identity }) => identity?.voter === false),
      'discard-never-voter',
      'its member was never a voter',
    ) ??
    tell(
      oldestFirst.find(
        ({ identity }) => identity !== null && claim !== null && wasNeverBorn(identity, claim),
      ),
      'discard-never-born',
      `its epoch was never formed, and epoch ${claim?.epoch ?? 0} is`,
    ) ??
    tell(
      oldestFirst.find((entry) => oldestFirst.some((it) => standsFor(it, entry))),
      'discard-older',
      'newer data of the same cluster are kept',
    )
  );
}

/** A later epoch is formed, and nothing says that theirs ever was. */
function wasNeverBorn(identity: DataIdentity, claim: Claim): boolean {
  return (
    !identity.formed &&
    claim.state === 'formed' &&
    claim.epoch > identity.epoch &&
    claim.token !== identity.token &&
    claim.clusterId !== identity.clusterId &&
    !claim.pastTokens.includes(identity.token)
  );
}

/** Whether `newer`, both a voter's, holds all that could be wanted of `older`. Damaged data stand for none. */
function standsFor(newer: AsideEntry, older: AsideEntry): boolean {
  const clusterId = older.identity?.clusterId ?? null;
  return (
    clusterId !== null &&
    older.at !== '' &&
    newer.at > older.at &&
    newer.identity?.clusterId === clusterId &&
    newer.identity.damaged !== true &&
    newer.reason !== 'damaged-data'
  );
}
