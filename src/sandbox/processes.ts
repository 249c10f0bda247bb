import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
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
  const { state, startTime } = fieldsOf(readProc(pid, 'stat'));
  return startTime === '' || isDead(state) ? null : startTime;
}

/** A zombie runs nothing and holds nothing; it waits for its parent to ask. */
function isDead(state: string): boolean {
  return state === 'Z' || state === 'X';
}

/**
 * All live processes whose DATA_DIR, or whose `--data-dir`, lies in `directory`. These two are what an appliance and an
 * etcd carry; a shell or an editor that somebody runs in the directory carries neither, and is never found. Reads the
 * table in one go, without waiting for anything: a tenth of what it costs asynchronously.
 */
export function processesOf(directory: string): readonly FoundProcess[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => look(Number(pid), directory)).filter((process) => process !== null);
}

function look(pid: number, directory: string): FoundProcess | null {
  const commandLine = readProc(pid, 'cmdline');
  const environment = readProc(pid, 'environ');
  if (!commandLine.includes(directory) && !environment.includes(directory)) return null;
  const argv = commandLine.split('\0').slice(0, -1);
  const inArguments = dataDirOf(argv);
  const inEnvironment = environment.split('\0').find((entry) => entry.startsWith('DATA_DIR='));
  const candidates = [inArguments, inEnvironment?.slice('DATA_DIR='.length) ?? null];
  const dataDir = candidates.find((path) => path !== null && isInside(path, directory)) ?? null;
  const { state, parentPid } = fieldsOf(readProc(pid, 'stat'));
  if (dataDir === null || state === '' || isDead(state)) return null;
  const isEtcd = dataDir === inArguments && (basename(argv[0] ?? '') === 'etcd' || exeOf(pid) === 'etcd');
  return { pid, parentPid, argv, kind: isEtcd ? 'etcd' : 'other', dataDir, frozen: state === 'T' };
}

/** A file of a process; empty where the process has ended meanwhile, or is not ours to read. */
function readProc(pid: number, file: 'cmdline' | 'environ' | 'stat'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

function exeOf(pid: number): string | null {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return null;
  }
}

function dataDirOf(argv: readonly string[]): string | null {
  for (const [index, word] of argv.entries()) {
    if (/^--?data-dir=/.test(word)) return word.slice(word.indexOf('=') + 1);
    if (/^--?data-dir$/.test(word)) return argv[index + 1] ?? null;
  }
  return null;
}

/** Whether `path` is `directory`, or below it. */
export function isInside(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
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

/** Waits until no process of `directory` lives, at most `timeoutMs`. One that is born meanwhile is waited for as well. */
export async function allGone(directory: string, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const [first] = processesOf(directory);
    if (first === undefined) return;
    // One process is cheap to look at, the whole table is not.
    const startTime = startTimeOf(first.pid);
    while (startTime !== null && startTimeOf(first.pid) === startTime && performance.now() < deadline) {
      await delay(LOOK_AGAIN_MS);
    }
  }
}

/** Resolves once the process with this pid and start time has ended. */
export async function gone(pid: number, startTime: string | null): Promise<void> {
  while (startTime !== null && startTimeOf(pid) === startTime) await delay(LOOK_AGAIN_MS);
}

/**
 * Resolves once the process has stopped after a SIGSTOP, or has ended: the signal is sent before it takes effect. Or once that
 * does not stand any more: who is told to go on right after may never be seen to have stopped.
 */
export async function stopped(pid: number, stands: () => boolean): Promise<void> {
  while (stands() && ['R', 'S', 'D'].includes(fieldsOf(readProc(pid, 'stat')).state))
    await delay(LOOK_AGAIN_MS);
}

/** SIGKILL to every process of `directory`, again and again until none is left: one may fork while it is looked for. */
export async function killAll(directory: string): Promise<number> {
  const killed = new Set<number>();
  for (;;) {
    const found = processesOf(directory);
    if (found.length === 0) return killed.size;
    for (const { pid } of found) if (signal(pid, 'SIGKILL')) killed.add(pid);
    await delay(LOOK_AGAIN_MS);
  }
}
