import type { IMember } from 'etcd3';
import type { Member, MemberList } from '../core/members.ts';
import { hexId } from './ids.ts';

/** What every answer of etcd begins with, but that of MoveLeader. */
export interface Signed {
  readonly header: { readonly cluster_id: string; readonly member_id: string } | null;
}

/** The answer itself. Throws where it is not signed with a cluster and a member: then it is not etcd's. */
export function signed<T extends Signed>(answer: T): T & { readonly header: NonNullable<Signed['header']> } {
  const { header } = answer;
  if (header !== null && header.cluster_id !== '0' && header.member_id !== '0') return { ...answer, header };
  throw new Error('the answer names no cluster and no member: something else than etcd answers there');
}

/** The list in an answer, with ids in hex. Throws where a list cannot be etcd's: without members, or with one that lacks its id or its peer URLs. */
export function listOf(answer: Signed & { readonly members: readonly IMember[] }): MemberList {
  const { header, members } = signed(answer);
  const ids = new Set(members.map((member) => member.ID));
  if (members.length === 0) throw new Error('the answer lists no members: a cluster has at least one');
  if (ids.size < members.length || ids.has('0') || members.some(({ peerURLs }) => peerURLs.length === 0)) {
    throw new Error('the answer lists members incompletely: each has an id of its own and peer URLs');
  }
  return {
    clusterId: hexId(header.cluster_id),
    answeredBy: hexId(header.member_id),
    members: members.map((member): Member => ({
      id: hexId(member.ID),
      name: member.name,
      peerUrls: member.peerURLs,
      clientUrls: member.clientURLs,
      learner: member.isLearner,
    })),
  };
}
