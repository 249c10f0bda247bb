import { defineConfig } from 'vitest/config';
import { namespacePool } from './test/namespace-pool.ts';
import { LongestFirst } from './test/sequence.ts';
import { COMPILED_DIRECTORY } from './test/tools.ts';

const project = (
  name: string,
  options: {
    timeout?: number;
    workers?: number;
    order?: number;
    setup?: readonly string[];
    pool?: typeof namespacePool;
    /** Tests of one file that run at a time, where they may. */
    concurrency?: number;
    /** Whether files share what they import, where none of them changes it. */
    shared?: boolean;
    /** Which files of the project's folder; all where it is left out. */
    only?: readonly string[];
    except?: readonly string[];
  } = {},
) => ({
  test: {
    name,
    include: [...(options.only ?? [`test/${name}/**/*.test.ts`])],
    exclude: [...(options.except ?? [])],
    testTimeout: options.timeout ?? 10_000,
    hookTimeout: options.timeout ?? 10_000,
    ...(options.workers === undefined ? {} : { maxWorkers: options.workers }),
    ...(options.shared === true ? { isolate: false } : {}),
    ...(options.pool === undefined ? {} : { pool: options.pool }),
    ...(options.concurrency === undefined ? {} : { maxConcurrency: options.concurrency }),
    // Projects of one number run together, before those of the next.
    sequence: { groupOrder: options.order ?? 0 },
    // For programs that tests start from their sources.
    env: { NODE_COMPILE_CACHE: COMPILED_DIRECTORY },
    globalSetup: [...(options.setup ?? [])],
  },
});

/** Simulations that fill all cores by themselves. */
const ON_THREADS = ['test/simulation/fresh.test.ts', 'test/simulation/sabotage/*.test.ts'];

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      // They start processes and wait for them: two cores are busy only with more files than cores at a time.
      project('unit', { workers: 4, shared: true }),
      project('property', { timeout: 60_000, workers: 4, shared: true }),
      project('contract', { timeout: 60_000, workers: 4 }),
      project('integration', { timeout: 60_000, workers: 4 }),
      // What kills etcds that are upgraded, and how they pass: real etcds of all minors, without any appliance.
      project('upgrade-lab', { timeout: 60_000, workers: 4, concurrency: 4 }),
      // Each file has a fleet of real processes, and works a third of the time: two a core, after all else.
      project('e2e', { timeout: 180_000, workers: 4, order: 1, setup: ['test/e2e/build.ts'] }),
      // Fleets whose instances can be cut off from each other: each file has a network namespace of its own.
      project('network', {
        timeout: 180_000,
        workers: 4,
        order: 1,
        setup: ['test/e2e/build.ts'],
        pool: namespacePool,
      }),
      // Works and never waits: nothing that waits for anything may run beside it.
      project('simulation', { timeout: 600_000, workers: 2, order: 3, except: ON_THREADS }),
      // The same on as many threads of its own as there are cores.
      project('seeds', { timeout: 600_000, workers: 1, order: 4, only: ON_THREADS }),
      // Not in npm test: what takes minutes by its nature (npm run torture). Up to six fleets at a time.
      project('torture', {
        timeout: 900_000,
        workers: 3,
        concurrency: 2,
        order: 2,
        setup: ['test/e2e/build.ts'],
        pool: namespacePool,
      }),
    ],
  },
});
