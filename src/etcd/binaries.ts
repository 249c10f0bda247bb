import { constants } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa, ExecaError } from 'execa';
import { ApplianceError, describeError } from '../errors.ts';
import { hasSystemCode } from './files.ts';
import { compareVersions, minorOf } from './releases.ts';

/** One etcd server on this machine, as it said itself. */
export interface EtcdServer {
  /** As `3.5.35`. */
  readonly version: string;
  /** As `3.5`. */
  readonly minor: string;
  readonly directory: string;
  /** Path of the server. */
  readonly etcd: string;
}

/** One version of etcd on this machine, all of whose binaries said that they are this version. */
export interface EtcdBinary extends EtcdServer {
  readonly etcdctl: string;
  /** Null on 3.4, which has none. */
  readonly etcdutl: string | null;
}

/** What a folder of binaries holds. */
export interface BinaryFolder<Binary extends EtcdServer = EtcdBinary> {
  /** Oldest version first. */
  readonly binaries: readonly Binary[];
  /** Subfolders that hold something that cannot be used, and why. */
  readonly broken: readonly BrokenFolder[];
}

/** Something in a folder of binaries that cannot be used, and why. */
export interface BrokenFolder {
  readonly directory: string;
  readonly reason: string;
  /** It is not known to be broken: it was not heard out, or got no process or memory. Asked again, it may do. */
  readonly passing: boolean;
}

/** A binary that takes longer than this to say its version hangs, or the machine does. */
const VERSION_LIMIT_MS = 10_000;

/**
 * Looks through the subfolders of `directory`, one per version, and asks every binary in them for its version: a
 * folder's name proves nothing. Takes a folder that is absent as empty. Throws `configuration` where it cannot be read.
 */
export async function listBinaries(directory: string, signal: AbortSignal): Promise<BinaryFolder> {
  try {
    return await listWith(inspect, directory, signal);
  } catch (error) {
    if (!hasSystemCode(error)) throw error;
    const problem = `ETCD_DIR: "${directory}" is no folder that can be read (${describeError(error)})`;
    throw new ApplianceError({ code: 'configuration', problems: [problem] }, problem, { cause: error });
  }
}

/**
 * The same for the servers alone: one process for each version and not three, which a start of etcd waits for. What the
 * system says of a folder that cannot be read is thrown as it is: it ends no appliance, which may have an etcd that runs.
 * `limitMs`: how long each may take to say its version.
 */
export async function listServers(
  directory: string,
  signal: AbortSignal,
  limitMs: number = VERSION_LIMIT_MS,
): Promise<BinaryFolder<EtcdServer>> {
  return await listWith(async (folder, cut) => await inspectServer(folder, cut, limitMs), directory, signal);
}

async function listWith<Binary extends EtcdServer>(
  look: (directory: string, signal: AbortSignal) => Promise<Inspected<Binary>>,
  directory: string,
  signal: AbortSignal,
): Promise<BinaryFolder<Binary>> {
  const names = await subfolders(directory);
  const found = await Promise.all(names.map((name) => look(join(directory, name), signal)));
  signal.throwIfAborted();
  const binaries = found.flatMap((entry) => (entry.ok ? [entry.binary] : []));
  binaries.sort((a, b) => compareVersions(a.version, b.version));
  return { binaries, broken: found.flatMap((entry) => (entry.ok ? [] : [entry.broken])) };
}

/** The binary of a version (`3.5.35`), or the newest patch of a minor (`3.5`); null where there is none. */
export function pickBinary<Binary extends EtcdServer>(
  binaries: readonly Binary[],
  wanted: string,
): Binary | null {
  const fitting = binaries.filter((binary) => binary.version === wanted || binary.minor === wanted);
  return fitting.toSorted((a, b) => compareVersions(a.version, b.version)).at(-1) ?? null;
}

/** The binary of the newest version; null where there is none. */
export function newestBinary(binaries: readonly EtcdBinary[]): EtcdBinary | null {
  return binaries.toSorted((a, b) => compareVersions(a.version, b.version)).at(-1) ?? null;
}

type Inspected<Binary = EtcdBinary> =
  { readonly ok: true; readonly binary: Binary } | { readonly ok: false; readonly broken: BrokenFolder };

/** Looks at one version's folder. What is wrong with it is an answer, not an error. */
export async function inspect(directory: string, signal: AbortSignal): Promise<Inspected> {
  const etcd = join(directory, 'etcd');
  const etcdctl = join(directory, 'etcdctl');
  const etcdutl = join(directory, 'etcdutl');
  const broken = (reason: string): Inspected => ({
    ok: false,
    broken: { directory, reason, passing: false },
  });
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
    return unheard(directory, error);
  }
}

async function inspectServer(
  directory: string,
  signal: AbortSignal,
  limitMs: number,
): Promise<Inspected<EtcdServer>> {
  const etcd = join(directory, 'etcd');
  try {
    const version = await versionOf(etcd, ['--version'], signal, limitMs);
    return { ok: true, binary: { version, minor: minorOf(version), directory, etcd } };
  } catch (error) {
    return unheard(directory, error);
  }
}

/** Why the system runs a file never, or not as long as it is as it is. */
const OF_THE_FILE: readonly string[] = ['ENOEXEC', 'EACCES', 'ENOENT'];

/** What the file itself says stands until it is another file. A machine without memory has etcd end in many ways. */
function unheard(directory: string, error: unknown): Extract<Inspected, { readonly ok: false }> {
  const passing = error instanceof ExecaError && !OF_THE_FILE.includes(error.code ?? '');
  return { ok: false, broken: { directory, reason: describeError(error), passing } };
}

/** Names of the subfolders, without those that an unfinished installation keeps (they start with a dot). */
async function subfolders(directory: string): Promise<readonly string[]> {
  const names = (await entries(directory)).filter((name) => !name.startsWith('.')).toSorted();
  // Not `withFileTypes`: a link to a folder counts. One that leads nowhere was meant to be a version: it is looked at, too.
  const kinds = await Promise.all(
    names.map((name) =>
      stat(join(directory, name)).then(
        (kind) => kind.isDirectory(),
        () => true,
      ),
    ),
  );
  return names.filter((_, index) => kinds[index]);
}

async function entries(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasSystemCode(error, 'ENOENT')) return [];
    throw error;
  }
}

async function versionOf(
  path: string,
  args: readonly string[],
  signal: AbortSignal,
  limitMs: number = VERSION_LIMIT_MS,
): Promise<string> {
  if (!(await isThere(path))) throw new Error(`${path} is missing or cannot be run`);
  // 3.4's etcdctl speaks the v2 API unless told otherwise, and then knows no `version` command.
  const { stdout } = await execa(path, args, {
    env: { ETCDCTL_API: '3' },
    extendEnv: false,
    timeout: limitMs,
    cancelSignal: signal,
  });
  const version = /version:\s*v?(\d+\.\d+\.\d+)\s*$/im.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${path} says no version: ${stdout.slice(0, 200)}`);
  return version;
}

async function isThere(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
