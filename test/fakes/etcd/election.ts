import { quorumOf } from '../../../src/core/members.ts';
import type { EtcdFiles } from './files.ts';
import { isAsNew, lastIndex } from './files.ts';
import { isLinked, linkedVoters, peerOf, sends } from './links.ts';
import type { EtcdNode, Etcds } from './node.ts';
import { isAwake } from './node.ts';
import { append, replicate } from './replication.ts';

/*
 * Elections as etcd has them with its pre-vote and its check of the quorum, which the appliance turns on for every
 * version. Heartbeats are not played: whoever comes, goes, freezes or is cut off makes the others look again, and from
 * then on the timeouts count.
 */

/** An election timeout of 10 ticks of 100 ms, randomized up to twice that. */
const ELECTION_MS = 1_000;
const LONGEST_MS = 1_900;
/** Ticks that etcd skips at its start, once two peers are connected. */
const HURRY_MS = 800;
const HURRY_WITHIN_MS = 5_000;

/** Whether a leader's heartbeats come, and what follows where they do not. */
export function hearLeader(etcds: Etcds, node: EtcdNode, nodes: readonly EtcdNode[]): void {
  if (node.role === 'leader') return;
  const leader = heardLeader(etcds, node, nodes);
  if (leader !== null) follow(etcds, node, leader);
  else loseLeader(etcds, node);
}

function heardLeader(etcds: Etcds, node: EtcdNode, nodes: readonly EtcdNode[]): EtcdNode | null {
  let best: EtcdNode | null = null;
  for (const it of nodes) {
    if (it.role !== 'leader' || it.files.term < node.files.term || !sends(etcds, it, node)) continue;
    // A leader speaks to the members that it knows.
    if (peerOf(etcds, it, node.files.memberId) !== node) continue;
    if (best === null || it.files.term > best.files.term) best = it;
  }
  return best;
}

function follow(etcds: Etcds, node: EtcdNode, leader: EtcdNode): void {
  if (leader.files.term > node.files.term) newTerm(node.files, leader.files.term);
  node.leader = leader.files.memberId;
  node.hears = true;
  node.heardAt = etcds.clock.now();
  node.election?.cancel();
  node.election = null;
}

function loseLeader(etcds: Etcds, node: EtcdNode): void {
  const now = etcds.clock.now();
  if (node.hears) {
    node.hears = false;
    node.heardAt = now;
    schedule(etcds, node, etcds.random.int(ELECTION_MS - 100, LONGEST_MS));
  } else if (node.election === null) {
    schedule(etcds, node, firstWaitMs(etcds, node));
  }
  hurry(etcds, node);
}

/** A member alone does not wait for others; else a timer runs, of which nobody knows since when. */
function firstWaitMs({ clock, random }: Etcds, node: EtcdNode): number {
  if (node.files.state.members.size === 1) return random.int(100, 1_000);
  return node.bootedAt === clock.now() ? random.int(ELECTION_MS, LONGEST_MS) : random.int(50, LONGEST_MS);
}

function hurry(etcds: Etcds, node: EtcdNode): void {
  const now = etcds.clock.now();
  if (node.hurried || node.election === null || now - node.bootedAt > HURRY_WITHIN_MS) return;
  if (node.contacts.size < 2) return;
  node.hurried = true;
  const { at, cancel } = node.election;
  cancel();
  schedule(etcds, node, Math.max(20, at - now - HURRY_MS));
}

function schedule(etcds: Etcds, node: EtcdNode, ms: number): void {
  if (!isVoter(node)) return;
  const cancel = etcds.clock.after(ms, () => {
    node.election = null;
    if (isAwake(node) && node.role !== 'leader' && !node.hears) campaign(etcds, node, false);
  });
  node.election = { at: etcds.clock.now() + ms, cancel };
}

function isVoter({ files }: EtcdNode): boolean {
  return files.state.voters.includes(files.memberId);
}

/** Asks for votes; `forced`: the leader itself asked it to, so nobody objects that there is one. */
export function campaign(etcds: Etcds, node: EtcdNode, forced: boolean): void {
  if (!isVoter(node) || node.role === 'leader') return;
  node.leader = null;
  const voters = linkedVoters(etcds, node);
  const quorum = quorumOf(node.files.state.voters.length);
  // Without a quorum at hand nothing changes until somebody comes back, which is looked at then.
  if (voters.length < quorum) return;
  if (!forced && !winsPreVote(etcds, node, voters, quorum)) return;
  const term = node.files.term + 1;
  newTerm(node.files, term);
  node.files.vote = node.files.memberId;
  const votes = voters.filter((it) => it === node || grantsVote(etcds, it, node, term)).length;
  if (votes >= quorum) lead(etcds, node);
  else schedule(etcds, node, etcds.random.int(ELECTION_MS, LONGEST_MS));
}

