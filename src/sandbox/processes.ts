import { readdir, readFile, readlink } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** One live process that belongs to a directory: by the data directory in its environment or on its command line. */
export interface FoundProcess {
  readonly pid: number;
  readonly parentPid: number;
  readonly argv: readonly string[];
  readonly kind: 'etcd' | 'other';
  /** What told that it belongs there: its DATA_DIR, or its `--data-dir`. */
  readonly dataDir: string;
  /** Stopped by SIGSTOP. */
  readonly frozen: boolean;
}

/** How often a process that is nobody's child here is looked at while its end is awaited: nothing announces it. */
const LOOK_AGAIN_MS = 10;

/**
 * When a process was started, in clock ticks since boot (field 22 of /proc/PID/stat), or null where none lives (a
 * zombie does not). Together with the pid it names one process for good: a pid alone comes back.
 */
export function startTimeOf(pid: number): string | null {
  try {
    const { state, startTime } = fieldsOf(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return isDead(state) ? null : startTime;
  } catch {
    return null;
  }
}

/** A zombie runs nothing and holds nothing; it waits for its parent to ask. */
function isDead(state: string): boolean {
  return state === 'Z' || state === 'X';
}

/**
 * All live processes whose DATA_DIR, or whose `--data-dir`, lies in `directory`. These two are what an appliance and an
 * etcd carry; a shell or an editor that somebody runs in the directory carries neither, and is never found.
 */
export async function processesOf(directory: string): Promise<readonly FoundProcess[]> {
  const names = await readdir('/proc');
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => look(pid, directory)));
  return found.filter((process) => process !== null);
}

async function look(pid: number, directory: string): Promise<FoundProcess | null> {
  try {
    const [stat, commandLine, environment] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
      readFile(`/proc/${pid}/environ`, 'utf8').catch(() => ''),
    ]);
    const argv = commandLine.split('\0').slice(0, -1);
    const inArguments = dataDirOf(argv);
    const inEnvironment = environment.split('\0').find((entry) => entry.startsWith('DATA_DIR='));
    const dataDir = [inArguments, inEnvironment?.slice('DATA_DIR='.length)].find((path) =>
      isInside(path, directory),
    );
    const { state, parentPid } = fieldsOf(stat);
    if (dataDir === undefined || dataDir === null || isDead(state)) return null;
    const isEtcd =
      dataDir === inArguments && (basename(argv[0] ?? '') === 'etcd' || (await exeOf(pid)) === 'etcd');
    return { pid, parentPid, argv, kind: isEtcd ? 'etcd' : 'other', dataDir, frozen: state === 'T' };
  } catch {
    return null;
  }
}

async function exeOf(pid: number): Promise<string | null> {
  const path = await readlink(`/proc/${pid}/exe`).catch(() => null);
  return path === null ? null : basename(path);
}

function dataDirOf(argv: readonly string[]): string | null {
  for (const [index, word] of argv.entries()) {
    if (/^--?data-dir=/.test(word)) return word.slice(word.indexOf('=') + 1);
    if (/^--?data-dir$/.test(word)) return argv[index + 1] ?? null;
  }
  return null;
}

/** Whether `path` is `directory`, or below it. */
export function isInside(path: string | null | undefined, directory: string): boolean {
  return typeof path === 'string' && (path === directory || path.startsWith(`${directory}/`));
}

/** The name in parentheses may hold anything, so what follows is counted from the last parenthesis. */
function fieldsOf(stat: string): { state: string; parentPid: number; startTime: string } {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', parentPid: Number(fields[1]), startTime: fields[19] ?? '' };
}

/** Sends a signal; false where the process has ended already. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * Resolves to true once no process of `directory` lives, to false where some still do after `timeoutMs`. A process that
 * is found late (a child just born) is waited for as well.
 */
export async function allGone(directory: string, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if ((await processesOf(directory)).length === 0) return true;
    if (performance.now() >= deadline) return false;
    await delay(LOOK_AGAIN_MS);
  }
}

/** Resolves once the process with this pid and start time has ended. */
export async function gone(pid: number, startTime: string | null): Promise<void> {
  while (startTime !== null && startTimeOf(pid) === startTime) await delay(LOOK_AGAIN_MS);
}

/** SIGKILL to every process of `directory`, again and again until none is left: one may fork while it is looked for. */
export async function killAll(directory: string): Promise<number> {
  const killed = new Set<number>();
  for (;;) {
    const found = await processesOf(directory);
    if (found.length === 0) return killed.size;
    for (const { pid } of found) if (signal(pid, 'SIGKILL')) killed.add(pid);
    await delay(LOOK_AGAIN_MS);
  }
}
