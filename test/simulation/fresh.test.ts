import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { count, createTally, renderTally } from './report.ts';
import { type Job, runJobs } from './runner.ts';
import { tell } from './timeline.ts';

/** Fewer would find less, more would take longer than people wait. */
const HISTORIES = 2_000;

/** About a minute on two cores of their own; on a machine that others use, too, much longer; ms. */
const PATIENCE_MS = 1_800_000;

/** Seconds of the clock: other seeds each time, and typed easily. `SIMULATION_SEED` plays those of another time again. */
const BASE = Number(process.env['SIMULATION_SEED'] ?? Math.floor(Date.now() / 1_000));

it(
  `${HISTORIES} fleets from seed ${BASE} on find themselves, whatever happens to them`,
  { timeout: PATIENCE_MS },
  async ({ signal }) => {
    const startedAt = performance.now();
    const tally = createTally();
    const jobs = function* (): Generator<Job> {
      // The first failures say enough.
      for (let at = 0; at < HISTORIES && tally.failures.length < 3; at += 1)
        yield { seed: BASE + at, profile: 'mixed' };
    };
    await runJobs(
      { jobs: jobs(), workers: availableParallelism() },
      (result) => count(tally, result),
      signal,
    );
    const told = tally.failures.map(({ ending, job, kind, why }) =>
      ending === null ? `${JSON.stringify(job)}: ${kind}: ${why}` : tell(ending),
    );
    expect(told.join('\n\n')).toBe('');
    console.info(renderTally(tally, performance.now() - startedAt));
    expect(tally.histories).toBe(HISTORIES);
    // Faults spare a majority unless the plot says otherwise.
    expect(tally.endings.get('lost') ?? 0).toBeLessThan(HISTORIES / 10);
  },
);
