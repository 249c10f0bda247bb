import type { EtcdExit } from '../../../src/core/local-data.ts';
import type { MemberVersions } from '../../../src/core/members.ts';
import { compareVersions, minorAbove, minorOf } from '../../../src/core/versions.ts';
import type { DowngradeAction } from '../../../src/daemon/ports.ts';
import type { EtcdFiles, OddEntry } from './files.ts';
import { formOf, takeSnapshot } from './files.ts';
import { isLinked, isOlder, peerOf } from './links.ts';
import type { EtcdNode, Etcds } from './node.ts';
import { isAwake } from './node.ts';
import { append } from './replication.ts';
import type { Change, Form, Refusal } from './state.ts';
import { TOO_OLD, whyTooOld } from './too-old.ts';

/*
 * What etcd makes of versions: the cluster's, the data's, and what a version cannot read. Measured with 3.4 to 3.7
 * (test/upgrade-lab, test/contract/etcd-versions.test.ts).
 */

/** The leader looks at all members' versions this often, and each member at its data's; ms. */
const LOOK_MS = 4_000;
/** A new leader looks as soon as it has committed something. */
const FIRST_LOOK_MS = 30;
/** What a young cluster is called until its leader has reached every member. */
const UNDECIDED = '3.0.0';

/** How a version writes its own changes. */
export function ownForm(version: string): Form {
  return isOlder(version, '3.6') ? 'v2' : 'v3';
}

/** Entries after which a version takes a snapshot by itself. */
export function snapshotCountOf(version: string): number {
  return isOlder(version, '3.6') ? 100_000 : 10_000;
}

/** What a version says as it dies of an entry; null: it can read it. */
function whyUnreadable(version: string, form: OddEntry['form']): string | null {
  if (form === 'v3') return isOlder(version, '3.5') ? 'panic: not implemented' : null;
  if (!isOlder(version, '3.7'))
    return 'panic: unmarshal should never fail (proto: cannot parse invalid wire-format data)';
  return form === 'request' && !isOlder(version, '3.6')
    ? 'panic: detected disallowed v2 WAL for stage --v2-deprecation=write-only'
    : null;
}

/** How a member dies of an entry that it is about to apply; null: it lives. */
export function whyDies({ process, files }: EtcdNode, change: Change): Partial<EtcdExit> | null {
  const form = formOf(change);
  const words = form === null ? null : whyUnreadable(process.version, form);
  if (words !== null) return { code: 2, lastWords: words };
  return change.kind === 'version' ? whyTooOld(process.version, change.version, files.state.downgrade) : null;
}

/** What keeps a version from running on these data; null: nothing. */
export function whyNotRun(version: string, files: EtcdFiles): Partial<EtcdExit> | null {
  const { storage, state } = files;
  if (!isOlder(version, '3.6') && storage !== null && isOlder(version, minorOf(storage)))
    return { code: 1, saysTooOld: true, lastWords: `version "${storage}" is not supported` };
  if (state.clusterVersion !== null && isOlder(version, minorOf(state.clusterVersion))) return TOO_OLD;
  for (const { form } of files.odd) {
    const words = whyUnreadable(version, form);
    if (words !== null) return { code: 2, lastWords: words };
  }
  return null;
}

/** A joiner ends so, too, where those that it reaches had no leader yet, who would have told them the cluster's version. */
export const OF_NO_VERSION = 'incompatible with current running cluster, whose version nobody says';

/** What keeps an empty member of a version out, by what those that it asks say; null: nothing. */
export function whyNotJoined(version: string, told: readonly EtcdFiles[]): string | null {
  const versions = told.flatMap(({ state }) => (state.clusterVersion === null ? [] : [state.clusterVersion]));
  const lowering = !isOlder(version, '3.5') && told.some(({ state }) => state.downgrade !== null);
  const fits = (cluster: string): boolean =>
    lowering ? minorOf(cluster) === minorAbove(version, 1) : !isOlder(version, minorOf(cluster));
  if (versions.length === 0) return OF_NO_VERSION;
  return versions.every(fits) ? null : 'incompatible with current running cluster';
}

/** After an entry was applied: a snapshot where it is due, or where the cluster went down a version (since 3.6). */
export function noteVersion({ process, files }: EtcdNode, before: string | null): void {
  const { index, clusterVersion } = files.state;
  const isLower =
    clusterVersion !== before &&
    before !== null &&
    clusterVersion !== null &&
    compareVersions(clusterVersion, before) < 0;
  if ((isLower && !isOlder(process.version, '3.6')) || index - files.replayedFrom > process.snapshotCount)
    takeSnapshot(files);
}

