#!/usr/bin/env node
import { ApplianceError, describeError, EXIT, exitCodeOf, hasCode } from './errors.ts';

/** Prints what ended a verb, and gives the exit code for it. */
function explain(error: unknown): number {
  const lines = hasCode(error, 'configuration') ? error.details.problems : [describeError(error)];
  for (const line of lines) process.stderr.write(`etcd-appliance: ${line}\n`);
  const isBug = error instanceof Error && (!(error instanceof ApplianceError) || error.code === 'internal');
  if (isBug) process.stderr.write(`${error.stack ?? ''}\n`);
  return exitCodeOf(error);
}

/**
 * Runs one verb. Its outcome is an exit code (design.md section 7): what it set as `process.exitCode`, or that of the
 * error that it threw. A verb has done everything when its promise settles; what it left open does not keep the process.
 */
async function main(words: readonly string[]): Promise<number> {
  try {
    // What an instance runs has no command line to be parsed: its first questions do not wait for a parser.
    if (words.length === 1 && words[0] === 'run') return await (await import('./cli/run.ts')).run();
    const { runProgram } = await import('./cli/program.ts');
    return (await runProgram(words)) ?? Number(process.exitCode ?? EXIT.done);
  } catch (error) {
    return explain(error);
  }
}

/** Waits until a pipe took everything, five seconds at most: process.exit drops what is still queued. */
async function drain(stream: NodeJS.WriteStream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, 5000);
  stream.write('', () => resolve());
  await promise;
  clearTimeout(timer);
}

// A reader that goes away (`| head`) is no failure.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
const exitCode = await main(process.argv.slice(2));
await Promise.all([drain(process.stdout), drain(process.stderr)]);
process.exit(exitCode);
