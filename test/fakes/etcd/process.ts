import type { EtcdExit } from '../../../src/core/local-data.ts';
import { known, unknown } from '../../../src/core/known.ts';
import { minorOf } from '../../../src/core/versions.ts';
import type { Binary, EtcdStart, IdsPort, ProcessPort, RunningEtcd } from '../../../src/daemon/ports.ts';
import { beginningOf, muteMs } from './boot.ts';
import { handOver } from './election.ts';
import type { EtcdFiles } from './files.ts';
import { beginWithSnapshot, writeFounders } from './files.ts';
import { drawMs } from './large.ts';
import { connectedMs } from './links.ts';
import { apply } from './replication.ts';
import { snapshotCountOf, whyNotRun } from './versions.ts';
import type { EtcdBusy, EtcdNode, EtcdProcess, Etcds, EtcdWatch } from './node.ts';
import { createNode } from './node.ts';
import type { BinaryFault, EtcdHost } from './world.ts';

interface MachineDeps {
  readonly etcds: Etcds;
  readonly ids: IdsPort;
  readonly binaries: readonly Binary[];
  readonly watch: EtcdWatch;
  readonly processes: Map<string, EtcdProcess>;
  readonly exits: Map<EtcdProcess, PromiseWithResolvers<EtcdExit>>;
  readonly booted: (node: EtcdNode) => void;
}

const FIRST_PID = 100;
const FROZEN_LOOK_MS = 100;

/** The processes of one machine. */
export function createMachine(host: EtcdHost, deps: MachineDeps): ProcessPort {
  const { etcds, processes, exits } = deps;
  const { address, disk } = host;
  const installed = (): readonly Binary[] =>
    host.binaries?.versions.map((version) => ({ version, minor: minorOf(version) })) ?? deps.binaries;
  return {
    binaries: async () => await Promise.resolve(installed()),
    preflight: async () => await Promise.resolve(null),
    async adopt() {
      await Promise.resolve();
      const process = processes.get(address);
      return process === undefined ? null : handleOf(deps, process);
    },
    async start(start) {
      await Promise.resolve();
      // Asked for by an appliance that lived then: the power went before it was done.
      if (host.isOn?.() === false) return unknown('the machine has no power');
      if (processes.has(address)) return unknown('an etcd runs on these data already');
      if (host.binaries !== undefined && !host.binaries.versions.includes(start.version))
        return unknown(`no etcd ${start.version} is installed`);
      if (start.initial !== null && disk.etcd !== null) return unknown('there are data: not started as new');
      if (start.initial === null && disk.etcd === null) return unknown('there are no data');
      const { network, random, clock, large } = etcds;
      const isLarge = start.initial === null && (disk.etcd?.state.bytes ?? 0) > 0;
      const readsMs = isLarge ? drawMs(random, large.startMs) : 0;
      const waitsMs = muteMs({ ids: deps.ids, network, processes, now: clock.now() }, address, start.initial);
      const bootsInMs = random.int(10, 60) + waitsMs + readsMs;
      const pid = FIRST_PID + exits.size;
      const process = createProcess(host, start, { pid, readsMs, bootsAt: clock.now() + bootsInMs });
      processes.set(address, process);
      exits.set(process, Promise.withResolvers<EtcdExit>());
      deps.watch.started(host.id, start);
      if (readsMs > 0) deps.watch.isBusy?.(host.id, 'starts', readsMs);
      whenAwake(etcds, process, bootsInMs, () =>
        boot(deps, process, start, host.binaries?.bad.get(start.version)),
      );
      return known(handleOf(deps, process));
    },
  };
}

function createProcess(
  { id, address, disk }: EtcdHost,
  start: EtcdStart,
  its: Pick<EtcdProcess, 'pid' | 'bootsAt' | 'readsMs'>,
): EtcdProcess {
  return {
    ...its,
    busy: null,
    name: id,
    address,
    version: start.version,
    disk,
    snapshotCount: start.snapshotCount ?? snapshotCountOf(start.version),
    alive: true,
    frozen: false,
    stopping: false,
    serving: false,
    servingSince: 0,
    seeded: false,
    files: null,
    node: null,
    requests: new Set(),
  };
}

