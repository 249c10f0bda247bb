import { claimRecord, formedClaim, foundingClaim } from '../../src/core/claim.ts';
import type { DataIdentity } from '../../src/core/local-data.ts';
import { namesOf } from '../../src/core/names.ts';
import type { Context } from '../../src/daemon/context.ts';
import type { RunningEtcd } from '../../src/daemon/ports.ts';
import { type Bench, type Host, NAME, NEVER, TOKEN } from './bench.ts';
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

/** An etcd that runs on, whatever it is told. */
export function runningEtcd(version: string): RunningEtcd {
  return {
    pid: 1,
    version,
    exited: new Promise(() => undefined),
    seeded: () => false,
    defragments: () => false,
    restores: () => false,
    stop: () => new Promise(() => undefined),
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
  context.state.etcd = runningEtcd('3.5.35');
  context.state.ownStatus = await bench.soon(context.ports.admin.status(host.url, NEVER));
}

/** The claim as the birth of the cluster that a bench founds leaves it. */
export async function claimFormed(bench: Bench, cluster: EtcdCluster): Promise<void> {
  const voters = bench.hosts.map(({ self }, index) => ({
    memberId: cluster.members[index]?.id ?? '',
    instanceId: self.id,
    region: self.region,
    address: self.address,
  }));
  const [{ self, ports }] = bench.hosts;
  const { arn } = bench.aws.fleet().groups[0] ?? { arn: '' };
  const birth = { stack: self.stack, token: TOKEN, groups: [arn], founders: [], before: null };
  const record = claimRecord(namesOf(NAME).claim, formedClaim(foundingClaim(birth), cluster.id, voters));
  await ports.zone.change([{ action: 'CREATE', record }], NEVER);
}
