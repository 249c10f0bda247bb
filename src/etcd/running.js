import { readdir, readFile, rm } from 'node:fs/promises';
import { writeDurably } from './files.js';
import { processArguments, processStartTime } from './proc.js';
/** Keeps the record of a started etcd. */
export async function writeRecord(path, record) {
  await writeDurably(path, `${JSON.stringify(record)}\n`);
}
/** Forgets it. */
export async function removeRecord(path) {
  await rm(path, { force: true });
}
/** The record; null where there is none that can be read: it is a help, the process table is the truth. */
export async function readRecord(path) {
  try {
    const value = JSON.parse(await readFile(path, 'utf8'));
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}
function isRecord(value) {
  if (typeof value !== 'object' || value === null) return false;
  const { format, pid, startTime, version, dataDirectory } = value;
  const strings = [startTime, version, dataDirectory].every((field) => typeof field === 'string');
  return format === 1 && typeof pid === 'number' && strings;
}
/**
 * The etcd that runs on this data directory now, whoever started it: the recorded one, or one whose command line names
 * the directory (an appliance may die between the start and the record). Null where there is none, or no /proc.
 */
export async function findRunning(record, dataDirectory) {
  const flag = `--data-dir=${dataDirectory}`;
  if (record !== null && record.dataDirectory === dataDirectory) {
    const same = (await processStartTime(record.pid)) === record.startTime;
    if (same && (await processArguments(record.pid))?.includes(flag) === true) return record;
  }
  for (const name of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    if ((await processArguments(pid))?.includes(flag) !== true) continue;
    const startTime = await processStartTime(pid);
    if (startTime !== null) return { pid, startTime, version: null };
  }
  return null;
}
/** How often a process that is not our child is looked at: its parent alone is told of its end, and Node has no pidfd. */
const LOOK_AGAIN_MS = 50;
/** Ends when the process is gone. Its code and signal went to whoever was its parent. */
export async function untilGone(process) {
  while ((await processStartTime(process.pid)) === process.startTime) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
  return { code: null, signal: null };
}
