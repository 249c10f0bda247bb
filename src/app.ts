import { arrive } from './app-arrival.ts';
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
  const arrival = arrive(config, { log: deps.log.component('app'), env: deps.env }, cleanup, stop);
  await arrival.asked;
  const { runHere } = await import('./app-wiring.ts');
  return await runHere(config, deps, arrival, stop);
}

/** Observes once and plans, without acting. */
export async function planAppliance(config: Config, deps: AppDeps, signal: AbortSignal): Promise<PlanReport> {
  await using cleanup = new AsyncDisposableStack();
  const arrival = arrive(config, { log: deps.log.component('app'), env: deps.env }, cleanup, signal);
  await arrival.asked;
  const { planHere } = await import('./app-wiring.ts');
  return await planHere(config, deps, arrival, signal);
}
