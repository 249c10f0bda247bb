import type { Law, Sabotage } from '../ending.ts';
import type { Plot, Profile } from '../plot.ts';
import type { SourceBugs } from './planted.ts';

/** A bug that the simulator must find, planted in the ports of every appliance, or in functions of `src/`, or in both. */
export interface Bug extends Sabotage {
  readonly law: Law;
  /** What kind of trouble brings it out soonest. */
  readonly profile: Profile;
  readonly source?: SourceBugs;
  /** Laws whose checks show it, where it is not the own one: nothing looks into an appliance's memory, say. */
  readonly shows?: readonly Law[];
  /** Whether it can show in the history of this plot; where it cannot, the history is not played. */
  readonly when?: (plot: Plot) => boolean;
  /** Whether it shows in a fleet that never finds itself, where no single act is wrong. */
  readonly stuck?: boolean;
}
