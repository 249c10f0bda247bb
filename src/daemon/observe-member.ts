import type { Fleet } from '../core/fleet.ts';
import type { Known, Unknown } from '../core/known.ts';
import { isRefused, known, unknown } from '../core/known.ts';
import type { DataIdentity } from '../core/local-data.ts';
import type { MemberList, MemberStatus } from '../core/members.ts';
import { votersOf } from '../core/members.ts';
import {
  BUSY_AWS_INTERVAL_MS,
  CLAIM_READ_INTERVAL_MS,
  LOOK_INTERVAL_MS,
  STARTING_ASK_MS,
} from '../core/numbers.ts';
import type { MemberObservation } from '../core/plan-member.ts';
import { isUnclaimed } from '../core/plan-member.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import { votersList } from './look.ts';
import { LOCK_KEY } from './maintenance-lock.ts';
import { noteFormed } from './member-acts.ts';
import { orLate } from './or-late.ts';
import { readPublished } from './published.ts';
import { formingClusterId } from './start-facts.ts';

/** What is remembered of this process that an observation rests on. */
export interface MemberMemory {
  readonly servedFormingMs: number;
  /** Whether it ever answered. */
  readonly answeredOnce: boolean;
  /** For how long it has answered nothing; ms. */
  readonly silentMs: number;
  /** When others were last asked for the members in its place. */
  readonly late: { askedAt: number };
}

/** A member that has said nothing since it was started is late after this; why, the others may know. */
const LATE_MS = 10_000;

/** A voter may wait for its quorum for days: the others are asked this often. */
const LATE_VOTER_INTERVAL_MS = 30_000;

/** A voter of a formed epoch decides nothing on who else is a member: it reads the list anew this often. */
const LIST_INTERVAL_MS = 10_000;

/** What the housekeeper's loop read so shortly before proves a quorum as well. */
const READ_JUST_NOW_MS = LOOK_INTERVAL_MS / 2;

/** Everything that a running member's plan rests on. Beside the loop, `plan` asks it, too. */
export async function observeMember(
  context: Context,
  identity: DataIdentity,
  memory: MemberMemory,
  signal: AbortSignal,
): Promise<MemberObservation> {
  const { ports, register, state } = context;
  const own = clientUrl(ports.self.address);
  const status = await askStatus(context, own, memory.answeredOnce, signal);
  state.ownStatus = status;
  const learner = status.known && status.value.learner;
  const { list, leader } = status.known
    ? ((await listAsBefore(context, own, identity, status.value, signal)) ??
      (await freshList(context, status.value, signal)))
    : { list: await listWithoutStatus(context, identity, status, memory, signal), leader: null };
  state.list = list;
  const needsClaim = status.known && (learner || !identity.formed);
  if (needsClaim) await learnClaim(context, own, identity, learner, signal);
  return {
    self: ports.self,
    cluster: context.options.cluster,
    identity,
    status,
    list,
    leaderIndex: learner ? await leaderIndex(context, leader, signal) : unknown('not needed'),
    claim: register.claim(),
    fleet: await fleetFor(context, identity, signal),
    formingClusterId: identity.formed ? null : formingClusterId(context),
    servedFormingMs: memory.servedFormingMs,
    claimStoodMs: register.claimStoodMs(),
    freshToken: ports.random.token(),
    registerSilentMs: register.silentMs(),
    leaving: state.phase === 'leaving',
  };
}

/** The fleet as it was last seen; where a claim may be written, which names the groups, as it is. */
async function fleetFor(
  context: Context,
  identity: DataIdentity,
  signal: AbortSignal,
): Promise<Known<Fleet>> {
  const { register, fleetView } = context;
  const facts = { identity, claim: register.claim(), claimStoodMs: register.claimStoodMs() };
  return isUnclaimed(facts) ? await fleetView.fleet(BUSY_AWS_INTERVAL_MS, signal) : fleetView.last();
}

interface ListOf {
  readonly list: Known<MemberList>;
  /** The leader's endpoint, for a learner. */
  readonly leader: string | null;
}

