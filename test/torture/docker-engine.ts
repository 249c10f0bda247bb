import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { endProcess, eventually, temporaryDirectory } from '../tools.ts';

/** A Docker engine of one test. All that runs in it ends with it, and with the process that started it. */
export interface Engine extends AsyncDisposable {
  /** What the client printed. Throws with all that it said where it fails; `input` is its standard input. */
  readonly docker: (args: readonly string[], input?: string) => Promise<string>;
  /** The same, and what it printed on standard error, too. */
  readonly saidBy: (args: readonly string[]) => Promise<string>;
  /** SIGKILL to a process by the id under which the engine knows it. */
  readonly kill: (pid: number) => Promise<void>;
  /** All processes of the engine and of its containers, the dead ones that nobody waits for among them. */
  readonly processes: () => Promise<readonly EngineProcess[]>;
}

export interface EngineProcess {
  readonly pid: number;
  readonly parentPid: number;
  /** As /proc has it: Z is a zombie. */
  readonly state: string;
}

export interface EngineOptions {
  /** Its images, containers and log; the caller removes it. An engine started there again finds its images. */
  readonly directory: string;
  /** In the network of vitest itself, which reaches registries; else in that of the test, where the bridges are. */
  readonly outside: boolean;
}

const STOP_MS = 30_000;

/** It touches no firewall and makes no bridge that nobody asked for: neither is needed for containers on one bridge. */
const NO_NETWORK_OF_ITS_OWN = [
  '--bridge=none',
  '--iptables=false',
  '--ip6tables=false',
  '--ip-forward=false',
  '--userland-proxy=false',
];

/** Whoever ends, whatever is below ends, too: a namespace of process ids goes with its first process. */
const ENDS_WITH_PARENT = ['setpriv', '--pdeathsig', 'KILL', '--'];
const OWN_PROCESSES = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', '--'];

/** Starts an engine, as root. Only in files of the namespace pool: it uses the /run of its own that they have. */
export async function startEngine({ directory, outside }: EngineOptions): Promise<Engine> {
  await mkdir(directory, { recursive: true });
  const socket = `unix://${join(directory, 'docker.sock')}`;
  const [command = '', ...args] = [
    ...ENDS_WITH_PARENT,
    ...(outside ? ['nsenter', `--net=/proc/${process.ppid}/ns/net`, '--'] : []),
    ...OWN_PROCESSES,
    'dockerd',
    `--host=${socket}`,
    `--data-root=${join(directory, 'data')}`,
    `--exec-root=${join(directory, 'exec')}`,
    `--pidfile=${join(directory, 'pid')}`,
    ...NO_NETWORK_OF_ITS_OWN,
  ];
  const log = createWriteStream(join(directory, 'dockerd.log'), { flags: 'a' });
  await once(log, 'open');
  const process_ = spawn(command, args, { stdio: ['ignore', log, log] });
  log.destroy();
  const client = async (words: readonly string[], input: string) =>
    execa('docker', words, {
      input,
      all: true,
      env: { DOCKER_HOST: socket, DOCKER_BUILDKIT: '0', DOCKER_CONFIG: join(directory, 'client') },
      // A build says much, and what it said last is why it failed.
      maxBuffer: 1 << 26,
    });
  /** Runs a script where the engine's process ids are. */
  const inside = async (script: string, ...values: readonly string[]): Promise<string> => {
    const where = [`--target=${await firstProcess(process_)}`, '--pid', '--mount', '--'];
    return (await execa('nsenter', [...where, 'sh', '-c', script, 'sh', ...values])).stdout;
  };
  const engine: Engine = {
    docker: async (words, input = '') => (await client(words, input)).stdout,
    saidBy: async (words) => (await client(words, '')).all,
    kill: async (pid) => {
      await inside('kill -KILL "$1"', String(pid));
    },
    processes: async () => {
      const stats = (await inside('cat /proc/[0-9]*/stat 2> /dev/null || true')).split('\n');
      // The name in parentheses may hold anything.
      const found = stats.map((line) => /^(\d+) \(.*\) (\w) (\d+) /.exec(line));
      return found.map((it) => ({ pid: Number(it?.[1]), state: it?.[2] ?? '', parentPid: Number(it?.[3]) }));
    },
    async [Symbol.asyncDispose]() {
      const first = await firstProcess(process_);
      if (first !== null) process.kill(first, 'SIGTERM');
      await Promise.race([once(process_, 'exit'), after(STOP_MS)]);
      await endProcess(process_);
    },
  };
  try {
    await eventually(async () => {
      if (process_.exitCode !== null) throw new Error('dockerd ended');
      return (await engine.docker(['version', '--format', '{{.Server.Version}}'])) !== '';
    });
    return engine;
  } catch (cause) {
    await endProcess(process_);
    const said = await readFile(join(directory, 'dockerd.log'), 'utf8');
    throw new Error(`no Docker engine: ${said.slice(-2_000)}`, { cause });
  }
}

/**
 * An empty folder that goes with the scope, and with this process, however that ends: images are too large to be left
 * behind. What removes it is in a session of its own, where no Ctrl-C reaches it.
 */
export async function sweptDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const place = await temporaryDirectory();
  // Nobody writes: `cat` ends with this process. An engine that is being killed may still write for a moment.
  const script = 'cat; for try in 1 2 3; do rm -rf -- "$1" && break; sleep 1; done';
  const sweeper = spawn('sh', ['-c', script, 'sh', place.path], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = once(sweeper, 'exit');
  return {
    path: place.path,
    async [Symbol.asyncDispose]() {
      sweeper.stdin.end();
      await ended;
    },
  };
}

/** The engine itself: the only child of what made its namespace; null where it has ended. */
async function firstProcess({ pid }: ChildProcess): Promise<number | null> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const first = Number.parseInt(children, 10);
  return Number.isNaN(first) ? null : first;
}

async function after(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms).unref());
}
