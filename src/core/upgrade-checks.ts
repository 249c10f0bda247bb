import { CLOSE_ENTRIES, UPGRADE_NAMES_WAIT_MS, UPGRADE_PAIR_WAIT_MS } from './numbers.ts';
import { isTakenBack } from './upgrade-downgrade.ts';
import { edgeUp, hasWayDown, isBadRelease, whyNotSteppedTo } from './upgrade-edges.ts';
import type { Edge } from './upgrade-edges.ts';
import type { Check, CheckCode, Misnamed, UpgradeMember, UpgradeObservation } from './upgrade.ts';
import type { Work } from './upgrade-work.ts';
import { compareVersions, minorAbove, minorOf, pickVersion } from './versions.ts';

/** Free disk that a step needs beside the size of the database again. */
const LEAST_FREE_BYTES = 256 * 1024 * 1024;

/**
 * The preflight of a step: each line is one thing that killed a cluster, or lost its data, where nobody looked. Those that
 * etcd demands of this very way only stand where they are asked.
 */
export function checksOf(seen: UpgradeObservation, work: Work): readonly Check[] {
  // No way up is what a patch and a way down are.
  const edge = edgeUp(work.from, work.to);
  return [
    silent(seen),
    unstarted(seen),
    learners(seen),
    unhealthy(seen),
    alarms(seen),
    ...(work.kind === 'patch' ? [] : [lacks(seen, work)]),
    release(seen, work, edge),
    ...(edge === null ? [] : ofEdge(seen, work, edge)),
    disk(seen),
  ];
}

function ofEdge(seen: UpgradeObservation, work: Work, edge: Edge): readonly Check[] {
  return [
    patch(seen, edge),
    ...(edge.withoutAuth ? [auth(seen, work)] : []),
    ...(edge.withoutV2 ? [v2(seen, work)] : []),
    ...(edge.needsSnapshot ? [snapshots(seen, work)] : []),
  ];
}

function check(code: CheckCode, troubles: readonly string[], fine: string): Check {
  return { code, ok: troubles.length === 0, sentence: troubles.length === 0 ? fine : troubles.join('; ') };
}

function barred(code: CheckCode, sentence: string): Check {
  return { code, ok: false, sentence };
}

function silent({ members }: UpgradeObservation): Check {
  const troubles = members.flatMap(({ name, answer }) => {
    if (!answer.known) return [`the appliance of ${name} does not say what it has: ${answer.reason}`];
    const { instanceId } = answer.value;
    return instanceId === name ? [] : [`${instanceId} answers in the place of ${name}`];
  });
  return check('upgrade-silent', troubles, 'every appliance says what it has');
}

function unstarted({ members }: UpgradeObservation): Check {
  const troubles = members
    .filter((it) => !it.started)
    .map((it) => `member ${it.id} has never started: it keeps etcd from the next version`);
  return check('upgrade-unstarted', troubles, 'every member has started');
}

function learners({ members }: UpgradeObservation): Check {
  const troubles = members
    .filter((it) => it.learner)
    .map((it) => `${it.name} is a learner: it becomes a voter first`);
  return check('upgrade-learner', troubles, 'no member is a learner');
}

/** Another member's restart costs quorum, or all that is left of its reserve, where one is away already. */
function unhealthy({ members, leaderId, pairForMs = null, misnamed = null }: UpgradeObservation): Check {
  const leader = members.find((it) => it.id === leaderId);
  const troubles = members.flatMap((it) => {
    if (it.learner) return [];
    if (it.unhealthy !== null) return [`${it.name} is not well: ${it.unhealthy}`];
    const lag = leader === undefined ? 0 : leader.appliedIndex - it.appliedIndex;
    return lag > CLOSE_ENTRIES ? [`${it.name} is ${lag} entries behind the leader`] : [];
  });
  const alone = leader === undefined ? ['no member leads'] : [];
  // Two may be all that there ever are.
  const pair =
    pairForMs !== null && pairForMs < UPGRADE_PAIR_WAIT_MS
      ? [
          `two voters are left, and while one of them steps nothing can be written: waits up to ${UPGRADE_PAIR_WAIT_MS / 1_000} s for a third`,
        ]
      : [];
  return check(
    'upgrade-unhealthy',
    [...troubles, ...alone, ...pair, ...wrongNames(misnamed)],
    'every voter is well',
  );
}

/** Names stay as they are during a step, and one on a large database takes minutes: before it, they get a moment to be right. */
function wrongNames(misnamed: Misnamed | null): readonly string[] {
  if (misnamed === null || misnamed.forMs >= UPGRADE_NAMES_WAIT_MS) return [];
  const { unnamed, gone } = misnamed;
  const wait = `and no name changes during a step: waits up to ${UPGRADE_NAMES_WAIT_MS / 1_000} s for that`;
  return [
    ...(unnamed.length > 0 ? [`clients are not sent to ${unnamed.join(' and ')} yet, ${wait}`] : []),
    ...(gone.length > 0
      ? [`clients are still sent to ${gone.join(' and ')}, no member any more, ${wait}`]
      : []),
  ];
}

function alarms({ alarms: raised }: UpgradeObservation): Check {
  const troubles = raised.known
    ? raised.value.map((it) => `alarm ${it.alarm} is raised: mend its cause and disarm it first`)
    : [`the alarms are not known: ${raised.reason}`];
  return check('upgrade-alarm', troubles, 'no alarm is raised');
}

/** Each minor is finished by all before the next begins; so all must be able to. */
function lacks(seen: UpgradeObservation, work: Work): Check {
  const troubles = lacking(seen, work).map(({ name, installed }) => {
    const have = installed.join(', ') || 'none';
    return `the image of ${name} has no etcd ${work.to} (it has ${have}): replace it by one that has`;
  });
  return check('upgrade-lacks', troubles, `every image has etcd ${work.to}`);
}

