/*
 * Listening to a signal, for what is called thousands of times with the same one: an event target's own listeners cost a
 * hundred times as much as a set's.
 */

const watched = new WeakMap<AbortSignal, Set<() => void>>();

/** Runs it when the signal aborts, in the order of these calls, unless `unwatch` comes first. */
export function watch(signal: AbortSignal, run: () => void): void {
  let runs = watched.get(signal);
  if (runs === undefined) {
    const all = new Set<() => void>();
    runs = all;
    watched.set(signal, runs);
    signal.addEventListener(
      'abort',
      () => {
        for (const it of all) it();
      },
      { once: true },
    );
  }
  runs.add(run);
}

/** Lets that be. */
export function unwatch(signal: AbortSignal, run: () => void): void {
  watched.get(signal)?.delete(run);
}

/** The reason of a signal that has aborted, as an error. */
export function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error(String(reason));
}
