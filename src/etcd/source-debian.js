import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa, ExecaError } from 'execa';
import { minorOf } from './releases.js';
const APT_LIMIT_MS = 120_000;
const PACKAGES = ['etcd-server', 'etcd-client'];
/**
 * Debian's packages, unpacked beside the others and not installed: apt verifies them, nothing on the machine changes.
 * A release of Debian has one version of etcd (3.4.23 in bookworm).
 */
export function createDebianSource(options) {
  const run = async (command, args, cwd, signal) => {
    const env = { ...options.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
    return does(
      command,
      execa(command, args, { cwd, env, extendEnv: false, cancelSignal: signal, timeout: APT_LIMIT_MS }),
    );
  };
  const candidate = async (signal) => {
    const policy = await run('apt-cache', ['policy', PACKAGES[0]], '/', signal);
    return /Candidate: (\d+\.\d+\.\d+)/.exec(policy)?.[1] ?? null;
  };
  return {
    name: 'debian',
    async resolve(wanted, signal) {
      let version = await candidate(signal);
      if (version === null && options.root) {
        await run('apt-get', ['update', '-qq'], '/', signal);
        version = await candidate(signal);
      }
      if (version === null) throw new Error(`apt knows no package ${PACKAGES[0]} (apt-get update may help)`);
      const fits = wanted.version === null ? minorOf(version) === wanted.minor : version === wanted.version;
      if (!fits) throw new Error(`Debian here has etcd ${version}`);
      return version;
    },
    async deliver(_version, target, onProgress, signal) {
      onProgress({ phase: 'download', done: 0, total: PACKAGES.length });
      // Into a folder that apt's own user may write: it complains otherwise, and the scratch folder is ours alone.
      await run(
        'apt-get',
        ['download', '-o', 'APT::Sandbox::User=root', ...PACKAGES],
        target.scratch,
        signal,
      );
      onProgress({ phase: 'download', done: PACKAGES.length, total: PACKAGES.length });
      const root = join(target.scratch, 'root');
      await mkdir(root);
      for (const file of await readdir(target.scratch)) {
        if (file.endsWith('.deb')) await run('dpkg', ['-x', file, root], target.scratch, signal);
      }
      for (const name of ['etcd', 'etcdctl']) {
        await copyFile(join(root, 'usr/bin', name), join(target.into, name));
      }
      onProgress({ phase: 'unpack', done: PACKAGES.length, total: PACKAGES.length });
    },
  };
}
async function does(command, child) {
  try {
    const { stdout } = await child;
    return typeof stdout === 'string' ? stdout : '';
  } catch (error) {
    if (!(error instanceof ExecaError)) throw error;
    if (error.code === 'ENOENT') throw new Error(`${command} is not installed`, { cause: error });
    const lines = String(error.stderr ?? '')
      .trim()
      .split('\n');
    throw new Error(`${command} failed: ${lines.at(-1) ?? error.shortMessage}`, { cause: error });
  }
}
