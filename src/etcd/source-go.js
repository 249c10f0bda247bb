import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa, ExecaError } from 'execa';
import { compareVersions, minorOf, NEWEST_PATCH } from './releases.js';
const LIST_LIMIT_MS = 30_000;
/** Observed: 15 to 70 s on two cores. */
const BUILD_LIMIT_MS = 15 * 60_000;
const MODULES = ['server', 'etcdctl', 'etcdutl'].map((name) => `go.etcd.io/etcd/${name}/v3`);
/**
 * The Go toolchain, building etcd from its Go modules, which Go's checksum database verifies. `go install` refuses
 * them (they have replace directives), so a module of our own requires them. 3.4 is no module.
 */
export function createGoSource(options) {
  return {
    name: 'go',
    async resolve(wanted, signal) {
      if (wanted.minor === '3.4') throw new Error('etcd 3.4 was never published as a Go module');
      if (wanted.version !== null) return wanted.version;
      return newestPatch(wanted, options, signal);
    },
    async deliver(version, target, onProgress, signal) {
      const module = join(target.scratch, 'module');
      await writeModule(module, version);
      const env = { ...options.env, GOFLAGS: '-mod=mod', CGO_ENABLED: '0', GOTMPDIR: module, GOWORK: 'off' };
      const run = {
        cwd: module,
        env,
        extendEnv: false,
        cancelSignal: signal,
        timeout: BUILD_LIMIT_MS,
      };
      onProgress({ phase: 'download', done: 0, total: null });
      // It downloads what it lists; without the modules there is nothing to count.
      const listed = await goDoes(execa('go', ['list', '-deps', ...MODULES], run));
      await build(run, target.into, listed.split('\n').length, onProgress);
      await rename(join(target.into, 'server'), join(target.into, 'etcd'));
    },
  };
}
async function build(run, into, packages, onProgress) {
  onProgress({ phase: 'build', done: 0, total: packages });
  const args = ['build', '-v', '-trimpath', '-ldflags', '-s -w', '-o', `${into}/`, ...MODULES];
  const child = execa('go', args, run);
  let done = 0;
  // `-v` names each package when it is compiled; what is in Go's cache is not named.
  child.stderr.on('data', (chunk) => {
    done = Math.min(packages, done + chunk.toString('utf8').split('\n').length - 1);
    onProgress({ phase: 'build', done, total: packages });
  });
  await goDoes(child);
  onProgress({ phase: 'build', done: packages, total: packages });
}
async function writeModule(directory, version) {
  await mkdir(directory);
  const requirements = MODULES.map((module) => `\t${module} v${version}\n`).join('');
  const imports = MODULES.map((module) => `\t_ "${module}"\n`).join('');
  await writeFile(join(directory, 'go.mod'), `module binaries\n\ngo 1.21\n\nrequire (\n${requirements})\n`);
  await writeFile(
    join(directory, 'tools.go'),
    `//go:build tools\n\npackage binaries\n\nimport (\n${imports})\n`,
  );
}
async function newestPatch(wanted, options, signal) {
  const env = { ...options.env, GOFLAGS: '', GOWORK: 'off' };
  const module = MODULES[0] ?? '';
  const listed = await goDoes(
    execa('go', ['list', '-m', '-versions', module], {
      env,
      extendEnv: false,
      cancelSignal: signal,
      timeout: LIST_LIMIT_MS,
    }),
  );
  const patches = listed
    .split(/\s+/)
    .flatMap((word) => /^v(\d+\.\d+\.\d+)$/.exec(word)?.[1] ?? [])
    .filter((version) => minorOf(version) === wanted.minor)
    .toSorted(compareVersions);
  // A module proxy without lists (a file tree, say) still serves versions by name.
  return patches.at(-1) ?? NEWEST_PATCH[wanted.minor];
}
/** The output of `go`; a failure says in one line what go said last. */
async function goDoes(child) {
  try {
    const { stdout } = await child;
    return typeof stdout === 'string' ? stdout : '';
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    if (error.code === 'ENOENT') throw new Error('go is not installed', { cause: error });
    if (error.timedOut)
      throw new Error(`go took longer than ${(error.durationMs / 1000).toFixed(0)} s`, { cause: error });
    const lines = String(error.stderr ?? '')
      .trim()
      .split('\n');
    throw new Error(`go failed: ${lines.at(-1) ?? error.shortMessage}`, { cause: error });
  }
}
