import type { Known } from '../core/known.ts';
import { known, unknown } from '../core/known.ts';
import type { DataIdentity, EtcdExit } from '../core/local-data.ts';
import type { MemberStatus } from '../core/members.ts';
import {
  CLAIM_READ_INTERVAL_MS,
  LOOK_INTERVAL_MS,
  SETTLE_MS,
  STARTING_ASK_MS,
  STOP_GRACE_MS,
} from '../core/numbers.ts';
import { clientUrl, hostOf } from '../core/urls.ts';
import type { MemberAction, MemberObservation } from '../core/plan-member.ts';
import { planMember } from '../core/plan-member.ts';
import { planLiveness } from '../core/liveness.ts';
import { planDns } from '../core/plan-dns.ts';
import type { RecordChange } from '../core/records.ts';
import { reason } from '../core/reason.ts';
import { whyUnhealthy } from '../core/readiness.ts';
import { hasCode } from '../errors.ts';
import { changeClaimAndNames } from './change-names.ts';
import type { Context } from './context.ts';
import { endpointOf, look, votersList } from './look.ts';
import type { RunningEtcd } from './ports.ts';
import { decodePublished, PUBLISHED_KEY } from './published.ts';
import type { FormingWatch } from './replace-forming.ts';
import { createFormingWatch } from './replace-forming.ts';
import { formingClusterId } from './start-facts.ts';

/** How soon to look again while a birth or a join goes on: etcd is asked, AWS is not. */
const HURRY_MS = 100;

/** Where the own etcd has been silent for this long, a look at the usual pace is enough. */
const LONG_SILENCE_MS = 10_000;

/** What one life of the etcd process came to. */
export interface MemberLife {
  readonly exit: EtcdExit;
  /** For how long it was well at its end; ms. */
  readonly wellForMs: number;
}

/** What is remembered between ticks of one process; safety rests on none of it. */
interface Memory {
  wellSince: number | null;
  /** Since when no ask was answered; null: the last one was. */
  silentSince: number | null;
  answeredOnce: boolean;
  /** Since when a joiner's snapshot has been in place; null: no joiner, or none is. */
  seededSince: number | null;
  servedFormingSince: number | null;
  readonly formingWatch: FormingWatch;
}

/**
 * Watches over a running etcd until it ends: brings a founder's epoch to `formed` and a learner to its vote, stops what
 * the claim says must not serve, restarts what fails its own liveness (law 7: nothing else restarts it).
 */
export async function watchMember(
  context: Context,
  etcd: RunningEtcd,
  signal: AbortSignal,
): Promise<MemberLife> {
  const { clock } = context.ports;
  const memory: Memory = {
    wellSince: null,
    silentSince: null,
    answeredOnce: false,
    seededSince: null,
    servedFormingSince: null,
    formingWatch: createFormingWatch(context),
  };
  let exit: EtcdExit | null = null;
  const ended = etcd.exited.then((it) => {
    exit = it;
    context.lifeBell.ring();
  });
  const over = (): EtcdExit | null => exit;
  while (over() === null) {
    signal.throwIfAborted();
    const began = clock.now();
    const busy = await tick(context, etcd, memory, signal);
    context.chronicle.turn('member', began);
    if (over() === null) await context.lifeBell.wait(busy ? HURRY_MS : LOOK_INTERVAL_MS, signal);
  }
  await ended;
  const last = await etcd.exited;
  const wellForMs = memory.wellSince === null ? 0 : clock.now() - memory.wellSince;
  context.state.ownStatus = unknown('etcd does not run');
  context.state.notReady = 'etcd does not run';
  return { exit: last, wellForMs };
}

/** One look and one step; true where there is more to do soon. */
async function tick(
  context: Context,
  etcd: RunningEtcd,
  memory: Memory,
  signal: AbortSignal,
): Promise<boolean> {
  const { identity } = context.state;
  if (identity === null) {
    // Data without an identity are never started while the claim is known: there is nothing to decide on.
    return false;
  }
  const forming = memory.servedFormingSince;
  const servedFormingMs = forming === null ? 0 : context.ports.clock.now() - forming;
  const seen = await observeMember(
    context,
    identity,
    { servedFormingMs, answeredOnce: memory.answeredOnce },
    signal,
  );
  const serves = seen.list.known && !seen.identity.formed;
  memory.servedFormingSince = serves ? (forming ?? context.ports.clock.now()) : null;
  judgeHealth(context, seen, memory);
  if (await restartIfDead(context, etcd, memory, signal)) return true;
  const action = planMember(seen);
  context.chronicle.plan('member', [action.reason]);
  await act(context, action, etcd, identity, signal);
  if (action.kind !== 'none') return true;
  const cannotForm = !seen.list.known || action.reason.code === 'form-lost-majority';
  if (!identity.formed && cannotForm && !seen.leaving) await memory.formingWatch.look(signal);
  const settled = action.reason.code === 'member-steady' && context.state.notReady === null;
  return !settled && action.reason.code !== 'claim-reseeding' && !longSilent(context, memory);
}

