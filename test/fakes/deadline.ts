import { reasonOf, unwatch, watch } from './abort.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** How long is waited for something. */
export interface Deadline<T> {
  readonly clock: VirtualClock;
  readonly limitMs: number;
  /** What there is instead once that time is over. */
  late(): T;
}

/** What the work gives, or what there is instead of what is late; rejects as the work does, and when the signal aborts. */
export function beforeDeadline<T>(
  work: Promise<T>,
  { clock, limitMs, late }: Deadline<T>,
  signal: AbortSignal,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = (): void => {
      cancel();
      reject(reasonOf(signal));
    };
    const cancel = clock.after(limitMs, () => {
      unwatch(signal, onAbort);
      resolve(late());
    });
    const over = (): void => {
      cancel();
      unwatch(signal, onAbort);
    };
    watch(signal, onAbort);
    work.then(
      (value) => {
        over();
        resolve(value);
      },
      (error: unknown) => {
        over();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}
