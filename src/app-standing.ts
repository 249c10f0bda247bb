import type { Standing } from './core/upgrade-standing.ts';
import { standingOf } from './core/upgrade-standing.ts';
import type { Clock, Log } from './daemon/ports.ts';
import type { ApplianceState } from './daemon/state.ts';

const EVERY_MS = 60_000;

/** How an appliance stands, as the log has it once a minute: for alarms that see nothing but the log. */
export interface StandingLine {
  readonly phase: ApplianceState['phase'];
  readonly ready: boolean;
  /** Why it is not ready; null where it is. */
  readonly notReady: string | null;
  readonly keepsHouse: boolean;
  readonly upgrade: Standing;
  /** What etcd itself has to say, as `alarm:NOSPACE`; empty where it says nothing or does not answer. */
  readonly errors: string;
  /** The codes of the plans that hold, with a blank around each, so that a pattern finds whole codes alone. */
  readonly codes: string;
}

/**
 * Writes once a minute how the appliance stands, until the signal; rejects with its reason. On the monotonic clock: an alarm
 * counts these lines, and whatever waits for a minute of the wall clock is silent for as long as that is put back.
 */
export async function keepSayingHowItStands(
  state: Readonly<ApplianceState>,
  { clock, log }: { readonly clock: Pick<Clock, 'sleep'>; readonly log: Pick<Log, 'info'> },
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    await clock.sleep(EVERY_MS, signal);
    log.info(standingLine(state), 'stands');
  }
}

/** How an appliance stands now. Everything is in memory; nothing is asked. */
export function standingLine(state: Readonly<ApplianceState>): StandingLine {
  const { phase, keepsHouse, upgrade, ownStatus } = state;
  const notReady = whyNotReady(state);
  const codes = new Set([...state.plans.values()].flat().map(({ code }) => code));
  return {
    phase,
    ready: notReady === null,
    notReady,
    keepsHouse,
    upgrade: upgrade === null ? 'none' : standingOf(upgrade.action),
    errors: ownStatus.known ? ownStatus.value.errors.join(' ') : '',
    codes: ` ${[...codes].toSorted().join(' ')} `,
  };
}

/** Why this member is not to be counted on by clients; null where it serves, and stays. The one answer for face, metrics and log. */
export function whyNotReady({ phase, notReady }: Readonly<ApplianceState>): string | null {
  switch (phase) {
    case 'leaving':
      return 'it leaves';
    case 'stopped':
      return 'it has stopped';
    case 'starting':
    case 'running':
      return notReady;
  }
}
