/*
 * Where a planted bug is kept while a history is played: `hooks.ts` puts `planted` before every function that one module of
 * `src/core` and `src/daemon` takes from another. One history is played at a time in a thread.
 */

/** Any function; whoever plants a bug in one knows its real type. */
export type AnyFunction = (...args: never[]) => unknown;

/** By the function's name: what takes its place. */
export type SourceBugs = Readonly<Record<string, (original: AnyFunction) => AnyFunction>>;

let bugs: SourceBugs = {};

/** Plants these, and takes out what was planted before. */
export function plant(next: SourceBugs): void {
  bugs = next;
}

/** The function, or, while a bug is planted in it, what takes its place. */
export function planted(name: string, original: AnyFunction): AnyFunction {
  return (...args) => (bugs[name]?.(original) ?? original)(...args);
}

/** A bug in the function of this name; `Fn` is its type, as in `bugIn<typeof planDns>('planDns', …)`. */
export function bugIn<Fn extends AnyFunction>(name: string, bug: (original: Fn) => Fn): SourceBugs {
  return { [name]: bug as unknown as (original: AnyFunction) => AnyFunction };
}
