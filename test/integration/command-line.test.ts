import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { wholeNumber } from '../command-line.ts';

/** A process that loads the AWS SDK on a machine that does other things, too; ms. */
const PATIENCE_MS = 60_000;

async function run(script: string, args: readonly string[]): Promise<{ code: number; said: string }> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  return { code: Number(code), said };
}

describe('a command line that is wrong', () => {
  it.each([
    ['test/simulation/main.ts', ['--nope'], '--nope'],
    ['test/simulation/main.ts', ['--seeds', '1.5'], '--seeds 1.5: give a whole number from 1'],
    ['test/simulation/main.ts', ['--plot', 'no-such-file'], '--plot no-such-file: ENOENT'],
    ['test/simulation/main.ts', ['--plot', 'package.json'], 'there is no plot in it'],
    ['test/mutation/run.ts', ['--nope'], '--nope'],
    ['test/mutation/run.ts', ['src/main.ts'], 'src/main.ts: give files of src/core'],
    ['bench/run.ts', ['--nope'], '--nope'],
    ['bench/run.ts', ['--runs', 'many'], '--runs many: give a whole number from 1'],
  ])(
    '%s %j: one line says so',
    async (script, args, words) => {
      const { code, said } = await run(script, args);
      expect(code).toBe(64);
      expect(said.split('\n')[0]).toContain(words);
      expect(said).not.toMatch(/^ +at /m);
    },
    PATIENCE_MS,
  );
});

describe('a whole number', () => {
  it.each(['', ' ', '1.5', '-1', 'x', '1e99', 'Infinity'])('is not %j', (given) => {
    expect(() => wholeNumber('seeds', given, 0)).toThrow(`--seeds ${given}: give a whole number from 0`);
  });

  it('is what it says', () => {
    expect([wholeNumber('seeds', '0', 0), wholeNumber('seeds', '2000', 1)]).toEqual([0, 2_000]);
  });
});
