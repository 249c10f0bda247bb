import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ApplianceError, describeError } from '../errors.js';
import { inspect } from './binaries.js';
import { takeLock } from './install-lock.js';
import { isProcessAlive } from './proc.js';
import { ETCD_MINORS, parseWanted, refusedRelease } from './releases.js';
/**
 * Installs one version of etcd from the first source that works. A version appears whole or not at all, however this
 * ends, and two at once come to the same: the second waits, and finds it done.
 *
 * Throws `usage` for a version that is not supported or loses data, `cannot-write`, `aborted`, and `unavailable` where
 * no source works; that message says why for each, and what to install.
 */
export async function installEtcd(options, signal) {
  const wanted = parseWanted(options.what);
  if (wanted === null) {
    const minors = ETCD_MINORS.join(', ');
    throw new ApplianceError(
      { code: 'usage' },
      `etcd ${options.what} is not supported: name one of ${minors}, or a version of theirs`,
    );
  }
  refuse(wanted.version);
  await makeDirectory(options.directory);
  const failed = [];
  for (const source of options.sources) {
    try {
      const version = await source.resolve(wanted, signal);
      refuse(version);
      return { ...(await installFrom(source, version, options, signal)), failed };
    } catch (error) {
      if (signal.aborted)
        throw new ApplianceError({ code: 'aborted' }, 'the installation was interrupted', { cause: error });
      if (error instanceof ApplianceError) throw error;
      failed.push({ source: source.name, reason: describeError(error) });
    }
  }
  throw nothingWorked(wanted, options.what, failed);
}
/** The line for a machine on which nothing works. */
function nothingWorked(wanted, what, failed) {
  const reasons = failed.map(({ source, reason }) => `${source}: ${reason}`).join('; ');
  const advice =
    wanted.minor === '3.4'
      ? 'let this machine reach a mirror of the releases, or use Debian 12, whose packages have it'
      : 'install Go (https://go.dev/dl), or let this machine reach a mirror of the releases';
  return new ApplianceError(
    { code: 'unavailable', service: 'etcd releases' },
    `etcd ${what} cannot be had here (${reasons}): ${advice}`,
  );
}
function refuse(version) {
  const reason = version === null ? null : refusedRelease(version);
  if (reason !== null)
    throw new ApplianceError({ code: 'usage' }, `etcd ${version} is not installed: ${reason}`);
}
async function installFrom(source, version, options, signal) {
  const progress = options.onProgress ?? (() => undefined);
  const final = join(options.directory, version);
  const release = await takeLock(
    join(options.directory, `.lock-${version}`),
    () => progress({ phase: 'wait', done: 0, total: null }),
    signal,
  );
  try {
    const there = await inspect(final, signal);
    if (there.ok && there.binary.version === version) return { binary: there.binary, source: null };
    return { binary: await deliver(source, version, options, signal), source: source.name };
  } finally {
    await release();
  }
}
async function deliver(source, version, options, signal) {
  const progress = options.onProgress ?? (() => undefined);
  await sweep(options.directory);
  const work = await mkdtemp(join(options.directory, `.install-${process.pid}-`));
  try {
    const target = { scratch: join(work, 'scratch'), into: join(work, version) };
    await mkdir(target.scratch);
    await mkdir(target.into);
    await source.deliver(version, target, progress, signal);
    for (const name of await readdir(target.into)) await chmod(join(target.into, name), 0o755);
    progress({ phase: 'verify', done: 0, total: 1 });
    const made = await inspect(target.into, signal);
    if (!made.ok) throw new Error(made.broken.reason);
    if (made.binary.version !== version)
      throw new Error(`it delivered ${made.binary.version}, not ${version}`);
    return await putInPlace(target.into, join(options.directory, version), work, signal);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
/** Renames what was made to its final name. What stands there and is broken moves out of the way first. */
async function putInPlace(made, final, work, signal) {
  signal.throwIfAborted();
  await rename(final, join(work, 'replaced')).catch(() => undefined);
  await rename(made, final);
  const placed = await inspect(final, signal);
  if (!placed.ok) throw new Error(placed.broken.reason);
  return placed.binary;
}
/** Removes what installations left behind that were killed. */
async function sweep(directory) {
  for (const name of await readdir(directory)) {
    const pid = /^\.install-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !isProcessAlive(Number(pid))) {
      await rm(join(directory, name), { recursive: true, force: true });
    }
  }
}
async function makeDirectory(directory) {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw new ApplianceError(
      { code: 'cannot-write', path: directory },
      `${directory} cannot be made: name another folder with ETCD_DIR`,
      { cause: error },
    );
  }
}
