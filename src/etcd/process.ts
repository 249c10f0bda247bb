import { mkdir, open } from 'node:fs/promises';
import { execa } from 'execa';
import type { EtcdExit } from '../core/local-data.ts';
import { type Known, known, unknown } from '../core/known.ts';
import type { Obstacle } from '../core/start.ts';
import { describeError } from '../errors.ts';
import { createBinaryCatalogue } from './catalogue.ts';
import { type EtcdServer, pickBinary } from './binaries.ts';
import { etcdEnvironment } from './environment.ts';
import { freeBytes } from './files.ts';
import { etcdFlags } from './flags.ts';
import { type DataLayout, dataLayout, memberFiles } from './layout.ts';
import type { EtcdLog } from './log.ts';
import { damageOf, judge, lastWordsOf, NO_VERDICT, parseLogLine, type Verdict } from './log-lines.ts';
import { followLog } from './log-tail.ts';
import { preflight, preflightBinary } from './preflight.ts';
import { processStartTime } from './proc.ts';
import {
  type BareExit,
  findRunning,
  readRecord,
  removeRecord,
  type RunningProcess,
  untilGone,
  writeRecord,
} from './running.ts';

/** What a start of etcd needs. The shape of the daemon's EtcdStart. */
export interface EtcdStart {
  readonly version: string;
  readonly name: string;
  readonly address: string;
  readonly initial: {
    readonly state: 'new' | 'existing';
    readonly cluster: readonly { readonly name: string; readonly peerUrl: string }[];
    readonly token: string;
  } | null;
  readonly snapshotCount?: number | null;
  /** Where it listens, where that is not `address`: EC2 translates a public one, and an operator may say. */
  readonly listenAddress?: string;
  readonly timing?: { readonly heartbeatMs: number; readonly electionMs: number };
}

/** A running etcd. The shape of the daemon's RunningEtcd. */
export interface RunningEtcd {
  readonly pid: number;
  readonly version: string;
  /** Ends with the process, never rejects. */
  readonly exited: Promise<EtcdExit>;
  /** Whether it said in this run that it put a snapshot of the leader in place. */
  seeded(): boolean;
  /** Whether it said that it defragments its database, and not that it has: it answers no client meanwhile. */
  defragments(): boolean;
  /** Whether it said that it puts a snapshot of the leader in place, and not that it has: it answers no client meanwhile. */
  restores(): boolean;
  /** SIGTERM, then SIGKILL after the grace; ends with the process. */
  stop(graceMs: number): Promise<EtcdExit>;
}

/** The etcd processes of this machine. The shape of the daemon's ProcessPort. */
export interface EtcdProcesses {
  binaries(signal: AbortSignal): Promise<readonly EtcdServer[]>;
  start(start: EtcdStart, signal: AbortSignal): Promise<Known<RunningEtcd>>;
  adopt(signal: AbortSignal): Promise<RunningEtcd | null>;
  preflight(version: string, address: string, signal: AbortSignal): Promise<Obstacle | null>;
}

