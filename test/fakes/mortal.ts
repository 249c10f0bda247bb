import type { Ports, ProcessPort, RunningEtcd } from '../../src/daemon/ports.ts';
import { known } from '../../src/core/known.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** The life of one process of the appliance. Once it is over, nothing that it waits for comes, for good. */
export interface Life {
  alive(): boolean;
  /** Port calls so far. */
  calls(): number;
  /** The machine takes the process away, now. */
  kill(): void;
  /** The `call`-th port call from now never settles; `taken`: what it asks for happens all the same. */
  killAtCall(call: number, taken: boolean, onKilled: () => void): void;
  /** SIGSTOP right after the `call`-th port call from now has gone out; `port`: only calls of that port count, null: all do. */
  freezeAtCall(port: string | null, call: number, onFrozen: () => void): void;
  /** What `freezeAtCall` waits for is not waited for any more. */
  forgetFreeze(): void;
  /** SIGSTOP: what comes from outside waits from now on, answers and timers alike. */
  freeze(): void;
  /** Whether it is frozen now. */
  readonly frozen: boolean;
  /** SIGCONT: all that waited comes at once, in its order. */
  thaw(): void;
  /** Hands something from outside to the process: now, after the freeze, or never. */
  deliver(run: () => void): void;
  /** Calls that were made after the end: something behind a silent port ran on. */
  readonly offences: readonly string[];
  /** The ports as this process has them. */
  ports(ports: Ports): Ports;
}

/** A life on this clock. `onOffence` is told at once. */
export function createLife(clock: VirtualClock, onOffence: (what: string) => void = () => undefined): Life {
  let calls = 0;
  let endedInTurn: number | null = null;
  let doom: { readonly atCall: number; readonly taken: boolean; readonly onKilled: () => void } | null = null;
  let chill: { readonly port: string | null; left: number; readonly onFrozen: () => void } | null = null;
  const offences: string[] = [];
  /** What came while it was frozen; null: it is not. */
  let waiting: (() => void)[] | null = null;
  const alive = (): boolean => endedInTurn === null;
  const deliver = (run: () => void): void => {
    if (!alive()) return;
    if (waiting === null) run();
    else waiting.push(run);
  };
  const note = (what: string): void => {
    // What was under way when the end came gets as far as its next port in this simulation, and no further.
    if (endedInTurn === null || clock.turns() <= endedInTurn) return;
    offences.push(what);
    onOffence(what);
  };
  const end = (): void => {
    endedInTurn ??= clock.turns();
  };
  const freeze = (): void => {
    waiting ??= [];
  };
  const freezeWhereDue = (what: string): void => {
    if (chill === null || (chill.port !== null && !what.startsWith(`${chill.port}.`))) return;
    chill.left -= 1;
    if (chill.left > 0) return;
    const { onFrozen } = chill;
    chill = null;
    freeze();
    onFrozen();
  };

  const isListening = (): boolean => waiting === null && endedInTurn === null;
  const take = <T>(value: T): T | Promise<T> =>
    isListening() ? value : new Promise<T>((resolve) => deliver(() => resolve(value)));
  const fail = (error: unknown): Promise<never> => {
    const raised = error instanceof Error ? error : new Error(String(error));
    if (isListening()) throw raised;
    return new Promise<never>((_resolve, reject) => deliver(() => reject(raised)));
  };
  /** The promise as a mortal sees it. */
  const behind = <T>(promise: Promise<T>): Promise<T> => promise.then(take<T>, fail);
  const call = <T, Args extends readonly unknown[]>(
    what: string,
    act: (...args: Args) => Promise<T>,
    args: Args,
  ): Promise<T> => {
    note(what);
    if (!alive()) return new Promise<T>(() => undefined);
    calls += 1;
    if (doom === null || calls < doom.atCall) {
      const answer = behind(act(...args));
      freezeWhereDue(what);
      return answer;
    }
    const { taken, onKilled } = doom;
    if (taken) void act(...args).catch(() => undefined);
    end();
    onKilled();
    return new Promise<T>(() => undefined);
  };
  const asynchronous = <T extends object>(name: string, port: T): T =>
    wrap(port, name, (what, act) => {
      const promising = act as (...args: readonly unknown[]) => Promise<unknown>;
      return (...args) => call(what, promising, args);
    });
  const synchronous = <T extends object>(name: string, port: T): T =>
    wrap(port, name, (what, act) => (...args) => {
      note(what);
      return act(...args);
    });

  const running = (etcd: RunningEtcd): RunningEtcd => ({
    pid: etcd.pid,
    version: etcd.version,
    exited: behind(etcd.exited),
    seeded: () => etcd.seeded(),
    defragments: () => etcd.defragments(),
    restores: () => etcd.restores(),
    stop: (graceMs) => call('etcd.stop', etcd.stop, [graceMs]),
  });
  const process = (port: ProcessPort): ProcessPort => {
    const mortal = asynchronous('process', port);
    return {
      binaries: mortal.binaries,
      preflight: mortal.preflight,
      async start(start, signal) {
        const started = await mortal.start(start, signal);
        return started.known ? known(running(started.value)) : started;
      },
      async adopt(signal) {
        const adopted = await mortal.adopt(signal);
        return adopted === null ? null : running(adopted);
      },
    };
  };

  return {
    alive,
    calls: () => calls,
    offences,
    kill: end,
    deliver,
    freeze,
    freezeAtCall: (port, call, onFrozen) => {
      chill = { port, left: call, onFrozen };
    },
    forgetFreeze: () => {
      chill = null;
    },
    get frozen() {
      return waiting !== null;
    },
    thaw() {
      const came = waiting ?? [];
      waiting = null;
      for (const it of came) deliver(it);
    },
    killAtCall: (after, taken, onKilled) => {
      doom = { atCall: calls + after, taken, onKilled };
    },
    ports: (ports) => ({
      self: ports.self,
      clock: {
        ...synchronous('clock', ports.clock),
        now: ports.clock.now,
        sleep: (ms, signal) => call('clock.sleep', ports.clock.sleep, [ms, signal]),
      },
      random: synchronous('random', ports.random),
      log: synchronous('log', ports.log),
      meter: synchronous('meter', ports.meter),
      ids: synchronous('ids', ports.ids),
      metadata: asynchronous('metadata', ports.metadata),
      fleet: asynchronous('fleet', ports.fleet),
      firewall: asynchronous('firewall', ports.firewall),
      hooks: asynchronous('hooks', ports.hooks),
      zone: asynchronous('zone', ports.zone),
      admin: asynchronous('admin', ports.admin),
      probe: asynchronous('probe', ports.probe),
      process: process(ports.process),
      data: asynchronous('data', ports.data),
      inspect: asynchronous('inspect', ports.inspect),
      peers: asynchronous('peers', ports.peers),
    }),
  };
}

type Act = (...args: readonly unknown[]) => unknown;

/** The port with what `through` makes of each of its functions, which need no `this`; what is no function stays. */
function wrap<T extends object>(port: T, name: string, through: (what: string, act: Act) => Act): T {
  const entries = Object.entries(port).map(([method, value]: [string, unknown]) => [
    method,
    typeof value === 'function' ? through(`${name}.${method}`, value as Act) : value,
  ]);
  return Object.fromEntries(entries) as T;
}
