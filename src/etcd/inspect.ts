import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { DiskRoom, LogReplay, V2Content } from '../core/inspection.ts';
import { type Known, known, unknown } from '../core/known.ts';
import type { Obstacle } from '../core/start.ts';
import { describeError } from '../errors.ts';
import { pickBinary } from './binaries.ts';
import { createBinaryCatalogue } from './catalogue.ts';
import { servesOldApi } from './flags.ts';
import { dataLayout, memberFiles, names } from './layout.ts';
import type { EtcdLog } from './log.ts';
import { preflightBinary } from './preflight.ts';
import { compareVersions } from './releases.ts';
import { findRunning, readRecord } from './running.ts';
import { createLogReader } from './wal.ts';

/** What a step to another minor has to know of the own data. The shape of the daemon's InspectPort. */
export interface Inspection {
  v2Content(signal: AbortSignal): Promise<Known<V2Content>>;
  snapshotIndex(signal: AbortSignal): Promise<Known<number | null>>;
  logReplay(signal: AbortSignal): Promise<Known<LogReplay>>;
  disk(signal: AbortSignal): Promise<Known<DiskRoom>>;
  databaseBytes(signal: AbortSignal): Promise<Known<number>>;
  binary(version: string, signal: AbortSignal): Promise<Obstacle | null>;
}

/** Where things are. */
export interface InspectionOptions {
  /** Folder with a subfolder of binaries per version. */
  readonly etcdDirectory: string;
  /** The appliance's DATA_DIR. */
  readonly dataDirectory: string;
  /** The tool reads the whole log; left out: 30 s. */
  readonly limitMs?: number;
}

const LIMIT_MS = 30_000;

/** The first that looks into the log, too. 3.6 and later have no such tool. */
const CHECK_SINCE = '3.5.32';

/** Looks at the data directory; etcd may run on it meanwhile. Nothing is written, nothing throws but an abort. */
export function createInspection(options: InspectionOptions, deps: { readonly log: EtcdLog }): Inspection {
  const layout = dataLayout(options.dataDirectory);
  const { etcd } = layout;
  const catalogue = createBinaryCatalogue(options.etcdDirectory, deps.log);
  const log = createLogReader(etcd);
  // One after the other: each goes on where the last one stopped.
  let reading: Promise<unknown> = Promise.resolve();
  return {
    v2Content: async (signal) =>
      await asked(signal, async () => {
        const binary = pickBinary(await catalogue.list(signal), '3.5');
        if (binary === null || compareVersions(binary.version, CHECK_SINCE) < 0)
          return unknown(
            `only etcdutl ${CHECK_SINCE} or a later 3.5 can look for v2 content, and ${options.etcdDirectory} has ${binary === null ? 'none' : binary.version}: etcd-appliance etcd install 3.5`,
          );
        const running = await findRunning(await readRecord(layout.process), layout.etcd);
        if (running !== null && servesOldApi(running.arguments))
          return unknown('etcd serves the old API there (--enable-v2), so a request may come at any time');
        // The tool calls a directory without a log clean.
        if (!(await memberFiles(etcd)).wal) return unknown(`${etcd} holds no log`);
        return await checkV2(join(binary.directory, 'etcdutl'), etcd, options.limitMs ?? LIMIT_MS, signal);
      }),
    snapshotIndex: async (signal) => await asked(signal, async () => known(await newestSnapshot(etcd))),
    logReplay: async (signal) =>
      await asked(signal, async () => {
        const turn = reading.then(async () => await log.read((await newestSnapshot(etcd)) ?? 0, signal));
        reading = turn.catch(() => undefined);
        return known(await turn);
      }),
    disk: async (signal) =>
      await asked(signal, async () => {
        const { bavail, blocks, bsize } = await statfs(options.dataDirectory);
        return known({ freeBytes: bavail * bsize, totalBytes: blocks * bsize });
      }),
    databaseBytes: async (signal) =>
      await asked(signal, async () => known((await stat(join(etcd, 'member', 'snap', 'db'))).size)),
    binary: async (version, signal) => await preflightBinary(options.etcdDirectory, version, signal),
  };
}

async function asked<T>(signal: AbortSignal, ask: () => Promise<Known<T>>): Promise<Known<T>> {
  signal.throwIfAborted();
  try {
    return await ask();
  } catch (error) {
    signal.throwIfAborted();
    return unknown(describeError(error));
  }
}

/** What 3.5's `etcdutl check v2store` says, by exit code and words (etcdutl/etcdutl/check_v2store.go, 3.5.32 on). */
async function checkV2(
  etcdutl: string,
  etcdDirectory: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<Known<V2Content>> {
  const args = ['check', 'v2store', '--data-dir', etcdDirectory];
  const options = {
    env: {},
    extendEnv: false,
    cancelSignal: signal,
    timeout: limitMs,
    reject: false,
  } as const;
  const result = await execa(etcdutl, args, { ...options, stdin: 'ignore' });
  const { exitCode, timedOut, stdout, stderr, cause } = result;
  signal.throwIfAborted();
  if (timedOut) return unknown(`etcdutl check v2store did not end within ${limitMs} ms`);
  if (exitCode === undefined && cause !== undefined)
    return unknown(`${etcdutl} cannot be run: ${describeError(cause)}`);
  const said = `${stdout}\n${stderr}`;
  if (exitCode === 0) return known('clean');
  if (/custom v2 content in WAL/i.test(said)) return known('wal-requests');
  if (/custom content in v2store|custom v2 content in both/i.test(said)) return known('store');
  const words = said.trim().split('\n').at(-1) ?? '';
  return unknown(`etcdutl check v2store ended with ${exitCode ?? 'a signal'}: ${words.slice(0, 300)}`);
}

/** A snapshot is named by its term and its index, 16 hex digits each. */
async function newestSnapshot(etcdDirectory: string): Promise<number | null> {
  const found = (await names(join(etcdDirectory, 'member', 'snap'))).flatMap((name) => {
    const index = /^[0-9a-f]{16}-([0-9a-f]{16})\.snap$/.exec(name)?.[1];
    return index === undefined ? [] : [Number.parseInt(index, 16)];
  });
  return found.length === 0 ? null : Math.max(...found);
}
