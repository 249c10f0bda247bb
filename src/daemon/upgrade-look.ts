import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';
import type { Member, MemberAlarm } from '../core/members.ts';
import { alarmsOf, isStarted } from '../core/members.ts';
import type { UpgradeAnswer, UpgradeMember, UpgradeObservation, UpgradeRecord } from '../core/upgrade.ts';
import { decodeRecord, UPGRADE_LOCK_KEY, UPGRADE_PREFIX } from '../core/upgrade-record.ts';
import { clientUrl } from '../core/urls.ts';
import { whyUnheard } from './follows.ts';
import { readLeaving } from './leaving-word.ts';
import { endpointOf, look } from './look.ts';
import type { Clock, Ports } from './ports.ts';
import type { MemberLook } from './state.ts';

/** Through whom the upgrade of a cluster is looked at: by an appliance through its own etcd, or from anywhere by an operator. */
export interface UpgradeSight {
  readonly admin: Ports['admin'];
  readonly clock: Pick<Clock, 'now'>;
  readonly endpoint: string;
  /** What the appliance at an address says of its instance. */
  readonly ask: (address: string, signal: AbortSignal) => Promise<Known<UpgradeAnswer>>;
  /** The instance that plans; empty: none does. */
  readonly self: string;
  /** Somebody is about to act: alarms are listed, which is an entry in etcd's log, and not taken from each member's word. */
  readonly acts: boolean;
}

/** The step that is recorded while nobody holds the lock, and since when that has been seen, ms; null: there is none. */
export interface OrphanMemory {
  orphan: { readonly key: string; readonly since: number } | null;
}

/** One look: all that a plan rests on, but what only time tells an appliance. */
export interface Sighting {
  readonly observation: UpgradeObservation;
  readonly members: readonly MemberLook[];
}

/** What etcd keeps of an upgrade, read with a quorum. */
export async function readUpgradeRecord(
  { admin }: Pick<UpgradeSight, 'admin'>,
  endpoint: string,
  signal: AbortSignal,
): Promise<Known<UpgradeRecord>> {
  const keys = await admin.readPrefix(endpoint, UPGRADE_PREFIX, signal);
  return keys.known ? decodeRecord(keys.value) : keys;
}

/** Everything that the plan of an upgrade rests on, in one look. */
export async function lookAtUpgrade(
  sight: UpgradeSight,
  memory: OrphanMemory,
  signal: AbortSignal,
): Promise<Known<Sighting>> {
  const { admin, endpoint } = sight;
  const context = { ports: { admin } };
  // The lock first: who took it since has everything else before its own first act.
  const lock = await admin.read(endpoint, UPGRADE_LOCK_KEY, { serializable: false }, signal);
  if (!lock.known) return { ...lock, reason: `the upgrade lock cannot be read: ${lock.reason}` };
  const seen = await look(context, endpoint, signal);
  if (!seen.known) return unknown(`the members are unknown: ${seen.reason}`);
  const { list, members: looks } = seen.value;
  const leaderId = leaderOf(looks);
  if (leaderId === null) return unknown('the members that answer do not agree on who leads');
  // Read after the lock was taken, as who leaves says so before it looks at the lock: one of the two sees the other.
  const away = await readAway(context, endpoint, signal);
  if (!away.known) return unknown(`who leaves is unknown: ${away.reason}`);
  const [members, versions, alarms, auth, record] = await Promise.all([
    Promise.all(
      list.members.map(async (it, index) => await memberOf(sight, it, looks[index], away.value, signal)),
    ),
    admin.versions(endpoint, signal),
    sight.acts ? admin.alarms(endpoint, signal) : known(alarmsSaid(looks)),
    admin.authEnabled(endpoint, signal),
    readUpgradeRecord(sight, endpoint, signal),
  ]);
  const lockedBy = lock.value?.value ?? null;
  const orphanedForMs = orphanedSince(sight, memory, lockedBy, record);
  const { self } = sight;
  return known({
    members: looks,
    observation: { members, leaderId, versions, alarms, auth, record, lockedBy, orphanedForMs, self },
  });
}

/**
 * One member: `seen` is the look at it, in the order of the list. A status needs no leader that hears the member: a step would
 * count on who hears one and is not heard, and who steps asks for that again before its stop.
 */
async function memberOf(
  { admin, ask, self }: UpgradeSight,
  member: Member,
  seen: MemberLook | undefined,
  away: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<UpgradeMember> {
  const status =
    seen?.status.known === true && seen.status.value.memberId === member.id ? seen.status.value : null;
  const address = seen?.address ?? '';
  const unwell = whyUnwell(seen, away);
  const isAsked = unwell === null && member.name !== self;
  const [answer, versions, unheard] = await Promise.all([
    ask(address, signal),
    admin.versions(clientUrl(address), signal),
    isAsked ? whyUnheard(admin, endpointOf(member), signal) : null,
  ]);
  return {
    id: member.id,
    name: member.name || member.id,
    learner: member.learner,
    started: isStarted(member),
    unhealthy: unheard === null ? unwell : `it ${unheard}`,
    version: status?.version ?? null,
    storage: versions.known ? versions.value.storage : null,
    appliedIndex: status?.raftAppliedIndex ?? 0,
    dbSizeBytes: status?.dbSizeBytes ?? 0,
    answer,
  };
}

function whyUnwell(seen: MemberLook | undefined, away: ReadonlyMap<string, string>): string | null {
  if (seen === undefined) return 'nobody looked at it';
  return seen.unhealthy ?? away.get(seen.name) ?? null;
}

/** Who is about to be away, by instance, and how. */
async function readAway(
  context: { readonly ports: Pick<Ports, 'admin'> },
  endpoint: string,
  signal: AbortSignal,
): Promise<Known<ReadonlyMap<string, string>>> {
  const [leaving, restarting] = await Promise.all([
    readLeaving(context, 'going', endpoint, signal),
    readLeaving(context, 'restart', endpoint, signal),
  ]);
  if (!leaving.known) return leaving;
  if (!restarting.known) return restarting;
  return known(
    new Map([
      ...[...restarting.value].map((it) => [it, 'it restarts'] as const),
      ...[...leaving.value].map((it) => [it, 'it leaves'] as const),
    ]),
  );
}

/** Every member names the alarms of all. */
function alarmsSaid(members: readonly MemberLook[]): readonly MemberAlarm[] {
  const said = members.flatMap((it) => (it.status.known ? alarmsOf(it.status.value) : []));
  return [...new Map(said.map((it) => [`${it.memberId} ${it.alarm}`, it])).values()];
}

/** Who leads, where all that tell agree. */
function leaderOf(members: readonly MemberLook[]): string | null {
  const told = new Set(members.flatMap((it) => (it.status.known ? [it.status.value.leader] : [])));
  const [leader = null] = told;
  return told.size === 1 ? leader : null;
}

function orphanedSince(
  { clock, self }: UpgradeSight,
  memory: OrphanMemory,
  lockedBy: string | null,
  record: Known<UpgradeRecord>,
): number {
  const step = record.known && (lockedBy === null || lockedBy === self) ? record.value.step : null;
  if (step === null) {
    if (record.known) memory.orphan = null;
    return 0;
  }
  const key = JSON.stringify(step);
  const now = clock.now();
  if (memory.orphan?.key !== key) memory.orphan = { key, since: now };
  return now - memory.orphan.since;
}
