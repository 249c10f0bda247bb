import type { Claim } from '../core/claim.ts';
import type { EtcdAtHand } from '../core/birth.ts';
import { foundingVersion } from '../core/birth-version.ts';
import type { JoinVersion } from '../core/join-version.ts';
import { joinVersion } from '../core/join-version.ts';
import type { Member, MemberList, MemberVersions } from '../core/members.ts';
import { addressOf, isStarted } from '../core/members.ts';
import type { StartObservation } from '../core/start.ts';
import { hidesDowngrade } from '../core/upgrade-edges.ts';
import { minorAbove, minorOf, pickVersion } from '../core/versions.ts';
import type { Context } from './context.ts';
import { etcdAtHand } from './etcd-at-hand.ts';
import { answersAsItself } from './look.ts';
import { readUpgradeRecord } from './upgrade-look.ts';
import { askWord } from './upgrade-word.ts';

/** What the choice of a binary rests on. */
interface Starting {
  readonly quorum: StartObservation['quorum'];
  /** The claim that stands, or is founded; null: there is none, or a member joins. */
  readonly claim: Claim | null;
}

/**
 * A member starts with the cluster's own minor when it joins, with its claim's at a birth, with its data's when it restarts,
 * and else with the configured one (design.md, "Which binary"): a newer one beside older members can kill them.
 */
export async function versionToStart(
  context: Context,
  { quorum, claim }: Starting,
  signal: AbortSignal,
): Promise<JoinVersion> {
  const etcd = await etcdAtHand(context, signal);
  const { installed } = etcd;
  if (quorum?.kind === 'answers') return await versionToJoin(context, etcd, quorum, signal);
  const { version, wish } = chooseAlone(etcd, claim, context.state.identity?.version ?? null);
  if (version !== null) return { kind: 'chosen', version };
  const have = installed.join(', ') || 'none';
  return { kind: 'missing', why: `no etcd ${wish} is installed; installed: ${have}` };
}

/** What starts where no cluster answers; `wish` says what was looked for. */
function chooseAlone(
  etcd: EtcdAtHand,
  claim: Claim | null,
  ofData: string | null,
): { readonly version: string | null; readonly wish: string } {
  const { installed, wanted } = etcd;
  // Founders start alike: what is configured here, or ran on data that are gone, may be another minor.
  if (claim?.state === 'forming' && claim.etcd !== null)
    return { version: foundingVersion(etcd, claim.etcd), wish: `${claim.etcd}, which the claim fixes,` };
  if (ofData !== null)
    return { version: pickVersion(installed, ofData), wish: `${ofData}, which the data are of,` };
  return {
    version: pickVersion(installed, wanted),
    wish: `${wanted ?? 'of any version'}, as is configured,`,
  };
}

/** Asks every started member what it runs, and the first that answers what the cluster runs at. */
async function versionToJoin(
  context: Context,
  { installed, wanted }: EtcdAtHand,
  { endpoint, list }: { readonly endpoint: string; readonly list: MemberList },
  signal: AbortSignal,
): Promise<JoinVersion> {
  const { members } = list;
  const answers = await askVersions(context, list, signal);
  const record = await readUpgradeRecord(context.ports, endpoint, signal);
  const hasOwn = answers.every((it) => pickVersion(installed, minorOf(it.cluster)) !== null);
  return joinVersion({
    oldApi: !hasOwn && (await mayHoldOldApi(context, members, signal)),
    installed,
    wanted: (record.known ? record.value.to : null) ?? wanted,
    clusterVersion: answers[0]?.cluster ?? null,
    running: answers.map((it) => it.server),
    started: members.filter(isStarted).length,
    downgrading:
      answers.some((it) => it.downgradeTarget !== null) ||
      (await hasHiddenDowngrade(context, endpoint, answers, signal)),
  });
}

/**
 * What the members that have started and answer say of versions. `/version` does not say whose it is: an answer counts only
 * where the status says that it is this very member's, as at a dead one's address another cluster's may answer.
 */
export async function askVersions(
  { ports: { admin } }: Context,
  { clusterId, members }: MemberList,
  signal: AbortSignal,
): Promise<readonly MemberVersions[]> {
  const ask = async ({ id, clientUrls: [url] }: Member): Promise<readonly MemberVersions[]> => {
    if (url === undefined) return [];
    const [told, status] = await Promise.all([admin.versions(url, signal), admin.status(url, signal)]);
    return told.known && answersAsItself({ id, status }, clusterId) ? [told.value] : [];
  };
  return (await Promise.all(members.map(ask))).flat();
}

/**
 * Whether a downgrade goes on of which nobody tells: all have stepped down, and etcd ends it some seconds later. Until then
 * it takes in nobody, and with a learner that it keeps out it would not end. Who is asked for another one refuses that.
 */
async function hasHiddenDowngrade(
  context: Context,
  endpoint: string,
  answers: readonly MemberVersions[],
  signal: AbortSignal,
): Promise<boolean> {
  const cluster = answers[0]?.cluster;
  if (cluster === undefined || !hidesDowngrade(minorOf(cluster))) return false;
  const { admin } = context.ports;
  const outcome = await admin.downgrade(endpoint, 'validate', minorAbove(cluster, -1), signal);
  return !outcome.ok && outcome.code === 'downgrade-in-progress';
}

/** Whether a member's data hold anything of etcd's old API, or its appliance does not say that they hold nothing. */
async function mayHoldOldApi(
  context: Context,
  members: readonly Member[],
  signal: AbortSignal,
): Promise<boolean> {
  const answers = await Promise.all(members.map((it) => askWord(context, addressOf(it), false, signal)));
  return answers.some((it) => !it.known || !it.value.v2.known || it.value.v2.value !== 'clean');
}
