import { tmpdir } from 'node:os';
import { execa } from 'execa';
import type { Command } from 'commander';
import { ApplianceError, EXIT } from '../errors.ts';
import { createHub, inNamespace } from '../sandbox/network.ts';
import { createSandbox } from '../sandbox/sandbox.ts';
import { DEFAULT_REGIONS } from '../sandbox/server.ts';
import type { Sandbox, SandboxOptions } from '../sandbox/sandbox.ts';
import {
  createStateDir,
  endSandbox,
  hubOf,
  removeSandbox,
  sweepDeadSandboxes,
} from '../sandbox/state-dir.ts';
import { etcdDirectory, folderOf } from './etcd.ts';
import { checkAsked, checkFolder } from './sandbox-checks.ts';
import type { AskedSandbox } from './sandbox-checks.ts';
import { renderEvent } from './sandbox-text.ts';

interface StartOptions extends AskedSandbox {
  readonly hooks?: true;
  readonly env: readonly string[];
  readonly namespaces?: true;
  readonly distance: number;
  readonly inside?: string;
  readonly keep?: true;
  readonly quiet?: true;
  readonly json?: true;
}

/** `etcd-appliance sandbox start`. */
export function addSandboxStart(sandbox: Command): void {
  const number = (text: string): number => {
    if (/^\d+$/.test(text)) return Number(text);
    throw new ApplianceError({ code: 'usage' }, `${text} is no number of instances`);
  };
  const numbers = (text: string): readonly number[] => text.split(',').map(number);
  const byDefault = etcdDirectory();
  const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];
  sandbox
    .command('start')
    .description('start a sandbox with one group a region, and stay until interrupted or stopped')
    .option(
      '--regions <names>',
      'comma-separated; a group of the stack in each',
      regionNames,
      DEFAULT_REGIONS,
    )
    .option('--size <numbers>', 'instances of a group at the start; or of each: 3,2', numbers, [3])
    .option('--min <number>', 'the smallest that the group may be', number, 0)
    .option('--max <number>', 'the largest that the group may be', number, 9)
    .option('--stack <name>', 'name of the stack', 'etcd-demo')
    .option('--zone <name>', 'hosted zone', 'example.org')
    .option('--hooks', 'with lifecycle hooks for launch and termination')
    .option(
      '--etcd-dir <directory>',
      'the folder with a subfolder per version (ETCD_DIR)',
      folderOf,
      byDefault,
    )
    .option('--etcd-version <version>', 'what a birth uses; default: the newest there is')
    .option('--env <name=value>', 'one more variable for the appliances; may be given again', collect, [])
    .option('--program <file>', 'what instances run instead of this program, as dist/main.js')
    .option(
      '--network <prefix>',
      'first two octets of the addresses, of the loopback; default: 127.78, or the next that is free',
    )
    .option(
      '--namespaces',
      'a network namespace for each instance, so that they can be cut off (root on Linux)',
    )
    .option('--distance <ms>', 'how long everything takes between regions, one way: 80ms', millisecondsOf, 0)
    .option('--inside <directory>', 'used by --namespaces itself')
    .option('--keep', 'leave the files of the instances when it ends')
    .option('--quiet', 'do not print what happens')
    .option('--json', 'print addresses and events as JSON, one object a line')
    .action(async (options: StartOptions) => {
      await checkAsked(options);
      // Where nothing is named, etcd may be installed later.
      if (options.etcdDir !== byDefault) await checkFolder('--etcd-dir', options.etcdDir);
      if (options.namespaces && options.inside === undefined)
        process.exitCode = await startInNamespace(options);
      else await start(options);
    });
}

async function start(options: StartOptions): Promise<void> {
  await using sandbox = await createSandbox(sandboxOptions(options));
  const stopped = stopAsked(sandbox);
  const show = options.json ? JSON.stringify : renderEvent;
  // Reads are asked for with `sandbox events`: there are many, and they change nothing.
  if (!options.quiet)
    sandbox.cloud.events.subscribe((event) => event.type !== 'api-read' && print(show(event)));
  await sandbox.start();
  print(options.json ? JSON.stringify({ addresses: sandbox.addresses }) : renderAddresses(sandbox));
  await stopped;
}

function renderAddresses({ addresses }: Sandbox): string {
  return [
    `sandbox ${addresses.clusterName}: AWS endpoint ${addresses.aws}, control ${addresses.control},`,
    `DNS ${addresses.dns.address} port ${addresses.dns.port}, files ${addresses.stateDir}`,
  ].join(' ');
}

/** Resolves on SIGINT, SIGTERM or SIGHUP, when the control API was told so, or when the process that asked for it is gone. */
export async function stopAsked(sandbox: Sandbox): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = (): void => resolve();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const) process.on(name, stop);
  void sandbox.stopped.then(stop);
  await promise;
}

function millisecondsOf(text: string): number {
  if (/^\d+(?:ms)?$/.test(text)) return Number.parseInt(text, 10);
  throw new ApplianceError({ code: 'usage' }, `${text} is no distance: write 80ms`);
}

function regionNames(text: string): readonly string[] {
  return text.split(',').map((name) => name.trim());
}

/** `NAME=value` as its two parts; throws where it is not that. */
export function variableOf(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new ApplianceError({ code: 'usage' }, `${text} is no variable: write NAME=value`);
}

function sandboxOptions(options: StartOptions): SandboxOptions {
  return {
    parent: tmpdir(),
    searchPath: process.env['PATH'] ?? '',
    etcdDir: options.etcdDir,
    environment: {
      ...(options.etcdVersion === undefined ? {} : { ETCD_VERSION: options.etcdVersion }),
      ...Object.fromEntries(options.env.map(variableOf)),
    },
    regions: options.regions,
    group: {
      desired: options.size,
      min: options.min,
      max: options.max,
      hooks: options.hooks === true,
    },
    settings: { distanceMs: options.distance },
    stackName: options.stack,
    zoneName: options.zone,
    keep: options.keep === true,
    ...(options.program === undefined ? {} : { program: options.program }),
    ...(options.network === undefined ? {} : { network: options.network }),
    ...(options.inside === undefined ? {} : { inside: options.inside }),
  };
}

/**
 * Runs this same command once more inside a network namespace of its own, and waits for it. A process cannot change its
 * own network; and inside, nothing that the sandbox does can touch the machine's. The channel between the two tells the
 * inner one when this one is gone.
 */
async function startInNamespace({ keep }: StartOptions): Promise<number> {
  await sweepDeadSandboxes(tmpdir());
  const stateDir = await createStateDir(tmpdir());
  try {
    return await runInHub(hubOf(stateDir), stateDir);
  } finally {
    // The inner one does this, too, unless it was killed or never began.
    await (keep ? endSandbox(stateDir) : removeSandbox(stateDir));
  }
}

async function runInHub(hub: string, stateDir: string): Promise<number> {
  await createHub(hub, process.env['PATH'] ?? '');
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1), '--inside', stateDir];
  const [program = '', ...args] = inNamespace(hub, self);
  const inner = execa(program, args, {
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
    ipc: true,
    reject: false,
    cleanup: false,
  });
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => inner.kill(name));
  return (await inner).exitCode ?? EXIT.failed;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
