import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { EtcdExit } from '../../../src/core/local-data.ts';
import type { AdminPort, EtcdStart } from '../../../src/daemon/ports.ts';
import { createAdmin } from '../../../src/etcd/admin.ts';
import { calm, labMember, must } from '../../etcd-lab.ts';
import { createEtcdLab } from '../../fakes/etcd/lab.ts';
import { eventually } from '../../tools.ts';
import { createRuns } from './runs.ts';

/** A machine of a subject. */
export interface Slot {
  readonly name: string;
  readonly endpoint: string;
  readonly peerUrl: string;
}

/** From SIGTERM to SIGKILL; ms. */
const GRACE_MS = 4_000;

/** Some etcds, the real ones or the model's. */
export interface EtcdSubject extends AsyncDisposable {
  readonly slots: readonly Slot[];
  readonly admin: AdminPort;
  /** `version`: another than the subject's. */
  start(slot: number, initial: EtcdStart['initial'], version?: string): Promise<void>;
  /** Ends it by this signal, and waits for its end. */
  end(slot: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  freeze(slot: number, frozen: boolean): Promise<void>;
  /** Takes all its data away. */
  wipe(slot: number): Promise<void>;
  /** How its last run ended; null: it runs, or never did. */
  exitOf(slot: number): EtcdExit | null;
  now(): number;
  pass(ms: number): Promise<void>;
}

/** Modelled etcds. */
export function modelSubject(count: number, seed: number, version: string): EtcdSubject {
  const lab = createEtcdLab(count, seed, version);
  // Time passes only while somebody waits.
  const admin = Object.fromEntries(
    Object.entries(lab.admin).map(([name, call]: [string, unknown]) => [
      name,
      async (...args: readonly unknown[]): Promise<unknown> =>
        await lab.soon(Reflect.apply(call as (...all: readonly unknown[]) => Promise<unknown>, null, args)),
    ]),
  ) as unknown as AdminPort;
  return {
    slots: lab.hosts,
    admin,
    start: async (slot, initial, other) =>
      await lab.start(slot, initial, other === undefined ? {} : { version: other }),
    async end(slot, signal) {
      const { running, address } = lab.host(slot);
      if (signal === 'SIGKILL') lab.etcd.kill(address);
      if (running !== null) await lab.soon(running.stop(10_000));
      await lab.clock.settle();
    },
    freeze: async (slot, frozen) => await Promise.resolve(lab.etcd.freeze(lab.host(slot).address, frozen)),
    wipe: async (slot) => await Promise.resolve(lab.host(slot).disk.wipe()),
    exitOf: (slot) => lab.host(slot).exit,
    now: () => lab.clock.now(),
    pass: async (ms) => await lab.clock.advance(ms),
    [Symbol.asyncDispose]: async () => await Promise.resolve(),
  };
}

/** Real etcds of a version, each on an address of its own. Ended and removed with the scope. */
export async function realSubject(count: number, version: string): Promise<EtcdSubject> {
  const stack = new AsyncDisposableStack();
  const admin = stack.use(createAdmin());
  const machines = await Promise.all(
    Array.from({ length: count }, async (_, index) => ({
      member: stack.use(await labMember(version, `n${index + 1}`)),
      runs: createRuns(),
      frozen: false,
    })),
  );
  const machine = (slot: number): (typeof machines)[number] => {
    const found = machines[slot];
    if (found === undefined) throw new Error(`no machine ${slot}`);
    return found;
  };
  return {
    slots: machines.map(({ member }) => member),
    admin,
    async start(slot, initial, other) {
      const it = machine(slot);
      const { name, address, version: exact, processes } = it.member;
      const running = must(await processes.start({ version: other ?? exact, name, address, initial }, calm));
      it.frozen = false;
      it.runs.began(running);
    },
    async end(slot, signal) {
      const running = machine(slot).runs.running();
      if (running === null) return;
      // Without a word before it, in which a leader would give its leadership away.
      if (signal === 'SIGKILL') kill(running.pid);
      // With a frozen peer etcd can hang in its own shutdown.
      await running.stop(signal === 'SIGKILL' ? 0 : GRACE_MS);
    },
    async freeze(slot, frozen) {
      const it = machine(slot);
      const pid = it.runs.running()?.pid;
      if (pid === undefined || it.frozen === frozen) return;
      it.frozen = frozen;
      process.kill(pid, frozen ? 'SIGSTOP' : 'SIGCONT');
      // A signal is sent before it takes effect.
      const isStopped = async (): Promise<boolean> =>
        /^State:\tT/m.test(await readFile(`/proc/${pid}/status`, 'utf8'));
      await eventually(async () => (await isStopped()) === frozen, 5_000);
    },
    wipe: async (slot) =>
      await rm(join(machine(slot).member.directory, 'etcd'), { recursive: true, force: true }),
    exitOf: (slot) => machine(slot).runs.exit(),
    now: () => performance.now(),
    pass: async (ms) => await new Promise((resolve) => setTimeout(resolve, ms)),
    async [Symbol.asyncDispose]() {
      await Promise.all(machines.map(async ({ runs }) => await runs.endAll()));
      await stack.disposeAsync();
    },
  };
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended, and its end is being noticed.
  }
}
