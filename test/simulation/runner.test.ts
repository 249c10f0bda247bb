import { describe, expect, it } from 'vitest';
import { drawPlot } from './plot.ts';
import { type Job, type Result, type RunOptions, runJobs } from './runner.ts';

/** A worker that does what the seed says, instead of playing. */
const CRAZY = new URL('../fixtures/crazy-worker.ts', import.meta.url);

async function run(options: Partial<RunOptions> & { readonly jobs: Iterable<Job> }): Promise<Result[]> {
  const results: Result[] = [];
  await runJobs({ workers: 2, ...options }, (it) => results.push(it), new AbortController().signal);
  return results;
}

const seeds = (from: number, count: number): Job[] =>
  Array.from({ length: count }, (_, at) => ({ seed: from + at, profile: 'crash' }));

describe('histories on worker threads', () => {
  it('are each played once, and give the same as in this thread', async () => {
    const results = await run({ jobs: seeds(1, 6) });
    const bySeed = results.toSorted((a, b) => JSON.stringify(a.job).localeCompare(JSON.stringify(b.job)));
    expect(bySeed.map((it) => it.job)).toEqual(seeds(1, 6));
    const again = await run({ jobs: [{ plot: drawPlot(3, 'crash') }], workers: 1 });
    expect(again[0]).toMatchObject({
      kind: bySeed[2]?.kind,
      virtualMs: bySeed[2]?.virtualMs,
      reasons: bySeed[2]?.reasons,
    });
  });

  it('are told apart from what fails in itself, and the others go on', async () => {
    const kinds = async (seed: number): Promise<readonly string[]> => {
      const results = await run({ jobs: seeds(seed, 3), workers: 1, workerUrl: CRAZY, limitMs: 2_000 });
      return results.map((it) => it.kind);
    };
    // By seed: 100 answers, 101 throws, 103 ends its thread by an error, 105 comes to no end.
    expect(await kinds(100)).toEqual(['converged', 'threw', 'converged']);
    expect(await kinds(102)).toEqual(['converged', 'threw', 'converged']);
    expect(await kinds(104)).toEqual(['converged', 'hung', 'converged']);
  });

  it('end where nobody wants more, in the middle of one', async () => {
    const stop = new AbortController();
    const results: Result[] = [];
    // 100 answers, and 105 comes to no end.
    await runJobs(
      { jobs: [...seeds(100, 1), ...seeds(105, 1), ...seeds(100, 1)], workers: 1, workerUrl: CRAZY },
      (it) => {
        results.push(it);
        setImmediate(() => stop.abort());
      },
      stop.signal,
    );
    expect(results).toHaveLength(1);
  });
});
