import { LEAVE_GRACE_MS, LEAVING_LEASE_SECONDS, STOP_GRACE_MS } from '../core/numbers.ts';
import type { Departure, LeaveAction } from '../core/plan-leave.ts';
import { planLeave, whyEndWithoutEtcd } from '../core/plan-leave.ts';
import { reason } from '../core/reason.ts';
import { clientUrl } from '../core/urls.ts';
import type { Context } from './context.ts';
import type { Housekeeper } from './housekeeper.ts';
import { sayLeaving } from './leaving-word.ts';
import type { DepartureMemory, Leaving } from './observe-departure.ts';
import { isGraceOver, observeDeparture, whyNotAsSeen } from './observe-departure.ts';
import { createTerminatingHook } from './terminating-hook.ts';

/** How soon a departure looks again: a machine's grace is short. */
const QUICK_TICK_MS = 100;

/** How soon where nothing has changed for a grace's time: a hook may wait for hours. */
const SLOW_TICK_MS = 2_000;

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
  const memory: DepartureMemory = {
    began,
    goingSince: null,
    leaseId: null,
    announced: null,
    hook: createTerminatingHook(context),
    code: null,
    codeSince: began,
    withoutEtcdSince: null,
    through: clientUrl(context.ports.self.address),
    voters: '',
    well: [],
    leader: '',
    declined: new Set(),
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
    if (context.state.etcd !== null) await step(context, housekeeper, leaving, memory, signal);
    else if (endsWithoutEtcd(context, memory, turn)) break;
    context.chronicle.turn('leave', turn);
    await clock.sleep(tickMs(clock.now(), leaving, memory), signal);
  }
  if (leaving.departure().kind === 'going') {
    await memory.hook.complete(() => isGraceOver(clock.now(), leaving, memory), signal);
  }
}

/** Whether it ends though the life of the member goes on, as there has been no process to plan for. */
function endsWithoutEtcd({ chronicle }: Context, memory: DepartureMemory, now: number): boolean {
  memory.codeSince = now;
  memory.withoutEtcdSince ??= now;
  const why = whyEndWithoutEtcd(now - memory.withoutEtcdSince);
  if (why !== null) chronicle.trouble('leave', why);
  return why !== null;
}

/** Observes, plans, acts. What etcd refuses is part of the plan that is shown: it is tried again and again. */
async function step(
  context: Context,
  housekeeper: Housekeeper,
  leaving: Leaving,
  memory: DepartureMemory,
  signal: AbortSignal,
): Promise<void> {
  memory.withoutEtcdSince = null;
  // First: whoever takes the upgrade lock after it was looked at reads the word, if it was given.
  await keepAnnounced(context, memory, signal);
  const action = planLeave(await observeDeparture(context, leaving, memory, signal));
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
function tickMs(now: number, leaving: Leaving, memory: DepartureMemory): number {
  const since = Math.max(memory.codeSince, leaving.orderedAt() ?? memory.began);
  return now - since < LEAVE_GRACE_MS ? QUICK_TICK_MS : SLOW_TICK_MS;
}

/** One step. The departure is over when the life of the member is. */
async function act(
  context: Context,
  housekeeper: Housekeeper,
  action: LeaveAction,
  memory: DepartureMemory,
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
      memory.declined.delete(action.targetId);
      if (outcome.ok) chronicle.event('hand-over', action.reason);
      else memory.declined.add(action.targetId);
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
      const outcome = await ports.admin.removeMember(memory.through, action.memberId, signal);
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

/** Tells the others, under a lease: planDns leaves out who goes, and nobody steps to another etcd while one is away. */
async function announce(
  context: Context,
  own: string,
  as: Departure['kind'],
  memory: DepartureMemory,
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

/** A lease that etcd says is gone took the word with it: it is said again, or DNS would name who leaves. */
async function keepAnnounced(
  { ports: { admin, self } }: Context,
  memory: DepartureMemory,
  signal: AbortSignal,
): Promise<void> {
  if (memory.leaseId === null) return;
  const alive = await admin.keepAlive(clientUrl(self.address), memory.leaseId, signal);
  if (!alive.known || alive.value) return;
  memory.leaseId = null;
  memory.announced = null;
}
