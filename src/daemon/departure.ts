import { known } from '../core/known.ts';
import {
  LEAVE_DNS_MS,
  LEAVE_GRACE_MS,
  LEAVING_LEASE_SECONDS,
  NOTICE_GRACE_MS,
  STOP_GRACE_MS,
} from '../core/numbers.ts';
import type { MemberList } from '../core/members.ts';
import { votersOf } from '../core/members.ts';
import { UPGRADE_LOCK_KEY } from '../core/upgrade-record.ts';
import { clientUrl } from '../core/urls.ts';
import type { Departure, LeaveAction, LeaveObservation } from '../core/plan-leave.ts';
import { planLeave } from '../core/plan-leave.ts';
import type { Reason } from '../core/reason.ts';
import { reason } from '../core/reason.ts';
import type { Context } from './context.ts';
import type { Housekeeper } from './housekeeper.ts';
import type { Look } from './look.ts';
import { endpointOf, lookThrough } from './look.ts';
import { readLeaving, sayLeaving } from './leaving-word.ts';
import { decodePublished, PUBLISHED_KEY } from './published.ts';
import type { TerminatingHook } from './terminating-hook.ts';
import { createTerminatingHook } from './terminating-hook.ts';

/** How soon a departure looks again: a machine's grace is short. */
const QUICK_TICK_MS = 100;

/** How soon where nothing has changed for a grace's time: a hook may wait for hours. */
const SLOW_TICK_MS = 2_000;

/** What a departure is told by who runs it. */
export interface Leaving {
  /** Why it leaves, as now known. */
  departure(): Departure;
  /** When the process was told to stop, on the clock; null: it was not, a hook waits. From then the machine's grace counts. */
  orderedAt(): number | null;
  /** Whether the life of the member is over. */
  lifeOver(): boolean;
}

interface Memory {
  readonly began: number;
  readonly hook: TerminatingHook;
  leaseId: string | null;
  /** What the others were told. */
  announced: Departure['kind'] | null;
  /** Code of the last plan, and when it became that. */
  code: string | null;
  codeSince: number;
  /** Who voted at the last look, on which the plan rests. */
  voters: string;
  /** Where those are asked that were well then. */
  wellAt: readonly string[];
  /** Who else left then. */
  leavers: string;
  /** What etcd answered to the last step, where it refused it. */
  refused: Reason | null;
}

/**
 * Leaves in order (design.md, "Leaving"); ends when the life of the member is over and the lifecycle action is completed.
 * The machine's grace counts from the order to stop, hook or not; without an order, a hook's heartbeats buy the time.
 */
export async function leave(
  context: Context,
  housekeeper: Housekeeper,
  leaving: Leaving,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = context.ports;
  const began = clock.now();
  const memory: Memory = {
    began,
    leaseId: null,
    announced: null,
    hook: createTerminatingHook(context),
    code: null,
    codeSince: began,
    voters: '',
    wellAt: [],
    leavers: '',
    refused: null,
  };
  context.state.phase = 'leaving';
  context.lifeBell.ring();
  context.houseBell.ring();
  for (;;) {
    signal.throwIfAborted();
    const turn = clock.now();
    if (leaving.departure().kind === 'going') memory.hook.beat(signal);
    if (leaving.lifeOver()) break;
    // Without a process there is nothing to plan for: the life of the member sees the phase, and ends.
    if (context.state.etcd === null) memory.codeSince = turn;
    else await step(context, housekeeper, leaving, memory, signal);
    context.chronicle.turn('leave', turn);
    await clock.sleep(tickMs(clock.now(), leaving, memory), signal);
  }
  if (leaving.departure().kind === 'going') {
    await memory.hook.complete(() => isGraceOver(clock.now(), leaving, memory), signal);
  }
}

/** Observes, plans, acts. What etcd refuses is part of the plan that is shown: it is tried again and again. */
async function step(
  context: Context,
  housekeeper: Housekeeper,
  leaving: Leaving,
  memory: Memory,
  signal: AbortSignal,
): Promise<void> {
  const action = planLeave(await observe(context, leaving, memory, signal));
  const { code } = action.reason;
  if (code !== memory.code) {
    memory.code = code;
    memory.codeSince = context.ports.clock.now();
    memory.refused = null;
  }
  context.chronicle.plan(
    'leave',
    memory.refused === null ? [action.reason] : [action.reason, memory.refused],
  );
  await act(context, housekeeper, action, memory, signal);
}

