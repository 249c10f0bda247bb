import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type BinaryFolder, type EtcdServer, listServers } from './binaries.ts';
import { names } from './layout.ts';
import type { EtcdLog } from './log.ts';

/** The servers of one folder, asked for their versions only when something in it changed. */
export interface BinaryCatalogue {
  list(signal: AbortSignal): Promise<readonly EtcdServer[]>;
}

interface Listing {
  readonly signature: string;
  readonly folder: Promise<BinaryFolder<EtcdServer>>;
}

/** Asking a version costs a process each, and the daemon asks in every tick: callers share one asking. */
export function createBinaryCatalogue(directory: string, log: EtcdLog): BinaryCatalogue {
  let last: Listing | null = null;
  const ask = async (): Promise<BinaryFolder<EtcdServer>> => {
    // Nobody's signal: one caller that gives up takes nothing from the others. Each process has a limit of its own.
    const folder = await listServers(directory, new AbortController().signal);
    for (const broken of folder.broken) log.warn(broken, 'a version of etcd cannot be used');
    return folder;
  };
  return {
    async list(signal) {
      const signature = await signatureOf(directory);
      const listing = last?.signature === signature ? last : { signature, folder: ask() };
      last = listing;
      try {
        return (await unlessAborted(listing.folder, signal)).binaries;
      } catch (error) {
        if (!signal.aborted && last === listing) last = null;
        throw error;
      }
    },
  };
}

/** The work's result, or the signal's reason as soon as it comes; the work itself goes on. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const cut = Promise.withResolvers<never>();
  const onAbort = (): void => cut.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, cut.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Changes when a version is added, removed or replaced. */
async function signatureOf(directory: string): Promise<string> {
  const parts = (await names(directory)).map(async (name) => {
    const time = await stat(join(directory, name, 'etcd')).then(
      ({ mtimeMs, ino, size, mode }) => `${mtimeMs}.${ino}.${size}.${mode}`,
      () => '-',
    );
    return `${name}:${time}`;
  });
  return (await Promise.all(parts)).join(' ');
}
