import type { Member } from '../../../src/core/members.ts';
import { hostOf } from '../../../src/core/urls.ts';
import type { Contact, EtcdNode, Etcds } from './node.ts';
import { isAwake } from './node.ts';

/** rafthttp takes a peer that says nothing for connected so long (its ConnReadTimeout); ms. */
const READ_TIMEOUT_MS = 5_000;

/** The running member behind an id, as `from` would find it: its address may be another's by now. */
export function peerOf(etcds: Etcds, from: EtcdNode, memberId: string): EtcdNode | null {
  const member = from.files.state.members.get(memberId);
  return member === undefined ? null : nodeAt(etcds, member, from.files.clusterId);
}

function nodeAt(etcds: Etcds, member: Member, clusterId: string): EtcdNode | null {
  const node = etcds.processes.get(hostOf(member.peerUrls[0] ?? ''))?.node ?? null;
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
  for (const id of node.files.state.members.keys()) {
    if (id === node.files.memberId) continue;
    const peer = peerOf(etcds, node, id);
    const contact = node.contacts.get(id);
    if (peer !== null && isLinked(etcds, node, peer)) {
      if (contact?.pid === peer.process.pid && !isBroken(contact, now)) contact.brokenAt = null;
      else node.contacts.set(id, { pid: peer.process.pid, since: now, brokenAt: null });
    } else if (contact !== undefined) {
      // The end of a process ends its connections; what is frozen or cut off is noticed by its silence.
      if (peer === null) node.contacts.delete(id);
      else contact.brokenAt ??= now;
    }
  }
}

/** After a freeze that was longer than the read timeout every connection is made anew. */
export function reconnect(node: EtcdNode, frozenMs: number): void {
  if (frozenMs >= READ_TIMEOUT_MS) node.contacts.clear();
}

/** For how long a peer has been connected; null: it is not; ms. */
export function connectedMs(etcds: Etcds, node: EtcdNode, memberId: string): number | null {
  const contact = node.contacts.get(memberId);
  const now = etcds.clock.now();
  return contact === undefined || isBroken(contact, now) ? null : now - contact.since;
}

function isBroken({ brokenAt }: Contact, now: number): boolean {
  return brokenAt !== null && now - brokenAt >= READ_TIMEOUT_MS;
}
