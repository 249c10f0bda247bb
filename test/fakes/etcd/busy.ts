import type { EtcdBusy, EtcdProcess, Etcds } from './node.ts';
import { apply } from './replication.ts';

/*
 * What keeps etcd from applying anything, and from answering: it holds its database while it defragments it, or puts a
 * snapshot in its place. Raft goes on beside that: who leads leads on, votes are given, and the log grows. Not modelled: a
 * follower whose log brings a change of members meanwhile says nothing to its peers either until it has applied it.
 */

/** It is busy for so long, and then applies at once what has come meanwhile. */
export function occupy(etcds: Etcds, process: EtcdProcess, kind: EtcdBusy['kind'], ms: number): void {
  const since = etcds.clock.now();
  const busy: EtcdBusy = { kind, since, until: since + ms };
  process.busy = busy;
  const end = (): void => {
    if (!process.alive || process.busy !== busy) return;
    if (process.frozen) {
      // It goes on where it stood.
      etcds.clock.after(100, end);
      return;
    }
    process.busy = null;
    const { node } = process;
    if (node === null) return;
    apply(etcds, node);
    etcds.stir(node.files.clusterId);
  };
  etcds.clock.after(ms, end);
}
