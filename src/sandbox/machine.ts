import { createWriteStream, mkdirSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { ApplianceError, describeError } from '../errors.ts';
import type { EventFields, Machine } from './model.ts';
import { allGone, gone, isInside, killAll, processesOf, signal, startTimeOf, stopped } from './processes.ts';
import type { FoundProcess } from './processes.ts';
import type { Variables } from './variables.ts';

/** How the machine's init restarts the appliance: like systemd's `Restart=always`, with a delay that doubles. */
const RESTART_FIRST_MS = 100;
const RESTART_LAST_MS = 5_000;
/** After so long a life the next restart is a first one again. */
const RESTART_RESET_MS = 10_000;

/** What a machine runs, ready for one machine. */
export interface MachineProgram {
  /** A program and its arguments. */
  readonly command: readonly string[];
  /** The whole environment; nothing of our own leaks in. DATA_DIR and HOME are added here. */
  readonly environment: Variables;
}

/** One machine as it is now. */
export interface MachineReport {
  readonly instanceId: string;
  readonly address: string;
  readonly dataDir: string;
  readonly logFile: string;
  readonly appliance: { readonly pid: number; readonly frozen: boolean } | null;
  readonly etcd: { readonly pid: number; readonly frozen: boolean } | null;
  /** How often its init started the appliance. */
  readonly starts: number;
}

/** `on` restarts its appliance; `held` does not (an operator is at it); `stopping` and `off` never will again. */
type Power = 'on' | 'held' | 'stopping' | 'off';

interface Appliance {
  readonly pid: number;
  readonly ended: Promise<void>;
}

/**
 * One machine that is switched on: its appliance as a process in a session of its own, restarted when it ends, and what
 * that started. Its etcd is told by its data directory under the machine's, so it is found after its appliance died, too.
 */
export class RunningMachine {
  readonly machine: Machine;
  readonly #directory: string;
  #program: MachineProgram;
  readonly #emit: (type: string, fields: EventFields) => void;
  #power: Power = 'on';
  #appliance: Appliance | null = null;
  #restart: NodeJS.Timeout | null = null;
  #failures = 0;
  #starts = 0;
  /** How often any of its processes was told to go on. */
  #thaws = 0;

  /** `directory` is the machine's own: `data` is its disk, `appliance.log` what its appliance printed. */
  constructor(
    machine: Machine,
    directory: string,
    program: MachineProgram,
    emit: (type: string, fields: EventFields) => void,
  ) {
    this.machine = machine;
    this.#directory = directory;
    this.#program = program;
    this.#emit = (type, fields) => emit(type, { instanceId: machine.instanceId, ...fields });
  }

  get #dataDir(): string {
    return join(this.#directory, 'data');
  }

  get #logFile(): string {
    return join(this.#directory, 'appliance.log');
  }

  /** Variables of the appliance, from its next start on; those that are not named stay. */
  configure(variables: Variables): void {
    this.#program = { ...this.#program, environment: { ...this.#program.environment, ...variables } };
  }

  /** Switches it on. Throws where the program cannot be started. */
  async boot(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true });
    if (this.#power === 'on') await this.#startAppliance();
  }

  /**
   * SIGTERM goes to the machine's service alone, as Docker and systemd's KillMode=mixed send it: an etcd that is ended
   * beside its appliance could not be left in order. What the appliance leaves behind gets one next, and SIGKILL ends
   * whatever lives after `graceMs`.
   */
  async shutdown(graceMs: number): Promise<void> {
    this.#stopRestarts('stopping');
    const deadline = performance.now() + graceMs;
    if (this.#appliance !== null) {
      signal(this.#appliance.pid, 'SIGTERM');
      await within(this.#appliance.ended, deadline);
    }
    if (this.#appliance === null) {
      for (const { pid } of processesOf(this.#directory)) signal(pid, 'SIGTERM');
      await allGone(this.#directory, deadline - performance.now());
    }
    await this.powerCut();
  }

  /** SIGKILL to everything. Resolves when nothing lives and the disk is gone; the log stays. */
  async powerCut(): Promise<void> {
    this.#stopRestarts('off');
    await this.#killEverything();
    await rm(this.#dataDir, { recursive: true, force: true });
  }

  /** The machine comes back at once with an empty disk. */
  async wipeData(): Promise<void> {
    if (this.#power !== 'on') throw notNow(`instance ${this.machine.instanceId} is ${this.#power}`);
    this.#stopRestarts('held');
    await this.#killEverything();
    await rm(this.#dataDir, { recursive: true, force: true });
    this.#emit('data-wiped', {});
    if (!this.#isHeld()) return;
    this.#power = 'on';
    this.#failures = 0;
    await this.#startAppliance();
  }

  /** While it was held, a shutdown may have begun: then it stays down. (A method, because types do not see that.) */
  #isHeld(): boolean {
    return this.#power === 'held';
  }

  /** Sends a signal to its appliance or its etcd, and waits until a SIGKILL or a SIGSTOP took effect. Throws where there is none. */
  async send(target: 'appliance' | 'etcd', name: NodeJS.Signals): Promise<void> {
    // Its appliance is known from the start on, which the system may still be making of what started it.
    const pid =
      target === 'appliance' ? this.#appliance?.pid : this.report(processesOf(this.#directory)).etcd?.pid;
    if (pid === undefined) throw notNow(`instance ${this.machine.instanceId} has no ${target} running`);
    const startTime = startTimeOf(pid);
    this.#emit('machine-signal', { process: target, pid, signal: name });
    signal(pid, name);
    if (name === 'SIGKILL') await gone(pid, startTime);
    if (name === 'SIGCONT') this.#thaws += 1;
    const thaws = this.#thaws;
    if (name === 'SIGSTOP') await stopped(pid, () => this.#thaws === thaws);
  }

  /** SIGTERM to its appliance, which its init starts again. Resolves when it has ended. */
  async restart(): Promise<void> {
    const ended = this.#appliance?.ended;
    await this.send('appliance', 'SIGTERM');
    await ended;
  }

  /** How it is, given the processes there are: its own are picked from them. */
  report(processes: readonly FoundProcess[]): MachineReport {
    const all = processes.filter(({ dataDir }) => isInside(dataDir, this.#directory));
    const appliance = all.find(({ pid }) => pid === this.#appliance?.pid);
    const etcd = all.find(({ kind }) => kind === 'etcd');
    return {
      instanceId: this.machine.instanceId,
      address: this.machine.address,
      dataDir: this.#dataDir,
      logFile: this.#logFile,
      appliance: appliance === undefined ? null : { pid: appliance.pid, frozen: appliance.frozen },
      etcd: etcd === undefined ? null : { pid: etcd.pid, frozen: etcd.frozen },
      starts: this.#starts,
    };
  }

  async #startAppliance(): Promise<void> {
    const [program = '', ...args] = this.#program.command;
    // A file, not a pipe: what it prints must not end with us.
    const log = createWriteStream('', { fd: openSync(this.#logFile, 'a') });
    const child = execa(program, args, {
      cwd: this.#directory,
      env: { ...this.#program.environment, DATA_DIR: this.#dataDir, HOME: this.#directory },
      extendEnv: false,
      detached: true,
      cleanup: false,
      reject: false,
      buffer: false,
      stdin: 'ignore',
      stdout: log,
      stderr: log,
    });
    log.destroy();
    const { pid } = child;
    if (pid === undefined) {
      const { message } = await child;
      throw new ApplianceError(
        { code: 'process-failed', command: program, exitCode: null },
        message ?? 'no pid',
      );
    }
    this.#starts += 1;
    this.#emit('process-start', { process: 'appliance', pid });
    const startedAtMs = performance.now();
    const ended = child.then(({ exitCode = null, signal: by = null }) => {
      this.#appliance = null;
      this.#emit('process-exit', { process: 'appliance', pid, code: exitCode, signal: by });
      this.#scheduleRestart(performance.now() - startedAtMs);
    });
    this.#appliance = { pid, ended };
  }

  #scheduleRestart(livedMs: number): void {
    if (this.#power !== 'on') return;
    if (livedMs >= RESTART_RESET_MS) this.#failures = 0;
    const delayMs = Math.min(RESTART_LAST_MS, RESTART_FIRST_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#restart = setTimeout(() => {
      this.#restart = null;
      this.#startAppliance().catch((error: unknown) => {
        this.#emit('process-failed', { process: 'appliance', message: describeError(error) });
      });
    }, delayMs);
  }

  #stopRestarts(power: Power): void {
    this.#power = power;
    if (this.#restart !== null) clearTimeout(this.#restart);
    this.#restart = null;
  }

  async #killEverything(): Promise<void> {
    const appliance = this.#appliance;
    if (appliance !== null) signal(-appliance.pid, 'SIGKILL');
    await killAll(this.#directory);
    await appliance?.ended;
  }
}

function notNow(message: string): ApplianceError {
  return new ApplianceError({ code: 'conflict', what: 'instance' }, message);
}

/**
 * Waits for `promise`, at most until `deadline` (performance.now()). A timer counts from when the loop last looked at the clock,
 * and is early by what was computed since.
 */
async function within(promise: Promise<void>, deadline: number): Promise<void> {
  const { promise: timeUp, resolve } = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | null = null;
  const arm = (): void => {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) resolve();
    else timer = setTimeout(arm, leftMs);
  };
  arm();
  await Promise.race([promise, timeUp]);
  if (timer !== null) clearTimeout(timer);
}
