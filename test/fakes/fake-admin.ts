import { hostOf } from '../../src/core/urls.ts';
import type { Known } from '../../src/core/known.ts';
import { known, unknown } from '../../src/core/known.ts';
import type { MemberList, MemberStatus } from '../../src/core/members.ts';
import type { AdminOutcome, AdminPort } from '../../src/daemon/ports.ts';
import type { ClusterMember, EtcdCluster, Refusal } from './etcd-cluster.ts';
import type { EtcdProcess, FakeEtcd } from './fake-etcd.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { Wire } from './wire.ts';

/** A change of the members, at the moment when it is made. */
export interface MembershipChange {
  readonly kind: 'add' | 'remove' | 'promote';
  readonly caller: string;
  readonly cluster: EtcdCluster;
  readonly member: ClusterMember;
  /** Whether the cluster had a quorum before. */
  readonly hadQuorum: boolean;
}

const DEADLINE_MS = 2_000;
const LATENCY = [1, 12] as const;

/** What a call comes to: a value, or the words of what went wrong. */
type Answer<T> = { readonly value: T } | { readonly failed: Refusal };

/** The admin port as one appliance has it, over the processes of a world. */
export function createFakeAdmin(
  caller: string,
  deps: {
    readonly etcd: FakeEtcd;
    readonly clock: VirtualClock;
    readonly wire: Wire;
    readonly onChange: (change: MembershipChange) => void;
  },
): AdminPort {
  const { etcd, clock, wire, onChange } = deps;

  const call = async <T>(
    endpoint: string,
    needsLeader: boolean,
    signal: AbortSignal,
    act: (cluster: EtcdCluster, process: EtcdProcess) => Answer<T>,
  ): Promise<Answer<T>> => {
    const never = new AbortController().signal;
    const ask = async (): Promise<Answer<T>> => {
      const process = etcd.processAt(hostOf(endpoint));
      const cluster = process === undefined ? undefined : etcd.clusterOf(process);
      if (process === undefined || cluster === undefined || (!process.serving && !process.frozen))
        return refusal('connection refused');
      if (process.frozen || (needsLeader && cluster.leader === null)) {
        // Its end ends its connections, too.
        await Promise.race([clock.sleep(DEADLINE_MS, never), etcd.untilEnd(process)]);
        if (!process.alive) return refusal('UNAVAILABLE: the connection was lost');
        return refusal(process.frozen ? 'deadline exceeded' : 'etcdserver: request timed out');
      }
      if (needsLeader && isLearner(cluster, process))
        return { failed: { code: 'learner-refuses', message: 'etcdserver: rpc not supported for learner' } };
      const answer = act(cluster, process);
      await clock.sleep(1, never);
      return process.alive ? answer : refusal('UNAVAILABLE: the connection was lost');
    };
    return await wire.call(LATENCY, signal, ask);
  };
  const ask = async <T>(
    endpoint: string,
    needsLeader: boolean,
    signal: AbortSignal,
    act: (cluster: EtcdCluster, process: EtcdProcess) => T,
  ): Promise<Known<T>> => {
    const answer = await call(endpoint, needsLeader, signal, (cluster, process) => ({
      value: act(cluster, process),
    }));
    return 'value' in answer ? known(answer.value) : unknown(`${endpoint} failed: ${answer.failed.message}`);
  };
  const change = async <T>(
    endpoint: string,
    signal: AbortSignal,
    act: (cluster: EtcdCluster, process: EtcdProcess) => T | Refusal,
  ): Promise<AdminOutcome<T>> => {
    const answer = await call<T>(endpoint, true, signal, (cluster, process) => {
      const value = act(cluster, process);
      return isRefusal(value) ? { failed: value } : { value };
    });
    return 'value' in answer ? { ok: true, value: answer.value } : { ok: false, ...answer.failed };
  };

  return {
    memberList: async (endpoint, { linearizable }, signal) =>
      await ask(endpoint, linearizable, signal, listOf),
    status: async (endpoint, signal) => await ask(endpoint, false, signal, statusOf),
    read: async (endpoint, key, { serializable }, signal) =>
      await ask(endpoint, !serializable, signal, (cluster) => cluster.read(key)),
    readPrefix: async (endpoint, prefix, signal) =>
      await ask(endpoint, true, signal, (cluster) => cluster.readPrefix(prefix)),
    addLearner: async (endpoint, peerUrl, signal) =>
      await change(endpoint, signal, (cluster, process) => {
        const hadQuorum = cluster.hasQuorum();
        const member = cluster.addLearner(peerUrl);
        if ('code' in member) return member;
        onChange({ kind: 'add', caller, cluster, member, hadQuorum });
        return { memberId: member.id, list: listOf(cluster, process) };
      }),
    removeMember: async (endpoint, memberId, signal) =>
      await change(endpoint, signal, (cluster) => {
        const hadQuorum = cluster.hasQuorum();
        const member = cluster.removeMember(memberId);
        if ('code' in member) return member;
        onChange({ kind: 'remove', caller, cluster, member, hadQuorum });
        return true;
      }),
    promote: async (endpoint, memberId, signal) =>
      await change(endpoint, signal, (cluster) => {
        const hadQuorum = cluster.hasQuorum();
        const refused = cluster.promote(memberId);
        if (refused !== null) return refused;
        const member = cluster.find(memberId);
        if (member !== undefined) onChange({ kind: 'promote', caller, cluster, member, hadQuorum });
        return true;
      }),
    moveLeader: async (endpoint, targetId, signal) =>
      await change(endpoint, signal, (cluster, process) => {
        if (cluster.leader !== process.files?.memberId)
          return { code: 'not-leader', message: 'etcdserver: not leader' } as const;
        if (!cluster.upVoters().some((it) => it.id === targetId))
          return { code: 'other', message: 'etcdserver: bad leader transferee' } as const;
        cluster.lead(targetId);
        return true;
      }),
    grantLease: async (endpoint, ttlSeconds, signal) =>
      await ask(endpoint, true, signal, (cluster) => cluster.grant(ttlSeconds)),
    keepAlive: async (endpoint, leaseId, signal) =>
      await ask(endpoint, true, signal, (cluster) => cluster.keepAlive(leaseId)),
    revokeLease: async (endpoint, leaseId, signal) =>
      await ask(endpoint, true, signal, (cluster) => cluster.revoke(leaseId)),
    createKey: async (endpoint, key, value, leaseId, signal) => {
      const made = await change(endpoint, signal, (cluster) => {
        if (cluster.read(key) !== null) return { createRevision: null };
        const put = cluster.put(key, value, leaseId);
        return put ? { createRevision: cluster.read(key)?.createRevision ?? null } : NO_LEASE;
      });
      if (!made.ok) return unknown(made.message);
      const { createRevision } = made.value;
      return known(createRevision === null ? null : { createRevision });
    },
    put: async (endpoint, key, value, { leaseId, fence }, signal) => {
      const written = await change(endpoint, signal, (cluster) => {
        if (fence !== undefined && cluster.read(fence.key)?.createRevision !== fence.createRevision)
          return false;
        return cluster.put(key, value, leaseId ?? null) ? true : NO_LEASE;
      });
      return written.ok ? known(written.value) : unknown(written.message);
    },
  };
}

