import type { UpgradeMember, UpgradeObservation } from './upgrade.ts';
import { edgeUp, whyNotSteppedTo } from './upgrade-edges.ts';
import type { Edge } from './upgrade-edges.ts';
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
  /** Nobody is to step, though not all run what their instances aim at. */
  | { readonly kind: 'held'; readonly why: string }
  /** Nobody runs less than the minor, and etcd has not raised the cluster's version to it yet. */
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
  if (seen.members.length === 0) return { kind: 'unknown', why: 'no member is known' };
  const silent = seen.members.find((it) => it.version === null);
  if (silent !== undefined) return { kind: 'unknown', why: whySilent(silent) };
  const versions = seen.members.map(versionOf).toSorted(compareVersions);
  const [lowest, highest] = [minorOf(versions[0] ?? ''), minorOf(versions.at(-1) ?? '')];
  const apart = minorsBetween(lowest, highest);
  if (apart === null || apart > 1) return { kind: 'apart', lowest, highest };
  const { to } = record.value;
  if (to !== null && compareVersions(minorOf(to), highest) < 0) return workDown(seen, highest, to);
  if (minorOf(own.value.cluster) !== lowest) return { kind: 'settling', minor: lowest };
  return workUp(seen, lowest, minorAbove(lowest, 1), to);
}

function whySilent({ id, name, started }: UpgradeMember): string {
  return started
    ? `${name} does not say which etcd it runs: it has to answer, or to be replaced`
    : `member ${id} has never started, and etcd goes to no other version beside it: start it, or remove it`;
}

/** Asked only once every member has said it. */
function versionOf({ version }: UpgradeMember): string {
  return version ?? '';
}

function workDown(seen: UpgradeObservation, highest: string, order: string): WorkView {
  const to = minorAbove(highest, -1);
  const wish = minorOf(order) === to ? order : to;
  const candidates = seen.members
    .filter((it) => minorOf(versionOf(it)) === highest)
    .map((member) => ({ member, from: versionOf(member), to: binaryOf(member, wish) ?? to }));
  return { kind: 'work', work: { kind: 'down', from: highest, to, candidates: inOrder(seen, candidates) } };
}

/** A member whose instance says what it aims at. */
interface Aiming extends Pick<Candidate, 'member' | 'from'> {
  readonly aim: Aim;
}

function workUp(seen: UpgradeObservation, lowest: string, next: string, order: string | null): WorkView {
  const aiming = seen.members.flatMap((member): readonly Aiming[] => {
    const aim = aimOf(member, order);
    return aim === null ? [] : [{ member, aim, from: versionOf(member) }];
  });
  const up = aiming
    .filter(({ from, aim }) => minorOf(from) === lowest && compareVersions(aim.minor, next) >= 0)
    .map(({ member, aim, from }) => {
      const to = aim.minor === next ? aim.version : binaryOf(member, next);
      return { member, from, to: to ?? next };
    });
  const begun = seen.members.some((it) => minorOf(versionOf(it)) === next);
  const patches = aiming.flatMap(patchOf).filter(({ from }) => {
    // A round that has begun is ended first; but a member that may not take part in it has to be made able to.
    return up.length === 0 || !begun || isBelow(from, edgeUp(lowest, next));
  });
  if (patches.length > 0) {
    const minor = minorOf(patches[0]?.from ?? lowest);
    return workOn('patch', minor, minor, inOrder(seen, patches));
  }
  if (up.length > 0) return workOn('up', lowest, next, inOrder(seen, up));
  const held = seen.members.flatMap((it) => heldBack(seen, it, order));
  return held.length === 0 ? { kind: 'nothing' } : { kind: 'held', why: held.join('; ') };
}

function workOn(kind: Work['kind'], from: string, to: string, candidates: Work['candidates']): WorkView {
  return { kind: 'work', work: { kind, from, to, candidates } };
}

function isBelow(version: string, edge: Edge | null): boolean {
  return edge !== null && compareVersions(version, edge.leastFrom) < 0;
}

/** The newer patch of its own minor that a member steps to: the one it aims at, or, on its way to another minor, the newest. */
function patchOf({ member, aim, from }: Aiming): readonly Candidate[] {
  const beyond = compareVersions(aim.minor, minorOf(from));
  const to = beyond === 0 ? aim.version : binaryOf(member, minorOf(from));
  if (to === null || beyond < 0 || compareVersions(to, from) <= 0) return [];
  // A release that loses data is no stop on the way.
  return beyond > 0 && whyNotSteppedTo(to) !== null ? [] : [{ member, from, to }];
}

/** Why a member that is not to step does not run what its instance aims at; empty where it does. */
function heldBack(
  { members }: UpgradeObservation,
  member: UpgradeMember,
  order: string | null,
): readonly string[] {
  const { name, answer } = member;
  if (!answer.known) return [`the appliance of ${name} does not say what it aims at: ${answer.reason}`];
  const aim = aimOf(member, order);
  const runs = versionOf(member);
  if (aim === null) return [`the image of ${name} has no etcd at all: replace it`];
  const beyond = compareVersions(aim.minor, minorOf(runs));
  if (beyond > 0) {
    const others = members.filter((it) => compareVersions(minorOf(versionOf(it)), minorOf(runs)) < 0);
    return [
      `${name} aims at etcd ${aim.minor}, and ${namesOf(others)} at nothing above ${minorOf(versionOf(others[0] ?? member))}: aim all at the same`,
    ];
  }
  if (beyond < 0)
    return [`${name} runs etcd ${runs} and aims at ${aim.minor}: only an operator's order leads down`];
  if (aim.version === null)
    return [`the image of ${name} has no etcd ${aim.minor}, which it runs: replace it`];
  return compareVersions(aim.version, runs) < 0
    ? [`${name} aims at etcd ${aim.version}, and keeps the newer ${runs}`]
    : [];
}

function namesOf(members: readonly UpgradeMember[]): string {
  return members.map((it) => it.name).join(' and ');
}

/** What a member's instance aims at: a minor, and the binary of it that would run in the end; null: it has none. */
interface Aim {
  readonly minor: string;
  readonly version: string | null;
}

/** Null: the instance does not tell, or has no etcd and wishes for none. */
function aimOf({ answer }: UpgradeMember, order: string | null): Aim | null {
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
