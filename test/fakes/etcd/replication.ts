import { quorumOf } from '../../../src/core/members.ts';
import type { EtcdFiles, Entry } from './files.ts';
import { compact, cutAfter, lastIndex, nextToApply, termAt, write } from './files.ts';
import { drawMs } from './large.ts';
import { peerOf, sends } from './links.ts';
import type { EtcdNode, Etcds } from './node.ts';
import { isAwake } from './node.ts';
import type { Change } from './state.ts';
import { copyState, isConfChange } from './state.ts';
import { whyTooOld } from './too-old.ts';

/** From a proposal to the round that carries it: a flush, and the way to the others; ms. */
const ROUND_MS = 1;
/** So often is a follower a little late with new entries, and so late; ms. */
const LAG_CHANCE = 0.06;
const LAG_MS = [2, 60] as const;
/** More entries than a learner takes in one go, and how long it takes; ms. */
const MANY = 200;
const MANY_MS = [200, 2_500] as const;
/** How long a member takes that begins with nothing, or needs a snapshot; ms. */
const SEED_MS = [50, 3_000] as const;
/** Where a member is busy for longer than was said, as it was frozen meanwhile. */
const BUSY_LOOK_MS = 100;

/** Writes an entry to the leader's own log. A round carries it on. */
export function append(
  etcds: Etcds,
  leader: EtcdNode,
  change: Change,
  request: number,
  caller: string,
): void {
  const { files } = leader;
  // One change of the members at a time: another becomes an empty entry, and whoever asked for it waits in vain.
  const dropped = isConfChange(change) && hasUnappliedConfChange(files);
  const entry: Entry = {
    term: files.term,
    index: lastIndex(files) + 1,
    change: dropped ? { kind: 'noop' } : change,
    request: dropped ? 0 : request,
    caller,
  };
  write(files, [entry]);
  leader.cancelRound ??= etcds.clock.after(ROUND_MS, () => {
    leader.cancelRound = null;
    if (isAwake(leader)) replicate(etcds, leader);
  });
}

function hasUnappliedConfChange(files: EtcdFiles): boolean {
  for (let at = files.state.index - files.snapshotIndex; at < files.entries.length; at += 1) {
    const entry = files.entries[at];
    if (entry !== undefined && isConfChange(entry.change)) return true;
  }
  return false;
}

/** One round: the leader's log to everybody whom it reaches, and what is committed by that. */
export function replicate(etcds: Etcds, leader: EtcdNode): void {
  if (leader.role !== 'leader' || !isAwake(leader)) return;
  const reached: EtcdNode[] = [];
  let lateAt = Number.POSITIVE_INFINITY;
  for (const id of leader.files.state.members.keys()) {
    const peer = id === leader.files.memberId ? null : peerOf(etcds, leader, id);
    if (peer === null || !sends(etcds, leader, peer) || !listens(peer, leader)) continue;
    if (lags(etcds, leader, peer)) {
      lateAt = Math.min(lateAt, peer.lagsUntil);
      continue;
    }
    if (!deliver(etcds, leader, peer)) {
      if (isAwake(peer)) lateAt = Math.min(lateAt, peer.lagsUntil);
      continue;
    }
    reached.push(peer);
    if (sends(etcds, peer, leader)) leader.progress.set(id, lastIndex(peer.files));
  }
  commit(etcds, leader);
  for (const peer of reached) {
    const known = Math.min(leader.files.commit, lastIndex(peer.files));
    if (known > peer.files.commit) peer.files.commit = known;
    apply(etcds, peer);
  }
  if (lateAt === Number.POSITIVE_INFINITY || leader.cancelRound !== null) return;
  leader.cancelRound = etcds.clock.after(lateAt - etcds.clock.now(), () => {
    leader.cancelRound = null;
    replicate(etcds, leader);
  });
}

/** Whether it takes this leader's word: of its own term, and for nobody else's. */
function listens(peer: EtcdNode, leader: EtcdNode): boolean {
  return peer.leader === leader.files.memberId && peer.files.term === leader.files.term;
}

function lags(etcds: Etcds, leader: EtcdNode, peer: EtcdNode): boolean {
  const { clock, random } = etcds;
  const now = clock.now();
  if (peer.lagsUntil > now) return true;
  const wasLate = peer.lagsUntil > 0;
  peer.lagsUntil = 0;
  const last = lastIndex(peer.files);
  // A member whose removal it is hears of it with the round that commits it, or not at all.
  if (wasLate || last === lastIndex(leader.files) || hasUnappliedConfChange(leader.files)) return false;
  if (last === 0) peer.lagsUntil = now + seedMs(etcds, leader);
  else if (isLearner(peer) && lastIndex(leader.files) - last > MANY)
    peer.lagsUntil = now + random.int(...MANY_MS);
  else if (random.chance(LAG_CHANCE)) peer.lagsUntil = now + random.int(...LAG_MS);
  return peer.lagsUntil > 0;
}