async function freshList(context: Context, status: MemberStatus, signal: AbortSignal): Promise<ListOf> {
  const sent = context.ports.clock.now();
  const fresh = await votersList(context, status.learner, status.leader, signal);
  context.state.listedAt = sent;
  return fresh;
}

/**
 * The list as it was, confirmed by a linearizable read of the lock, which the housekeeper's turn then need not read. Null:
 * it must be read anew; who is no voter of a formed epoch decides on it, and does that in each turn.
 */
async function listAsBefore(
  context: Context,
  own: string,
  identity: DataIdentity,
  status: MemberStatus,
  signal: AbortSignal,
): Promise<ListOf | null> {
  const { ports, state } = context;
  const { list } = state;
  const sent = ports.clock.now();
  if (!identity.formed || status.learner || sent - state.listedAt >= LIST_INTERVAL_MS) return null;
  if (!list.known || list.value.clusterId !== status.clusterId) return null;
  const voters = votersOf(list.value.members).map((it) => it.id);
  if (![status.memberId, status.leader].every((id) => id !== null && voters.includes(id))) return null;
  if (state.lockRead !== null && sent - state.lockRead.at < READ_JUST_NOW_MS) return { list, leader: null };
  const lock = await ports.admin.read(own, LOCK_KEY, { serializable: false }, signal);
  if (!lock.known) return { list: lock, leader: null };
  state.lockRead = { at: sent, lock: lock.value };
  return { list, leader: null };
}

/** Who is refused its status asks for the list all the same: that is refused only with a quorum. */
async function listWithoutStatus(
  context: Context,
  identity: DataIdentity,
  status: Unknown,
  memory: MemberMemory,
  signal: AbortSignal,
): Promise<Known<MemberList>> {
  return isRefused(status) && identity.voter
    ? (await votersList(context, false, null, signal)).list
    : await listOfLate(context, identity, status.reason, memory, signal);
}

/**
 * The members as the others have them, for one that has not served since it was started: a joiner that was removed before it had
 * the log hears of it from nobody, and would wait for its snapshot for ever; so would who was started on the data of a removed
 * voter, because nobody answered then, for those whom its log names.
 */
async function listOfLate(
  context: Context,
  identity: DataIdentity,
  why: string,
  { answeredOnce, silentMs, late }: MemberMemory,
  signal: AbortSignal,
): Promise<Known<MemberList>> {
  const now = context.ports.clock.now();
  const intervalMs = identity.voter ? LATE_VOTER_INTERVAL_MS : 0;
  if (answeredOnce || silentMs < LATE_MS || now - late.askedAt < intervalMs) return unknown(why);
  late.askedAt = now;
  await context.register.read(Math.max(LATE_MS, intervalMs), signal);
  return (await votersList(context, true, null, signal)).list;
}

/** Asks the own etcd for its status; one that has not served yet is not waited for a whole deadline. */
async function askStatus(
  context: Context,
  own: string,
  answeredOnce: boolean,
  signal: AbortSignal,
): Promise<Known<MemberStatus>> {
  const { admin, clock } = context.ports;
  if (answeredOnce) return await admin.status(own, signal);
  return await orLate(
    clock,
    STARTING_ASK_MS,
    unknown('it does not serve yet'),
    (both) => admin.status(own, both),
    signal,
  );
}

async function leaderIndex(
  context: Context,
  leader: string | null,
  signal: AbortSignal,
): Promise<Known<number>> {
  if (leader === null) return unknown('the leader is unknown');
  const status = await context.ports.admin.status(leader, signal);
  return status.known ? known(status.value.raftIndex) : status;
}

/**
 * What the claim says: a founder that does not lead reads in its own etcd what the housekeeper published, and asks
 * Route 53 only where nothing is; everybody else asks Route 53, no more often than the claim is read while waiting.
 */
async function learnClaim(
  context: Context,
  own: string,
  identity: DataIdentity,
  learner: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { admin } = context.ports;
  if (!learner) {
    const published = await readPublished(admin, own, signal);
    if (published?.claim?.token === identity.token) {
      await noteFormed(context, identity, signal);
      return;
    }
  }
  await context.register.read(CLAIM_READ_INTERVAL_MS, signal);
}
