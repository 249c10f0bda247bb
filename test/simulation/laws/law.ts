import type { Law } from '../ending.ts';
import type { Happening } from '../world/happening.ts';

/** Is told what must not have happened, in words for people. */
export type Report = (what: string) => void;

/**
 * One check of one law. It hears everything that happens in one history, in order, keeps what it needs of it, and reports
 * what must not be.
 */
export interface LawCheck {
  readonly law: Law;
  /** Stable, so that a cut plot can be held to the same. */
  readonly check: string;
  readonly watch: (report: Report) => (happening: Happening, atMs: number) => void;
}
