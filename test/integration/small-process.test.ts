import { execa } from 'execa';
import { expect, it } from 'vitest';

const SUBJECT = new URL('../../src/cli/small-process.ts', import.meta.url).href;

/** Keeps some 12 MB, and makes garbage that is old enough to be left for a full collection; prints the most that was in use, in MB. */
const WORK = `
const kept = Array.from({ length: 80_000 }, (_, at) => ({ at, word: 'word ' + at, more: [at, at + 1] }));
const ring = new Array(4_096).fill(null);
let most = 0;
for (let at = 0; at < 2_000_000; at += 1) {
  ring[at % ring.length] = { at, word: 'word ' + at, more: [at, at, at, at] };
  if (at % 2_000 === 0) most = Math.max(most, process.memoryUsage().heapUsed);
}
console.log(most / 1e6, kept.length);
`;

async function mostInUse(before: string): Promise<number> {
  const { stdout } = await execa(process.execPath, ['--input-type=module', '--eval', `${before}${WORK}`]);
  return Number(stdout.split(' ')[0]);
}

it('has garbage collected while the heap is small', async () => {
  const usual = await mostInUse('');
  const small = await mostInUse(
    `const { keepSmall } = await import(${JSON.stringify(SUBJECT)}); keepSmall();`,
  );
  expect(small).toBeLessThan(usual * 0.85);
});