/** From the moment when a founder's log is there to its first entry: a flush or two; ms. */
const LOG_BEGINS_MS = 20;

function boot(deps: MachineDeps, process: EtcdProcess, start: EtcdStart, fault?: BinaryFault): void {
  const { etcds, processes } = deps;
  if (fault === 'mute') return;
  if (fault === 'crashes') {
    etcds.end(process, { code: 2, lastWords: 'panic: this binary is broken' });
    return;
  }
  const { network } = etcds;
  const now = etcds.clock.now();
  const beginning =
    start.initial === null
      ? process.disk.etcd && { files: process.disk.etcd, founders: [] }
      : beginningOf({ ids: deps.ids, network, processes, now }, process, start.initial);
  if (beginning === null || typeof beginning === 'string') {
    etcds.end(process, { code: 1, lastWords: beginning ?? 'no data' });
    return;
  }
  const { files, founders } = beginning;
  const isOthers = files.ranOn !== null && files.ranOn !== process.version;
  if (files.unreadable || (fault === 'unreadable' && isOthers)) {
    etcds.end(process, { code: 2, saysDamaged: 'wal', lastWords: 'walpb: crc mismatch' });
    return;
  }
  const unfit = whyNotRun(process.version, files);
  if (unfit !== null) {
    etcds.end(process, unfit);
    return;
  }
  files.ranOn = process.version;
  process.disk.etcd = files;
  if (founders.length === 0) {
    run(deps, process, files);
    return;
  }
  deps.watch.founds?.(process.name);
  whenAwake(etcds, process, LOG_BEGINS_MS, () => {
    writeFounders(files, founders);
    run(deps, process, files);
  });
}

function run(deps: MachineDeps, process: EtcdProcess, files: EtcdFiles): void {
  beginWithSnapshot(files);
  process.files = files;
  const node = createNode(process, files, deps.etcds.clock.now());
  process.node = node;
  // What it knew to be committed when it ended, and was too busy to apply.
  apply(deps.etcds, node);
  if (process.alive) deps.booted(node);
}

/** After so long, or when it goes on where it stood; never where it has ended. */
function whenAwake(etcds: Etcds, process: EtcdProcess, ms: number, act: () => void): void {
  etcds.clock.after(ms, () => {
    if (!process.alive) return;
    if (process.frozen) whenAwake(etcds, process, FROZEN_LOOK_MS, act);
    else act();
  });
}

function handleOf({ etcds, exits }: MachineDeps, process: EtcdProcess): RunningEtcd {
  const exited = exits.get(process)?.promise ?? Promise.reject(new Error('no such process'));
  // Its log is read from here on: what it said that it does before, nobody has heard.
  const unheard = process.busy;
  const does = (kind: EtcdBusy['kind']): boolean => process.busy?.kind === kind && process.busy !== unheard;
  return {
    pid: process.pid,
    version: process.version,
    seeded: () => process.seeded && process.busy?.kind !== 'restores',
    defragments: () => does('defragments'),
    restores: () => does('restores'),
    exited,
    async stop(graceMs) {
      process.stopping = true;
      const { clock, random } = etcds;
      // It ends in order only when it is done with what it does.
      const busyMs = (process.busy?.until ?? 0) - clock.now();
      const ms = process.frozen ? graceMs : busyMs > 0 ? Math.min(busyMs + 10, graceMs) : random.int(10, 300);
      clock.after(ms, () => {
        if (process.frozen || process.busy !== null) etcds.end(process, { signal: 'SIGKILL' });
        else terminate(etcds, process);
      });
      return await exited;
    },
  };
}

/** On SIGTERM a leader gives leadership to the voter that has been connected longest. */
function terminate(etcds: Etcds, process: EtcdProcess): void {
  const { node } = process;
  if (process.alive && node !== null && node.role === 'leader') {
    const heirs = node.files.state.voters
      .map((id) => ({ id, ms: id === node.files.memberId ? null : connectedMs(etcds, node, id) }))
      .filter((it) => it.ms !== null)
      .sort((a, b) => (b.ms ?? 0) - (a.ms ?? 0));
    if (heirs[0] !== undefined) handOver(etcds, node, heirs[0].id);
  }
  etcds.end(process, { signal: 'SIGTERM' });
}
