import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsent } from './files.ts';

/** Where what lies below DATA_DIR. */
export interface DataLayout {
  readonly root: string;
  /** etcd's own data directory. */
  readonly etcd: string;
  readonly identity: string;
  readonly mark: string;
  /** Who runs on the data, for an appliance that comes back. */
  readonly process: string;
  /** What etcd writes to stdout and stderr. */
  readonly log: string;
  readonly aside: string;
  /** A folder of `aside` on its way to be deleted. */
  readonly discarded: string;
}

/** The layout below `root`. */
export function dataLayout(root: string): DataLayout {
  return {
    root,
    etcd: join(root, 'etcd'),
    identity: join(root, 'identity.json'),
    mark: join(root, 'mark.json'),
    process: join(root, 'etcd-process.json'),
    log: join(root, 'etcd.log'),
    aside: join(root, 'aside'),
    discarded: join(root, 'discarded'),
  };
}

/** Where binaries are looked for unless configured: `/opt/etcd` where it exists, else a cache folder of the user. */
export function defaultEtcdDirectory(
  home: string,
  xdgCacheHome: string | undefined,
  optExists: boolean,
): string {
  if (optExists) return '/opt/etcd';
  const cache = xdgCacheHome !== undefined && xdgCacheHome !== '' ? xdgCacheHome : join(home, '.cache');
  return join(cache, 'etcd-appliance', 'etcd');
}

/** What etcd's data directory holds. */
export interface MemberFiles {
  readonly wal: boolean;
  readonly database: boolean;
}

/** Looks into an etcd data directory. Throws where it is there and cannot be read: that is never "no data". */
export async function memberFiles(etcdDirectory: string): Promise<MemberFiles> {
  const wal = await names(join(etcdDirectory, 'member', 'wal'));
  const database = await exists(join(etcdDirectory, 'member', 'snap', 'db'));
  return { wal: wal.some((name) => name.endsWith('.wal')), database };
}

/** Whether the path exists. Throws where that cannot be told. */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** The names in a folder; none where it is absent. */
export async function names(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).toSorted();
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
