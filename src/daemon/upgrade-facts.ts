import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import { isStarted } from '../core/members.ts';
import type { UpgradeMember, UpgradeObservation, UpgradeRecord } from '../core/upgrade.ts';
import { decodeRecord, UPGRADE_LOCK_KEY, UPGRADE_PREFIX } from '../core/upgrade-record.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import { readLeaving } from './leaving-word.ts';
import { look } from './look.ts';
import type { MemberLook } from './state.ts';

/** What is remembered between looks; safety rests on it only as far as a step of somebody dead is waited for longer. */
export interface UpgradeMemory {
  /** The step that is recorded while nobody holds the lock, and since when that has been seen; ms. */
  orphan: { readonly key: string; readonly since: number } | null;
  /**
   * An earlier life of this instance left the lock, or a step that it had begun; or, where this member leads, one that is a
   * member no more did. Nobody else has the lock.
   */
  left: boolean;
  /** Since when there have been just two voters, on the clock; null: there are others. */
  pairSince: number | null;
  /** The members as last looked at. */
  members: readonly MemberLook[];
}

/** What etcd keeps of an upgrade, read with a quorum. */
export async function readUpgradeRecord(
  context: Context,
  endpoint: string,
  signal: AbortSignal,
): Promise<Known<UpgradeRecord>> {
  const keys = await context.ports.admin.readPrefix(endpoint, UPGRADE_PREFIX, signal);
  return keys.known ? decodeRecord(keys.value) : keys;
}

/** Everything that the plan of an upgrade rests on, in one look through the own etcd. */
export async function observeUpgrade(
  context: Context,
  memory: UpgradeMemory,
  signal: AbortSignal,
): Promise<Known<UpgradeObservation>> {
  const { admin, self } = context.ports;
  const own = clientUrl(self.address);
  // The lock first: who took it since has everything else before its own first act.
  const lock = await admin.read(own, UPGRADE_LOCK_KEY, { serializable: false }, signal);
  if (!lock.known) return unknown(`the upgrade lock cannot be read: ${lock.reason}`);
  const seen = await look(context, own, signal);
  if (!seen.known) return unknown(`the members are unknown: ${seen.reason}`);
  memory.members = seen.value.members;
  const isPair = seen.value.members.filter((it) => !it.learner).length === 2;
  memory.pairSince = isPair ? (memory.pairSince ?? context.ports.clock.now()) : null;
  const leaderId = leaderOf(seen.value.members);
  if (leaderId === null) return unknown('the members that answer do not agree on who leads');
  // Read after the lock was taken, as who leaves says so before it looks at the lock: one of the two sees the other.
  const leaving = await readLeaving(context, own, signal);
  if (!leaving.known) return unknown(`who leaves is unknown: ${leaving.reason}`);
  const looks = seen.value.members.map((it) =>
    leaving.value.has(it.name) ? { ...it, unhealthy: it.unhealthy ?? 'it leaves' } : it,
  );
  const [members, versions, alarms, auth, record] = await Promise.all([
    Promise.all(seen.value.list.members.map((it) => memberOf(context, it, looks, signal))),
    admin.versions(own, signal),
    admin.alarms(own, signal),
    admin.authEnabled(own, signal),
    readUpgradeRecord(context, own, signal),
  ]);
  const lockedBy = lock.value?.value ?? null;
  const by = record.known ? (record.value.step?.by ?? null) : null;
  const leads = seen.value.members.some((it) => it.id === leaderId && it.address === self.address);
  // Nobody else would ever end the step of an instance that is gone, where there is nothing more to do.
  const isGone = by !== null && members.every((it) => it.name !== by);
  memory.left = lockedBy === self.id || (lockedBy === null && (by === self.id || (isGone && leads)));
  return known({
    members,
    leaderId,
    versions,
    alarms,
    auth,
    record,
    lockedBy,
    pairForMs: memory.pairSince === null ? null : context.ports.clock.now() - memory.pairSince,
    orphanedForMs: orphanedForMs(context, memory, lockedBy, record),
    self: self.id,
  });
}

async function memberOf(
  context: Context,
  member: Parameters<typeof isStarted>[0],
  looks: readonly MemberLook[],
  signal: AbortSignal,
): Promise<UpgradeMember> {
  const { ports, upgradeWord } = context;
  const seen = looks.find((it) => it.id === member.id);
  const status =
    seen?.status.known === true && seen.status.value.memberId === member.id ? seen.status.value : null;
  const address = seen?.address ?? '';
  const [answer, versions] = await Promise.all([
    address === ports.self.address
      ? upgradeWord.tell(signal).then(known)
      : ports.peers.askUpgrade(address, { from: ports.self.id, fresh: false }, signal),
    ports.admin.versions(clientUrl(address), signal),
  ]);
  return {
    id: member.id,
    name: member.name || member.id,
    learner: member.learner,
    started: isStarted(member),
    unhealthy: seen === undefined ? 'nobody looked at it' : seen.unhealthy,
    version: status?.version ?? null,
    storage: versions.known ? versions.value.storage : null,
    appliedIndex: status?.raftAppliedIndex ?? 0,
    dbSizeBytes: status?.dbSizeBytes ?? 0,
    answer,
  };
}

/** Who leads, where all that tell agree. */
function leaderOf(members: readonly MemberLook[]): string | null {
  const told = new Set(members.flatMap((it) => (it.status.known ? [it.status.value.leader] : [])));
  const [leader = null] = told;
  return told.size === 1 ? leader : null;
}

function orphanedForMs(
  { ports }: Context,
  memory: UpgradeMemory,
  lockedBy: string | null,
  record: Known<UpgradeRecord>,
): number {
  const step = record.known && lockedBy === null ? record.value.step : null;
  if (step === null) {
    if (record.known) memory.orphan = null;
    return 0;
  }
  const key = JSON.stringify(step);
  const now = ports.clock.now();
  if (memory.orphan?.key !== key) memory.orphan = { key, since: now };
  return now - memory.orphan.since;
}
