import type { Ports } from '../../src/daemon/ports.ts';
import type { IncidentKind } from './incident.ts';
import type { Plot } from './plot.ts';

/** A law of docs/design.md section 2, by its number. */
export type Law = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

/** A law that was broken. */
export interface Broken {
  readonly law: Law;
  /** Which of the law's checks found it: stable, so that a cut plot can be held to the same. */
  readonly check: string;
  /** What happened, for people. */
  readonly what: string;
}

/** One line of a history. */
export interface Line {
  readonly atMs: number;
  /** The instance's id, or `world`. */
  readonly who: string;
  readonly what: string;
}

/**
 * `lost`: so much data went that only a recovery could help; then nothing but safety was demanded. `wrong`: a law was
 * broken. `stuck`: the fleet did not find itself in time after the last incident.
 */
export type EndingKind = 'converged' | 'lost' | 'wrong' | 'stuck';

/** How often an etcd answered nobody for long: as it read a large database at its start, restored one, or defragmented it. */
export interface Slowness {
  readonly starts: number;
  readonly restores: number;
  readonly defragments: number;
}

/** How the fleet of a plot fared. */
export interface Ending {
  readonly plot: Plot;
  readonly kind: EndingKind;
  /** In the order in which it was found. */
  readonly broken: readonly Broken[];
  /** What was wrong, or where it is stuck; empty where it converged. */
  readonly why: string;
  /** From the end of the last incident. */
  readonly convergedInMs: number;
  readonly virtualMs: number;
  /** Incidents that happened; one that found nothing to happen to is not counted. */
  readonly faults: Partial<Readonly<Record<IncidentKind, number>>>;
  readonly slow: Slowness;
  /** `planner:code` of every reason that an appliance gave. */
  readonly reasons: ReadonlySet<string>;
  readonly timeline: readonly Line[];
}

/** A bug that is planted in what each appliance is handed. */
export interface Sabotage {
  readonly name: string;
  /** The law that it breaks. */
  readonly law: Law;
  /** The ports as the appliance of this instance gets them. */
  readonly ports?: (ports: Ports, instanceId: string) => Ports;
}

/** How a plot is played. */
export interface PlayOptions {
  readonly sabotage?: Sabotage;
  /** Is told each line as it happens. */
  readonly onLine?: (line: Line) => void;
}
