import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type BinaryFolder, type EtcdBinary, listBinaries } from './binaries.ts';
import { names } from './layout.ts';
import type { EtcdLog } from './log.ts';

/** The binaries of one folder, asked for their versions only when something in it changed. */
export interface BinaryCatalogue {
  list(signal: AbortSignal): Promise<readonly EtcdBinary[]>;
}

/** Asking a version costs a process each, and the daemon asks in every tick. */
export function createBinaryCatalogue(directory: string, log: EtcdLog): BinaryCatalogue {
  let last: { readonly signature: string; readonly folder: BinaryFolder } | null = null;
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
async function signatureOf(directory: string): Promise<string> {
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
