import { legsTo } from './order-way.ts';
import type { Leg } from './order-way.ts';
import { whyNotSteppedTo } from './upgrade-edges.ts';
import type { UpgradeAnswer, UpgradeMember, UpgradeObservation } from './upgrade.ts';
import { compareVersions, minorOf, pickVersion } from './versions.ts';

/** An instance whose image has to be another. */
export interface Lack {
  readonly name: string;
  /** What it lacks, and what it has; a clause. */
  readonly sentence: string;
}

/**
 * Whose images lack what an order takes: every minor on the way, of a patch that may be stepped to and on from, and the very
 * version where one was named. Who does not answer is left out: see `silentIn`.
 */
export function lackingOf({ members }: UpgradeObservation, order: string): readonly Lack[] {
  return lackingFor(members, () => order);
}

/**
 * Whose images lack what is wished now: the order where there is one, else what its own `ETCD_VERSION` says, and the highest
 * minor that any member aims at, to which nobody steps beside an image without it.
 */
export function lackingNow(seen: UpgradeObservation): readonly Lack[] {
  const order = seen.record.known ? seen.record.value.to : null;
  if (order !== null) return lackingOf(seen, order);
  const aims = seen.members.flatMap((it) => {
    const answer = ownAnswer(it);
    const aim = answer === null ? null : (answer.wanted ?? pickVersion(answer.installed, null));
    return aim === null ? [] : [minorOf(aim)];
  });
  const top = aims.toSorted(compareVersions).at(-1);
  return lackingFor(seen.members, ({ wanted }, runs) => goalOf(wanted, top ?? null, runs));
}

/** `goalOf`: what an instance is to come to, of its answer and what its member runs; null: nothing. */
function lackingFor(
  members: readonly UpgradeMember[],
  goalOf: (answer: UpgradeAnswer, runs: string | null) => string | null,
): readonly Lack[] {
  const ways = members.flatMap((member): readonly Way[] => {
    const answer = ownAnswer(member);
    if (answer === null) return [];
    const goal = goalOf(answer, member.version);
    if (goal === null) return [];
    const legs = member.version === null ? [] : (legsTo(member.version, goal) ?? []);
    return [{ member, installed: answer.installed, goal, legs }];
  });
  const rounds = new Set(ways.flatMap(({ legs }) => legs.map((it) => it.to)));
  return ways.flatMap((way) => lackIn(way, rounds));
}

/** What an instance is to come to, by which way, and with which etcds. */
interface Way {
  readonly member: UpgradeMember;
  readonly installed: readonly string[];
  readonly goal: string;
  /** Empty, too, where nobody knows what its member runs. */
  readonly legs: readonly Leg[];
}

/** Of whose images nothing is known, as a clause each: they may lack everything. */
export function silentIn({ members }: UpgradeObservation): readonly string[] {
  return members.flatMap(({ name, answer }) => {
    if (!answer.known) return [`what the image of ${name} has is not known: ${answer.reason}`];
    const { instanceId } = answer.value;
    return instanceId === name ? [] : [`${instanceId} answers in the place of ${name}`];
  });
}

function ownAnswer({ name, answer }: UpgradeMember): UpgradeAnswer | null {
  return answer.known && answer.value.instanceId === name ? answer.value : null;
}

/** Only an order leads down. */
function goalOf(wanted: string | null, top: string | null, runs: string | null): string | null {
  const own = runs === null ? [] : [minorOf(runs)];
  const minor = [...(top === null ? [] : [top]), ...own].toSorted(compareVersions).at(-1) ?? null;
  return wanted !== null && minorOf(wanted) === minor ? wanted : minor;
}

function lackIn(way: Way, rounds: ReadonlySet<string>): readonly Lack[] {
  const { member, installed } = way;
  const missing = missingOnWay(way, rounds);
  if (missing.length === 0) return [];
  const have = [...installed].sort(compareVersions).join(', ') || 'none';
  const { name } = member;
  return [
    { name, sentence: `the image of ${name} has no etcd ${missing.join(' and no ')} (it has ${have})` },
  ];
}

function missingOnWay(
  { member, installed, goal, legs }: Way,
  rounds: ReadonlySet<string>,
): readonly string[] {
  const { version } = member;
  const [first] = legs;
  if (version === null || first === undefined) return missingAtEnd(installed, version, goal);
  const own = minorOf(version);
  return [
    // Nobody else steps to it beside an image that has none of it.
    ...(rounds.has(own) ? missingAt(installed, own, null) : []),
    ...missingToLeave(installed, version, first.leastFrom),
    ...legs.flatMap(({ wish, leastTo }, index) =>
      missingAt(installed, wish, later(leastTo, legs[index + 1]?.leastFrom ?? null)),
    ),
  ];
}

/** Where no other minor is to be stepped to. */
function missingAtEnd(installed: readonly string[], version: string | null, goal: string): readonly string[] {
  const found = pickVersion(installed, goal);
  const steps = version !== null && found !== null && compareVersions(found, version) > 0;
  return steps && found !== goal && whyNotSteppedTo(found) !== null
    ? [sound(goal)]
    : missingAt(installed, goal, null);
}

/** A patch of the own minor comes first, where the image has a newer one. */
function missingToLeave(
  installed: readonly string[],
  version: string,
  least: string | null,
): readonly string[] {
  const patch = pickVersion(installed, minorOf(version));
  const leaves = patch === null || whyNotSteppedTo(patch) !== null ? version : later(patch, version);
  return isBelow(leaves, least) ? [`${minorOf(version)} of at least ${least}`] : [];
}

/** What of a version or a minor is missing; `least`: the least patch of it that will do. */
function missingAt(installed: readonly string[], wish: string, least: string | null): readonly string[] {
  const found = pickVersion(installed, wish);
  const isMinor = minorOf(wish) === wish;
  if (found === null || (!isMinor && found !== wish)) return [wish];
  if (isBelow(found, least)) return [`${minorOf(wish)} of at least ${least}`];
  return least !== null && whyNotSteppedTo(found) !== null ? [sound(wish)] : [];
}

function sound(wish: string): string {
  return `${minorOf(wish)} that loses no data`;
}

function isBelow(version: string | null, least: string | null): boolean {
  return version !== null && least !== null && compareVersions(version, least) < 0;
}

function later(one: string | null, other: string | null): string | null {
  return isBelow(one, other) ? other : (one ?? other);
}
