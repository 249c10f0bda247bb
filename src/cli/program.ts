import { Command, CommanderError } from 'commander';
import { EXIT } from '../errors.ts';
import { VERSION } from '../version.ts';

interface Verb {
  readonly summary: string;
  /** Adds the verb. Each is loaded only when it is asked for: `run` must not carry the sandbox. */
  readonly load: () => Promise<(program: Command) => void>;
}

const VERBS: Readonly<Record<string, Verb>> = {
  run: {
    summary: 'run the appliance: what an instance of the group runs',
    load: async () => (await import('./run.ts')).addRunCommand,
  },
  plan: {
    summary: 'print what this instance would do now, and why, without doing it',
    load: async () => (await import('./plan.ts')).addPlanCommand,
  },
  config: {
    summary: 'print the effective configuration, with where each value came from',
    load: async () => (await import('./config.ts')).addConfigCommand,
  },
  health: {
    summary: 'ask the appliance on this machine how it is, for health checks',
    load: async () => (await import('./health.ts')).addHealthCommand,
  },
  claim: {
    summary: 'the record by which exactly one cluster lives under a name',
    load: async () => (await import('./claim.ts')).addClaimCommand,
  },
  upgrade: {
    summary: "show, order, stop and follow the upgrade of a cluster's etcd, from anywhere",
    load: async () => (await import('./upgrade.ts')).addUpgradeCommand,
  },
  etcd: {
    summary: 'the etcd binaries on this machine',
    load: async () => (await import('./etcd.ts')).addEtcdCommands,
  },
  sandbox: {
    summary: 'a cloud on this machine, to try and to break things in',
    load: async () => (await import('./sandbox.ts')).addSandboxCommands,
  },
  demo: {
    summary: 'a cluster of three in the sandbox, shown live',
    load: async () => (await import('./demo.ts')).addDemoCommand,
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

/** Does what the words ask for; the exit code of a command line that is wrong, or that asks for help, else null. */
export async function runProgram(words: readonly string[]): Promise<number | null> {
  try {
    const program = await buildProgram(words);
    await program.parseAsync(words, { from: 'user' });
    return null;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
}
