import { isRefused, unknown } from '../core/known.ts';
import type { EtcdExit } from '../core/local-data.ts';
import type { MemberStatus } from '../core/members.ts';
import { LOOK_INTERVAL_MS, SETTLE_MS, STOP_GRACE_MS } from '../core/numbers.ts';
import type { MemberCode, MemberObservation } from '../core/plan-member.ts';
import { planMember } from '../core/plan-member.ts';
import { whyUnhealthy } from '../core/readiness.ts';
import type { Context } from './context.ts';
import { takeLeavingBack } from './leaving-word.ts';
import type { LivenessWatch } from './liveness-watch.ts';
import { createLivenessWatch } from './liveness-watch.ts';
import { act, noteVoter, tellLeader } from './member-acts.ts';
import { observeMember } from './observe-member.ts';
import type { RunningEtcd } from './ports.ts';
import type { FormingWatch } from './replace-forming.ts';
import { createFormingWatch } from './replace-forming.ts';

/** How soon to look again while a birth or a join goes on: etcd is asked, AWS is not. */
const HURRY_MS = 100;

/** Where the own etcd has been silent for this long, a look at the usual pace is enough: what is waited for takes its time. */
const LONG_SILENCE_MS = 10_000;

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
  servedFormingSince: number | null;
  /** When others were last asked for the members, while it had not served yet. */
  readonly late: { askedAt: number };
  readonly livenessWatch: LivenessWatch;
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
    servedFormingSince: null,
    late: { askedAt: Number.NEGATIVE_INFINITY },
    livenessWatch: createLivenessWatch(context, etcd),
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
  const { livenessWatch, servedFormingSince } = memory;
  const askedAt = context.ports.clock.now();
  const seen = await observeMember(
    context,
    identity,
    {
      servedFormingMs: servedFormingSince === null ? 0 : askedAt - servedFormingSince,
      answeredOnce: livenessWatch.answeredOnce(),
      silentMs: livenessWatch.silentMs(),
      late: memory.late,
    },
    signal,
  );
  const serves = seen.list.known && !seen.identity.formed;
  memory.servedFormingSince = serves ? (servedFormingSince ?? context.ports.clock.now()) : null;
  // A refusal is an answer: the process lives.
  livenessWatch.heard(seen.status.known || isRefused(seen.status));
  if (judgeHealth(context, seen, memory)) {
    await takeLeavingBack(context, signal);
    tellLeader(context, signal);
  }
  if (await livenessWatch.restartIfDead(askedAt, signal)) return true;
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
  return !settled && !PATIENT.has(action.reason.code) && livenessWatch.silentMs() <= LONG_SILENCE_MS;
}

/** What lasts until an operator says otherwise, or a reseeding is over. */
const PATIENT: ReadonlySet<MemberCode> = new Set<MemberCode>(['claim-reseeding', 'member-refused']);

/**
 * Remembers whether the member is well, and since when: readiness, and the reset of the restart backoff. True: it has
 * just become well.
 */
function judgeHealth(context: Context, seen: MemberObservation, memory: Memory): boolean {
  const now = context.ports.clock.now();
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
