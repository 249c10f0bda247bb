import type { Command } from 'commander';
import { runAppliance } from '../app.ts';
import { ApplianceError, EXIT, exitCodeOf, hasCode } from '../errors.ts';
import type { ExitCode } from '../errors.ts';
import { createLog } from '../http/log.ts';
import { createStreamOutput } from '../http/log-output.ts';
import { VERSION } from '../version.ts';
import { CONFIG_OPTION, loadFromEnvironment } from './load.ts';
import { listenForSignals } from './signals.ts';
import { keepSmall } from './small-process.ts';

/** `etcd-appliance run`: the appliance itself, until it is told to stop. */
export function addRunCommand(program: Command): void {
  program
    .command('run')
    .description('run the appliance: what an instance of the group runs')
    .option(...CONFIG_OPTION)
    .action(async (options: { config?: string }) => {
      process.exitCode = await run(options.config);
    });
}

/** Runs the appliance, configured by the environment and the file, if any; its exit code. Throws `configuration`. */
export async function run(file?: string): Promise<ExitCode> {
  keepSmall();
  const { config, notices } = await loadFromEnvironment(file, { needsZone: true });
  const output = createStreamOutput(process.stdout);
  const log = await createLog({ level: config.logLevel, pretty: process.stdout.isTTY, output });
  const own = log.component('main');
  own.info({ version: VERSION, node: process.version, pid: process.pid }, 'starting');
  for (const notice of notices) own.warn({ notice }, 'a variable has no effect');
  const stop = listenForSignals(own);
  try {
    return await Promise.race([
      runAppliance(config, { log, version: VERSION, env: process.env }, stop.signal),
      stop.forced,
      crashed(),
    ]);
  } catch (error) {
    if (isEndOf(stop.signal, error)) {
      own.info({}, 'stopped before it had anything to leave');
      return EXIT.done;
    }
    own.error({ error }, 'the appliance failed');
    return exitCodeOf(error);
  } finally {
    await log.flush();
  }
}

/** Whether an error only says that the wait it came from was ended by `signal`: an end in order. */
function isEndOf(signal: AbortSignal, error: unknown): boolean {
  if (!signal.aborted) return false;
  return (
    error === signal.reason ||
    hasCode(error, 'aborted') ||
    (error instanceof Error && error.name === 'AbortError')
  );
}

/** Rejects with what nobody caught: a bug. The state is then unknown, so nothing is done in order any more. */
async function crashed(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const fail = (cause: unknown) => {
    reject(new ApplianceError({ code: 'internal' }, 'an error that nobody caught: this is a bug', { cause }));
  };
  process.once('uncaughtException', fail).once('unhandledRejection', fail);
  return promise;
}
