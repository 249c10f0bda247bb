import type { Known } from './core/known.ts';
import { known, unknown } from './core/known.ts';
import type { Member, MemberList, MemberStatus } from './core/members.ts';
import { addressOf, isStarted } from './core/members.ts';
import { whyUnhealthy } from './core/readiness.ts';
import type { UpgradeMember, UpgradeObservation, UpgradeRecord } from './core/upgrade.ts';
import {
  decodeRecord,
  encodePart,
  UPGRADE_KEYS,
  UPGRADE_LOCK_KEY,
  UPGRADE_PREFIX,
} from './core/upgrade-record.ts';
import { clientUrl } from './core/urls.ts';
import type { EtcdAdmin } from './etcd/admin.ts';
import { createAdmin } from './etcd/admin.ts';
import { createPeers } from './http/peers.ts';
import type { Peers } from './http/peers.ts';

/** A cluster's upgrade, seen and ordered from anywhere that reaches its members. Dispose it to close its connections. */
export interface ClusterUpgrade extends Disposable {
  /** Everything that a plan rests on, through the first member that answers; no instance's own view, so nobody's turn. */
  look(signal: AbortSignal): Promise<Known<UpgradeObservation>>;
  /** Writes one of the operator's keys with one put, through the first member that takes it; null empties it. */
  write(
    part: 'to' | 'paused' | 'failed',
    value: UpgradeRecord['to' | 'paused' | 'failed'],
    signal: AbortSignal,
  ): Promise<Known<true>>;
  /** Tells the appliances that there is something new. One that does not hear it sees it in its next look. */
  ring(signal: AbortSignal): Promise<void>;
  /** More addresses at which members may be: of the claim, where none of those answers that were known before. */
  know(addresses: readonly string[]): void;
}

/** As whom the appliances are asked. */
const OPERATOR = 'operator';

/** Opens the cluster whose members are at these addresses; `statusPort` is that of all its appliances. */
export function openClusterUpgrade(options: {
  readonly addresses: readonly string[];
  readonly statusPort: number;
}): ClusterUpgrade {
  const admin = createAdmin();
  const peers = createPeers({ port: options.statusPort });
  const memory: Memory = { addresses: options.addresses, orphan: null };
  return {
    look: async (signal) => await lookThrough(admin, peers, memory, signal),
    write: async (part, value, signal) => {
      let last: Known<true> = unknown('no member is known');
      for (const address of memory.addresses) {
        const put = await admin.put(clientUrl(address), UPGRADE_KEYS[part], encodePart(value), {}, signal);
        last = put.known ? known(true) : put;
        if (last.known) return last;
      }
      return last;
    },
    ring: async (signal) => {
      await Promise.all(
        memory.addresses.map((address) =>
          peers.askUpgrade(address, { from: OPERATOR, fresh: true }, signal).catch(() => undefined),
        ),
      );
    },
    know: (addresses) => void (memory.addresses = [...new Set([...memory.addresses, ...addresses])]),
    [Symbol.dispose]: () => admin[Symbol.dispose](),
  };
}

interface Memory {
  /** Where members are, or may be. */
  addresses: readonly string[];
  /** The step that is recorded while nobody holds the lock, and since when; ms of the monotonic clock. */
  orphan: { readonly key: string; readonly since: number } | null;
}

async function lookThrough(
  admin: EtcdAdmin,
  peers: Peers,
  memory: Memory,
  signal: AbortSignal,
): Promise<Known<UpgradeObservation>> {
  let why = 'no address of a member is known';
  for (const address of memory.addresses) {
    const endpoint = clientUrl(address);
    const list = await admin.memberList(endpoint, { linearizable: true }, signal);
    if (!list.known) {
      why = list.reason;
      continue;
    }
    const seen = await observe({ admin, peers, endpoint, list: list.value }, memory, signal);
    if (!seen.known) return seen;
    // Who answered is asked first again.
    const found = list.value.members.map(addressOf).filter((it) => it !== '');
    memory.addresses = [...new Set([address, ...found])];
    return seen;
  }
  return unknown(`no member answers: ${why}`);
}

interface Sight {
  readonly admin: EtcdAdmin;
  readonly peers: Peers;
  readonly endpoint: string;
  readonly list: MemberList;
}

async function observe(
  sight: Sight,
  memory: Memory,
  signal: AbortSignal,
): Promise<Known<UpgradeObservation>> {
  const { admin, endpoint, list } = sight;
  const [lock, keys, statuses, versions, alarms, auth] = await Promise.all([
    admin.read(endpoint, UPGRADE_LOCK_KEY, { serializable: false }, signal),
    admin.readPrefix(endpoint, UPGRADE_PREFIX, signal),
    Promise.all(list.members.map((it) => admin.status(it.clientUrls[0] ?? clientUrl(addressOf(it)), signal))),
    admin.versions(endpoint, signal),
    admin.alarms(endpoint, signal),
    admin.authEnabled(endpoint, signal),
  ]);
  if (!lock.known) return unknown(`the upgrade lock cannot be read: ${lock.reason}`);
  const answered = statuses.flatMap((it) => (it.known ? [it.value] : []));
  const highestIndex = Math.max(0, ...answered.map((it) => it.raftIndex));
  const leaders = new Set(answered.map((it) => it.leader));
  const [leaderId = null] = leaders;
  if (leaders.size !== 1 || leaderId === null)
    return unknown('the members that answer do not agree on who leads');
  const members = await Promise.all(
    list.members.map((it, index) =>
      memberOf(sight, it, statuses[index] ?? unknown('not asked'), highestIndex, signal),
    ),
  );
  const record = keys.known ? decodeRecord(keys.value) : keys;
  const lockedBy = lock.value?.value ?? null;
  const orphanedForMs = orphaned(memory, lockedBy === null && record.known ? record.value.step : null);
  return known({ members, leaderId, versions, alarms, auth, record, lockedBy, orphanedForMs, self: '' });
}

async function memberOf(
  { admin, peers }: Sight,
  member: Member,
  status: Known<MemberStatus>,
  highestIndex: number,
  signal: AbortSignal,
): Promise<UpgradeMember> {
  const address = addressOf(member);
  const [answer, versions] = await Promise.all([
    peers.askUpgrade(address, { from: OPERATOR, fresh: false }, signal),
    admin.versions(clientUrl(address), signal),
  ]);
  const own = status.known && status.value.memberId === member.id ? status.value : null;
  return {
    id: member.id,
    name: member.name || member.id,
    learner: member.learner,
    started: isStarted(member),
    unhealthy: whyUnhealthy({ status, memberId: member.id, highestIndex }),
    version: own?.version ?? null,
    storage: versions.known ? versions.value.storage : null,
    appliedIndex: own?.raftAppliedIndex ?? 0,
    dbSizeBytes: own?.dbSizeBytes ?? 0,
    answer,
  };
}

function orphaned(memory: Memory, step: UpgradeRecord['step']): number {
  const now = performance.now();
  const key = step === null ? null : JSON.stringify(step);
  if (key === null) memory.orphan = null;
  else if (memory.orphan?.key !== key) memory.orphan = { key, since: now };
  return now - (memory.orphan?.since ?? now);
}
