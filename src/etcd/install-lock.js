import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { isProcessAlive, processStartTime } from './proc.js';
/** How often a waiting installation looks again. The wait ends with the other's work, which takes seconds. */
const LOOK_AGAIN_MS = 200;
/**
 * Takes the lock file `path` for this process, waiting while a living process has it. It only saves doing work twice:
 * what makes two installations at once safe is the atomic rename at their ends. Call the result to give it back.
 */
export async function takeLock(path, onWait, signal) {
  const own = {
    pid: process.pid,
    startTime: await processStartTime(process.pid),
    nonce: randomUUID(),
  };
  while (!(await tryTake(path, own))) {
    const holder = await readHolder(path);
    if (holder !== null && !(await isHeld(holder))) {
      await removeIfStill(path, holder);
      continue;
    }
    onWait();
    await sleep(LOOK_AGAIN_MS, undefined, { signal });
  }
  return async () => removeIfStill(path, own);
}
/** Makes the lock file with its content at once: a lock without a holder's name could never be known as left behind. */
async function tryTake(path, own) {
  const draft = `${path}.${own.nonce}`;
  await writeFile(draft, JSON.stringify(own));
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
/** Null where it was just removed. */
async function readHolder(path) {
  try {
    const value = JSON.parse(await readFile(path, 'utf8'));
    return isHolder(value) ? value : null;
  } catch {
    return null;
  }
}
function isHolder(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    'nonce' in value &&
    typeof value.pid === 'number'
  );
}
async function isHeld(holder) {
  if (!isProcessAlive(holder.pid)) return false;
  return holder.startTime === (await processStartTime(holder.pid));
}
/** Removes the lock of `holder` and no other: another waiter may have been faster. */
async function removeIfStill(path, holder) {
  if ((await readHolder(path))?.nonce !== holder.nonce) return;
  const grave = `${path}.${randomUUID()}`;
  await rename(path, grave).catch(() => undefined);
  await rm(grave, { force: true });
}
