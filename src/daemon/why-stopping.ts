import type { Known } from '../core/known.ts';
import { known, unknown } from '../core/known.ts';
import { METADATA_INTERVAL_MS } from '../core/numbers.ts';
import type { Departure, DepartureObservation } from '../core/plan-leave.ts';
import { whyStopping } from '../core/plan-leave.ts';
import type { Context } from './context.ts';
import { openScope } from './scope.ts';

/** How long the answers are waited for in all: the machine's grace runs already, and while AWS hangs it says nothing. */
const ANSWERS_LIMIT_MS = 2_000;

/**
 * Why this instance stops, asked of everyone who may know; only a positive answer means that it goes. The first that does
 * ends the asking; what has not come within 2 s counts as unknown.
 */
export async function askWhyStopping(context: Context, signal: AbortSignal): Promise<Departure> {
  const { clock, metadata, self, fleet } = context.ports;
  const silence = unknown('no answer in time');
  let seen: DepartureObservation = {
    targetState: silence,
    spotNotice: silence,
    ec2State: silence,
    lifecycle: silence,
  };
  const enough = Promise.withResolvers<undefined>();
  const take = (answer: Partial<DepartureObservation>): void => {
    seen = { ...seen, ...answer };
    if (whyStopping(seen).kind === 'going') enough.resolve(undefined);
  };
  const asking = openScope(signal);
  const cut = asking.signal;
  const answers = Promise.all([
    metadata.targetState(cut).then((targetState) => take({ targetState })),
    metadata.spotNotice(cut).then((spot) => take({ spotNotice: isThere(spot) })),
    fleet.evidence([self], cut).then((evidence) => {
      const state = evidence.known ? evidence.value.get(self.id) : undefined;
      const reason = evidence.known ? 'EC2 said nothing' : evidence.reason;
      take({ ec2State: state === undefined ? unknown(reason) : known(state) });
    }),
    ownLifecycle(context, cut).then((lifecycle) => take({ lifecycle })),
  ]);
  try {
    await Promise.race([enough.promise, answers, clock.sleep(ANSWERS_LIMIT_MS, cut)]);
  } finally {
    asking.end();
  }
  return whyStopping(seen);
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
      spotNotice: isThere(spot),
      ec2State: unknown('not asked'),
      lifecycle: unknown('not asked'),
    });
    if (departure.kind === 'going') return departure;
  }
}

function isThere(notice: Known<object | null>): Known<boolean> {
  return notice.known ? known(notice.value !== null) : notice;
}
