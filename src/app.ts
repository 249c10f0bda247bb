import { arrive } from './app-arrival.ts';
import type { Arrival } from './app-arrival.ts';
import type * as Wiring from './app-wiring.ts';
import type { Config } from './config.ts';
import type { PlanReport } from './daemon/explain.ts';
import type { ExitCode } from './errors.ts';
import type { ApplianceLog } from './http/log.ts';

export type { PlanReport };

/** What an appliance is handed by the command line. */
export interface AppDeps {
  readonly log: ApplianceLog;
  readonly version: string;
  /** The process's own environment: etcd gets a few variables of it, and the metadata endpoint is named there. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Runs the appliance until `stop` is aborted, or its instance goes, and it has left in order; the process's exit code. */
export async function runAppliance(config: Config, deps: AppDeps, stop: AbortSignal): Promise<ExitCode> {
  await using cleanup = new AsyncDisposableStack();
  const { arrival, wiring } = await begin(config, deps, false, cleanup, stop);
  return await wiring.runHere(config, deps, arrival, stop);
}

/** Observes once and plans, without acting. Throws `unavailable` where nobody says which instance this is, or where it belongs. */
export async function planAppliance(config: Config, deps: AppDeps, signal: AbortSignal): Promise<PlanReport> {
  await using cleanup = new AsyncDisposableStack();
  const { arrival, wiring } = await begin(config, deps, true, cleanup, signal);
  return await wiring.planHere(config, deps, arrival, signal);
}

/** Asks the first questions, and loads the rest of the program while their answers are under way. */
async function begin(
  config: Config,
  { log, env }: AppDeps,
  once: boolean,
  cleanup: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<{ readonly arrival: Arrival; readonly wiring: typeof Wiring }> {
  const arrival = arrive(config, { log: log.component('app'), once, env }, cleanup, signal);
  await arrival.asked;
  return { arrival, wiring: await import('./app-wiring.ts') };
}
