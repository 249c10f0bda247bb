import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/*
 * `npm run check`: all that can be said about the code without running it. One line per check; what failed is printed
 * whole. Everything runs on the Node of the lock file, so that it says the same on every machine.
 */

const NODE_MAJOR = '24';

const CHECKS: Readonly<Record<string, readonly string[]>> = {
  types: ['tsc'],
  lint: ['oxlint', '--type-aware', '--deny-warnings', 'src', 'test', 'bench', '.ci', 'vitest.config.ts'],
  format: ['prettier', '--check', '--log-level', 'warn', '.'],
  'dead code': ['knip', '--no-progress'],
};

/** Runs one check; gives its output where it failed, else null. */
async function run(name: string, [command = '', ...args]: readonly string[]): Promise<string | null> {
  const startedAt = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const failed = once(child, 'error').then(([error]) => String(error));
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
    ([[code], out, err]) => (code === 0 ? null : `${out}${err}` || `it ended with ${String(code)}`),
  );
  const output = await Promise.race([failed, ended]);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${output === null ? 'ok    ' : 'FAILED'} ${name.padEnd(9)} ${seconds.padStart(5)} s`);
  return output;
}

const major = process.versions.node.split('.', 1)[0];
if (major !== NODE_MAJOR) {
  console.error(
    `Node ${process.versions.node} runs this, Node ${NODE_MAJOR} must: run npm ci, then npm run check`,
  );
  process.exit(1);
}
const outputs = await Promise.all(Object.entries(CHECKS).map(async ([name, command]) => run(name, command)));
const failures = outputs.filter((output) => output !== null);
for (const output of failures) console.log(`\n${output.trimEnd()}`);
process.exitCode = failures.length === 0 ? 0 : 1;
