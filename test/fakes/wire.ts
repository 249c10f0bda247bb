import type { SeededRandom } from './seeded-random.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Shortest and longest time that a call takes there and back; ms. */
export type Latency = readonly [min: number, max: number];

/** Calls that take time, as over a network: what was sent happens, whether or not the caller still waits for it. */
export interface Wire {
  call<T>(latency: Latency, signal: AbortSignal, act: () => T | Promise<T>): Promise<T>;
  /** Each async function of the port, called so. Other things of the port stay as they are. */
  port<T extends object>(latency: Latency, port: T): T;
}

/** A wire on virtual time. */
export function createWire(clock: VirtualClock, random: SeededRandom): Wire {
  // Its own: what still waits when a world ends would otherwise keep all of that world.
  const never = new AbortController().signal;
  const call = async <T>(latency: Latency, signal: AbortSignal, act: () => T | Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    const [there, back] = [random.int(...latency) / 2, random.int(...latency) / 2];
    const work = pause(clock, there).then(async () => {
      const value = await act();
      await pause(clock, back);
      return value;
    });
    return await untilAborted(work, signal);
  };
  return {
    call,
    port: (latency, port) => {
      const entries = Object.entries(port).map(([method, value]: [string, unknown]) => [
        method,
        typeof value === 'function'
          ? async (...args: readonly unknown[]): Promise<unknown> => {
              const signal = args.at(-1) as AbortSignal;
              return await call(latency, signal, () =>
                Reflect.apply(value, port, [...args.slice(0, -1), never]),
              );
            }
          : value,
      ]);
      return Object.fromEntries(entries) as typeof port;
    },
  };
}

/** Nobody cuts it short: listening for that would cost more than the rest. */
async function pause(clock: VirtualClock, ms: number): Promise<void> {
  await new Promise<void>((resolve) => {
    clock.after(ms, resolve);
  });
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(
      (value) => {
        signal.removeEventListener('abort', onAbort);
        resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener('abort', onAbort);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
