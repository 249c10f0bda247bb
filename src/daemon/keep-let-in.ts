import { LOOK_INTERVAL_MS } from '../core/numbers.ts';
import { reason } from '../core/reason.ts';
import { createBackoff } from './backoff.ts';
import type { Context } from './context.ts';

/** An election, or a restart of etcd, is over by then. */
const SHUT_OUT_AFTER_MS = 10_000;

/** A quorum may be lost for days, and for other reasons than a rule. */
const RETRY = { firstMs: 10_000, mostMs: 120_000 };

/** Who starts without data asks for the fleet every few seconds, and looks after its rules by itself. */
const ASKED_JUST_NOW_MS = 10_000;

/**
 * Opens again what this instance opened when it arrived, while its member hears of no quorum: who keeps house mends rules that
 * somebody has cleared, but needs a quorum, and the quorum may need the rules. Closes nothing, and needs no lock.
 *
 * Ends at once where no rule of ours is needed; while there is a quorum it asks nobody anything. Throws only the abort.
 */
export async function keepLetIn(context: Context, signal: AbortSignal): Promise<void> {
  const { clock } = context.ports;
  if (context.options.firewall === undefined) return;
  const retry = createBackoff(context.ports, RETRY);
  /** Since when it hears of no quorum; null: it does. */
  let since: number | null = null;
  /** Whether it has done something about it. */
  let tried = false;
  for (;;) {
    await clock.sleep(LOOK_INTERVAL_MS, signal);
    if (hearsOfQuorum(context) || context.state.phase === 'leaving') {
      // From now on it is for who keeps house to say.
      if (tried && !context.state.keepsHouse) context.chronicle.done('firewall');
      since = null;
      tried = false;
      retry.succeeded();
      continue;
    }
    since ??= clock.now();
    if (clock.now() - since < SHUT_OUT_AFTER_MS || retry.waits() || isLookedAfter(context)) continue;
    tried = true;
    await letIn(context, signal);
    retry.failed();
  }
}

/** A linearizable answer of the own etcd, in its last turn. */
function hearsOfQuorum({ state }: Context): boolean {
  return state.ownStatus.known && state.list.known;
}

function isLookedAfter({ state, fleetView }: Context): boolean {
  return state.etcd === null && fleetView.ageMs() < ASKED_JUST_NOW_MS;
}

async function letIn({ fleetView, firewall, chronicle }: Context, signal: AbortSignal): Promise<void> {
  const fleet = await fleetView.fleet(LOOK_INTERVAL_MS, signal);
  if (!fleet.known) {
    chronicle.plan('firewall', [
      reason('firewall-unknown', `whom to let in is unknown, as the fleet is: ${fleet.reason}`),
    ]);
    return;
  }
  // What was read before may be what somebody has cleared since.
  firewall.forget();
  await firewall.arrive(fleet.value, signal);
}