/** What a member says of versions; null: it does not know the cluster's yet. */
export function versionsOf({ process, files }: EtcdNode): MemberVersions | null {
  const { clusterVersion, downgrade } = files.state;
  if (clusterVersion === null) return null;
  const tells = !isOlder(process.version, '3.6');
  return {
    server: process.version,
    cluster: clusterVersion,
    storage: tells ? (files.storage ?? '3.5.0') : null,
    downgradeTarget: tells ? downgrade : null,
  };
}

/** Why a member does not take a downgrade's step; null: it does. */
export function whyNotLowered(
  { process, files }: EtcdNode,
  action: DowngradeAction,
  version: string,
): Refusal | null {
  const { clusterVersion, downgrade } = files.state;
  // 3.5 knows it, and how real ones of it do it is not modelled but for this one question.
  if (isOlder(process.version, action === 'validate' ? '3.5' : '3.6'))
    return refusal('unknown method Downgrade');
  if (action === 'cancel') return null;
  if (clusterVersion === null || minorOf(version) !== minorAbove(clusterVersion, -1))
    return refusal('invalid downgrade target version');
  if (downgrade === null) return null;
  return { code: 'downgrade-in-progress', message: 'etcdserver: cluster has a downgrade job in progress' };
}

function refusal(words: string): Refusal {
  return { code: 'other', message: `etcdserver: ${words}` };
}

/** Sees to it that a leader decides on the cluster's version, and each member on its data's, in their time. */
export function keepVersions(etcds: Etcds, node: EtcdNode): void {
  if (node.role === 'leader' && node.versionLook === null && nextChange(etcds, node) !== null) {
    const isNew = node.files.state.clusterVersion === null;
    const ms = isNew ? etcds.random.int(1, FIRST_LOOK_MS) : etcds.random.int(1, LOOK_MS);
    node.versionLook = etcds.clock.after(ms, () => {
      node.versionLook = null;
      if (!isAwake(node) || node.role !== 'leader') return;
      const change = nextChange(etcds, node);
      if (change !== null) append(etcds, node, change, 0, '');
    });
  }
  if (node.storageLook !== null || !isStorageBehind(node)) return;
  node.storageLook = etcds.clock.after(etcds.random.int(1, LOOK_MS), () => {
    node.storageLook = null;
    if (isAwake(node) && isStorageBehind(node)) node.files.storage = node.files.state.clusterVersion;
  });
}

function isStorageBehind({ process, files }: EtcdNode): boolean {
  const { clusterVersion } = files.state;
  if (clusterVersion === null || isOlder(process.version, '3.6')) return false;
  // Before 3.5 the schema has no version.
  if (isOlder(clusterVersion, '3.5')) return false;
  return (files.storage ?? '3.5.0') !== clusterVersion;
}

/** What the leader would write now: a version that all run, where a downgrade leads, or that it is over; null: nothing. */
function nextChange(etcds: Etcds, leader: EtcdNode): Change | null {
  const { process, files } = leader;
  const { clusterVersion, downgrade } = files.state;
  const form = ownForm(process.version);
  const run = minorsRun(etcds, leader);
  if (clusterVersion === null)
    return { kind: 'version', version: run === null ? UNDECIDED : `${run.least}.0`, form };
  if (run === null) return null;
  if (downgrade !== null) {
    if (clusterVersion !== downgrade) return { kind: 'version', version: downgrade, form };
    return run.most === minorOf(downgrade) ? { kind: 'downgrade', target: null } : null;
  }
  return compareVersions(clusterVersion, run.least) < 0
    ? { kind: 'version', version: `${run.least}.0`, form }
    : null;
}

/** Of the minors that all members run, learners among them, the least and the greatest; null: not all are reached. */
function minorsRun(etcds: Etcds, leader: EtcdNode): { readonly least: string; readonly most: string } | null {
  let least = minorOf(leader.process.version);
  let most = least;
  for (const id of leader.files.state.members.keys()) {
    const peer = peerOf(etcds, leader, id);
    if (peer === null || !isLinked(etcds, leader, peer)) return null;
    if (peer.process.version === leader.process.version) continue;
    const minor = minorOf(peer.process.version);
    if (compareVersions(minor, least) < 0) least = minor;
    if (compareVersions(minor, most) > 0) most = minor;
  }
  return { least, most };
}