/** Quick while something changes, and in the grace; slow where a hook waits for what does not come. */
function tickMs(now: number, leaving: Leaving, memory: Memory): number {
  const since = Math.max(memory.codeSince, leaving.orderedAt() ?? memory.began);
  return now - since < LEAVE_GRACE_MS ? QUICK_TICK_MS : SLOW_TICK_MS;
}

function isGraceOver(now: number, leaving: Leaving, memory: Memory): boolean {
  const orderedAt = leaving.orderedAt();
  if (orderedAt !== null) return now >= orderedAt + LEAVE_GRACE_MS;
  return !memory.hook.holds() && now >= memory.began + NOTICE_GRACE_MS;
}

async function observe(
  context: Context,
  leaving: Leaving,
  memory: Memory,
  signal: AbortSignal,
): Promise<LeaveObservation> {
  const { ports, state } = context;
  const own = clientUrl(ports.self.address);
  const status = await ports.admin.status(own, signal);
  const seen = await lookThrough(context, status.known ? [own] : elsewhere(context), signal);
  const leavers = seen.known ? await readLeaving(context, 'going', seen.value.through, signal) : seen;
  await keepAnnounced(context, own, memory, signal);
  // Whoever takes the lock from now on reads the word, if it was given.
  const { announced } = memory;
  const step = await ports.admin.read(own, UPGRADE_LOCK_KEY, { serializable: false }, signal);
  // Where the own etcd does not answer, it is not among the healthy ones anyway.
  const others = seen.known ? healthyOthers(seen.value, status.known ? status.value.memberId : '') : [];
  const outOfDns = await isOutOfDns(context, own, signal);
  memory.voters = seen.known ? votersKey(seen.value.list) : '';
  memory.wellAt = seen.known ? endpointsOf(seen.value, others) : [];
  memory.leavers = leavers.known ? keyOf(leavers.value) : '';
  const now = ports.clock.now();
  return {
    departure: leaving.departure(),
    status,
    list: seen.known ? known(seen.value.list) : seen,
    successors: others.filter((it) => !leavers.known || !leavers.value.has(it.name)).map((it) => it.id),
    healthyOthers: others.length,
    // Who leaves with the lower id goes first: all that leave see it so.
    leaveFirst: others.filter(
      (it) => !leavers.known || (leavers.value.has(it.name) && it.name < ports.self.id),
    ).length,
    // Data that nobody can name may be of a cluster that lived.
    formed: state.identity?.formed ?? true,
    announced: announced === leaving.departure().kind,
    outOfDns: outOfDns || now >= memory.began + LEAVE_DNS_MS,
    // Unknown is not nobody; but without a quorum nobody steps, nor beside an own etcd that is silent.
    stepElsewhere: step.known
      ? step.value !== null && step.value.value !== ports.self.id
      : status.known && seen.known,
    graceOver: isGraceOver(now, leaving, memory),
  };
}

/** A lease that etcd says is gone took the word with it: it is said again, or DNS would name who leaves. */
async function keepAnnounced(
  context: Context,
  own: string,
  memory: Memory,
  signal: AbortSignal,
): Promise<void> {
  if (memory.leaseId === null) return;
  const alive = await context.ports.admin.keepAlive(own, memory.leaseId, signal);
  if (!alive.known || alive.value) return;
  memory.leaseId = null;
  memory.announced = null;
}

/** Where the others are, as claim and last look name them: where the own etcd is silent, they say whether they serve without it. */
function elsewhere({ ports: { self }, state, register }: Context): readonly string[] {
  const claimed = register.standing()?.voters ?? [];
  const addresses = [...state.members.filter((it) => !it.learner), ...claimed].map((it) => it.address);
  return [...new Set(addresses)].filter((it) => it !== self.address).map(clientUrl);
}

/** Healthy voters besides the own one, most caught-up first. */
function healthyOthers(seen: Look, ownId: string): Look['members'] {
  const index = (it: Look['members'][number]): number =>
    it.status.known ? it.status.value.raftAppliedIndex : 0;
  return seen.members
    .filter((it) => it.unhealthy === null && it.id !== ownId)
    .sort((a, b) => index(b) - index(a));
}

