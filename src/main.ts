#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { ApplianceError, describeError, EXIT, exitCodeOf, hasCode } from './errors.ts';
import { VERSION } from './version.ts';

interface Verb {
  readonly summary: string;
  /** Adds the verb. Each is loaded only when it is asked for: `run` must not carry the sandbox. */
  readonly load: () => Promise<(program: Command) => void>;
}

const VERBS: Readonly<Record<string, Verb>> = {
  run: {
    summary: 'run the appliance: what an instance of the group runs',
    load: async () => (await import('./cli/run.ts')).addRunCommand,
  },
  plan: {
    summary: 'print what this instance would do now, and why, without doing it',
    load: async () => (await import('./cli/plan.ts')).addPlanCommand,
  },
  config: {
    summary: 'print the effective configuration, with where each value came from',
    load: async () => (await import('./cli/config.ts')).addConfigCommand,
  },
  claim: {
    summary: 'the record by which exactly one cluster lives under a name',
    load: async () => (await import('./cli/claim.ts')).addClaimCommand,
  },
  etcd: {
    summary: 'the etcd binaries on this machine',
    load: async () => (await import('./cli/etcd.ts')).addEtcdCommands,
  },
  sandbox: {
    summary: 'a cloud on this machine, to try and to break things in',
    load: async () => (await import('./cli/sandbox.ts')).addSandboxCommands,
  },
  demo: {
    summary: 'a cluster of three in the sandbox, shown live',
    load: async () => (await import('./cli/demo.ts')).addDemoCommand,
  },
  version: { summary: 'print the version', load: () => Promise.resolve(addVersionCommand) },
};

function addVersionCommand(program: Command): void {
  program
    .command('version')
    .description('print the version')
    .action(() => void process.stdout.write(`${VERSION}\n`));
}

/** The verb that the words ask for: `X …`, or `help X`. */
function verbOf(words: readonly string[]): string | undefined {
  const operands = words.filter((word) => !word.startsWith('-'));
  return operands[0] === 'help' ? operands[1] : operands[0];
}

async function buildProgram(words: readonly string[]): Promise<Command> {
  const program = new Command('etcd-appliance')
    .description('Runs an etcd cluster on an AWS Auto Scaling group that needs nobody.')
    .version(VERSION)
    .exitOverride();
  const asked = verbOf(words);
  for (const [name, { summary, load }] of Object.entries(VERBS)) {
    if (name === asked) (await load())(program);
    else program.command(name).description(summary);
  }
  return program;
}

/** Prints what ended a verb, and gives the exit code for it. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
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
    const program = await buildProgram(words);
    await program.parseAsync(words, { from: 'user' });
    return Number(process.exitCode ?? EXIT.done);
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
