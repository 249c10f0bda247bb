import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { coverageOf } from '../simulation/codes.ts';

/** A code in backticks, in the first cell of a table's row. */
const OF_A_ROW = /^\| ((?:`[a-z0-9-]+`(?:, )?)+)/gm;

async function explained(): Promise<ReadonlySet<string>> {
  const text = await readFile('docs/operations.md', 'utf8');
  const cells = [...text.matchAll(OF_A_ROW)].map(([, cell = '']) => cell);
  return new Set(cells.flatMap((cell) => [...cell.matchAll(/[a-z0-9-]+/g)].map(([code]) => code)));
}

/** Codes that are written out where a reason is made, over all of the program. */
async function written(): Promise<readonly string[]> {
  const files = (await readdir('src', { recursive: true })).filter((it) => it.endsWith('.ts'));
  const texts = await Promise.all(files.map(async (it) => await readFile(path.join('src', it), 'utf8')));
  return texts.flatMap((text) =>
    [...text.matchAll(/\breason\(\s*'([a-z0-9-]+)'/g)].map(([, code = '']) => code),
  );
}

it('tells operators what each code of a planner, and of what is done, means', async () => {
  const { missing, unreachable } = coverageOf([]);
  const all = new Set([...missing, ...unreachable.map(({ code }) => code), ...(await written())]);
  // A plan that asks for facts is made again with them, and never told.
  all.delete('ask');
  expect(all.size).toBeGreaterThan(150);
  const known = await explained();
  expect([...all].filter((code) => !known.has(code))).toEqual([]);
});
