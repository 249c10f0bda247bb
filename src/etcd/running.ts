import { readdir, readFile, rm } from 'node:fs/promises';
import type { EtcdExit } from '../core/local-data.ts';
import { writeDurably } from './files.ts';
import { processArguments, processStartTime } from './proc.ts';

/** What is kept on disk about a started etcd, so that an appliance that comes back takes it over. */
export interface ProcessRecord {
  readonly format: 1;
  readonly pid: number;
  /** Clock ticks since boot: with the pid it names one process of this boot. */
  readonly startTime: string;
  readonly version: string;
  readonly dataDirectory: string;
}

/** Keeps the record of a started etcd. */
export async function writeRecord(path: string, record: ProcessRecord): Promise<void> {
  await writeDurably(path, `${JSON.stringify(record)}\n`);
}

/** Forgets it. */
export async function removeRecord(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** The record; null where there is none that can be read: it is a help, the process table is the truth. */
export async function readRecord(path: string): Promise<ProcessRecord | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is ProcessRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { format, pid, startTime, version, dataDirectory } = value as Partial<
    Record<keyof ProcessRecord, unknown>
  >;
  const strings = [startTime, version, dataDirectory].every((field) => typeof field === 'string');
  return format === 1 && typeof pid === 'number' && strings;
}

/** A process that runs now. */
export interface RunningProcess {
  readonly pid: number;
  readonly startTime: string;
  /** Null where nothing recorded it. */
  readonly version: string | null;
}

/** One that was looked for by its command line, and that: read again, it might be gone with its process. */
interface FoundProcess extends RunningProcess {
  readonly arguments: readonly string[];
}

/**
 * The etcd that runs on this data directory now, whoever started it: the recorded one, or one whose command line names
 * the directory (an appliance may die between the start and the record). Null where there is none, or no /proc.
 */
export async function findRunning(
  record: ProcessRecord | null,
  dataDirectory: string,
): Promise<FoundProcess | null> {
  const flag = `--data-dir=${dataDirectory}`;
  if (record !== null && record.dataDirectory === dataDirectory) {
    const { pid, startTime, version } = record;
    const started = (await processStartTime(pid)) === startTime ? await processArguments(pid) : null;
    if (started?.includes(flag) === true) return { pid, startTime, version, arguments: started };
  }
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    const started = await processArguments(pid);
    if (started?.includes(flag) !== true) continue;
    const startTime = await processStartTime(pid);
    if (startTime !== null) return { pid, startTime, version: null, arguments: started };
  }
  return null;
}

/** An exit of which only the process's end is known. */
export type BareExit = Pick<EtcdExit, 'code' | 'signal'>;

/** How often a process that is not our child is looked at: its parent alone is told of its end, and Node has no pidfd. */
const LOOK_AGAIN_MS = 50;

/** Ends when the process is gone. Its code and signal went to whoever was its parent. */
export async function untilGone(process: RunningProcess): Promise<BareExit> {
  while ((await processStartTime(process.pid)) === process.startTime) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
  return { code: null, signal: null };
}
