import type { StartAction, StartCode, StartObservation } from '../core/start.ts';
import { reason } from '../core/reason.ts';
import { ApplianceError } from '../errors.ts';
import type { Context } from './context.ts';
import type { ActionOf, StepResult } from './start-step.ts';
import { AT_ONCE, soon, standsForMs } from './start-step.ts';
import { found, join, startData } from './start-etcd.ts';

/** How soon to look again while waiting: what others change shortly is looked at often, at no cost to AWS. */
function waitMs(code: StartCode): number {
  switch (code) {
    case 'fleet-incomplete':
    case 'instance-holds-data':
    case 'not-my-turn':
      return 250;
    case 'forming-wait':
    case 'forming-lost':
    case 'quorum-lost':
    case 'etcd-without-quorum':
    case 'answers-as-me':
      return 500;
    default:
      return 1_000;
  }
}

type Executors = {
  readonly [Kind in StartAction['kind']]: (
    context: Context,
    action: ActionOf<Kind>,
    seen: StartObservation,
    signal: AbortSignal,
  ) => Promise<StepResult>;
};

/** An action without an executor does not compile. */
const executors: Executors = {
  ask: async () => AT_ONCE,
  wait: async (_context, action) => ({ nextInMs: waitMs(action.reason.code) }),
  halt: async (_context, action) => {
    throw new ApplianceError(
      { code: 'configuration', problems: [action.reason.sentence] },
      action.reason.sentence,
    );
  },
  'set-aside': async (context, action, _seen, signal) => {
    await context.ports.data.setAside(action.reason.code, signal);
    context.chronicle.event('set-aside', action.reason);
    return AT_ONCE;
  },
  discard: async (context, action, _seen, signal) => {
    await context.ports.data.discard(action.directory, signal);
    context.chronicle.event('discard', action.reason);
    return AT_ONCE;
  },
  'clear-mark': async (context, action, _seen, signal) => {
    await context.ports.data.writeMark(action.mark, signal);
    return AT_ONCE;
  },
  'start-data': startData,
  register: changeRegister,
  found,
  'remove-own': async (context, action, seen, signal) => {
    const outcome = await context.ports.admin.removeMember(action.endpoint, action.memberId, signal);
    context.ports.meter.acted('remove-own', outcome.ok ? 'done' : outcome.code);
    if (outcome.ok) context.chronicle.event('remove-own', action.reason, { memberId: action.memberId });
    else context.chronicle.trouble('remove-own', reason(outcome.code, outcome.message));
    return outcome.ok ? AT_ONCE : soon(context, standsForMs(action, seen));
  },
  join,
};

/** Carries out one step of a start. */
export async function execute(
  context: Context,
  action: StartAction,
  seen: StartObservation,
  signal: AbortSignal,
): Promise<StepResult> {
  // The table pairs each kind with its own function; the compiler cannot follow a union through it.
  const executor = executors[action.kind] as (
    context: Context,
    action: StartAction,
    seen: StartObservation,
    signal: AbortSignal,
  ) => Promise<StepResult>;
  return await executor(context, action, seen, signal);
}

async function changeRegister(
  context: Context,
  action: ActionOf<'register'>,
  seen: StartObservation,
  signal: AbortSignal,
): Promise<StepResult> {
  const { ports, register } = context;
  if (action.mark !== null) await ports.data.writeMark(action.mark, signal);
  const outcome = await register.change(action.changes, signal);
  ports.meter.acted('register', outcome.kind);
  if (outcome.kind !== 'done') {
    context.chronicle.trouble('register', reason(outcome.kind, outcome.message));
    const wantedForMs = standsForMs(action, seen);
    // Another was first: what it wrote is read at once. Where that changes nothing, there is no hurry.
    return outcome.kind === 'conflict' && wantedForMs === 0 ? AT_ONCE : soon(context, wantedForMs);
  }
  context.chronicle.event('register', action.reason);
  if (action.readAgain) register.forget();
  const { hint } = action;
  if (hint !== null) {
    const { self } = ports;
    void Promise.all(
      hint.addresses.map((it) => ports.peers.askBirth(it, { epoch: hint.epoch, from: self.id }, signal)),
    ).catch(
      () => undefined, // Only an abort throws, and the waiter next to it throws it, too.
    );
  }
  return AT_ONCE;
}
