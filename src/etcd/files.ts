import { open, rename, rm, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ApplianceError } from '../errors.ts';

/** Writes a file so that after a power cut it has the old content or the new one: flushed, renamed, folder flushed. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  try {
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw cannotWrite(path, error);
  }
}

/** Flushes a folder: what was created, renamed or removed in it survives a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Bytes that this user can still write where `directory` is. */
export async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/** The error for a path that cannot be written, with the system's word on why. */
export function cannotWrite(path: string, cause: unknown): ApplianceError {
  return new ApplianceError(
    { code: 'cannot-write', path },
    `${path} cannot be written: check its rights, and the room on its disk`,
    { cause },
  );
}

/** Whether a file system call failed because the path does not exist. */
export function isAbsent(error: unknown): boolean {
  return hasSystemCode(error, 'ENOENT') || hasSystemCode(error, 'ENOTDIR');
}

/** Whether a system call failed, with this code where one is named. */
export function hasSystemCode(error: unknown, code?: string): boolean {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return false;
  return code === undefined || error.code === code;
}
