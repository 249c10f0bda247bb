import { mkdir, open } from 'node:fs/promises';
import { execa } from 'execa';
import type { EtcdExit } from '../core/local-data.ts';
import { type Known, known, unknown } from '../core/known.ts';
import { describeError } from '../errors.ts';
import { createBinaryCatalogue } from './catalogue.ts';
import { type EtcdBinary, pickBinary } from './binaries.ts';
import { etcdEnvironment } from './environment.ts';
import { etcdFlags } from './flags.ts';
import { dataLayout, memberFiles } from './layout.ts';
import type { EtcdLog } from './log.ts';
import { judge, type LogLine, NO_VERDICT, parseLogLine } from './log-lines.ts';
import { followLog } from './log-tail.ts';
import { preflight } from './preflight.ts';
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
}

/** A running etcd. The shape of the daemon's RunningEtcd. */
export interface RunningEtcd {
  readonly pid: number;
  readonly version: string;
  /** Ends with the process, never rejects. */
  readonly exited: Promise<EtcdExit>;
  /** SIGTERM, then SIGKILL after the grace; ends with the process. */
  stop(graceMs: number): Promise<EtcdExit>;
}

/** The etcd processes of this machine. The shape of the daemon's ProcessPort. */
export interface EtcdProcesses {
  binaries(signal: AbortSignal): Promise<readonly EtcdBinary[]>;
  start(start: EtcdStart, signal: AbortSignal): Promise<Known<RunningEtcd>>;
  adopt(signal: AbortSignal): Promise<RunningEtcd | null>;
  preflight(version: string, address: string, signal: AbortSignal): Promise<string | null>;
}

/** Where things are. */
export interface EtcdProcessOptions {
  /** Folder with a subfolder of binaries per version. */
  readonly etcdDirectory: string;
  /** The appliance's DATA_DIR. */
  readonly dataDirectory: string;
  /** Null: the address that is advertised. */
  readonly listenAddress: string | null;
  /** The operator's flags, free of collisions (`collidingFlags`). */
  readonly extraFlags: readonly string[];
  /** The appliance's own environment, of which etcd gets a few variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Starts, watches and takes over etcd. etcd outlives the appliance: it has its own session, so that no signal to the
 * appliance's group reaches it, and writes to a file and not into a pipe, whose reader would die with the appliance and
 * take etcd along at its next line. Who comes back finds it by record or process table, and follows the file on.
 */
export function createEtcdProcesses(
  options: EtcdProcessOptions,
  deps: { readonly log: EtcdLog },
): EtcdProcesses {
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
      return launch(binary, start, start.initial === null && !files.wal, options, deps.log);
    },
    async adopt(signal) {
      const running = await findRunning(await readRecord(layout.process), layout.etcd);
      if (running === null) return null;
      const version = running.version ?? (await versionOfRunning(running.pid, signal));
      await writeRecord(layout.process, { ...running, format: 1, version, dataDirectory: layout.etcd });
      deps.log.info({ pid: running.pid, version }, 'took over a running etcd');
      return supervise({ ...running, version }, untilGone(running), 'now', false, options, deps.log);
    },
    preflight: async (version, address, signal) => {
      const there = pickBinary(await catalogue.list(signal), version) !== null;
      if (!there) return `there is no etcd ${version} in ${options.etcdDirectory}`;
      return preflight(layout.root, options.listenAddress ?? address);
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
  binary: EtcdBinary,
  start: EtcdStart,
  walMissing: boolean,
  options: EtcdProcessOptions,
  log: EtcdLog,
): Promise<Known<RunningEtcd>> {
  const layout = dataLayout(options.dataDirectory);
  await mkdir(layout.root, { recursive: true });
  const flags = etcdFlags(binary.version, {
    name: start.name,
    dataDirectory: layout.etcd,
    address: start.address,
    listenAddress: options.listenAddress ?? start.address,
    initial: start.initial,
    initialCorruptCheck: true,
    logLevel: 'info',
    extra: options.extraFlags,
  });
  const output = await open(layout.log, 'a', 0o600);
  // execa takes any open descriptor; its types know literals only.
  const fd = output.fd as 3;
  try {
    const child = execa(binary.etcd, flags, {
      cwd: layout.root,
      env: etcdEnvironment(options.env),
      extendEnv: false,
      stdin: 'ignore',
      stdout: fd,
      stderr: fd,
      detached: true,
      cleanup: false,
      reject: false,
      buffer: false,
    });
    const { pid } = child;
    if (pid === undefined) return unknown(`etcd did not start: ${describeError((await child).cause)}`);
    const exit = child.then((result): BareExit => ({
      code: result.exitCode ?? null,
      signal: result.signal ?? null,
    }));
    const startTime = (await processStartTime(pid)) ?? 'gone';
    const process: RunningProcess & { version: string } = { pid, startTime, version: binary.version };
    await writeRecord(layout.process, { ...process, format: 1, dataDirectory: layout.etcd });
    return known(await supervise(process, exit, 'start', walMissing, options, log));
  } finally {
    await output.close();
  }
}

/** Follows a process's log until its end. */
async function supervise(
  process: RunningProcess & { readonly version: string },
  exit: Promise<BareExit>,
  from: 'now' | 'start',
  walMissing: boolean,
  options: EtcdProcessOptions,
  log: EtcdLog,
): Promise<RunningEtcd> {
  const layout = dataLayout(options.dataDirectory);
  let verdict = NO_VERDICT;
  const tail = await followLog({ path: layout.log, from }, (text) => {
    const line = parseLogLine(text);
    verdict = judge(verdict, line);
    passOn(line, log);
  });
  let over = false;
  const finish = async (): Promise<EtcdExit> => {
    const end = await exit;
    over = true;
    await tail.close();
    await removeRecord(layout.process).catch(() => undefined);
    // Without a log etcd does not call its data damaged: it tries to join a cluster with what is left of them.
    const saysDamaged = verdict.saysDamaged ?? (walMissing ? 'wal' : null);
    return { ...end, saysDamaged, saysRemoved: verdict.saysRemoved, lastWords: verdict.lastWords };
  };
  const exited = finish();
  return {
    pid: process.pid,
    version: process.version,
    exited,
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

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone; its end is being noticed.
  }
}

function passOn(line: LogLine, log: EtcdLog): void {
  const level = line.level === 'fatal' || line.level === 'panic' ? 'error' : line.level;
  const error = line.error === '' ? {} : { error: line.error };
  log[level]({ ...line.fields, ...error, etcd: true }, line.message);
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