const NO_LEASE: Refusal = { code: 'other', message: 'etcdserver: requested lease not found' };

function refusal(message: string): { readonly failed: Refusal } {
  return { failed: { code: 'no-answer', message } };
}

function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'code' in value && 'message' in value;
}

function isLearner(cluster: EtcdCluster, process: EtcdProcess): boolean {
  return cluster.find(process.files?.memberId ?? '')?.learner ?? false;
}

function listOf(cluster: EtcdCluster, process: EtcdProcess): MemberList {
  return { clusterId: cluster.id, answeredBy: process.files?.memberId ?? '', members: cluster.list() };
}

function statusOf(cluster: EtcdCluster, process: EtcdProcess): MemberStatus {
  const { files } = process;
  const member = cluster.find(files?.memberId ?? '');
  const follows = cluster.leader !== null && member !== undefined && member.caughtUp;
  if (follows && files !== null) files.appliedIndex = cluster.index;
  const index = files?.appliedIndex ?? 0;
  return {
    clusterId: cluster.id,
    memberId: files?.memberId ?? '',
    version: process.version,
    leader: cluster.leader,
    raftIndex: index,
    raftAppliedIndex: index,
    raftTerm: cluster.term,
    learner: member?.learner ?? false,
    dbSizeBytes: 20_480,
    errors: cluster.leader === null ? ['etcdserver: no leader'] : [],
  };
}
