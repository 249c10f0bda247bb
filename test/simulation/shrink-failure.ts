import type { Ending } from './ending.ts';
import { play } from './play.ts';
import type { Plot } from './plot.ts';
import { breakageOf, shrink } from './shrink.ts';

/** Some minutes of one core at most; what is left then is small enough to be read. */
const TRIES = 400;

/** The ending of the smallest plot that breaks as this one does; null where this one holds. */
export async function shrinkFailure(plot: Plot, onSimpler: (plot: Plot) => void): Promise<Ending | null> {
  const breakage = breakageOf(await play(plot));
  if (breakage === null) return null;
  const smallest = await shrink(plot, {
    tries: TRIES,
    onSimpler,
    breaks: async (candidate) => breakageOf(await play(candidate))?.sign === breakage.sign,
  });
  return await play(smallest);
}
