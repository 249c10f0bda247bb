import type { Member } from '../../../src/core/members.ts';
import { hostOf } from '../../../src/core/urls.ts';
import type { Contact, EtcdNode, Etcds } from './node.ts';
import { isAwake } from './node.ts';

/*
 * For how long a peer counts as connected that says nothing any more; ms. rafthttp's ConnReadTimeout did that up to 3.4.
 * Since 3.5 it is lost on the way to the connection (its dialer is set where the HTTP transport has another that comes
 * first), so that the kernel alone notices: a frozen process never, as its kernel answers for it, and a cut by Go's
 * keep-alive, 30 s and nine probes of 15 s. That of a frozen peer is held to 3.4 to 3.7 (test/contract/etcd-contract.test.ts).
 * A cut is none of the contract's operations, as its etcds share a network: its time is what these settings add up to, and
 * how members fare that are cut off from each other, test/network shows.
 */
const READ_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_MS = 165_000;

/** The running member behind an id, as `from` would find it: its address may be another's by now. */
export function peerOf(etcds: Etcds, from: EtcdNode, memberId: string): EtcdNode | null {
  const member = from.files.state.members.get(memberId);
  return member === undefined ? null : nodeAt(etcds, member, from.files.clusterId);
}

/** There are few addresses, and who is behind one is asked for whenever anything happens. */
const hosts = new Map<string, string>();

function hostAt(url: string): string {
  let host = hosts.get(url);
  if (host === undefined) {
    host = hostOf(url);
    hosts.set(url, host);
  }
  return host;
}

function nodeAt(etcds: Etcds, member: Member, clusterId: string): EtcdNode | null {
  const node = etcds.processes.get(hostAt(member.peerUrls[0] ?? ''))?.node ?? null;
  return node !== null && node.files.memberId === member.id && node.files.clusterId === clusterId
    ? node
    : null;
}

/** Whether a message gets from one member to another now. */
export function sends(etcds: Etcds, from: EtcdNode, to: EtcdNode): boolean {
  if (!isAwake(from) || !isAwake(to)) return false;
  return from === to || etcds.network.reaches(from.process.address, to.process.address, 'peer');
}

/** Whether questions and answers get through. */
export function isLinked(etcds: Etcds, one: EtcdNode, other: EtcdNode): boolean {
  return sends(etcds, one, other) && sends(etcds, other, one);
}

/** Voters, as the node knows them, that it is linked with; itself among them if it is one. */
export function linkedVoters(etcds: Etcds, node: EtcdNode): readonly EtcdNode[] {
  const linked: EtcdNode[] = [];
  for (const id of node.files.state.voters) {
    const peer = peerOf(etcds, node, id);
    if (peer !== null && isLinked(etcds, node, peer)) linked.push(peer);
  }
  return linked;
}

/** Writes down who of its peers is connected, as rafthttp does. */
export function noteContacts(etcds: Etcds, node: EtcdNode): void {
  const now = etcds.clock.now();
  const { members } = node.files.state;
  for (const id of node.contacts.keys()) if (!members.has(id)) node.contacts.delete(id);
  for (const id of members.keys()) {
    if (id === node.files.memberId) continue;
    const peer = peerOf(etcds, node, id);
    const contact = node.contacts.get(id);
    if (peer !== null && isLinked(etcds, node, peer)) {
      if (contact?.pid === peer.process.pid && !isBroken(contact, now)) contact.brokenAt = null;
      else node.contacts.set(id, { pid: peer.process.pid, since: now, brokenAt: null });
    } else if (contact !== undefined) {
      // The end of a process ends its connections.
      if (peer === null) node.contacts.delete(id);
      else contact.brokenAt ??= now + noticedMs(node, peer);
    }
  }
}

/** How long it takes until the silence of a peer is noticed. */
function noticedMs({ process }: EtcdNode, peer: EtcdNode): number {
  if (isOlder(process.version, '3.5')) return READ_TIMEOUT_MS;
  return peer.process.frozen ? Number.POSITIVE_INFINITY : KEEP_ALIVE_MS;
}

/** For how long a peer has been connected; null: it is not; ms. */
export function connectedMs(etcds: Etcds, node: EtcdNode, memberId: string): number | null {
  const contact = node.contacts.get(memberId);
  const now = etcds.clock.now();
  return contact === undefined || isBroken(contact, now) ? null : now - contact.since;
}

function isBroken({ brokenAt }: Contact, now: number): boolean {
  return brokenAt !== null && now >= brokenAt;
}

/** Whether a version comes before a minor. */
export function isOlder(version: string, minor: string): boolean {
  return rankOf(version) < rankOf(minor);
}

/** There are few versions, and they are compared whenever anything happens. */
const ranks = new Map<string, number>();

/** Orders minors. */
function rankOf(version: string): number {
  let rank = ranks.get(version);
  if (rank === undefined) {
    const [major = 0, minor = 0] = version.split('.').map(Number);
    rank = major * 1_000 + minor;
    ranks.set(version, rank);
  }
  return rank;
}
