import { readFile } from 'node:fs/promises';
/** Whether a process with this id exists, ours or not. A zombie still exists: see `processStartTime`. */
export function isProcessAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
/**
 * When a process started, in clock ticks since boot (field 22 of /proc/PID/stat): with the process id it names one
 * process for as long as the machine is up. Null where there is no such process, it is a zombie, or the system has no
 * /proc.
 */
export async function processStartTime(pid) {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses, and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const state = fields[0];
    return state === 'Z' || state === 'X' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
/** The arguments that a process was started with; null where there is none, or no /proc. */
export async function processArguments(pid) {
  try {
    const text = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    return text === '' ? null : text.split('\0').slice(0, -1);
  } catch {
    return null;
  }
}