/** Whose image has no etcd of the minor that all go to, as they say themselves, and which it has instead. */
export function lacking(
  { members }: Pick<UpgradeObservation, 'members'>,
  { to }: Pick<Work, 'to'>,
): readonly { readonly name: string; readonly installed: readonly string[] }[] {
  return members.flatMap(({ name, answer }) => {
    if (!answer.known || pickVersion(answer.value.installed, to) !== null) return [];
    return [{ name, installed: answer.value.installed }];
  });
}

function release(seen: UpgradeObservation, work: Work, edge: Edge | null): Check {
  const { candidates, kind, from, to } = work;
  if (kind === 'up' && edge === null)
    return barred('upgrade-release', `nothing is known of the way from etcd ${from} to ${to}`);
  const noWay = kind === 'down' ? whyNoWayDown(seen, work) : null;
  if (noWay !== null) return barred('upgrade-release', noWay);
  // What is stepped down to has to be able to step up again.
  const least = kind === 'down' ? edgeUp(to, from)?.leastFrom : edge?.leastTo;
  const troubles = candidates.flatMap((it) => {
    // Its image has none of that minor, as another line says.
    if (it.to === to) return [];
    if (least !== undefined && !isBadRelease(it.to) && compareVersions(it.to, least) < 0)
      return [`etcd ${it.to} is too old to be stepped to from ${from}: it takes ${least}`];
    const why = whyNotSteppedTo(it.to);
    return why === null ? [] : [`etcd ${it.to} ${why}`];
  });
  return check('upgrade-release', [...new Set(troubles)], `${versionsOf(candidates)} may be stepped to`);
}

/** Null: etcd has a way down all that was ordered; or it is only taken back what not all have done, and the cluster has not. */
function whyNoWayDown(seen: UpgradeObservation, { from, to }: Work): string | null {
  const order = minorOf((seen.record.known ? seen.record.value.to : null) ?? to);
  if (hasWayDown(minorAbove(order, 1)) || (order === to && isTakenBack(seen, to))) return null;
  return `etcd has no way from ${from} down to ${order}: withdraw the order, or restore a backup`;
}

function versionsOf(candidates: Work['candidates']): string {
  return [...new Set(candidates.map((it) => it.to))].sort(compareVersions).join(', ');
}

function patch({ members }: UpgradeObservation, { leastFrom }: Edge): Check {
  const troubles = members.flatMap((it) =>
    it.version === null || compareVersions(it.version, leastFrom) >= 0
      ? []
      : [`${it.name} runs etcd ${it.version}, and must run ${leastFrom} first`],
  );
  return check('upgrade-patch', troubles, `no member runs less than etcd ${leastFrom}`);
}

function auth({ auth: enabled }: UpgradeObservation, { from, to }: Work): Check {
  const troubles = !enabled.known
    ? [`whether authentication is on is not known: ${enabled.reason}`]
    : enabled.value
      ? [`authentication is on: members of ${from} and ${to} do not take each other's tokens; switch it off`]
      : [];
  return check('upgrade-auth', troubles, 'authentication is off');
}

/** Members that still run the old minor: of those that stepped, it held before. */
function behind({ members }: UpgradeObservation, { from }: Work): readonly UpgradeMember[] {
  return members.filter((it) => it.version === null || minorOf(it.version) === from);
}

function v2(seen: UpgradeObservation, work: Work): Check {
  const troubles = behind(seen, work).flatMap((it) => {
    if (!it.answer.known) return [];
    const found = it.answer.value.v2;
    if (!found.known)
      return [`whether the data of ${it.name} hold anything of the old API is not known: ${found.reason}`];
    if (found.value === 'store')
      return [`the data of ${it.name} hold keys of the old API, which etcd ${work.to} dies of: delete them`];
    return found.value === 'wal-requests'
      ? [
          `the log of ${it.name} holds requests of the old API, which etcd ${work.to} dies of${tooLow(it, work)}`,
        ]
      : [];
  });
  return check('upgrade-v2', troubles, 'no data hold anything of the old API');
}

/** Who takes no part is not mended by itself either. */
function tooLow(member: UpgradeMember, { candidates, to }: Work): string {
  return candidates.some((it) => it.member.id === member.id) ? '' : `: have its instance aim at ${to}, too`;
}

function snapshots(seen: UpgradeObservation, work: Work): Check {
  const troubles = behind(seen, work).flatMap((it) => {
    if (!it.answer.known) return [];
    const { replay } = it.answer.value;
    if (!replay.known) return [`what the log of ${it.name} holds is not known: ${replay.reason}`];
    return replay.value.lastV2Index === null
      ? []
      : [
          `the log of ${it.name} goes back to before etcd ${work.from}, and etcd ${work.to} dies of such entries${tooLow(it, work)}`,
        ];
  });
  return check('upgrade-snapshot', troubles, `no log goes back to before etcd ${work.from}`);
}

function disk({ members }: UpgradeObservation): Check {
  const troubles = members.flatMap((it) => {
    const free = it.answer.known ? it.answer.value.freeBytes : null;
    if (free === null) return [];
    if (!free.known) return [`how much disk ${it.name} has left is not known: ${free.reason}`];
    const needed = it.dbSizeBytes + LEAST_FREE_BYTES;
    return free.value >= needed
      ? []
      : [`the disk of ${it.name} has ${megabytes(free.value)} left, and a step needs ${megabytes(needed)}`];
  });
  return check('upgrade-disk', troubles, 'every disk has room');
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 / 1024)} MB`;
}
