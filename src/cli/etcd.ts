import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import { ApplianceError } from '../errors.ts';
import { type EtcdBinary, listBinaries } from '../etcd/binaries.ts';
import { defaultEtcdDirectory } from '../etcd/layout.ts';
import type { InstallProgress } from '../etcd/install-source.ts';
import { installEtcd } from '../etcd/install.ts';
import { OFFICIAL_RELEASES } from '../etcd/source-release.ts';
import { installSources } from '../etcd/sources.ts';

/** `etcd-appliance etcd list` and `etcd-appliance etcd install VERSION|MINOR`. What they throw is the caller's to say. */
export function addEtcdCommands(program: Command): void {
  const etcd = program.command('etcd').description('the etcd binaries on this machine');
  const directory = etcdDirectory();
  etcd
    .command('list')
    .description('list the versions of etcd that are installed')
    .option('--dir <directory>', 'the folder with a subfolder per version (ETCD_DIR)', folderOf, directory)
    .option('--json', 'as JSON')
    .action(async (options: { dir: string; json?: true }) =>
      listVersions(options.dir, options.json === true),
    );
  etcd
    .command('install')
    .description('install a version of etcd, or the newest patch of a minor')
    .argument('<version>', 'as 3.5.35, or 3.5')
    .option('--dir <directory>', 'the folder with a subfolder per version (ETCD_DIR)', folderOf, directory)
    .option('--base-url <url>', 'where release archives are (ETCD_RELEASES_URL)', releasesUrl())
    .action(async (what: string, options: { dir: string; baseUrl: string }) => {
      await installVersion(what, options);
    });
}

/** Where release archives are: a mirror, where one is configured. */
export function releasesUrl(): string {
  return process.env['ETCD_RELEASES_URL'] || OFFICIAL_RELEASES;
}

/** Where the binaries of etcd are for this user, as the appliance itself would look for them. */
export function etcdDirectory(): string {
  const { ETCD_DIR, XDG_CACHE_HOME } = process.env;
  return resolve(
    ETCD_DIR?.trim() || defaultEtcdDirectory(homedir(), XDG_CACHE_HOME, existsSync('/opt/etcd')),
  );
}

/** A folder that an option names, absolute: what builds etcd, or runs it, does so elsewhere. Throws `usage` for a blank. */
export function folderOf(text: string): string {
  if (text.trim() === '') throw new ApplianceError({ code: 'usage' }, `"${text}" is no folder: write a path`);
  return resolve(text);
}

async function listVersions(directory: string, json: boolean): Promise<void> {
  const folder = await listBinaries(directory, new AbortController().signal);
  if (json) {
    process.stdout.write(`${JSON.stringify({ directory, ...folder }, null, 2)}\n`);
    return;
  }
  const tools = (etcdutl: string | null): string => `etcd, etcdctl${etcdutl === null ? '' : ', etcdutl'}`;
  for (const binary of folder.binaries) {
    process.stdout.write(`${binary.version.padEnd(8)} ${binary.directory} (${tools(binary.etcdutl)})\n`);
  }
  for (const broken of folder.broken)
    process.stdout.write(`unusable ${broken.directory}: ${broken.reason}\n`);
  if (folder.binaries.length === 0) {
    process.stdout.write(`no etcd in ${directory}: etcd-appliance etcd install 3.5\n`);
  }
}

/** Installs a version, or the newest patch of a minor, showing how far it is, and gives what is then there. */
export async function installVersion(
  what: string,
  options: { readonly dir: string; readonly baseUrl: string },
): Promise<EtcdBinary> {
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  const bar = progressBar();
  try {
    const done = await installEtcd(
      {
        directory: options.dir,
        what,
        sources: installSources({
          baseUrl: options.baseUrl,
          env: process.env,
          platform: process.platform,
          arch: process.arch,
          root: process.getuid?.() === 0,
        }),
        onProgress: bar.show,
      },
      interrupted.signal,
    );
    bar.end();
    for (const { source, reason } of done.failed) process.stderr.write(`not from ${source}: ${reason}\n`);
    const from = done.source === null ? 'was there already' : `from ${done.source}`;
    process.stdout.write(`etcd ${done.binary.version} ${from}: ${done.binary.directory}\n`);
    return done.binary;
  } finally {
    bar.end();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

const PHASES: Readonly<Record<InstallProgress['phase'], string>> = {
  wait: 'waiting for another installation',
  download: 'downloading',
  build: 'building',
  unpack: 'unpacking',
  verify: 'verifying',
};

/** A bar on a terminal, a line per phase elsewhere. */
function progressBar(): { readonly show: (progress: InstallProgress) => void; readonly end: () => void } {
  const bar = new SingleBar({
    format: '{phase} [{bar}] {percentage}%',
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 30,
  });
  let phase: InstallProgress['phase'] | null = null;
  const show = (progress: InstallProgress): void => {
    if (!process.stderr.isTTY) {
      if (progress.phase !== phase) process.stderr.write(`${PHASES[progress.phase]}\n`);
    } else {
      const total = progress.total ?? Math.max(progress.done, 1);
      if (phase === null) bar.start(total, progress.done, { phase: PHASES[progress.phase] });
      bar.setTotal(total);
      bar.update(progress.done, { phase: PHASES[progress.phase] });
    }
    phase = progress.phase;
  };
  return { show, end: () => bar.stop() };
}
