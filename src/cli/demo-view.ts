import { Resolver } from 'node:dns/promises';
import type { EtcdAdmin } from '../etcd/admin.ts';
import { clientUrl } from '../etcd/flags.ts';
import type { MachineReport } from '../sandbox/machine.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

/** `joining`: a learner; `no quorum`: a voter that answers no linearizable read. */
export type Phase =
  'launching' | 'starting' | 'waiting' | 'etcd starting' | 'joining' | 'no quorum' | 'serving' | 'ending';

/** One instance as the demo shows it: what the cloud says of it, and what its etcd answers. */
export interface InstanceView {
  readonly instanceId: string;
  readonly zone: string;
  readonly address: string;
  /** What it is busy with, in the order of a life. */
  readonly phase: Phase;
  readonly role: 'leader' | 'follower' | 'learner' | null;
  readonly raftIndex: number | null;
  /** It answered a linearizable read just now. */
  readonly healthy: boolean;
  /** Names of all members, voters first, as a linearizable read through it gave them; null without such an answer. */
  readonly members: { readonly voters: readonly string[]; readonly others: number } | null;
}

/** The names under which clients and members find the cluster, as the DNS server answers them. Sorted. */
export interface NamesView {
  readonly addresses: readonly string[];
  /** Addresses behind the targets of the client SRV record. */
  readonly clients: readonly string[];
  /** Addresses behind the targets of the server SRV record. */
  readonly servers: readonly string[];
}

/** Looks at every instance that is not terminated, through its own etcd. */
export async function viewInstances(
  sandbox: Sandbox,
  admin: EtcdAdmin,
  signal: AbortSignal,
): Promise<readonly InstanceView[]> {
  const instances = sandbox.cloud.describe().instances.filter(({ state }) => state !== 'terminated');
  const answers = await Promise.all(
    instances.map(async ({ address }) => {
      const endpoint = clientUrl(address);
      const [status, list] = await Promise.all([
        admin.status(endpoint, signal),
        admin.memberList(endpoint, { linearizable: true }, signal),
      ]);
      return { status: status.known ? status.value : null, list: list.known ? list.value.members : null };
    }),
  );
  // The process table is read only where etcd does not tell enough: it is not cheap.
  const silent = answers.some(({ status }) => status === null);
  const machines = silent ? await sandbox.hypervisor.report() : [];
  return instances.map(({ instanceId, zone, address, state }, index) => {
    const { status, list } = answers[index] ?? { status: null, list: null };
    const machine = machines.find((one) => one.instanceId === instanceId);
    const voters = list?.filter(({ learner }) => !learner) ?? [];
    const healthy = list !== null && status !== null && !status.learner;
    return {
      instanceId,
      zone,
      address,
      phase: phaseOf(state, { healthy, learner: status?.learner ?? null, machine }),
      role: roleOf(status),
      raftIndex: status?.raftIndex ?? null,
      healthy,
      members:
        list === null
          ? null
          : { voters: voters.map(({ name }) => name).toSorted(), others: list.length - voters.length },
    };
  });
}

/**
 * What an instance is busy with. `state`: EC2's; `learner`: what its etcd says that it is, null: it does not answer;
 * `healthy`: it answered a linearizable read.
 */
export function phaseOf(
  state: string,
  seen: {
    readonly healthy: boolean;
    readonly learner: boolean | null;
    readonly machine: Pick<MachineReport, 'etcd' | 'appliance'> | undefined;
  },
): Phase {
  if (state === 'pending') return 'launching';
  if (state !== 'running') return 'ending';
  if (seen.healthy) return 'serving';
  if (seen.learner !== null) return seen.learner ? 'joining' : 'no quorum';
  if (seen.machine?.etcd) return 'etcd starting';
  return seen.machine?.appliance ? 'waiting' : 'starting';
}

function roleOf(
  status: { readonly memberId: string; readonly leader: string | null; readonly learner: boolean } | null,
): InstanceView['role'] {
  if (status === null) return null;
  if (status.learner) return 'learner';
  return status.leader === status.memberId ? 'leader' : 'follower';
}

/** Asks the sandbox's DNS server, as any client would. A name that is not there gives an empty list. */
export async function viewNames(sandbox: Sandbox): Promise<NamesView> {
  const { dns, clusterName } = sandbox.addresses;
  // A resolver of its own for each look: it must not answer from its memory.
  const resolver = new Resolver({ timeout: 1_000, tries: 2 });
  resolver.setServers([`${dns.address}:${dns.port}`]);
  const addressesOf = (name: string): Promise<readonly string[]> => orNothing(resolver.resolve4(name));
  const behind = async (service: string): Promise<readonly string[]> => {
    const targets = await orNothing(resolver.resolveSrv(`${service}.${clusterName}`));
    const addresses = await Promise.all(targets.map(({ name }) => addressesOf(name)));
    return addresses.flat().toSorted();
  };
  const [addresses, clients, servers] = await Promise.all([
    addressesOf(clusterName),
    behind('_etcd-client._tcp'),
    behind('_etcd-server._tcp'),
  ]);
  return { addresses: addresses.toSorted(), clients, servers };
}

async function orNothing<T>(answer: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await answer;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'ENOTFOUND' || code === 'ENODATA') return [];
    throw error;
  }
}

/** What is not yet as it should be, as sentences; empty when a cluster of `size` is whole. */
export function whatIsMissing(
  size: number,
  instances: readonly InstanceView[],
  names: NamesView,
): readonly string[] {
  const missing: string[] = [];
  const ids = instances.map(({ instanceId }) => instanceId).toSorted();
  const addresses = instances.map(({ address }) => address).toSorted();
  if (instances.length !== size) missing.push(`${instances.length} instances instead of ${size}`);
  for (const { instanceId, phase, members } of instances) {
    if (phase !== 'serving' || members === null) {
      missing.push(`no linearizable read through ${instanceId} (${phase})`);
    } else if (members.others > 0 || members.voters.join() !== ids.join()) {
      missing.push(`${instanceId} lists other members than the instances`);
    }
  }
  for (const [what, found] of Object.entries(names) as [string, readonly string[]][]) {
    if (found.join() !== addresses.join()) missing.push(`DNS ${what} are ${found.join(' ') || 'none'}`);
  }
  return missing;
}
