import type { Member } from '../../src/core/members.ts';
import { quorumOf } from '../../src/core/members.ts';
import type { AdminRefusal, KeyValue } from '../../src/daemon/ports.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** A member as the cluster's log has it. */
export interface ClusterMember {
  readonly id: string;
  name: string;
  readonly peerUrls: readonly string[];
  clientUrls: readonly string[];
  learner: boolean;
  /** For a learner: whether the leader has seen it close behind. It stays so when the learner dies. */
  caughtUp: boolean;
}

/** A refusal of a membership change. */
export interface Refusal {
  readonly code: AdminRefusal;
  readonly message: string;
}

/** Whom the cluster can count on now; told by the processes. */
export interface Presence {
  /** Whether the member's process runs and is connected. */
  isUp(memberId: string): boolean;
  /** For how long it has been connected; 0 while it is not; ms. */
  connectedMs(memberId: string): number;
}

interface Lease {
  readonly id: string;
  readonly ttlMs: number;
  expiresAt: number;
}

/** etcd takes a peer for connected only after so long; ms. */
const HEALTH_INTERVAL_MS = 5_000;

/**
 * What a cluster has committed. It holds as long as no voter loses its disk and comes back under its old id, which is
 * what the checks of the fleet watch over.
 */
export class EtcdCluster {
  readonly id: string;
  readonly members: ClusterMember[] = [];
  leader: string | null = null;
  term = 1;
  index = 10;
  revision = 1;
  readonly #keys = new Map<string, KeyValue & { readonly leaseId: string | null }>();
  readonly #leases = new Map<string, Lease>();
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;
  readonly #presence: Presence;
  readonly #onTurn: () => void;
  #election: (() => void) | null = null;
  #added = 0;

  constructor(
    id: string,
    deps: {
      readonly clock: VirtualClock;
      readonly random: SeededRandom;
      readonly presence: Presence;
      /** There is a new leader, or a member less: its processes look what that means for them. */
      readonly onTurn: () => void;
    },
  ) {
    this.id = id;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#presence = deps.presence;
    this.#onTurn = deps.onTurn;
  }

  voters(): readonly ClusterMember[] {
    return this.members.filter((it) => !it.learner);
  }

  find(memberId: string): ClusterMember | undefined {
    return this.members.find((it) => it.id === memberId);
  }

