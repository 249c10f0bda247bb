import type { UpgradeMember, UpgradeObservation } from './upgrade.ts';
import { compareVersions, minorAbove, minorOf, minorsBetween, pickVersion } from './versions.ts';

/** A member that would step, and to which of its binaries. */
export interface Candidate {
  readonly member: UpgradeMember;
  readonly from: string;
  readonly to: string;
}

/** What there is to do: one minor up or down, by all that aim beyond, or newer patches of the minor that all run. */
export interface Work {
  readonly kind: 'up' | 'down' | 'patch';
  /** Minors; the same for patches. */
  readonly from: string;
  readonly to: string;
  /** Whom it is about, in the order in which they step. */
  readonly candidates: readonly Candidate[];
}

/** What there is to do, nothing, or why that cannot be told. */
export type WorkView =
  | { readonly kind: 'work'; readonly work: Work }
  | { readonly kind: 'nothing' }
  /** All run the minor, and etcd has not raised the cluster's version to it yet. */
  | { readonly kind: 'settling'; readonly minor: string }
  /** Members two minors apart: nothing is moved beside them. */
  | { readonly kind: 'apart'; readonly lowest: string; readonly highest: string }
  | { readonly kind: 'unknown'; readonly why: string };

/**
 * What there is to do. Each minor is finished by all before the next begins, and etcd has to say so by the cluster's
 * version. Only an operator goes down.
 */
export function workOf(seen: UpgradeObservation): WorkView {
  const { versions: own, record } = seen;
  if (!record.known) return { kind: 'unknown', why: record.reason };
  if (!own.known) return { kind: 'unknown', why: own.reason };
  const silent = seen.members.find((it) => it.version === null);
  if (silent !== undefined || seen.members.length === 0)
    return { kind: 'unknown', why: `${silent?.name ?? 'nobody'} does not say which etcd it runs` };
  const versions = seen.members.map((it) => it.version ?? '').toSorted(compareVersions);
  const [lowest, highest] = [minorOf(versions[0] ?? ''), minorOf(versions.at(-1) ?? '')];
  const apart = minorsBetween(lowest, highest);
  if (apart === null || apart > 1) return { kind: 'apart', lowest, highest };
  const { to } = record.value;
  const down = to !== null && compareVersions(minorOf(to), highest) < 0;
  if (down) return workDown(seen, lowest, highest);
  const cluster = minorOf(own.value.cluster);
  if (apart === 0 && cluster !== lowest) return { kind: 'settling', minor: lowest };
  return workUp(seen, lowest, apart === 0 ? minorAbove(lowest, 1) : highest, to);
}

function workDown(seen: UpgradeObservation, lowest: string, highest: string): WorkView {
  const to = lowest === highest ? minorAbove(highest, -1) : lowest;
  const candidates = seen.members
    .filter((it) => minorOf(it.version ?? '') === highest)
    .map((member) => ({ member, from: member.version ?? '', to: binaryOf(member, to) ?? to }));
  return { kind: 'work', work: { kind: 'down', from: highest, to, candidates: inOrder(seen, candidates) } };
}

function workUp(seen: UpgradeObservation, lowest: string, next: string, order: string | null): WorkView {
  const aiming = seen.members.flatMap((member) => {
    const aim = aimOf(member, order);
    return aim === null ? [] : [{ member, aim, from: member.version ?? '' }];
  });
  const up = aiming
    .filter(({ from, aim }) => minorOf(from) === lowest && compareVersions(aim.minor, next) >= 0)
    .map(({ member, aim, from }) => {
      const to = aim.minor === next ? aim.version : binaryOf(member, next);
      return { member, from, to: to ?? next };
    });
  const patches = aiming.flatMap(({ member, aim, from }) => {
    // On the way to another minor, the newest patch of this one comes first.
    const to = aim.minor === minorOf(from) ? aim.version : binaryOf(member, minorOf(from));
    const behind = to !== null && compareVersions(aim.minor, minorOf(from)) >= 0;
    return behind && compareVersions(to, from) > 0 ? [{ member, from, to }] : [];
  });
  const begun = seen.members.some((it) => minorOf(it.version ?? '') === next);
  if (up.length > 0 && (begun || patches.length === 0))
    return { kind: 'work', work: { kind: 'up', from: lowest, to: next, candidates: inOrder(seen, up) } };
  if (patches.length === 0) return { kind: 'nothing' };
  return {
    kind: 'work',
    work: { kind: 'patch', from: lowest, to: lowest, candidates: inOrder(seen, patches) },
  };
}

/** What a member's instance aims at: a minor, and the binary of it that would run in the end. Null: it does not tell. */
function aimOf(
  { answer }: UpgradeMember,
  order: string | null,
): { readonly minor: string; readonly version: string | null } | null {
  if (!answer.known) return null;
  const { installed, wanted } = answer.value;
  const wish = order ?? wanted;
  const version = pickVersion(installed, wish);
  if (wish !== null) return { minor: minorOf(wish), version };
  return version === null ? null : { minor: minorOf(version), version };
}

function binaryOf({ answer }: UpgradeMember, minor: string): string | null {
  return answer.known ? pickVersion(answer.value.installed, minor) : null;
}

/** Followers first, those furthest from the end first among them; the leader last. */
function inOrder(seen: UpgradeObservation, candidates: readonly Candidate[]): readonly Candidate[] {
  const rank = ({ member }: Candidate): number => (member.id === seen.leaderId ? 1 : 0);
  return candidates.toSorted(
    (a, b) => rank(a) - rank(b) || compareVersions(a.from, b.from) || (a.member.id < b.member.id ? -1 : 1),
  );
}
