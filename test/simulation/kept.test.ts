import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { play } from './play.ts';
import { drawPlot, type Plot } from './plot.ts';
import { isFailure } from './runner.ts';
import { tell } from './timeline.ts';

/** A history that once broke something: `broke` says what, `plot` is what was left of it after shrinking. */
interface Kept {
  readonly name: string;
  readonly broke: string;
  readonly plot: Plot;
}

const FOLDER = join(import.meta.dirname, 'kept');

const kept = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .map((file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Kept);

describe('what once broke holds', () => {
  it('and its plots are of the form that is drawn today', () => {
    // Of a plot in one region that is not said, nor that its database is small.
    const formOf = (plot: Plot): readonly string[] =>
      Object.keys({ ...plot, regions: 1, database: null }).toSorted();
    for (const { plot, name } of kept) expect(formOf(plot), name).toEqual(formOf(drawPlot(1, 'mixed')));
  });

  it.for(kept)('$name', async ({ plot, broke }) => {
    const ending = await play(plot);
    expect(isFailure(ending.kind), `it once broke: ${broke}\n${tell(ending)}`).toBe(false);
  });
});
