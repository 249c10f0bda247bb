import { JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect';
import * as chai from 'chai';

/*
 * As much of vitest as the core's tests use, in the process that calls them: what takes vitest half a second for each
 * mutant takes a hundredth of that. What is expected is judged by vitest's own matchers.
 */

/** A test, ready to be run any number of times. */
export interface SmallTest {
  readonly name: string;
  readonly run: () => unknown;
}

type Body = (...args: never[]) => unknown;
type Define = (name: string, body: Body) => void;
type Definer = Define & { each(rows: readonly unknown[]): Define };

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

const define = (name: string, run: () => unknown): unknown =>
  tests.push({ name: [...path, name, `(${tests.length})`].join(' > '), run });
export const it = definer(define);
export const test = definer(define);
export const describe = definer((name, run) => {
  path.push(name);
  run();
  path.pop();
});

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin);

export const { expect } = chai;
