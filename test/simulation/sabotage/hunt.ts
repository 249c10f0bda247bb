import { play } from '../play.ts';
import { drawPlot } from '../plot.ts';
import type { Ending } from '../ending.ts';
import type { Bug } from './bug.ts';
import { plant } from './planted.ts';

/** Where a bug is looked for. */
export interface Hunt {
  readonly bug: string;
  readonly firstSeed: number;
  readonly seeds: number;
}

/** What a hunt came to. */
export interface Catch {
  readonly bug: string;
  /** The seed whose history showed the bug; null: none did. */
  readonly seed: number | null;
  /** Histories played with the bug. */
  readonly played: number;
  /** `law N check`, or `stuck`. */
  readonly by: string;
  readonly what: string;
  /** How the same history ends without the bug. */
  readonly without: Ending['kind'] | null;
}

/** Plays histories with the bug until one shows it: one that breaks its law, or, where it says so, that is stuck. */
export async function hunt({ firstSeed, seeds }: Hunt, bug: Bug): Promise<Catch> {
  let played = 0;
  for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
    const plot = drawPlot(seed, bug.profile);
    if (bug.when?.(plot) === false) continue;
    played += 1;
    plant(bug.source ?? {});
    const ending = await play(plot, { sabotage: bug });
    plant({});
    const by = shownBy(ending, bug);
    if (by === null) continue;
    const { kind } = await play(plot);
    return { bug: bug.name, seed: plot.seed, played, by, what: ending.why, without: kind };
  }
  return { bug: bug.name, seed: null, played, by: '', what: '', without: null };
}

function shownBy(ending: Ending, bug: Bug): string | null {
  const broken = ending.broken.find((it) => it.law === bug.law || bug.shows?.includes(it.law) === true);
  if (broken !== undefined) return `law ${broken.law} ${broken.check}`;
  return bug.stuck === true && ending.kind === 'stuck' ? 'stuck' : null;
}
