import type { Member } from '../../../src/core/members.ts';
import type { AdminRefusal, Fence, KeyValue } from '../../../src/daemon/ports.ts';

/** What an entry of the log says. */
export type Change =
  | { readonly kind: 'noop' }
  | ({ readonly kind: 'put'; readonly key: string; readonly value: string } & {
      readonly leaseId: string | null;
      /** Create revision 0: the key must not exist. */
      readonly compare: Fence | null;
    })
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'grant'; readonly leaseId: string; readonly ttlMs: number }
  | { readonly kind: 'revoke'; readonly leaseId: string }
  | ({
      readonly kind: 'publish';
      readonly memberId: string;
      readonly name: string;
      readonly clientUrl: string;
    } & {
      readonly form: Form;
    })
  /** The version that the cluster runs at from now on. */
  | { readonly kind: 'version'; readonly version: string; readonly form: Form }
  /** A downgrade to this version is under way; null: none is. */
  | { readonly kind: 'downgrade'; readonly target: string | null }
  /** The alarm that etcd is out of space is raised, or disarmed. */
  | { readonly kind: 'alarm'; readonly raised: boolean }
  /** Clients have written so much that the database is of this size: it is read and moved for long from now on. */
  | { readonly kind: 'fill'; readonly bytes: number }
  /** A request of the old API, as 3.4 before 3.4.29 writes one for each question after its health. */
  | { readonly kind: 'old-request' }
  | { readonly kind: 'add'; readonly member: Member }
  | { readonly kind: 'remove'; readonly memberId: string }
  | { readonly kind: 'promote'; readonly memberId: string };

/** How etcd writes its own changes: as requests of the old API up to 3.5, and as entries of their own since 3.6. */
export type Form = 'v2' | 'v3';

/** Changes of raft's own configuration: one at a time, in effect when applied. */
export type ConfChange = Extract<Change, { readonly kind: 'add' | 'remove' | 'promote' }>;

/** Whether it changes who has a say. */
export function isConfChange(change: Change): change is ConfChange {
  return change.kind === 'add' || change.kind === 'remove' || change.kind === 'promote';
}

/** A refusal in etcd's words. */
export interface Refusal {
  readonly code: AdminRefusal;
  readonly message: string;
}

/** What came of an entry: refused, or done; a comparison that failed is done with `held` false. */
export type Result =
  | { readonly refusal: Refusal }
  | { readonly refusal: null; readonly held: boolean; readonly member: Member | null };

interface StoredKey extends KeyValue {
  readonly leaseId: string | null;
}

/** What one member has applied. */
export interface State {
  /** Of the last entry applied. */
  index: number;
  revision: number;
  /** In the order of their coming. */
  readonly members: Map<string, Member>;
  readonly removed: Set<string>;
  /** Ids of those with a vote; always follows `members`. */
  voters: readonly string[];
  readonly keys: Map<string, StoredKey>;
  /** What the cluster runs at; null: nobody has decided. */
  clusterVersion: string | null;
  /** Where a downgrade that is under way leads to. */
  downgrade: string | null;
  /** It is out of space, and takes no writes and grants no leases until somebody disarms the alarm. */
  outOfSpace: boolean;
  /** Of a large database, its size; 0: it is small. */
  bytes: number;
  /** Time to live of each lease; ms. When it ends is the leader's affair alone. */
  readonly leases: Map<string, number>;
}

/** Nothing applied. */
export function emptyState(): State {
  return {
    index: 0,
    revision: 1,
    members: new Map(),
    removed: new Set(),
    voters: [],
    keys: new Map(),
    clusterVersion: null,
    downgrade: null,
    outOfSpace: false,
    bytes: 0,
    leases: new Map(),
  };
}

/** A snapshot. */
export function copyState(state: State): State {
  return {
    ...state,
    members: new Map(state.members),
    removed: new Set(state.removed),
    keys: new Map(state.keys),
    leases: new Map(state.leases),
  };
}

const DONE: Result & { readonly refusal: null } = { refusal: null, held: true, member: null };

