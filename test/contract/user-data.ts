import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A machine that user data runs on, as far as it is played. */
export interface Machine {
  /** `ID` of /etc/os-release. */
  readonly distribution: string;
  /** What `lsblk` shows of each disk beside the root disk: name of the file that plays it, and model. */
  readonly disks: readonly { readonly file: string; readonly model: string }[];
  /** The client's address of a real Docker, as root; it is asked for all but images, which it has to have. Else it is played. */
  readonly docker?: string;
  /** Whether Docker's client is a package of its own, as from Debian 13 on. */
  readonly clientApart?: true;
  /** Programs that fail. */
  readonly failing?: readonly string[];
  /** How often apt-get cannot have the lock on its lists. */
  readonly locked?: number;
}

/** What became of a run. */
export interface Ran {
  readonly code: number;
  readonly errors: string;
  /** What was called, in order, of the programs that are played. */
  readonly calls: readonly string[];
  /** A file below /etc or /var/lib, as it was left. */
  readonly file: (path: string) => Promise<string>;
}

const DISK_BYTES = 8 << 20;

/** What the programs that are played answer; all others of them say nothing, and succeed. */
const ANSWERS: Readonly<Record<string, string>> = {
  docker: `case "$*" in
    'container inspect '*) test -e "$PLAYED/started" ;;
    'image inspect '*) echo 0:0 ;;
    'run '*) touch "$PLAYED/started" ;;
  esac`,
  dpkg: `case "$*" in --print-architecture) echo amd64 ;; esac`,
  lsblk: `case "$*" in
    *MOUNTPOINT*) case "$*" in *root-disk) printf '/boot\\n/\\n' ;; *) echo ;; esac ;;
    *) cat "$PLAYED/disks" ;;
  esac`,
};

/** The programs that come after the played ones; the client is one of them. */
const REAL_DOCKER = `if [ "$1" = pull ]; then exit 0; fi
PATH=\${PATH#*:} exec docker "$@"`;

const SILENT = ['curl', 'dnf', 'mount', 'sleep', 'systemctl', 'udevadm'];

/**
 * Runs user data as root of namespaces of its own, with an /etc and a /var/lib of its own below `folder`. bash, coreutils,
 * blkid and mkfs are real, and so are the file systems that they make and find; what would install, mount or start
 * something only says that it was called. A second run with the same folder finds what the first one left.
 */
export async function runUserData(folder: string, script: string, machine: Machine): Promise<Ran> {
  const programs = join(folder, 'bin');
  for (const name of ['bin', 'etc', 'var/cloud/data']) await mkdir(join(folder, name), { recursive: true });
  await writeFile(join(folder, 'etc/os-release'), `NAME="Some Linux"\nID="${machine.distribution}"\n`);
  await writeFile(join(folder, 'var/cloud/data/instance-id'), 'i-0123456789abcdef0\n');
  await writeFile(join(folder, 'script'), script);
  await writeFile(join(folder, 'calls'), '');
  for (const { file } of machine.disks) await touch(join(folder, file));
  const shown = machine.disks.map(({ file, model }) => `${join(folder, file)} ${model}\n`);
  await writeFile(join(folder, 'disks'), ['/dev/root-disk Amazon Elastic Block Store\n', ...shown].join(''));
  const answers: Readonly<Record<string, string>> = {
    ...ANSWERS,
    'apt-get': `test "$(grep -c '^apt-get .*update$' "$PLAYED/calls")" -gt ${machine.locked ?? 0}`,
    'apt-cache': `test '${String(machine.clientApart)} '"$*" = 'true show docker-cli'`,
    ...(machine.docker !== undefined && { docker: REAL_DOCKER }),
  };
  for (const name of [...Object.keys(answers), ...SILENT]) {
    const end = machine.failing?.includes(name) ? 'exit 1' : (answers[name] ?? 'exit 0');
    const text = `#!/bin/sh\necho "${name}" "$@" >> "$PLAYED/calls"\n${end}\n`;
    await writeFile(join(programs, name), text);
    await chmod(join(programs, name), 0o755);
  }
  const inside =
    'mount --bind "$PLAYED/etc" /etc && mount --bind "$PLAYED/var" /var/lib && PATH="$PLAYED/bin:$PATH" exec bash "$PLAYED/script"';
  const { docker } = machine;
  const namespaces = docker === undefined ? ['--map-root-user', '--mount'] : ['--mount'];
  const ran = await run('unshare', [...namespaces, 'sh', '-c', inside], {
    env: { PLAYED: folder, PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', DOCKER_HOST: docker ?? '' },
  }).then(
    ({ stderr }) => ({ code: 0, stderr }),
    (error: unknown) => error as { readonly code: number; readonly stderr: string },
  );
  const calls = await readFile(join(folder, 'calls'), 'utf8');
  return {
    code: ran.code,
    errors: ran.stderr,
    calls: calls.split('\n').filter((line) => line !== ''),
    file: async (path) => await readFile(join(folder, path.replace(/^\/var\/lib\//, '/var/')), 'utf8'),
  };
}

/** A disk of zeros, where there is none of that name. */
async function touch(file: string): Promise<void> {
  await writeFile(file, '', { flag: 'a' });
  if ((await readFile(file)).length === 0) await truncate(file, DISK_BYTES);
}
