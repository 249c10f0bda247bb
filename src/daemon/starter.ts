import { CLAIM_READ_INTERVAL_MS } from '../core/numbers.ts';
import { planStart } from '../core/plan-start.ts';
import type { StartAction, StartObservation } from '../core/start.ts';
import { awaitClaim } from './await-claim.ts';
import type { Context } from './context.ts';
import type { RunningEtcd } from './ports.ts';
import { execute } from './start-executors.ts';
import type { DemandedFacts } from './start-facts.ts';
import { formingClusterId, gatherFact } from './start-facts.ts';

/** How one start goes. */
export interface StartMode {
  /** Restart after a crash: at first, what is known of Route 53 is taken as it is, however old. */
  readonly afterCrash: boolean;
  readonly damagedStarts: number;
}

/** A planner asks for a handful of facts in one tick; more would be a loop. */
const MOST_ASKS = 10;

/**
 * Brings etcd up: observes, plans and acts until it runs. Null: the instance leaves, and no etcd is started any more.
 * Throws only for what waiting cannot mend (`halt`).
 */
export async function startEtcd(
  context: Context,
  mode: StartMode,
  signal: AbortSignal,
): Promise<RunningEtcd | null> {
  const { clock } = context.ports;
  const began = clock.now();
  await prepare(context, signal);
  let standing = { code: '', since: began };
  for (let first = true; ; first = false) {
    signal.throwIfAborted();
    if (context.state.phase === 'leaving') return null;
    const turn = clock.now();
    const clocks = {
      waitedMs: turn - began,
      standing: { code: standing.code, forMs: turn - standing.since },
    };
    const { action, seen } = await decide(
      context,
      { ...mode, afterCrash: mode.afterCrash && first },
      clocks,
      signal,
    );
    context.chronicle.plan('start', [action.reason]);
    // Who is to answer the next look, or to speak to the etcd that is started now, must be let in.
    if (seen.fleet?.known === true) await context.firewall.arrive(seen.fleet.value, signal);
    if (standing.code !== action.reason.code) standing = { code: action.reason.code, since: turn };
    const result = await execute(context, action, seen, signal);
    context.chronicle.turn('start', turn);
    if ('pid' in result) {
      context.chronicle.done('firewall');
      return result;
    }
    if (result.nextInMs > 0) await context.lifeBell.wait(result.nextInMs, signal);
  }
}

/** What an instance without data does once, before it looks: it may be about to found a cluster with others. */
async function prepare(context: Context, signal: AbortSignal): Promise<void> {
  await context.nonceOffer.make(signal);
  const { present, mark } = await context.ports.data.read(signal);
  // A mark of an epoch says that there was a claim.
  if (!present && (mark?.token ?? null) === null) await awaitClaim(context, signal);
}

/** One plan, with every fact that it asked for: also what `plan` prints. */
export async function decide(
  context: Context,
  mode: StartMode,
  clocks: Pick<StartObservation, 'waitedMs' | 'standing'>,
  signal: AbortSignal,
  plan: (seen: StartObservation) => StartAction = planStart,
): Promise<{ readonly action: StartAction; readonly seen: StartObservation }> {
  const { ports, options, register, state } = context;
  const local = await ports.data.read(signal);
  state.identity = local.identity;
  const zone = mode.afterCrash ? register.last() : await register.read(CLAIM_READ_INTERVAL_MS, signal);
  const base = {
    self: ports.self,
    cluster: options.cluster,
    register: ports.zone.register,
    local,
    damagedStarts: mode.damagedStarts,
    endedFull: state.lastExit?.saysFull === true,
    zone,
    formingClusterId: formingClusterId(context),
    claimStoodMs: register.claimStoodMs(),
    ...clocks,
    freshToken: ports.random.token(),
    freshNonce: ports.random.token(),
    bootstrapWaitMs: options.bootstrapWaitMs,
  };
  const how = { hasData: local.present, afterCrash: mode.afterCrash };
  let facts: DemandedFacts = {};
  for (let asks = 0; asks < MOST_ASKS; asks += 1) {
    const seen: StartObservation = { ...base, ...facts };
    const action = plan(seen);
    if (action.kind !== 'ask') return { action, seen };
    for (const fact of action.facts) {
      facts = { ...facts, ...(await gatherFact(context, fact, facts, how, signal)) };
    }
  }
  throw new Error('the start planner asks for facts without end');
}