/** Where the look asked them: a member may have published another client URL than its address's. */
function endpointsOf({ list }: Look, looks: Look['members']): readonly string[] {
  const ids = new Set(looks.map((it) => it.id));
  return list.members.filter((it) => ids.has(it.id)).map(endpointOf);
}

function votersKey({ members }: MemberList): string {
  return keyOf(votersOf(members).map((it) => it.id));
}

function keyOf(ids: Iterable<string>): string {
  return [...ids].sort().join();
}

/**
 * Whether who keeps house has heard the word, and names it no more. Who did not hear it may be about to name who has just come
 * back.
 */
async function isOutOfDns(
  { ports: { admin, self } }: Context,
  own: string,
  signal: AbortSignal,
): Promise<boolean> {
  const value = await admin.read(own, PUBLISHED_KEY, { serializable: true }, signal);
  const published = value.known && value.value !== null ? decodePublished(value.value.value) : null;
  return published !== null && published.leaving.includes(self.id) && !published.named.includes(self.id);
}

/** One step. The departure is over when the life of the member is. */
async function act(
  context: Context,
  housekeeper: Housekeeper,
  action: LeaveAction,
  memory: Memory,
  signal: AbortSignal,
): Promise<void> {
  const { ports, state, chronicle } = context;
  const own = clientUrl(ports.self.address);
  // Who stays after all may have to keep house: where all voters leave, nobody else evicts what holds them up.
  state.handsOver = action.kind !== 'wait' && action.kind !== 'announce';
  switch (action.kind) {
    case 'wait':
      return;
    case 'announce':
      await announce(context, own, action.as, memory, signal);
      return;
    case 'hand-over': {
      await housekeeper.release(signal);
      const outcome = await ports.admin.moveLeader(own, action.targetId, signal);
      if (outcome.ok) chronicle.event('hand-over', action.reason);
      memory.refused = outcome.ok ? null : reason(outcome.code, outcome.message);
      return;
    }
    case 'remove-self': {
      await housekeeper.release(signal);
      const changed = await whyNotAsSeen(context, memory, signal);
      if (changed !== null) {
        memory.refused = reason('unhealthy-cluster', `${changed}: looks again`);
        return;
      }
      const outcome = await ports.admin.removeMember(own, action.memberId, signal);
      if (outcome.ok) chronicle.event('remove-self', action.reason, { memberId: action.memberId });
      memory.refused = outcome.ok ? null : reason(outcome.code, outcome.message);
      return;
    }
    case 'stop':
      await housekeeper.release(signal);
      chronicle.event('stop-etcd', action.reason);
      await state.etcd?.stop(STOP_GRACE_MS);
  }
}

/**
 * Law 5: whether those that were counted on are still there and answer; null: they do. Several may leave at once, and a look
 * takes as long as its slowest member, which may be a learner that has yet to serve.
 */
async function whyNotAsSeen({ ports }: Context, memory: Memory, signal: AbortSignal): Promise<string | null> {
  const own = clientUrl(ports.self.address);
  const leavers = await readLeaving({ ports }, 'going', own, signal);
  if (!leavers.known) return leavers.reason;
  const list = await ports.admin.memberList(own, { linearizable: true }, signal);
  if (!list.known) return list.reason;
  if (votersKey(list.value) !== memory.voters) return 'the voters are others than a moment ago';
  if (keyOf(leavers.value) !== memory.leavers) return 'others leave than a moment ago';
  const asked = await Promise.all(memory.wellAt.map((it) => ports.admin.status(it, signal)));
  const silent = asked.find((it) => !it.known);
  return silent === undefined ? null : `another voter that it counts on does not answer: ${silent.reason}`;
}

/** Tells the others, under a lease: planDns leaves out who goes, and nobody steps to another etcd while one is away. */
async function announce(
  context: Context,
  own: string,
  as: Departure['kind'],
  memory: Memory,
  signal: AbortSignal,
): Promise<void> {
  const { admin } = context.ports;
  if (memory.leaseId === null) {
    const lease = await admin.grantLease(own, LEAVING_LEASE_SECONDS, signal);
    if (!lease.known) {
      memory.refused = reason('no-answer', lease.reason);
      return;
    }
    memory.leaseId = lease.value;
  }
  if (!(await sayLeaving(context, as, memory.leaseId, signal))) return;
  memory.announced = as;
  if (as === 'going') context.houseBell.ring();
}
