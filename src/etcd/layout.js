import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsent } from './files.js';
/** The layout below `root`. */
export function dataLayout(root) {
  return {
    root,
    etcd: join(root, 'etcd'),
    identity: join(root, 'identity.json'),
    mark: join(root, 'mark.json'),
    process: join(root, 'etcd-process.json'),
    log: join(root, 'etcd.log'),
    aside: join(root, 'aside'),
  };
}
/** Looks into an etcd data directory. Throws where it is there and cannot be read: that is never "no data". */
export async function memberFiles(etcdDirectory) {
  const wal = await names(join(etcdDirectory, 'member', 'wal'));
  const database = await exists(join(etcdDirectory, 'member', 'snap', 'db'));
  return { wal: wal.some((name) => name.endsWith('.wal')), database };
}
/** Whether the path exists. Throws where that cannot be told. */
export async function exists(path) {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
/** The names in a folder; none where it is absent. */
export async function names(directory) {
  try {
    return (await readdir(directory)).toSorted();
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}
