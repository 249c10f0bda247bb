import type { Known } from '../core/known.ts';
import { known, unknown } from '../core/known.ts';
import {
  HEARTBEAT_INTERVAL_MS,
  LEAVE_DNS_MS,
  LEAVE_GRACE_MS,
  LEAVING_LEASE_SECONDS,
  METADATA_INTERVAL_MS,
  STOP_GRACE_MS,
} from '../core/numbers.ts';
import { clientUrl } from '../core/urls.ts';
import type { Departure, LeaveAction, LeaveObservation } from '../core/plan-leave.ts';
import { planLeave, whyStopping } from '../core/plan-leave.ts';
import { reason } from '../core/reason.ts';
import type { Context } from './context.ts';
import type { Housekeeper } from './housekeeper.ts';
import type { Look } from './look.ts';
import { look } from './look.ts';
import { decodePublished, LEAVING_PREFIX, PUBLISHED_KEY } from './published.ts';

/** Between tries to complete the terminating hook. */
const COMPLETION_INTERVAL_MS = 1_000;

/** How soon a departure looks again: a machine's grace is short. */
const LEAVE_TICK_MS = 100;

/** Why this instance stops, asked of everyone who may know; only a positive answer means that it goes. */
export async function askWhyStopping(context: Context, signal: AbortSignal): Promise<Departure> {
  const { metadata, self, fleet } = context.ports;
  const [targetState, spot, evidence, lifecycle] = await Promise.all([
    metadata.targetState(signal),
    metadata.spotNotice(signal),
    fleet.evidence([self], signal),
    ownLifecycle(context, signal),
  ]);
  const state = evidence.known ? evidence.value.get(self.id) : undefined;
  return whyStopping({
    targetState,
    spotNotice: spot.known ? known(spot.value !== null) : spot,
    ec2State:
      state === undefined ? unknown(evidence.known ? 'EC2 said nothing' : evidence.reason) : known(state),
    lifecycle,
  });
}

async function ownLifecycle(context: Context, signal: AbortSignal): Promise<Known<string>> {
  const fleet = await context.ports.fleet.observe(signal);
  if (!fleet.known) return fleet;
  const own = fleet.value.instances.find((it) => it.id === context.ports.self.id);
  return own === undefined ? unknown('the group does not list this instance') : known(own.lifecycle);
}

/** Watches metadata for a departure that comes before any signal: a lifecycle hook, or a spot notice. */
export async function watchForDeparture(context: Context, signal: AbortSignal): Promise<Departure> {
  const { clock, metadata } = context.ports;
  for (;;) {
    await clock.sleep(METADATA_INTERVAL_MS, signal);
    const [targetState, spot] = await Promise.all([
      metadata.targetState(signal),
      metadata.spotNotice(signal),
    ]);
    const departure = whyStopping({
      targetState,
      spotNotice: spot.known ? known(spot.value !== null) : spot,
      ec2State: unknown('not asked'),
      lifecycle: unknown('not asked'),
    });
    if (departure.kind === 'going') return departure;
  }
}

interface Memory {
  leaseId: string | null;
  announced: boolean;
  dnsDeadline: number;
  graceDeadline: number;
  hooked: boolean;
  beatAt: number;
}

/**
 * Leaves in order (design.md, "Leaving"); ends when the life of the member is over and the lifecycle action is completed.
 * `ordered` says whether the machine itself is going down: then its grace counts, hook or not.
 */
export async function leave(
  context: Context,
  housekeeper: Housekeeper,
  departure: () => Departure,
  ordered: () => boolean,
  lifeOver: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  const { clock } = context.ports;
  const began = clock.now();
  const memory: Memory = {
    leaseId: null,
    announced: false,
    dnsDeadline: began + LEAVE_DNS_MS,
    graceDeadline: began + LEAVE_GRACE_MS,
    hooked: false,
    beatAt: Number.NEGATIVE_INFINITY,
  };
  context.state.phase = 'leaving';
  context.lifeBell.ring();
  context.houseBell.ring();
  for (;;) {
    signal.throwIfAborted();
    const turn = clock.now();
    await beat(context, departure(), memory, signal);
    if (lifeOver()) break;
    // Without a process there is nothing to plan for: the life of the member sees the phase, and ends.
    if (context.state.etcd !== null) {
      const action = planLeave(await observe(context, departure(), ordered(), memory, signal));
      context.chronicle.plan('leave', [action.reason]);
      await act(context, housekeeper, action, memory, signal);
    }
    context.chronicle.turn('leave', turn);
    await clock.sleep(LEAVE_TICK_MS, signal);
  }
  if (departure().kind === 'going') await completeHook(context, memory, signal);
}

/** Lets the machine go, as long as its grace lasts: an unknown answer would leave it waiting for the hook's timeout. */
async function completeHook(context: Context, memory: Memory, signal: AbortSignal): Promise<void> {
  const { clock, hooks, meter } = context.ports;
  for (;;) {
    const completed = await hooks.complete('terminating', 'CONTINUE', signal);
    meter.acted('complete-terminating', completed.known ? completed.value : 'unknown');
    if (completed.known || (clock.now() >= memory.graceDeadline && !memory.hooked)) return;
    await clock.sleep(COMPLETION_INTERVAL_MS, signal);
  }
}