/** Applies the next entry. */
export function applyChange(state: State, change: Change): Result {
  state.index += 1;
  switch (change.kind) {
    case 'noop':
    case 'old-request':
      return DONE;
    case 'version':
      state.clusterVersion = change.version;
      return DONE;
    case 'downgrade':
      state.downgrade = change.target;
      return DONE;
    case 'put':
      return put(state, change);
    case 'delete':
      if (state.keys.delete(change.key)) state.revision += 1;
      return DONE;
    case 'alarm':
      state.outOfSpace = change.raised;
      return DONE;
    case 'fill':
      state.bytes = change.bytes;
      return DONE;
    case 'grant':
      if (state.outOfSpace) return NO_SPACE;
      state.leases.set(change.leaseId, change.ttlMs);
      return DONE;
    case 'revoke':
      return revoke(state, change.leaseId);
    case 'publish': {
      const member = state.members.get(change.memberId);
      const { name, clientUrl } = change;
      if (member !== undefined) state.members.set(member.id, { ...member, name, clientUrls: [clientUrl] });
      return DONE;
    }
    case 'add':
    case 'remove':
    case 'promote':
      return reconfigure(state, change);
  }
}

/** The keys with this prefix, in their order. */
export function prefixed(state: State, prefix: string): readonly StoredKey[] {
  const keys = [...state.keys.values()].filter((it) => it.key.startsWith(prefix));
  return keys.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function put(state: State, change: Extract<Change, { readonly kind: 'put' }>): Result {
  const { key, value, leaseId, compare } = change;
  // Refused whatever its comparison would have said.
  if (state.outOfSpace) return NO_SPACE;
  if (compare !== null && (state.keys.get(compare.key)?.createRevision ?? '0') !== compare.createRevision)
    return { ...DONE, held: false };
  if (leaseId !== null && !state.leases.has(leaseId)) return refused('other', 'requested lease not found');
  state.revision += 1;
  const modRevision = String(state.revision);
  const createRevision = state.keys.get(key)?.createRevision ?? modRevision;
  state.keys.set(key, { key, value, createRevision, modRevision, leaseId });
  return DONE;
}

function revoke(state: State, leaseId: string): Result {
  if (!state.leases.delete(leaseId)) return refused('other', 'requested lease not found');
  const keys = [...state.keys.values()].filter((it) => it.leaseId === leaseId);
  for (const { key } of keys) state.keys.delete(key);
  if (keys.length > 0) state.revision += 1;
  return DONE;
}

/** What every member checks by itself, when it applies the change (etcd's ValidateConfigurationChange). */
function reconfigure(state: State, change: ConfChange): Result {
  const id = change.kind === 'add' ? change.member.id : change.memberId;
  if (state.removed.has(id)) return refused('not-found', 'member not found');
  const there = state.members.get(id);
  if (change.kind === 'add') {
    const refusal = whyNotAdded(state, change.member);
    if (refusal !== null) return refusal;
    state.members.set(id, change.member);
  } else if (there === undefined) {
    return refused('not-found', 'member not found');
  } else if (change.kind === 'remove') {
    state.members.delete(id);
    state.removed.add(id);
  } else if (there.learner) {
    state.members.set(id, { ...there, learner: false });
  } else {
    return refused('not-a-learner', 'can only promote a learner member');
  }
  const members = [...state.members.values()];
  state.voters = members.filter((it) => !it.learner).map((it) => it.id);
  return { refusal: null, held: true, member: state.members.get(id) ?? there ?? null };
}

function whyNotAdded(state: State, member: Member): Result | null {
  if (state.members.has(member.id)) return refused('peer-url-exists', 'member ID already exist');
  const members = [...state.members.values()];
  if (members.some((it) => it.peerUrls.some((url) => member.peerUrls.includes(url))))
    return refused('peer-url-exists', 'Peer URLs already exists');
  if (member.learner && members.some((it) => it.learner))
    return refused('too-many-learners', 'too many learner members in cluster');
  return null;
}

const NO_SPACE = refused('other', 'mvcc: database space exceeded');

function refused(code: AdminRefusal, words: string): { readonly refusal: Refusal } {
  return { refusal: { code, message: `etcdserver: ${words}` } };
}