  /** Voters that run now. */
  upVoters(): readonly ClusterMember[] {
    return this.voters().filter((it) => this.#presence.isUp(it.id));
  }

  hasQuorum(): boolean {
    return this.upVoters().length >= quorumOf(this.voters().length);
  }

  list(): readonly Member[] {
    return this.members.map(({ id, name, peerUrls, clientUrls, learner }) => ({
      id,
      name,
      peerUrls,
      clientUrls,
      learner,
    }));
  }

  /** Looks again who leads, after somebody came or went. `handedOver`: who went gave leadership away first. */
  reconsider(handedOver = false): void {
    const leads = this.leader !== null && this.#presence.isUp(this.leader) && this.hasQuorum();
    if (leads && this.find(this.leader ?? '')?.learner === false) return;
    this.leader = null;
    if (this.#election !== null || !this.hasQuorum()) return;
    const delayMs = handedOver ? 15 : this.#random.int(300, 2_200);
    this.#election = this.#clock.after(delayMs, () => {
      this.#election = null;
      const [first, ...others] = this.upVoters();
      if (first === undefined || !this.hasQuorum()) return;
      this.lead(this.#random.pick([first, ...others]).id);
    });
  }

  /** A new leader. It gives every lease its whole time again, as etcd does. */
  lead(memberId: string): void {
    this.leader = memberId;
    this.term += 1;
    this.index += 1;
    for (const lease of this.#leases.values()) lease.expiresAt = this.#clock.now() + lease.ttlMs;
    this.#onTurn();
  }

  addLearner(peerUrl: string): ClusterMember | Refusal {
    if (this.members.some((it) => it.peerUrls.includes(peerUrl)))
      return { code: 'peer-url-exists', message: 'etcdserver: Peer URLs already exists' };
    if (this.members.some((it) => it.learner))
      return { code: 'too-many-learners', message: 'etcdserver: too many learner members in cluster' };
    // As measured: of three voters all must be connected, of five four.
    if (this.#connected().length < quorumOf(this.voters().length + (this.voters().length > 1 ? 1 : 0)))
      return UNHEALTHY;
    this.#added += 1;
    const id = (BigInt(`0x${this.id}`) ^ BigInt(this.#added * 7_919)).toString(16).padStart(16, '0');
    const member = { id, name: '', peerUrls: [peerUrl], clientUrls: [], learner: true, caughtUp: false };
    this.members.push(member);
    this.#commit();
    return member;
  }

  removeMember(memberId: string): ClusterMember | Refusal {
    const member = this.find(memberId);
    if (member === undefined) return NOT_FOUND;
    const rest = this.voters().filter((it) => it.id !== memberId);
    if (!member.learner) {
      const started = rest.filter((it) => it.clientUrls.length > 0 || it.name !== '').length;
      if (started < quorumOf(rest.length))
        return { code: 'not-enough-started', message: 'etcdserver: re-configuration failed' };
      // A member that is down is no part of the quorum in use, and may go; one that is up must leave enough behind.
      if (this.#presence.isUp(memberId) && this.#connected().length - 1 < quorumOf(rest.length))
        return UNHEALTHY;
    }
    this.members.splice(this.members.indexOf(member), 1);
    this.#commit();
    this.reconsider(this.leader === memberId);
    this.#onTurn();
    return member;
  }

  promote(memberId: string): Refusal | null {
    const member = this.find(memberId);
    if (member === undefined) return NOT_FOUND;
    if (!member.learner)
      return { code: 'not-a-learner', message: 'etcdserver: can only promote a learner member' };
    if (!member.caughtUp)
      return {
        code: 'not-in-sync',
        message: 'etcdserver: can only promote a learner member which is in sync with leader',
      };
    member.learner = false;
    this.#commit();
    return null;
  }

  read(key: string): KeyValue | null {
    this.#expire();
    return this.#keys.get(key) ?? null;
  }

  readPrefix(prefix: string): readonly KeyValue[] {
    this.#expire();
    return [...this.#keys.values()].filter((it) => it.key.startsWith(prefix));
  }

  put(key: string, value: string, leaseId: string | null): boolean {
    this.#expire();
    if (leaseId !== null && !this.#leases.has(leaseId)) return false;
    this.#commit();
    const modRevision = String(this.revision);
    const createRevision = this.#keys.get(key)?.createRevision ?? modRevision;
    this.#keys.set(key, { key, value, createRevision, modRevision, leaseId });
    return true;
  }

  delete(key: string): void {
    if (this.#keys.delete(key)) this.#commit();
  }

  grant(ttlSeconds: number): string {
    const id = this.#random.token().slice(0, 16);
    const ttlMs = ttlSeconds * 1_000;
    this.#leases.set(id, { id, ttlMs, expiresAt: this.#clock.now() + ttlMs });
    this.#commit();
    return id;
  }

  keepAlive(leaseId: string): boolean {
    this.#expire();
    const lease = this.#leases.get(leaseId);
    if (lease !== undefined) lease.expiresAt = this.#clock.now() + lease.ttlMs;
    return lease !== undefined;
  }

  revoke(leaseId: string): boolean {
    this.#expire();
    const there = this.#leases.delete(leaseId);
    for (const { key } of [...this.#keys.values()].filter((it) => it.leaseId === leaseId)) this.delete(key);
    return there;
  }

  /** A write of a member's own attributes: its name and its client URLs. */
  publish(memberId: string, name: string, clientUrl: string): void {
    const member = this.find(memberId);
    if (member === undefined) return;
    member.name = name;
    member.clientUrls = [clientUrl];
    this.index += 1;
  }

  #connected(): readonly ClusterMember[] {
    return this.voters().filter(
      (it) => it.id === this.leader || this.#presence.connectedMs(it.id) >= HEALTH_INTERVAL_MS,
    );
  }

  #expire(): void {
    // Without a leader nobody ends a lease.
    if (this.leader === null) return;
    for (const lease of this.#leases.values()) {
      if (lease.expiresAt > this.#clock.now()) continue;
      this.#leases.delete(lease.id);
      for (const it of this.#keys.values()) if (it.leaseId === lease.id) this.delete(it.key);
    }
  }

  #commit(): void {
    this.index += 1;
    this.revision += 1;
  }
}

const UNHEALTHY: Refusal = { code: 'unhealthy-cluster', message: 'etcdserver: unhealthy cluster' };
const NOT_FOUND: Refusal = { code: 'not-found', message: 'etcdserver: member not found' };
