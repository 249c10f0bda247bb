import type { EtcdNode, Etcds } from './node.ts';
import { isAwake } from './node.ts';
import { append } from './replication.ts';
import type { Change } from './state.ts';

/** The leader looks so often which leases are over; ms. */
const LOOK_MS = 500;

/** Sees to it that the leader ends what is over: each end is an entry of the log, and needs a quorum. */
export function watchLeases(etcds: Etcds, node: EtcdNode): void {
  if (node.role !== 'leader' || node.leaseEnds.size === 0) return;
  const now = etcds.clock.now();
  const end = Math.min(...node.leaseEnds.values());
  if (node.leaseWatch !== null && node.leaseWatch.end <= end) return;
  node.leaseWatch?.cancel();
  const cancel = etcds.clock.after(Math.max(end - now, 0) + etcds.random.int(1, LOOK_MS), () => {
    node.leaseWatch = null;
    if (!isAwake(node) || node.role !== 'leader') return;
    for (const [id, endsAt] of node.leaseEnds) {
      if (endsAt > etcds.clock.now()) continue;
      // It no longer stands in the way of the next look; whoever leads next gives it time again.
      node.leaseEnds.delete(id);
      append(etcds, node, { kind: 'revoke', leaseId: id }, 0, '');
    }
    watchLeases(etcds, node);
  });
  node.leaseWatch = { end, cancel };
}

/** A lease that was granted or revoked just now, as the leader notes it. */
export function noteLease(etcds: Etcds, node: EtcdNode, change: Change): void {
  if (node.role !== 'leader') return;
  if (change.kind === 'grant') node.leaseEnds.set(change.leaseId, etcds.clock.now() + change.ttlMs);
  if (change.kind === 'revoke') node.leaseEnds.delete(change.leaseId);
  if (change.kind === 'grant') watchLeases(etcds, node);
}

/** Renews a lease at the leader. Null: it is over, but not revoked yet, and the answer has to wait for that. */
export function renew(etcds: Etcds, leader: EtcdNode, leaseId: string): boolean | null {
  // It answers for its leases when it has applied what is committed.
  if (leader.process.busy !== null && leader.files.state.index < leader.files.commit) return null;
  const ttlMs = leader.files.state.leases.get(leaseId);
  if (ttlMs === undefined) return false;
  const end = leader.leaseEnds.get(leaseId);
  if (end === undefined || end <= etcds.clock.now()) return null;
  leader.leaseEnds.set(leaseId, etcds.clock.now() + ttlMs);
  return true;
}
