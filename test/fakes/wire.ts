import { reasonOf, unwatch, watch } from './abort.ts';
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
  // By hand, and not by async functions on top of each other: most of a simulation's calls go through here.
  const call = <T>(latency: Latency, signal: AbortSignal, act: () => T | Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      signal.throwIfAborted();
      const [there, back] = [random.int(...latency) / 2, random.int(...latency) / 2];
      const onAbort = (): void => reject(reasonOf(signal));
      watch(signal, onAbort);
      const fail = (error: unknown): void => {
        unwatch(signal, onAbort);
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      const comeBack = (value: T): void => {
        clock.after(back, () => {
          unwatch(signal, onAbort);
          resolve(value);
        });
      };
      clock.after(there, () => {
        try {
          const given = act();
          if (given instanceof Promise) given.then(comeBack, fail);
          else comeBack(given);
        } catch (error) {
          fail(error);
        }
      });
    });
  return {
    call,
    port: (latency, port) => {
      const entries = Object.entries(port).map(([method, value]: [string, unknown]) => [
        method,
        typeof value === 'function'
          ? (...args: readonly unknown[]): Promise<unknown> => {
              const signal = args.at(-1) as AbortSignal;
              const sent = args.with(-1, never);
              return call(latency, signal, () => Reflect.apply(value, port, sent));
            }
          : value,
      ]);
      return Object.fromEntries(entries) as typeof port;
    },
  };
}
