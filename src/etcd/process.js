import { mkdir, open } from 'node:fs/promises';
import { execa } from 'execa';
import { known, unknown } from '../core/known.js';
import { describeError } from '../errors.js';
import { createBinaryCatalogue } from './catalogue.js';
import { pickBinary } from './binaries.js';
import { etcdEnvironment } from './environment.js';
import { etcdFlags } from './flags.js';
import { dataLayout, memberFiles } from './layout.js';
import { judge, NO_VERDICT, parseLogLine } from './log-lines.js';
import { followLog } from './log-tail.js';
import { preflight } from './preflight.js';
import { processStartTime } from './proc.js';
import { findRunning, readRecord, removeRecord, untilGone, writeRecord } from './running.js';
/**
 * Starts, watches and takes over etcd. etcd outlives the appliance: it has its own session, so that no signal to the
 * appliance's group reaches it, and writes to a file and not into a pipe, whose reader would die with the appliance and
 * take etcd along at its next line. Who comes back finds it by record or process table, and follows the file on.
 */
export function createEtcdProcesses(options, deps) {
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
function refuseStart(start, present, directory) {
  if (start.initial !== null && present)
    return `${directory} holds data, so etcd is not started as a new member`;
  if (start.initial === null && !present)
    return `${directory} holds no data, so there is nothing to start etcd on`;
  return null;
}
async function launch(binary, start, walMissing, options, log) {
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
  const fd = output.fd;
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
    const exit = child.then((result) => ({
      code: result.exitCode ?? null,
      signal: result.signal ?? null,
    }));
    const startTime = (await processStartTime(pid)) ?? 'gone';
    const process = { pid, startTime, version: binary.version };
    await writeRecord(layout.process, { ...process, format: 1, dataDirectory: layout.etcd });
    return known(await supervise(process, exit, 'start', walMissing, options, log));
  } finally {
    await output.close();
  }
}
/** Follows a process's log until its end. */
async function supervise(process, exit, from, walMissing, options, log) {
  const layout = dataLayout(options.dataDirectory);
  let verdict = NO_VERDICT;
  const tail = await followLog({ path: layout.log, from }, (text) => {
    const line = parseLogLine(text);
    verdict = judge(verdict, line);
    passOn(line, log);
  });
  let over = false;
  const finish = async () => {
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
      const send = (signal) => {
        if (!over) kill(process.pid, signal);
      };
      send('SIGTERM');
      const timer = setTimeout(() => send('SIGKILL'), graceMs);
      return exited.finally(() => clearTimeout(timer));
    },
  };
}
function kill(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone; its end is being noticed.
  }
}
function passOn(line, log) {
  const level = line.level === 'fatal' || line.level === 'panic' ? 'error' : line.level;
  const error = line.error === '' ? {} : { error: line.error };
  log[level]({ ...line.fields, ...error, etcd: true }, line.message);
}
/** Asks the running program itself: its file may have been replaced since. */
async function versionOfRunning(pid, signal) {
  const { stdout } = await execa(`/proc/${pid}/exe`, ['--version'], {
    env: {},
    extendEnv: false,
    timeout: 5_000,
    cancelSignal: signal,
    reject: false,
  });
  return /etcd Version:\s*(\d+\.\d+\.\d+)/.exec(stdout ?? '')?.[1] ?? '0.0.0';
}