/** A pre-vote changes nothing at anybody, but tells the candidate of a higher term. */
function winsPreVote(etcds: Etcds, node: EtcdNode, voters: readonly EtcdNode[], quorum: number): boolean {
  const now = etcds.clock.now();
  let granted = 0;
  let again = false;
  for (const it of voters) {
    if (it === node) granted += 1;
    else if (it.role === 'leader' || it.hears) continue;
    // It still counts on the leader that it has heard not long ago.
    else if (now - it.heardAt < ELECTION_MS) again = true;
    else if (it.files.term > node.files.term) {
      newTerm(node.files, it.files.term);
      again = true;
    } else if (isAsNew(node.files, it.files)) granted += 1;
  }
  if (granted >= quorum) return true;
  if (again) schedule(etcds, node, etcds.random.int(ELECTION_MS, LONGEST_MS));
  return false;
}

function grantsVote(etcds: Etcds, voter: EtcdNode, candidate: EtcdNode, term: number): boolean {
  const { files } = voter;
  if (files.term > term) return false;
  if (files.term < term) {
    if (voter.role === 'leader') stepDown(etcds, voter, term);
    newTerm(files, term);
    voter.leader = null;
    voter.hears = false;
  }
  const { memberId } = candidate.files;
  if (files.vote !== null && files.vote !== memberId) return false;
  if (!isAsNew(candidate.files, files)) return false;
  files.vote = memberId;
  return true;
}

function lead(etcds: Etcds, node: EtcdNode): void {
  const { files } = node;
  node.role = 'leader';
  node.leader = files.memberId;
  node.hears = false;
  node.election?.cancel();
  node.election = null;
  node.progress.clear();
  node.leaseEnds.clear();
  // It does not know what is left of the leases: they get all their time again, and an election timeout.
  for (const [id, ttlMs] of files.state.leases)
    node.leaseEnds.set(id, etcds.clock.now() + ttlMs + ELECTION_MS);
  append(etcds, node, { kind: 'noop' }, 0, '');
  etcds.stir(files.clusterId);
}

/** Whether a leader still leads: it is told of a higher term, or has heard no quorum for an election timeout. */
export function keepLeading(etcds: Etcds, node: EtcdNode, nodes: readonly EtcdNode[]): void {
  const higher = nodes.find(
    (it) =>
      it.files.term > node.files.term &&
      isLinked(etcds, node, it) &&
      peerOf(etcds, node, it.files.memberId) === it,
  );
  if (higher !== undefined) {
    stepDown(etcds, node, higher.files.term);
    return;
  }
  const hasQuorum = linkedVoters(etcds, node).length >= quorumOf(node.files.state.voters.length);
  if (hasQuorum) {
    node.cancelStepDown?.();
    node.cancelStepDown = null;
  }
  if (hasQuorum || node.cancelStepDown !== null) return;
  // It looks once in an election timeout who has answered since it looked last.
  node.cancelStepDown = etcds.clock.after(etcds.random.int(ELECTION_MS, 2 * ELECTION_MS), () => {
    node.cancelStepDown = null;
    if (!isAwake(node) || node.role !== 'leader') return;
    stepDown(etcds, node, node.files.term);
    etcds.stir(node.files.clusterId);
  });
}

export function stepDown(etcds: Etcds, node: EtcdNode, term: number): void {
  if (term > node.files.term) newTerm(node.files, term);
  node.role = 'follower';
  node.leader = null;
  node.hears = false;
  node.heardAt = Number.NEGATIVE_INFINITY;
  node.progress.clear();
  node.leaseEnds.clear();
  for (const cancel of [node.cancelStepDown, node.leaseWatch?.cancel, node.cancelRound]) cancel?.();
  node.cancelStepDown = node.leaseWatch = node.cancelRound = null;
  if (node.election === null) schedule(etcds, node, etcds.random.int(50, LONGEST_MS));
}

/** The leader brings a voter up to date and lets it campaign at once. Whether that could be tried. */
export function handOver(etcds: Etcds, leader: EtcdNode, targetId: string): boolean {
  const target = peerOf(etcds, leader, targetId);
  if (target === null || leader.role !== 'leader' || !isLinked(etcds, leader, target)) return false;
  target.lagsUntil = 0;
  replicate(etcds, leader);
  if (!isAwake(target) || lastIndex(target.files) !== lastIndex(leader.files)) return false;
  campaign(etcds, target, true);
  return target.role === 'leader';
}

function newTerm(files: EtcdFiles, term: number): void {
  files.term = term;
  files.vote = null;
}
