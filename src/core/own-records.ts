import { namesOf } from './names.ts';
import type { RecordSet } from './records.ts';

/**
 * Those of the record sets that appliances of the cluster `cluster` (`<name>.<zone>`) write: its claim, marks, client
 * and server names and members' host names (design.md section 5). All else at or under the name is someone else's.
 */
export function ownRecords(cluster: string, records: readonly RecordSet[]): readonly RecordSet[] {
  const names = namesOf(cluster);
  const srv = new Set([names.srvServer, ...names.srvClient, ...tlsNames(cluster)]);
  const member = new RegExp(`^i-[0-9a-z]+\\.${escaped(cluster)}$`);
  const mark = new RegExp(`^_etcd-start\\.i-[0-9a-z]+\\.${escaped(cluster)}$`);
  const isOwn = ({ name, type }: RecordSet): boolean => {
    if (type === 'A') return name === names.cluster || name === names.server || member.test(name);
    if (type === 'SRV') return srv.has(name);
    return name === names.claim || mark.test(name);
  };
  return records.filter(isOwn);
}

function tlsNames(cluster: string): readonly string[] {
  return ['_etcd-server-ssl', '_etcd-client-ssl', '_etcd-ssl'].map((service) => `${service}._tcp.${cluster}`);
}

function escaped(text: string): string {
  return text.replaceAll('.', '\\.');
}
