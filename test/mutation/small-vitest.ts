import { inspect, isDeepStrictEqual } from 'node:util';

/*
 * As much of vitest as the core's tests use, in the process that calls them: what takes vitest half a second for each
 * mutant takes a hundredth of that. A matcher that is missing here makes the first run, without a mutant, fail.
 */

/** A test, ready to be run any number of times. */
export interface SmallTest {
  readonly name: string;
  readonly run: () => unknown;
}

type Body = (...args: never[]) => unknown;
type Define = (name: string, body: Body) => void;
type Definer = Define & { each(rows: readonly unknown[]): Define };
type Matcher = (actual: never, ...expected: never[]) => boolean;

/** All tests of the files that were imported so far. */
export const tests: SmallTest[] = [];

const path: string[] = [];

function definer(define: (name: string, run: () => unknown) => void): Definer {
  const each =
    (rows: readonly unknown[]): Define =>
    (name, body) => {
      for (const [at, row] of rows.entries())
        define(`${name} #${at}`, () => Reflect.apply(body, undefined, Array.isArray(row) ? row : [row]));
    };
  return Object.assign((name: string, body: Body) => define(name, () => Reflect.apply(body, undefined, [])), {
    each,
  });
}

export const it = definer((name, run) =>
  tests.push({ name: [...path, name, `(${tests.length})`].join(' > '), run }),
);
export const test = it;
export const describe = definer((name, run) => {
  path.push(name);
  run();
  path.pop();
});

class Containing {
  readonly items: readonly unknown[];
  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/** What is undefined is not there. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map)
    return new Map([...value].map(([key, it]: [unknown, unknown]) => [key, plain(it)]));
  if (value instanceof Set) return new Set([...value].map(plain));
  if (typeof value !== 'object' || value === null || value instanceof RegExp) return value;
  const entries = Object.entries(value).filter(([, it]) => it !== undefined);
  return Object.fromEntries(entries.map(([key, it]) => [key, plain(it)]));
}

function equal(actual: unknown, expected: unknown): boolean {
  if (expected instanceof Containing)
    return Array.isArray(actual) && expected.items.every((it) => actual.some((one) => equal(one, it)));
  return isDeepStrictEqual(plain(actual), plain(expected));
}

function matches(actual: unknown, expected: unknown): boolean {
  if (Array.isArray(expected))
    return (
      Array.isArray(actual) &&
      actual.length === expected.length &&
      expected.every((it, at) => matches(actual[at], it))
    );
  if (typeof expected !== 'object' || expected === null || expected instanceof Map || expected instanceof Set)
    return equal(actual, expected);
  if (typeof actual !== 'object' || actual === null) return false;
  return Object.entries(expected).every(([key, it]) => matches(Reflect.get(actual, key), it));
}

const MATCHERS = {
  toBe: (actual: unknown, expected: unknown) => Object.is(actual, expected),
  toEqual: equal,
  toMatchObject: matches,
  toBeNull: (actual: unknown) => actual === null,
  toBeUndefined: (actual: unknown) => actual === undefined,
  toContain: (actual: string | Iterable<unknown>, expected: never) =>
    typeof actual === 'string' ? actual.includes(expected) : [...actual].includes(expected),
  toContainEqual: (actual: Iterable<unknown>, expected: unknown) =>
    [...actual].some((it) => equal(it, expected)),
  toHaveProperty: (actual: object, key: string, ...values: readonly unknown[]) =>
    key in actual && values.every((it) => equal(Reflect.get(actual, key), it)),
  toMatch: (actual: string, expected: RegExp) => expected.test(actual),
  toBeGreaterThan: (actual: number, expected: number) => actual > expected,
  toBeGreaterThanOrEqual: (actual: number, expected: number) => actual >= expected,
  toBeLessThan: (actual: number, expected: number) => actual < expected,
  toBeLessThanOrEqual: (actual: number, expected: number) => actual <= expected,
} satisfies Record<string, Matcher>;

type Assertions = Record<string, (...expected: readonly unknown[]) => void>;

function assertions(actual: unknown, positive: boolean): Assertions {
  const entries = Object.entries(MATCHERS).map(([name, matcher]) => [
    name,
    (...expected: readonly unknown[]) => {
      if (Reflect.apply(matcher, undefined, [actual, ...expected]) === positive) return;
      throw new Error(
        `${inspect(actual)} ${positive ? '' : 'not '}${name} ${expected.map((it) => inspect(it)).join(', ')}`,
      );
    },
  ]);
  return Object.fromEntries(entries) as Assertions;
}

export const expect = Object.assign(
  (actual: unknown) => Object.assign(assertions(actual, true), { not: assertions(actual, false) }),
  { arrayContaining: (items: readonly unknown[]) => new Containing(items) },
);
