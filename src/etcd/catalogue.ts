import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type BinaryFolder, type EtcdServer, listServers } from './binaries.ts';
import { names } from './layout.ts';
import type { EtcdLog } from './log.ts';
import { compareVersions } from './releases.ts';

/** The servers of one folder, asked for their versions when something in it changed, and where one could not say it. */
export interface BinaryCatalogue {
  list(signal: AbortSignal): Promise<readonly EtcdServer[]>;
}

interface Listing {
  readonly signature: string;
  folder: Promise<BinaryFolder<EtcdServer>>;
  /** When it is asked for anew, by the clock of this process, ms; null: it stands. */
  againAt: number | null;
}

/** How long one server may take to say its version (left out: 10 s), and after what time one that could not is asked again; ms. */
export interface CatalogueTimes {
  readonly limitMs?: number;
  readonly againMs: number;
}

const TIMES: CatalogueTimes = { againMs: 10_000 };

/** Asking a version costs a process each, and the daemon asks in every tick: callers share one asking. */
export function createBinaryCatalogue(
  directory: string,
  log: EtcdLog,
  { limitMs, againMs }: CatalogueTimes = TIMES,
): BinaryCatalogue {
  let last: Listing | null = null;
  /** What was last said of those that cannot be used: each reason is said once. */
  let said = new Set<string>();
  const ask = async (): Promise<BinaryFolder<EtcdServer>> => {
    // Nobody's signal: one caller that gives up takes nothing from the others. Each process has a limit of its own.
    const folder = await listServers(directory, new AbortController().signal, limitMs);
    const reasons = folder.broken.map((it) => ({ it, line: `${it.directory} ${it.reason}` }));
    for (const { it, line } of reasons) if (!said.has(line)) log.warn(it, 'a version of etcd cannot be used');
    said = new Set(reasons.map(({ line }) => line));
    return folder;
  };
  const begin = (signature: string): Listing => {
    const listing: Listing = { signature, folder: ask(), againAt: null };
    void repeatWhereItPasses(listing);
    return listing;
  };
  const repeatWhereItPasses = async (listing: Listing): Promise<void> => {
    const folder = await listing.folder.catch(() => null);
    if (folder?.broken.some((it) => it.passing) === true) listing.againAt = performance.now() + againMs;
  };
  /** Nobody waits for it: what is known of the same files stands until it is there, and no server is lost by it. */
  const askAgain = async (listing: Listing): Promise<void> => {
    listing.againAt = null;
    try {
      const [before, now] = [await listing.folder, await ask()];
      listing.folder = Promise.resolve(joined(before, now));
    } catch (error) {
      log.warn({ error }, 'the versions of etcd cannot be asked for again');
      listing.againAt = performance.now() + againMs;
      return;
    }
    await repeatWhereItPasses(listing);
  };
  return {
    async list(signal) {
      const signature = await signatureOf(directory);
      const listing = last?.signature === signature ? last : begin(signature);
      last = listing;
      if (listing.againAt !== null && performance.now() >= listing.againAt) void askAgain(listing);
      try {
        return (await unlessAborted(listing.folder, signal)).binaries;
      } catch (error) {
        if (!signal.aborted && last === listing) last = null;
        throw error;
      }
    },
  };
}

/** The later listing of the same files, with those that only this time could not say what they had said. */
function joined(before: BinaryFolder<EtcdServer>, now: BinaryFolder<EtcdServer>): BinaryFolder<EtcdServer> {
  const missed = now.broken.filter((it) => it.passing).map((it) => it.directory);
  const kept = before.binaries.filter((it) => missed.includes(it.directory));
  const binaries = [...now.binaries, ...kept].toSorted((a, b) => compareVersions(a.version, b.version));
  const broken = now.broken.filter((it) => kept.every(({ directory }) => directory !== it.directory));
  return { binaries, broken };
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