/** Heartbeats go on while work goes on; that one is heard means that a hook waits, and its grace counts. */
async function beat(
  context: Context,
  departure: Departure,
  memory: Memory,
  signal: AbortSignal,
): Promise<void> {
  const { clock, hooks } = context.ports;
  if (departure.kind !== 'going' || clock.now() - memory.beatAt < HEARTBEAT_INTERVAL_MS) return;
  memory.beatAt = clock.now();
  const outcome = await hooks.heartbeat('terminating', signal);
  if (outcome.known) memory.hooked = outcome.value === 'done';
}

async function observe(
  context: Context,
  departure: Departure,
  ordered: boolean,
  memory: Memory,
  signal: AbortSignal,
): Promise<LeaveObservation> {
  const { ports } = context;
  const own = clientUrl(ports.self.address);
  const now = ports.clock.now();
  const status = await ports.admin.status(own, signal);
  const seen = status.known ? await look(context, own, signal) : await lookElsewhere(context, signal);
  const leaving = await ports.admin.readPrefix(own, LEAVING_PREFIX, signal);
  const leavers = new Set(
    leaving.known ? leaving.value.map((it) => it.key.slice(LEAVING_PREFIX.length)) : [],
  );
  if (memory.leaseId !== null) await ports.admin.keepAlive(own, memory.leaseId, signal);
  // Where the own etcd does not answer, it is not among the healthy ones anyway.
  const others = seen.known ? healthyOthers(seen.value, status.known ? status.value.memberId : '') : [];
  return {
    departure,
    status,
    list: seen.known ? known(seen.value.list) : seen,
    successors: others.filter((it) => !leavers.has(it.name)).map((it) => it.id),
    healthyOthers: others.length,
    announced: memory.announced,
    outOfDns: now >= memory.dnsDeadline || (await namedNoMore(context, own, signal)),
    graceOver: now >= memory.graceDeadline && (ordered || !memory.hooked),
  };
}

/** The own etcd is silent: whether the others serve without it is asked of them, as claim and last look name them. */
async function lookElsewhere(context: Context, signal: AbortSignal): Promise<Known<Look>> {
  const { ports, state, register } = context;
  const claim = register.claim();
  const claimed = claim.known && claim.value.kind === 'claim' ? claim.value.claim.voters : [];
  const addresses = [...state.members.filter((it) => !it.learner), ...claimed].map((it) => it.address);
  for (const address of new Set(addresses)) {
    if (address === ports.self.address) continue;
    const seen = await look(context, clientUrl(address), signal);
    if (seen.known) return seen;
  }
  return unknown('neither the own etcd nor another voter answers');
}

/** Healthy voters besides the own one, most caught-up first. */
function healthyOthers(seen: Look, ownId: string): Look['members'] {
  const index = (it: Look['members'][number]): number =>
    it.status.known ? it.status.value.raftAppliedIndex : 0;
  return seen.members
    .filter((it) => it.unhealthy === null && it.id !== ownId)
    .sort((a, b) => index(b) - index(a));
}

async function namedNoMore(context: Context, own: string, signal: AbortSignal): Promise<boolean> {
  const value = await context.ports.admin.read(own, PUBLISHED_KEY, { serializable: true }, signal);
  const published = value.known && value.value !== null ? decodePublished(value.value.value) : null;
  return published !== null && !published.named.includes(context.ports.self.id);
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
  switch (action.kind) {
    case 'wait':
      return;
    case 'announce':
      await announce(context, own, memory, signal);
      return;
    case 'hand-over': {
      state.handsOver = true;
      await housekeeper.release(signal);
      const outcome = await ports.admin.moveLeader(own, action.targetId, signal);
      if (outcome.ok) chronicle.event('hand-over', action.reason);
      else chronicle.trouble('hand-over', reason(outcome.code, outcome.message));
      return;
    }
    case 'remove-self': {
      state.handsOver = true;
      await housekeeper.release(signal);
      const outcome = await ports.admin.removeMember(own, action.memberId, signal);
      if (outcome.ok) chronicle.event('remove-self', action.reason, { memberId: action.memberId });
      else chronicle.trouble('remove-self', reason(outcome.code, outcome.message));
      return;
    }
    case 'stop':
      state.handsOver = true;
      await housekeeper.release(signal);
      chronicle.event('stop-etcd', action.reason);
      await state.etcd?.stop(STOP_GRACE_MS);
  }
}

/** Tells the others, under a lease: planDns leaves this instance out from now on. */
async function announce(context: Context, own: string, memory: Memory, signal: AbortSignal): Promise<void> {
  const { admin, self } = context.ports;
  const lease = await admin.grantLease(own, LEAVING_LEASE_SECONDS, signal);
  if (!lease.known) return;
  const put = await admin.put(
    own,
    LEAVING_PREFIX + self.id,
    context.ports.clock.wallTime(),
    { leaseId: lease.value },
    signal,
  );
  if (!put.known || !put.value) return;
  memory.leaseId = lease.value;
  memory.announced = true;
  context.houseBell.ring();
}
