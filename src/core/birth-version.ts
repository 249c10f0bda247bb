import type { EtcdAtHand } from './birth.ts';
import { compareVersions, minorOf, pickVersion } from './versions.ts';

/** An instance that may found, with what it says of its etcd; null: its appliance is older than the word. */
export interface Equipped {
  readonly instanceId: string;
  readonly etcd: EtcdAtHand | null;
}

/** The minor that all founders start, or why there is none; `minor` null: not all say what they have, and each decides for itself. */
export type BirthVersion =
  | { readonly kind: 'chosen'; readonly minor: string | null }
  | { readonly kind: 'none'; readonly why: string };

/**
 * What the founders of a claim start: the lowest minor that one of them is to be born with and that all of them have. Two minors
 * beside each other at a birth kill members (3.6 kills 3.4), so the claim fixes one.
 */
export function birthVersion(founders: readonly Equipped[]): BirthVersion {
  const said = founders.flatMap(({ etcd }) => (etcd === null ? [] : [etcd]));
  if (said.length < founders.length) return { kind: 'chosen', minor: null };
  const targets = said.flatMap((it) => targetOf(it) ?? []).toSorted(compareVersions);
  const minor = targets.find((target) => said.every((it) => pickVersion(it.installed, target) !== null));
  if (minor !== undefined) return { kind: 'chosen', minor };
  const each = founders.map(({ instanceId, etcd }) => `${instanceId} ${describe(etcd)}`);
  return { kind: 'none', why: each.join(', ') };
}

/**
 * The most instances that have a minor in common which one of them is for, and that minor; of as many, those of the lowest.
 * Null: what any of them is for is on none of them, or one does not say what it has.
 */
export function largestShare<Instance extends Equipped>(
  instances: readonly Instance[],
): { readonly minor: string; readonly sharing: readonly Instance[] } | null {
  const said = instances.flatMap(({ etcd }) => (etcd === null ? [] : [etcd]));
  if (said.length < instances.length) return null;
  const shares = said
    .flatMap((it) => targetOf(it) ?? [])
    .toSorted(compareVersions)
    .map((minor) => ({
      minor,
      sharing: instances.filter(({ etcd }) => etcd !== null && pickVersion(etcd.installed, minor) !== null),
    }));
  const most = Math.max(0, ...shares.map((it) => it.sharing.length));
  return most === 0 ? null : (shares.find((it) => it.sharing.length === most) ?? null);
}

/** The binary that an instance founds with: the version that it wishes for where that is of the minor, else its newest of it. */
export function foundingVersion({ installed, wanted }: EtcdAtHand, minor: string): string | null {
  return pickVersion(installed, wanted !== null && minorOf(wanted) === minor ? wanted : minor);
}

/** The minor that an instance would be born with by itself; null: it has no etcd and wishes for none. */
function targetOf({ installed, wanted }: EtcdAtHand): string | null {
  const target = wanted ?? pickVersion(installed, null);
  return target === null ? null : minorOf(target);
}

function describe(etcd: EtcdAtHand | null): string {
  const have = etcd?.installed.join(' and ') ?? '';
  const wish = etcd?.wanted == null ? '' : ` and is to have ${etcd.wanted}`;
  return `has ${have === '' ? 'no etcd' : have}${wish}`;
}
