import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describeError } from '../errors.js';
import { compareVersions, minorOf } from './releases.js';
/** A binary that takes longer than this to say its version hangs, or the machine does. */
const VERSION_LIMIT_MS = 10_000;
/** Where binaries are looked for unless configured: `/opt/etcd` where it exists, else a cache folder of the user. */
export function defaultEtcdDirectory(home, xdgCacheHome, optExists) {
  if (optExists) return '/opt/etcd';
  const cache = xdgCacheHome !== undefined && xdgCacheHome !== '' ? xdgCacheHome : join(home, '.cache');
  return join(cache, 'etcd-appliance', 'etcd');
}
/**
 * Looks through the subfolders of `directory`, one per version, and asks every binary in them for its version: a
 * folder's name proves nothing. Takes a folder that is absent as empty. Throws only where the folder cannot be read.
 */
export async function listBinaries(directory, signal) {
  const names = await subfolders(directory);
  const found = await Promise.all(names.map((name) => inspect(join(directory, name), signal)));
  signal.throwIfAborted();
  const binaries = found.flatMap((entry) => (entry.ok ? [entry.binary] : []));
  binaries.sort((a, b) => compareVersions(a.version, b.version));
  return { binaries, broken: found.flatMap((entry) => (entry.ok ? [] : [entry.broken])) };
}
/** The binary of a version (`3.5.35`), or the newest patch of a minor (`3.5`); null where there is none. */
export function pickBinary(binaries, wanted) {
  const fitting = binaries.filter((binary) => binary.version === wanted || binary.minor === wanted);
  return fitting.toSorted((a, b) => compareVersions(a.version, b.version)).at(-1) ?? null;
}
/** The binary of the newest version; null where there is none. */
export function newestBinary(binaries) {
  return binaries.toSorted((a, b) => compareVersions(a.version, b.version)).at(-1) ?? null;
}
/** Looks at one version's folder. What is wrong with it is an answer, not an error. */
export async function inspect(directory, signal) {
  const etcd = join(directory, 'etcd');
  const etcdctl = join(directory, 'etcdctl');
  const etcdutl = join(directory, 'etcdutl');
  const broken = (reason) => ({ ok: false, broken: { directory, reason } });
  // Before the others start: one that fails while this is awaited would be a rejection that nobody handles.
  const hasUtility = await isThere(etcdutl);
  try {
    const [server, control, utility] = await Promise.all([
      versionOf(etcd, ['--version'], signal),
      versionOf(etcdctl, ['version'], signal),
      hasUtility ? versionOf(etcdutl, ['version'], signal) : null,
    ]);
    const minor = minorOf(server);
    if (control !== server) return broken(`etcd is ${server}, but etcdctl is ${control}`);
    if (utility !== null && utility !== server) return broken(`etcd is ${server}, but etcdutl is ${utility}`);
    if (utility === null && minor !== '3.4') return broken(`etcdutl ${server} is missing`);
    const tool = minor === '3.4' ? null : etcdutl;
    return { ok: true, binary: { version: server, minor, directory, etcd, etcdctl, etcdutl: tool } };
  } catch (error) {
    return broken(describeError(error));
  }
}
/** Names of the subfolders, without those that an unfinished installation keeps (they start with a dot). */
async function subfolders(directory) {
  try {
    const names = (await readdir(directory)).filter((name) => !name.startsWith('.')).toSorted();
    // Not `withFileTypes`: a link to a folder counts.
    const kinds = await Promise.all(
      names.map(async (name) => (await stat(join(directory, name))).isDirectory()),
    );
    return names.filter((_, index) => kinds[index]);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
async function versionOf(path, args, signal) {
  if (!(await isThere(path))) throw new Error(`${path} is missing or cannot be run`);
  // 3.4's etcdctl speaks the v2 API unless told otherwise, and then knows no `version` command.
  const { stdout } = await execa(path, args, {
    env: { ETCDCTL_API: '3' },
    extendEnv: false,
    timeout: VERSION_LIMIT_MS,
    cancelSignal: signal,
  });
  const version = /version:\s*v?(\d+\.\d+\.\d+)\s*$/im.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${path} says no version: ${stdout.slice(0, 200)}`);
  return version;
}
async function isThere(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
function isAbsent(error) {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