/** Where things are. */
export interface EtcdProcessOptions {
  /** Folder with a subfolder of binaries per version. */
  readonly etcdDirectory: string;
  /** The appliance's DATA_DIR. */
  readonly dataDirectory: string;
  /** The operator's flags, free of collisions (`collidingFlags`). */
  readonly extraFlags: readonly string[];
  /** The appliance's own environment, of which etcd gets a few variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Whom the adapter tells what. */
export interface EtcdProcessDeps {
  readonly log: EtcdLog;
  /** Every line that etcd writes, as it wrote it. */
  readonly onLine: (line: string) => void;
}

/**
 * Starts, watches and takes over etcd. etcd outlives the appliance: it has its own session, so that no signal to the
 * appliance's group reaches it, and writes to a file and not into a pipe, whose reader would die with the appliance and
 * take etcd along at its next line. Who comes back finds it by record or process table, and follows the file on.
 */
export function createEtcdProcesses(options: EtcdProcessOptions, deps: EtcdProcessDeps): EtcdProcesses {
  const layout = dataLayout(options.dataDirectory);
  const catalogue = createBinaryCatalogue(options.etcdDirectory, deps.log);
  return {
    binaries: async (signal) => catalogue.list(signal),
    async start(start, signal) {
      const binary = pickBinary(await catalogue.list(signal), start.version);
      if (binary === null) return unknown(`there is no etcd ${start.version} in ${options.etcdDirectory}`);
      const files = await memberFiles(layout.etcd);
      const refusal = refuseStart(start, files.wal || files.database, layout.etcd);
      if (refusal !== null) return unknown(refusal);
      const running = await findRunning(await readRecord(layout.process), layout.etcd);
      if (running !== null)
        return unknown(`an etcd runs on ${layout.etcd} already, as process ${running.pid}`);
      signal.throwIfAborted();
      return launch(binary, start, start.initial === null && !files.wal, options, deps);
    },
    async adopt(signal) {
      const running = await findRunning(await readRecord(layout.process), layout.etcd);
      if (running === null) return null;
      const version = running.version ?? (await versionOfRunning(running.pid, signal));
      const process = { pid: running.pid, startTime: running.startTime, version };
      await keepRecord(layout, process, deps.log);
      const words = await hear(layout.log, deps.onLine);
      deps.log.info({ pid: running.pid, version }, 'took over a running etcd');
      return supervise(process, untilGone(process), words, false, layout);
    },
    preflight: async (version, address, signal) => {
      const there = pickBinary(await catalogue.list(signal), version) !== null;
      const missing = there ? null : await preflightBinary(options.etcdDirectory, version, signal);
      return missing ?? preflight(layout.root, address);
    },
  };
}

/** Law 1 once more, where it costs nothing: words of a birth never meet data, and no data never meet "carry on". */
function refuseStart(start: EtcdStart, present: boolean, directory: string): string | null {
  if (start.initial !== null && present)
    return `${directory} holds data, so etcd is not started as a new member`;
  if (start.initial === null && !present)
    return `${directory} holds no data, so there is nothing to start etcd on`;
  return null;
}

async function launch(
  binary: EtcdServer,
  start: EtcdStart,
  walMissing: boolean,
  options: EtcdProcessOptions,
  deps: EtcdProcessDeps,
): Promise<Known<RunningEtcd>> {
  const layout = dataLayout(options.dataDirectory);
  await mkdir(layout.root, { recursive: true });
  const output = await open(layout.log, 'a', 0o600);
  // Before the start: nothing of this run is missed, and nothing of an earlier one is taken for this one's.
  const words = await hear(layout.log, deps.onLine);
  try {
    const child = execa(binary.etcd, flagsOf(binary, start, options), {
      cwd: layout.root,
      env: etcdEnvironment(options.env),
      extendEnv: false,
      stdin: 'ignore',
      // execa takes any open descriptor; its types know literals only.
      stdout: output.fd as 3,
      stderr: output.fd as 3,
      detached: true,
      cleanup: false,
      reject: false,
      buffer: false,
    });
    const { pid } = child;
    if (pid === undefined) {
      await words.end();
      return unknown(`etcd did not start: ${describeError((await child).cause)}`);
    }
    const exit = child.then((result): BareExit => ({
      code: result.exitCode ?? null,
      signal: result.signal ?? null,
    }));
    const startTime = (await processStartTime(pid)) ?? 'gone';
    const process = { pid, startTime, version: binary.version };
    await keepRecord(layout, process, deps.log);
    return known(supervise(process, exit, words, walMissing, layout));
  } finally {
    await output.close();
  }
}

function flagsOf(binary: EtcdServer, start: EtcdStart, options: EtcdProcessOptions): readonly string[] {
  return etcdFlags(binary.version, {
    name: start.name,
    dataDirectory: dataLayout(options.dataDirectory).etcd,
    address: start.address,
    listenAddress: start.listenAddress ?? start.address,
    initial: start.initial,
    snapshotCount: start.snapshotCount ?? null,
    timing: start.timing ?? null,
    logLevel: 'info',
    extra: options.extraFlags,
  });
}

type Process = RunningProcess & { readonly version: string };

/** An etcd without a record is found by its command line, so a disk that is full now is no reason to end it. */
async function keepRecord(layout: DataLayout, process: Process, log: EtcdLog): Promise<void> {
  const { pid, startTime, version } = process;
  try {
    await writeRecord(layout.process, { format: 1, pid, startTime, version, dataDirectory: layout.etcd });
  } catch (error) {
    log.warn(
      { path: layout.process, error: describeError(error) },
      'the record of the etcd process was not written',
    );
  }
}

/** What etcd says in one run. */
interface Words {
  /** What the lines say so far. */
  verdict(): Verdict;
  /** Reads what is left, and gives the verdict. */
  end(): Promise<Verdict>;
}

async function hear(path: string, onLine: (line: string) => void): Promise<Words> {
  let verdict = NO_VERDICT;
  const tail = await followLog({ path }, (text) => {
    verdict = judge(verdict, parseLogLine(text));
    onLine(text);
  });
  return {
    verdict: () => verdict,
    async end() {
      await tail.close();
      return verdict;
    },
  };
}

/** Sees a process to its end. */
function supervise(
  process: Process,
  exit: Promise<BareExit>,
  words: Words,
  walMissing: boolean,
  layout: DataLayout,
): RunningEtcd {
  let over = false;
  const finish = async (): Promise<EtcdExit> => {
    const end = await exit;
    over = true;
    const verdict = await words.end();
    const { saysRemoved, saysOtherMembers, saysTooOld, ...said } = verdict;
    // Where the disk is full, etcd's last words find no room either.
    const isFull = end.code !== 0 && (await hasNoRoom(layout));
    const last =
      said.lastWords === '' && isFull ? `the disk of ${layout.root} is full` : lastWordsOf(verdict);
    const saysFull = said.saysFull || isFull;
    await removeRecord(layout.process).catch(() => undefined);
    // Without a log etcd does not call its data damaged: it tries to join a cluster with what is left of them.
    const damage = damageOf(verdict, saysFull) ?? (walMissing ? 'wal' : null);
    return {
      ...end,
      saysRemoved,
      saysDamaged: damage,
      saysOtherMembers,
      saysTooOld,
      saysFull,
      lastWords: last,
    };
  };
  const exited = finish();
  return {
    pid: process.pid,
    version: process.version,
    exited,
    seeded: () => words.verdict().seeded,
    defragments: () => words.verdict().defragments > 0,
    restores: () => words.verdict().restores,
    async stop(graceMs) {
      const send = (signal: NodeJS.Signals): void => {
        if (!over) kill(process.pid, signal);
      };
      send('SIGTERM');
      const timer = setTimeout(() => send('SIGKILL'), graceMs);
      return exited.finally(() => clearTimeout(timer));
    },
  };
}

async function hasNoRoom(layout: DataLayout): Promise<boolean> {
  const free = await freeBytes(layout.root).catch(() => null);
  return free !== null && free < FULL_BYTES;
}

const FULL_BYTES = 64 * 1024;

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone; its end is being noticed.
  }
}

/** Asks the running program itself: its file may have been replaced since. */
async function versionOfRunning(pid: number, signal: AbortSignal): Promise<string> {
  const { stdout } = await execa(`/proc/${pid}/exe`, ['--version'], {
    env: {},
    extendEnv: false,
    timeout: 5_000,
    cancelSignal: signal,
    reject: false,
  });
  return /etcd Version:\s*(\d+\.\d+\.\d+)/.exec(stdout ?? '')?.[1] ?? '0.0.0';
}
