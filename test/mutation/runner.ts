import { globSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { SmallTest } from './small-vitest.ts';

/*
 * Stryker's plugin that runs the core's own tests against a mutant: the tables of cases, then the properties. All in one
 * process, loaded once: the mutants are in the sources already, and a global says which one is active.
 */

/** By kind, those first that are quickest. `birth.test.ts` plays whole births: seconds for every mutant that lives. */
const FILES = [
  'test/unit/core/**/*.test.ts',
  'test/unit/own-records.test.ts',
  'test/property/core/!(birth).test.ts',
];

const urlOf = (file: string): string => pathToFileURL(resolve(file)).href;

/** What Stryker's instrumented sources read and write. */
interface Instruments {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  mutantCoverage: { static: Counts; readonly perTest: Record<string, Counts> };
  hitCount?: number | undefined;
  hitLimit?: number | undefined;
}

type Counts = Record<string, number>;

interface MutantRun {
  readonly activeMutant: { readonly id: string };
  readonly testFilter?: readonly string[];
  readonly hitLimit?: number;
}

const TEST_PASSED = 0;
const TEST_FAILED = 1;

class CoreRunner {
  readonly #instruments: Instruments;
  #tests: readonly SmallTest[] | null = null;

  constructor() {
    const globals = globalThis as { __stryker__?: Instruments };
    this.#instruments = globals.__stryker__ ??= { mutantCoverage: { static: {}, perTest: {} } };
    this.#instruments.mutantCoverage ??= { static: {}, perTest: {} };
  }

  /** What is done once, at load, is tried in a process of its own. */
  capabilities(): object {
    return { reloadEnvironment: false };
  }

  async dryRun(): Promise<object> {
    const { mutantCoverage } = this.#instruments;
    const tests = await this.#load();
    const atLoad = mutantCoverage.static;
    mutantCoverage.static = {};
    const results = [];
    for (const it of tests) {
      this.#instruments.currentTestId = it.name;
      const began = performance.now();
      const failure = await failureOf(it);
      const timeSpentMs = performance.now() - began;
      const id = { id: it.name, name: it.name, timeSpentMs };
      results.push(
        failure === null
          ? { ...id, status: TEST_PASSED }
          : { ...id, status: TEST_FAILED, failureMessage: failure },
      );
    }
    this.#instruments.currentTestId = undefined;
    // Tables call the core while they are built, with no mutant active; what only that reaches needs a load of its own.
    const inTests = new Set(Object.values(mutantCoverage.perTest).flatMap((it) => Object.keys(it)));
    mutantCoverage.static = Object.fromEntries(Object.entries(atLoad).filter(([id]) => !inTests.has(id)));
    return { status: 'complete', tests: results, mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit }: MutantRun): Promise<object> {
    const instruments = this.#instruments;
    instruments.activeMutant = activeMutant.id;
    instruments.hitCount = hitLimit === undefined ? undefined : 0;
    instruments.hitLimit = hitLimit;
    const wanted = testFilter === undefined ? null : new Set(testFilter);
    let nrOfTests = 0;
    for (const it of await this.#load()) {
      if (wanted !== null && !wanted.has(it.name)) continue;
      nrOfTests += 1;
      const failureMessage = await failureOf(it);
      if (hitLimit !== undefined && (instruments.hitCount ?? 0) > hitLimit)
        return { status: 'timeout', reason: 'a loop without an end' };
      if (failureMessage !== null)
        return { status: 'killed', killedBy: [it.name], failureMessage, nrOfTests };
    }
    return { status: 'survived', nrOfTests };
  }

  async #load(): Promise<readonly SmallTest[]> {
    if (this.#tests !== null) return this.#tests;
    const [small, few] = [urlOf('test/mutation/small-vitest.ts'), urlOf('test/mutation/few-runs.ts')];
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier === 'vitest') return { url: small, shortCircuit: true };
        if (specifier === 'fast-check' && context.parentURL !== few) return { url: few, shortCircuit: true };
        return next(specifier, context);
      },
    });
    for (const pattern of FILES) {
      for (const file of globSync(pattern).toSorted()) await import(urlOf(file));
    }
    const { tests } = (await import(small)) as { readonly tests: readonly SmallTest[] };
    this.#tests = tests;
    return tests;
  }
}

async function failureOf(test: SmallTest): Promise<string | null> {
  try {
    await test.run();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What Stryker looks for in a plugin. */
export const strykerPlugins = [
  { kind: 'TestRunner', name: 'core', factory: Object.assign(() => new CoreRunner(), { inject: [] }) },
];