function isLearner({ files }: EtcdNode): boolean {
  return files.state.members.get(files.memberId)?.learner ?? true;
}

/** Brings one log in line with the leader's. False: not now, or never, as the member has died of it. */
function deliver(etcds: Etcds, leader: EtcdNode, peer: EtcdNode): boolean {
  const [from, to] = [leader.files, peer.files];
  const known = Math.min(leader.progress.get(to.memberId) ?? 0, from.commit);
  if (known > lastIndex(to)) {
    // It has acknowledged more than it has: its disk was wiped, and it came back under its old id.
    panic(etcds, peer, `tocommit(${known}) is out of range [lastIndex(${lastIndex(to)})]`);
    return false;
  }
  const at = lastCommon(from, to);
  if (at === null) return seed(etcds, leader, peer);
  if (at < to.commit && at < lastIndex(from)) {
    panic(etcds, peer, `entry ${at + 1} conflict with committed entry`);
    return false;
  }
  if (at < lastIndex(from)) {
    cutAfter(to, at);
    write(to, from.entries.slice(at - from.snapshotIndex));
  }
  return true;
}

/** The last index at which both logs have the same term, so the same entries up to there; null: the leader has compacted it. */
function lastCommon(from: EtcdFiles, to: EtcdFiles): number | null {
  let at = Math.min(lastIndex(from), lastIndex(to));
  const lowest = Math.max(from.snapshotIndex, to.snapshotIndex);
  while (at > lowest && termAt(from, at) !== termAt(to, at)) at -= 1;
  // What the peer has compacted was committed, and so is the same in both; what the leader has, the peer may have otherwise.
  return at < from.snapshotIndex || termAt(from, at) !== termAt(to, at) ? null : at;
}

/** How long all that the leader has is on its way; ms. */
function seedMs({ random, large }: Etcds, leader: EtcdNode): number {
  return leader.files.state.bytes > 0 ? drawMs(random, large.transferMs) : random.int(...SEED_MS);
}

/** A snapshot takes its time; a large one takes more until it is in place, though it is on the disk by then. */
function seed(etcds: Etcds, leader: EtcdNode, peer: EtcdNode): boolean {
  const { clock, random, large } = etcds;
  // It puts one after the other in place.
  if (peer.process.busy !== null) {
    peer.lagsUntil = Math.max(peer.process.busy.until, clock.now() + BUSY_LOOK_MS);
    return false;
  }
  if (!peer.awaitsSnapshot && lastIndex(peer.files) > 0 && peer.lagsUntil === 0) {
    peer.awaitsSnapshot = true;
    peer.lagsUntil = clock.now() + seedMs(etcds, leader);
    return false;
  }
  const [from, to] = [leader.files, peer.files];
  peer.process.seeded = true;
  peer.awaitsSnapshot = false;
  to.snapshotIndex = from.state.index;
  to.snapshotTerm = termAt(from, from.state.index);
  to.entries = [];
  to.commit = from.state.index;
  to.state = copyState(from.state);
  to.replayedFrom = from.state.index;
  to.odd = [];
  to.storage = from.storage;
  peer.doomed ||= to.state.removed.has(to.memberId);
  write(to, from.entries.slice(from.state.index - from.snapshotIndex));
  const death = whyTooOld(peer.process.version, to.state.clusterVersion, to.state.downgrade);
  if (death !== null) etcds.end(peer.process, death);
  else if (to.state.bytes > 0) etcds.occupy(peer.process, 'restores', drawMs(random, large.restoreMs));
  return death === null;
}

/** What a majority of the voters has on disk, of the leader's own term, is committed. */
function commit(etcds: Etcds, leader: EtcdNode): void {
  const { files } = leader;
  for (;;) {
    const { voters } = files.state;
    const matches = voters
      .map((id) => (id === files.memberId ? lastIndex(files) : (leader.progress.get(id) ?? 0)))
      .sort((a, b) => b - a);
    const index = matches[quorumOf(voters.length) - 1] ?? 0;
    if (index <= files.commit || termAt(files, index) !== files.term) return;
    files.commit = index;
    // A change of the voters counts from here on.
    apply(etcds, leader);
  }
}

/** Applies what is committed. */
export function apply(etcds: Etcds, node: EtcdNode): void {
  const { files } = node;
  if (node.process.busy !== null) return;
  for (let entry = nextToApply(files); entry !== undefined; entry = nextToApply(files)) {
    etcds.apply(node, entry);
    // What it cannot read, it dies of.
    if (!node.process.alive) return;
  }
  compact(files);
}

function panic(etcds: Etcds, { process }: EtcdNode, words: string): void {
  etcds.end(process, { code: 2, lastWords: words });
}
