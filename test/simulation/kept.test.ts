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
    const form = Object.keys(drawPlot(1, 'mixed')).toSorted();
    for (const { plot, name } of kept) expect(Object.keys(plot).toSorted(), name).toEqual(form);
  });

  it.for(kept)('$name', async ({ plot, broke }) => {
    const ending = await play(plot);
    expect(isFailure(ending.kind), `it once broke: ${broke}\n${tell(ending)}`).toBe(false);
  });
});
