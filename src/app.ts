import type { Config } from './config.ts';
import { ApplianceError } from './errors.ts';
import type { ExitCode } from './errors.ts';
import type { ApplianceLog } from './http/log.ts';

/** What an appliance is handed by the command line. */
export interface AppDeps {
  readonly log: ApplianceLog;
  readonly version: string;
}

/** One step of a plan, and why it is taken or not taken. */
export interface PlanStep {
  readonly kind: string;
  readonly code: string;
  readonly sentence: string;
}

/** What the appliance of this instance would do now. */
export interface PlanReport {
  readonly steps: readonly PlanStep[];
  readonly notTaken: readonly PlanStep[];
  /** Clauses naming what could not be had, and why. */
  readonly unknown: readonly string[];
}

/** Runs the appliance until `stop` is aborted, then ends in order; the exit code of the process. */
export async function runAppliance(_config: Config, _deps: AppDeps, _stop: AbortSignal): Promise<ExitCode> {
  throw new ApplianceError({ code: 'internal' }, 'the appliance is not wired yet');
}

/** Observes once and plans, without acting. */
export async function planAppliance(
  _config: Config,
  _deps: AppDeps,
  _signal: AbortSignal,
): Promise<PlanReport> {
  throw new ApplianceError({ code: 'internal' }, 'the appliance is not wired yet');
}