/** Without an answer for a while there is no hurry: what is waited for takes its time. */
function longSilent(context: Context, memory: Memory): boolean {
  return memory.silentSince !== null && context.ports.clock.now() - memory.silentSince > LONG_SILENCE_MS;
}

/** Everything that a running member's plan rests on. Beside the loop, `plan` asks it, too. */
export async function observeMember(
  context: Context,
  identity: DataIdentity,
  memory: Pick<MemberObservation, 'servedFormingMs'> & Pick<Memory, 'answeredOnce'>,
  signal: AbortSignal,
): Promise<MemberObservation> {
  const { ports, register, fleetView, state } = context;
  const own = clientUrl(ports.self.address);
  const status = await askStatus(context, own, memory.answeredOnce, signal);
  state.ownStatus = status;
  const learner = status.known && status.value.learner;
  const { list, leader } = status.known
    ? await votersList(context, learner, status.value.leader, signal)
    : { list: unknown(status.reason), leader: null };
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
    fleet: fleetView.last(),
    formingClusterId: formingClusterId(context),
    servedFormingMs: memory.servedFormingMs,
    registerSilentMs: register.silentMs(),
    leaving: state.phase === 'leaving',
  };
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
  const done = new AbortController();
  const both = AbortSignal.any([signal, done.signal]);
  const late = clock.sleep(STARTING_ASK_MS, both).then(() => unknown('it does not serve yet'));
  try {
    return await Promise.race([admin.status(own, both), late]);
  } finally {
    done.abort();
  }
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
    const value = await admin.read(own, PUBLISHED_KEY, { serializable: true }, signal);
    const published = value.known && value.value !== null ? decodePublished(value.value.value) : null;
    if (published?.claim?.token === identity.token) {
      await noteFormed(context, identity, signal);
      return;
    }
  }
  await context.register.read(CLAIM_READ_INTERVAL_MS, signal);
}

/** Remembers whether the member is well, and since when: readiness, and the reset of the restart backoff. */
function judgeHealth(context: Context, seen: MemberObservation, memory: Memory): void {
  const now = context.ports.clock.now();
  if (seen.status.known) {
    memory.silentSince = null;
    memory.answeredOnce = true;
  } else {
    // From the first ask that failed on: a thawed appliance has not heard silence, it has not listened.
    memory.silentSince ??= now;
  }
  const why = whyNotServing(seen);
  if (why !== null) memory.wellSince = null;
  else memory.wellSince ??= now;
  const wellForMs = memory.wellSince === null ? 0 : now - memory.wellSince;
  const settling = wellForMs < SETTLE_MS ? 'it has been well for less than the settle time' : null;
  context.state.notReady = why ?? settling;
}

function whyNotServing(seen: MemberObservation): string | null {
  const own: MemberStatus | null = seen.status.known ? seen.status.value : null;
  const unhealthy = whyUnhealthy({
    status: seen.status,
    memberId: own?.memberId ?? '',
    highestIndex: own?.raftIndex ?? 0,
  });
  if (unhealthy !== null) return unhealthy;
  if (!seen.list.known) return `it has no linearizable answer: ${seen.list.reason}`;
  return seen.identity.formed ? null : 'its epoch is not formed yet';
}

