import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

interface Survivor {
  readonly file: string;
  readonly line: string;
  readonly from: string;
  readonly reason: string;
}

const ROOT = join(import.meta.dirname, '../..');
const LISTED = JSON.parse(readFileSync(join(ROOT, 'test/mutation/survivors.json'), 'utf8')) as Survivor[];

/** Whether the line is in the source, and what the mutant changes begins on it. */
function stands({ file, line, from }: Survivor): boolean {
  const lines = readFileSync(join(ROOT, file), 'utf8')
    .split('\n')
    .map((it) => it.trim());
  return lines.some((text, index) => {
    if (text !== line) return false;
    const at = lines.slice(index).join('\n').replaceAll(/\s+/g, ' ').indexOf(from);
    return at >= 0 && at < line.length;
  });
}

/* A mutant is known by its line: one that was written anew has other mutants, and what is said of the old excuses none. */
test('every mutant that is said to live is one of a line that still stands, and the reason is given', () => {
  expect(LISTED.filter((it) => it.reason === '' || !stands(it))).toEqual([]);
});
