import type { DataIdentity } from '../../src/core/local-data.ts';
import type { Context } from '../../src/daemon/context.ts';
import { type Bench, type Host, NEVER, TOKEN } from './bench.ts';
import type { EtcdCluster } from './etcd/cluster.ts';

/** What a voter of the cluster that a bench founds has beside its data; ids are unknown unless `more` has them. */
export function voterIdentity(host: Host, more: Partial<DataIdentity> = {}): DataIdentity {
  return {
    format: 1,
    instanceId: host.self.id,
    token: TOKEN,
    epoch: 1,
    clusterId: null,
    memberId: null,
    formed: true,
    voter: true,
    version: '3.5.35',
    register: host.ports.zone.register,
    ...more,
  };
}

/**
 * Tells an appliance what its own loops would have found out: that it is a voter of the cluster, whose etcd runs. Only a
 * loop that is tried alone needs to be told.
 */
export async function seatVoter(
  bench: Bench,
  host: Host,
  context: Context,
  cluster: EtcdCluster,
): Promise<void> {
  const member = cluster.members.find((it) => it.name === host.self.id);
  context.state.identity = voterIdentity(host, { clusterId: cluster.id, memberId: member?.id ?? null });
  context.state.etcd = {
    pid: 1,
    version: '3.5.35',
    exited: new Promise(() => undefined),
    seeded: () => false,
    stop: () => new Promise(() => undefined),
  };
  context.state.ownStatus = await bench.soon(context.ports.admin.status(host.url, NEVER));
}
