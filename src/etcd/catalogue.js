import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { listBinaries } from './binaries.js';
import { names } from './layout.js';
/** Asking a version costs a process each, and the daemon asks in every tick. */
export function createBinaryCatalogue(directory, log) {
  let last = null;
  return {
    async list(signal) {
      const signature = await signatureOf(directory);
      if (last?.signature !== signature) {
        const folder = await listBinaries(directory, signal);
        for (const broken of folder.broken) log.warn(broken, 'a version of etcd cannot be used');
        last = { signature, folder };
      }
      return last.folder.binaries;
    },
  };
}
/** Changes when a version is added, removed or replaced. */
async function signatureOf(directory) {
  const parts = (await names(directory)).map(async (name) => {
    const times = ['etcd', 'etcdctl', 'etcdutl'].map(async (file) =>
      stat(join(directory, name, file)).then(
        ({ mtimeMs, ino, size }) => `${mtimeMs}.${ino}.${size}`,
        () => '-',
      ),
    );
    return `${name}:${(await Promise.all(times)).join(',')}`;
  });
  return (await Promise.all(parts)).join(' ');
}
