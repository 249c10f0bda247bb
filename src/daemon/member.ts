import { isRefused, unknown } from '../core/known.ts';
import type { EtcdExit } from '../core/local-data.ts';
import { planLiveness } from '../core/liveness.ts';
import type { MemberStatus } from '../core/members.ts';
import { LOOK_INTERVAL_MS, SETTLE_MS, STOP_GRACE_MS } from '../core/numbers.ts';
import type { MemberCode, MemberObservation } from '../core/plan-member.ts';
import { planMember } from '../core/plan-member.ts';
import { whyUnhealthy } from '../core/readiness.ts';
import type { Context } from './context.ts';
import { takeLeavingBack } from './leaving-word.ts';
import { act, noteVoter, tellLeader } from './member-acts.ts';
import { observeMember } from './observe-member.ts';
import type { RunningEtcd } from './ports.ts';
import type { FormingWatch } from './replace-forming.ts';
import { createFormingWatch } from './replace-forming.ts';

/** How soon to look again while a birth or a join goes on: etcd is asked, AWS is not. */
const HURRY_MS = 100;

/** Where the own etcd has been silent for this long, a look at the usual pace is enough. */
const LONG_SILENCE_MS = 10_000;

/** Asks of an etcd that is silent follow each other in less, deadline and pause together; after more, this process stood still. */
const LISTENING_GAP_MS = 10_000;

/** A member's own word counts for as long: its status, the list of the voters and the leader's index are asked one after the other. */
const OWN_WORD_MS = 10_000;

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
  /** When the last ask ended, answered or not. */
  listenedAt: number;
  answeredOnce: boolean;
  /** Since when a joiner's snapshot has been in place; null: no joiner, or none is. */
  seededSince: number | null;
  /** Since when it is seen neither to defragment its database nor to put a snapshot in place, as it was before; null: it was not, or is. */
  idleSince: number | null;
  wasBusy: boolean;
  servedFormingSince: number | null;
  /** When others were last asked for the members, while it had not served yet. */
  readonly late: { askedAt: number };
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
    listenedAt: clock.now(),
    answeredOnce: false,
    seededSince: null,
    idleSince: null,
    wasBusy: false,
    servedFormingSince: null,
    late: { askedAt: Number.NEGATIVE_INFINITY },
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
  context.state.lockRead = null;
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
  const askedAt = context.ports.clock.now();
  const seen = await observeMember(
    context,
    identity,
    {
      servedFormingMs,
      answeredOnce: memory.answeredOnce,
      silentMs: silentMs(context, memory),
      late: memory.late,
    },
    signal,
  );
  const serves = seen.list.known && !seen.identity.formed;
  memory.servedFormingSince = serves ? (forming ?? context.ports.clock.now()) : null;
  if (judgeHealth(context, seen, memory)) {
    await takeLeavingBack(context, signal);
    tellLeader(context, signal);
  }
  if (await restartIfDead(context, etcd, memory, askedAt, signal)) return true;
  // An operator may have promoted it.
  if (seen.status.known && !seen.status.value.learner) await noteVoter(context, seen.identity, signal);
  const action = planMember(seen);
  // Law 5: it is promoted on its own word, given just now; and this process may have stood still since.
  if (action.kind === 'promote' && context.ports.clock.now() - askedAt > OWN_WORD_MS) return true;
  context.chronicle.plan('member', [action.reason]);
  await act(context, action, etcd, identity, signal);
  if (action.kind !== 'none') return true;
  // Authentication is switched on where a quorum serves: an epoch that has one is not replaced.
  const isLetIn = !isRefused(seen.status) && !isRefused(seen.list);
  const cannotForm = (!seen.list.known && isLetIn) || action.reason.code === 'form-lost-majority';
  if (!identity.formed && cannotForm && !seen.leaving && (await memory.formingWatch.look(signal)))
    await etcd.stop(STOP_GRACE_MS);
  const settled = action.reason.code === 'member-steady' && context.state.notReady === null;
  return !settled && !PATIENT.has(action.reason.code) && !longSilent(context, memory);
}

/** What lasts until an operator says otherwise, or a reseeding is over. */
const PATIENT: ReadonlySet<MemberCode> = new Set<MemberCode>(['claim-reseeding', 'member-refused']);

/** Without an answer for a while there is no hurry: what is waited for takes its time. */
function longSilent(context: Context, memory: Memory): boolean {
  return silentMs(context, memory) > LONG_SILENCE_MS;
}

/** For how long no ask was answered; ms. */
function silentMs(context: Context, memory: Memory): number {
  return memory.silentSince === null ? 0 : context.ports.clock.now() - memory.silentSince;
}

/**
 * Remembers whether the member is well, and since when: readiness, and the reset of the restart backoff. True: it has
 * just become well.
 */
function judgeHealth(context: Context, seen: MemberObservation, memory: Memory): boolean {
  const now = context.ports.clock.now();
  // A refusal is an answer: the process lives.
  if (seen.status.known || isRefused(seen.status)) {
    memory.silentSince = null;
    memory.answeredOnce = true;
  } else {
    // From the first ask that failed on, one after the other: a thawed appliance has not heard silence, it has not listened.
    if (now - memory.listenedAt > LISTENING_GAP_MS) memory.silentSince = null;
    memory.silentSince ??= now;
  }
  memory.listenedAt = now;
  const why = whyNotServing(seen);
  const becameWell = why === null && memory.wellSince === null;
  if (why !== null) memory.wellSince = null;
  else memory.wellSince ??= now;
  const wellForMs = memory.wellSince === null ? 0 : now - memory.wellSince;
  const settling = wellForMs < SETTLE_MS ? 'it has been well for less than the settle time' : null;
  context.state.notReady = why ?? settling;
  return becameWell;
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

/** A process that lives and has failed its liveness is killed: its exit starts it again. `askedAt`: when its last ask began. */
async function restartIfDead(
  context: Context,
  etcd: RunningEtcd,
  memory: Memory,
  askedAt: number,
  signal: AbortSignal,
): Promise<boolean> {
  const { clock, probe, self } = context.ports;
  if (context.state.joining && etcd.seeded()) memory.seededSince ??= clock.now();
  const defragments = etcd.defragments();
  const restores = etcd.restores();
  const busy = defragments || restores;
  memory.wasBusy ||= busy;
  // It was done at some time since the last look.
  if (busy) memory.idleSince = null;
  else if (memory.wasBusy) memory.idleSince ??= clock.now();
  const facts = {
    // An ask that began before it was done says nothing of what came after.
    seededMs: memory.seededSince === null ? null : Math.max(0, askedAt - memory.seededSince),
    silentMs: silentMs(context, memory),
    answeredOnce: memory.answeredOnce,
    defragments,
    restores,
    idleMs: memory.wasBusy ? Math.max(0, askedAt - (memory.idleSince ?? askedAt)) : null,
    far: context.options.far === true,
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