/** A process that lives and has failed its liveness is killed: its exit starts it again. */
async function restartIfDead(
  context: Context,
  etcd: RunningEtcd,
  memory: Memory,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock, probe, self } = context.ports;
  if (context.state.joining && etcd.seeded()) memory.seededSince ??= clock.now();
  const facts = {
    seededMs: memory.seededSince === null ? null : clock.now() - memory.seededSince,
    silentMs: memory.silentSince === null ? 0 : clock.now() - memory.silentSince,
    answeredOnce: memory.answeredOnce,
  };
  let verdict = planLiveness({ ...facts, peersAnswered: null });
  if (verdict.kind === 'ask') {
    const answer = await probe.probe(self.address, signal);
    verdict = planLiveness({ ...facts, peersAnswered: answer.kind === 'answers' });
  }
  context.chronicle.plan('liveness', [verdict.reason]);
  if (verdict.kind !== 'dead') return false;
  context.chronicle.trouble('restart-etcd', verdict.reason);
  await etcd.stop(0);
  return true;
}

async function act(
  context: Context,
  action: MemberAction,
  etcd: RunningEtcd,
  identity: DataIdentity,
  signal: AbortSignal,
): Promise<void> {
  switch (action.kind) {
    case 'none':
      return;
    case 'stop':
      context.chronicle.trouble('stop-etcd', action.reason);
      context.state.notReady = action.reason.sentence;
      await etcd.stop(STOP_GRACE_MS);
      return;
    case 'note-formed':
      await noteFormed(context, identity, signal);
      return;
    case 'register':
      await changeRegister(context, action, identity, signal);
      return;
    case 'promote': {
      const endpoint = await leaderEndpoint(context);
      const outcome = await context.ports.admin.promote(endpoint, action.memberId, signal);
      context.ports.meter.acted('promote', outcome.ok ? 'done' : outcome.code);
      if (outcome.ok) {
        context.chronicle.event('promote', action.reason, { memberId: action.memberId });
        tellLeader(context, endpoint, signal);
      } else context.chronicle.plan('promote', [reason(outcome.code, outcome.message)]);
    }
  }
}

/** The leader's appliance keeps house: it names the new voter now, and not at its next look. Lost, it costs that look. */
function tellLeader(context: Context, endpoint: string, signal: AbortSignal): void {
  const { peers, self } = context.ports;
  void peers.askBirth(hostOf(endpoint), { epoch: 0, from: self.id }, signal).catch(() => undefined);
}

/** Promotion goes to the leader itself: through a follower it failed with auth enabled before 3.5.28 and 3.6.6. */
async function leaderEndpoint(context: Context): Promise<string> {
  const { state } = context;
  const leaderId = state.ownStatus.known ? state.ownStatus.value.leader : null;
  const leader = state.list.known ? state.list.value.members.find((it) => it.id === leaderId) : undefined;
  return leader === undefined ? clientUrl(context.ports.self.address) : endpointOf(leader);
}

async function noteFormed(context: Context, identity: DataIdentity, signal: AbortSignal): Promise<void> {
  const formed: DataIdentity = { ...identity, formed: true };
  try {
    await context.ports.data.writeIdentity(formed, signal);
  } catch (error) {
    // A full disk must not end the watch over an etcd that serves: the next tick tries again.
    if (!hasCode(error, 'cannot-write')) throw error;
    context.chronicle.trouble('note-formed', reason('cannot-write', error.message));
    return;
  }
  context.state.identity = formed;
  context.chronicle.event('formed', reason('note-formed', `epoch ${identity.epoch} is formed`));
  context.houseBell.ring();
}

async function changeRegister(
  context: Context,
  action: MemberAction & { readonly kind: 'register' },
  identity: DataIdentity,
  signal: AbortSignal,
): Promise<void> {
  const names = action.formed ? await firstRecords(context, signal) : [];
  const { claim: outcome } = await changeClaimAndNames(context, action.changes, names, signal);
  context.ports.meter.acted('register', outcome.kind);
  if (outcome.kind !== 'done') {
    context.chronicle.trouble('register', reason(outcome.kind, outcome.message));
    return;
  }
  context.chronicle.event('register', action.reason);
  if (action.formed) await noteFormed(context, identity, signal);
}

/** The records of a birth go into the batch that commits it: the cluster is found as soon as it is promised. */
async function firstRecords(context: Context, signal: AbortSignal): Promise<readonly RecordChange[]> {
  const { register, options, ports, fleetView } = context;
  const seen = await look(context, clientUrl(ports.self.address), signal);
  const records = register.last();
  if (!seen.known || !records.known) return [];
  return planDns({
    cluster: options.cluster,
    records: records.value,
    members: seen.value.list.members,
    healthy: seen.value.healthy,
    leaving: new Set(),
    fleetKnown: fleetView.last().known,
  }).changes;
}
