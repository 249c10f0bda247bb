import { execa } from 'execa';
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { NAMESPACE_PREFIX, deleteHub } from './network.ts';
import { killAll, startTimeOf } from './processes.ts';

/** What a running sandbox writes about itself, so that verbs find it, and so that a dead one's leftovers are found. */
export interface SandboxRecord {
  readonly pid: number;
  /** Start time of that pid, as the kernel counts it: a pid alone comes back. */
  readonly startTime: string;
  readonly stateDir: string;
  /** Socket of the control API; it is reached from any network namespace. */
  readonly controlSocket: string;
}

/** What every state directory's name starts with. */
const PREFIX = 'etcd-appliance-sandbox-';
const RECORD = 'sandbox.json';

/** Makes a state directory in `parent`; its name says the sandbox's id, and whose it is. */
export async function createStateDir(parent: string): Promise<string> {
  const stateDir = await mkdtemp(join(parent, PREFIX));
  await writeOwner(stateDir);
  return stateDir;
}

/** The id of a sandbox: the random part of its state directory's name. */
export function sandboxId(stateDir: string): string {
  return basename(stateDir).slice(PREFIX.length);
}

/** The name of the network namespace that a sandbox runs in, where it has one. */
export function hubOf(stateDir: string): string {
  return `${NAMESPACE_PREFIX}-${sandboxId(stateDir)}`;
}

/**
 * Makes this process the owner: as long as it lives, nobody sweeps the directory. The file appears whole or not at all: an
 * empty one would be nobody's, and another sandbox that starts in that moment would remove this one.
 */
export async function writeOwner(stateDir: string): Promise<void> {
  await writeWhole(join(stateDir, 'owner'), `${process.pid} ${startTimeOf(process.pid) ?? ''}`);
}

/** Makes the sandbox known to the verbs. */
export async function writeRecord(record: SandboxRecord): Promise<void> {
  await writeWhole(join(record.stateDir, RECORD), `${JSON.stringify(record, null, 2)}\n`);
}

/** Writes a file that appears whole or not at all. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** The running sandboxes below `parent`, in no order. */
export async function runningSandboxes(parent: string): Promise<readonly SandboxRecord[]> {
  const directories = await stateDirs(parent);
  const records = await Promise.all(directories.map(readRecord));
  return records
    .filter((record) => record !== null && startTimeOf(record.pid) === record.startTime)
    .filter(isRecord);
}

/**
 * Ends and removes what dead sandboxes left below `parent`: processes, namespaces, files. Returns their directories.
 * A sandbox is dead when its own process is: pid and start time say so.
 */
export async function sweepDeadSandboxes(parent: string): Promise<readonly string[]> {
  const swept: string[] = [];
  for (const stateDir of await stateDirs(parent)) {
    if (await ownerLives(stateDir)) continue;
    await removeSandbox(stateDir);
    swept.push(stateDir);
  }
  return swept;
}

/** Ends every process of a sandbox and deletes its namespaces; its directory stays. */
export async function endSandbox(stateDir: string): Promise<void> {
  await killAll(stateDir);
  await deleteHub(hubOf(stateDir));
}

/** Ends every process of a sandbox, deletes its namespaces and removes its directory. */
export async function removeSandbox(stateDir: string): Promise<void> {
  await endSandbox(stateDir);
  // A process that died a moment ago may still be in the middle of its last write.
  await rm(stateDir, { recursive: true, force: true, maxRetries: 5 });
}

async function stateDirs(parent: string): Promise<readonly string[]> {
  const names = await readdir(parent);
  return names.filter((name) => name.startsWith(PREFIX)).map((name) => join(parent, name));
}

/** A directory without an owner's file is being made, or not ours to judge: it counts as alive. */
async function ownerLives(stateDir: string): Promise<boolean> {
  const text = await readFile(join(stateDir, 'owner'), 'utf8').catch(() => null);
  if (text === null) return true;
  const [pid, startTime] = text.split(' ');
  return startTimeOf(Number(pid)) === startTime;
}

async function readRecord(stateDir: string): Promise<SandboxRecord | null> {
  try {
    const parsed: unknown = JSON.parse(await readFile(join(stateDir, RECORD), 'utf8'));
    return isRecord(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is SandboxRecord {
  return typeof value === 'object' && value !== null && 'pid' in value && 'controlSocket' in value;
}

/**
 * Waits for its standard input to end, which the kernel brings about however the sandbox goes, kill -9 included; then
 * does what a close does. A shell script, because it must stay small beside the sandbox and need no file of ours.
 */
const GUARD = `
trap '' INT TERM HUP
cat >/dev/null
of_ours() {
  {
    grep -slz -e "^DATA_DIR=$1/" /proc/[0-9]*/environ
    grep -slz -e "^--data-dir=$1/" /proc/[0-9]*/cmdline
  } | cut -d / -f 3
}
round=0
while pids=$(of_ours "$1"); [ -n "$pids" ] && [ $round -lt 100 ]; do
  kill -9 $pids 2>/dev/null
  round=$((round + 1))
done
for n in /run/netns/"$2" /run/netns/"$2"-*; do
  [ -e "$n" ] && ip netns delete "\${n#/run/netns/}" 2>/dev/null
done
[ "$3" = keep ] || rm -rf "$1"
`;

/** The process that cleans up after this one. */
export interface Guard {
  /** Lets it go: it finds nothing to do, and has ended when this resolves. */
  readonly release: () => Promise<void>;
}

/** Starts the guard of a state directory. `keep` leaves the directory, not the processes. */
export function startGuard(stateDir: string, options: { readonly keep: boolean }): Guard {
  const guard = execa(
    'sh',
    ['-c', GUARD, 'sh', stateDir, hubOf(stateDir), options.keep ? 'keep' : 'remove'],
    {
      detached: true,
      cleanup: false,
      reject: false,
      stdin: 'pipe',
      stdout: 'ignore',
      stderr: 'ignore',
    },
  );
  return {
    release: async () => {
      guard.stdin.end();
      await guard;
    },
  };
}
