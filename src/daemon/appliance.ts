import type { BirthAnswer } from '../core/birth.ts';
import type { Departure } from '../core/plan-leave.ts';
import { reason } from '../core/reason.ts';
import type { UpgradeAnswer } from '../core/upgrade.ts';
import { ApplianceError } from '../errors.ts';
import type { BirthHint } from './birth-answer.ts';
import { answerBirth } from './birth-answer.ts';
import type { Context } from './context.ts';
import { createContext } from './context.ts';
import { leave } from './departure.ts';
import { createHousekeeper } from './housekeeper.ts';
import { keepLetIn } from './keep-let-in.ts';
import { completeLaunch } from './launching.ts';
import { live } from './life.ts';
import { keepUpgraded } from './upgrade.ts';
import type { DaemonOptions } from './options.ts';
import type { Ports } from './ports.ts';
import type { ApplianceState } from './state.ts';
import { askWhyStopping, watchForDeparture } from './why-stopping.ts';

/** After an error that nobody expected a loop starts again this much later: a bug in one must not end the others. */
const LOOP_RESTART_MS = 1_000;

/** One appliance: the loops beside one etcd. */
export interface Appliance {
  readonly state: Readonly<ApplianceState>;
  readonly context: Context;
  /** Runs until it was told to stop, or its instance goes, and has left in order. Throws what waiting cannot mend. */
  run(stop: AbortSignal): Promise<void>;
  /** What `/birth` answers. A hint makes it look at the register now. */
  birth(hint: BirthHint, signal: AbortSignal): Promise<BirthAnswer>;
  /** What `/upgrade` answers. `fresh`: something has changed since it was last asked, and is to be looked at now. */
  upgrade(fresh: boolean, signal: AbortSignal): Promise<UpgradeAnswer>;
  /** Somebody looks at what `state` says: it is kept fresh for a while. */
  watch(): void;
  /** Wakes the housekeeper; the cron does. */
  nudge(): void;
}

/** An appliance over its ports. Nothing runs until `run`. */
export function createAppliance(options: DaemonOptions, ports: Ports): Appliance {
  const context = createContext(options, ports);
  return {
    state: context.state,
    context,
    run: async (stop) => await run(context, stop),
    birth: async (hint, signal) => await answerBirth(context, hint, signal),
    upgrade: async (fresh, signal) => {
      if (fresh) {
        context.upgradeWord.forget();
        context.upgradeBell.ring();
      }
      return await context.upgradeWord.tell(signal);
    },
    watch: () => void (context.state.watchedAt = ports.clock.now()),
    nudge: () => context.houseBell.ring(),
  };
}

async function run(context: Context, stop: AbortSignal): Promise<void> {
  const loops = new AbortController();
  const { signal } = loops;
  const housekeeper = createHousekeeper(context);
  const failed = Promise.withResolvers<never>();
  const keep = (name: string, loop: () => Promise<void>): Promise<void> =>
    keepRunning(context, name, loop, signal).catch((error: unknown) => failed.reject(error));

  let orderedAt: number | null = null;
  const order = (): void => {
    orderedAt = context.ports.clock.now();
    context.houseBell.ring();
  };
  if (stop.aborted) order();
  else stop.addEventListener('abort', order, { once: true });

  let lifeOver = false;
  void keep('life', async () => await live(context, signal)).then(() => (lifeOver = true));
  void keep('housekeeping', async () => await housekeeper.run(signal));
  void keep('upgrade', async () => await keepUpgraded(context, signal));
  void keep('firewall', async () => await keepLetIn(context, signal));
  void keep('launching', async () => await completeLaunch(context, signal));
  try {
    await Promise.race([failed.promise, goOn(context, stop, signal).then((departure) => depart(departure))]);
  } finally {
    stop.removeEventListener('abort', order);
    loops.abort(new ApplianceError({ code: 'aborted' }, 'the appliance has ended'));
  }

  async function depart(first: Departure): Promise<void> {
    let current = first;
    if (first.kind === 'restart')
      void watchForDeparture(context, signal)
        .then((it) => (current = it))
        .catch(() => undefined);
    context.chronicle.event('leave', reason('leave', current.why));
    await leave(
      context,
      housekeeper,
      { departure: () => current, orderedAt: () => orderedAt, lifeOver: () => lifeOver },
      signal,
    );
    context.state.phase = 'stopped';
  }
}

/** Ends when there is reason to leave: an order to stop, or metadata that says so before it. */
async function goOn(context: Context, stop: AbortSignal, signal: AbortSignal): Promise<Departure> {
  const ordered = new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    else stop.addEventListener('abort', () => resolve(), { once: true });
  });
  const watched = keepWatching(context, signal);
  const first = await Promise.race([ordered, watched]);
  return first ?? (await askWhyStopping(context, signal));
}

async function keepWatching(context: Context, signal: AbortSignal): Promise<Departure> {
  for (;;) {
    try {
      return await watchForDeparture(context, signal);
    } catch (error) {
      signal.throwIfAborted();
      context.ports.log.error({ error }, 'the watch on metadata failed, and goes on');
    }
  }
}

/** Runs a loop; starts it again where it failed on something that nobody expected. */
async function keepRunning(
  context: Context,
  name: string,
  loop: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await loop();
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApplianceError && error.code === 'configuration') throw error;
      context.ports.log.error(
        { error, loop: name },
        'a loop failed on something unexpected, and starts again',
      );
      await context.ports.clock.sleep(LOOP_RESTART_MS, signal).catch(() => undefined);
    }
  }
}
