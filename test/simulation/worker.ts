import { parentPort } from 'node:worker_threads';
import { play } from './play.ts';
import { drawPlot } from './plot.ts';
import { isFailure, type Job, type Result } from './runner.ts';

/*
 * A worker thread of the runner: a job comes, its result goes, or the text of what was thrown.
 */

async function playJob(job: Job): Promise<Result> {
  const before = process.threadCpuUsage();
  const ending = await play('plot' in job ? job.plot : drawPlot(job.seed, job.profile));
  const cpu = process.threadCpuUsage(before);
  return {
    job,
    kind: ending.kind,
    why: ending.why,
    convergedInMs: ending.convergedInMs,
    virtualMs: ending.virtualMs,
    cpuMs: (cpu.user + cpu.system) / 1_000,
    faults: ending.faults,
    slow: ending.slow,
    reasons: [...ending.reasons],
    ending: isFailure(ending.kind) ? ending : null,
  };
}

parentPort?.on('message', (job: Job) => {
  playJob(job).then(
    (result) => parentPort?.postMessage(result),
    (error: unknown) =>
      parentPort?.postMessage(error instanceof Error ? (error.stack ?? error.message) : String(error)),
  );
});
