import { createHash } from 'node:crypto';
/** The ids of members with one peer URL each, which all ours have. */
export const etcdIds = {
  memberId: (peerUrl, token) => memberIdOf([peerUrl], token),
  clusterId: (peerUrls, token) =>
    clusterIdOf(
      peerUrls.map((url) => [url]),
      token,
    ),
};
/**
 * The id that etcd gives a founding member: the first 8 bytes of the SHA-1 of its sorted peer URLs and the
 * initial-cluster token (etcd's membership.NewMember). A member added later gets the second of its addition mixed in,
 * so its id cannot be computed. 16 hex digits, lower case.
 */
export function memberIdOf(peerUrls, token) {
  return first8(Buffer.from(`${peerUrls.toSorted(byBytes).join('')}${token}`, 'utf8'));
}
/**
 * The id of the cluster that founders with these peer URLs make with this token: the first 8 bytes of the SHA-1 of
 * their ids, sorted (etcd's membership.RaftCluster.genID). 16 hex digits, lower case.
 */
export function clusterIdOf(founders, token) {
  const ids = founders.map((peerUrls) => memberIdOf(peerUrls, token)).toSorted();
  return first8(Buffer.from(ids.join(''), 'hex'));
}
/** An id from a decimal string (etcd3's) or a number as 16 hex digits. */
export function hexId(id) {
  return BigInt(id).toString(16).padStart(16, '0');
}
/** An id in hex as the decimal string that etcd3 takes. */
export function decimalId(hex) {
  return BigInt(`0x${hex}`).toString(10);
}
function first8(bytes) {
  return createHash('sha1').update(bytes).digest().subarray(0, 8).toString('hex');
}
/** Go sorts strings by bytes; JavaScript by UTF-16 units, which URLs in ASCII do not show, but exact is exact. */
function byBytes(a, b) {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}
