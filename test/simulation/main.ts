import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { readCommandLine, refuse, wholeNumber } from '../command-line.ts';
import { shrinkFailure } from './shrink-failure.ts';
import { play } from './play.ts';
import { type Plot, PROFILES, type Profile } from './plot.ts';
import { createProgress } from './progress.ts';
import { count, createTally, renderTally, type Tally, whyNotCovering } from './report.ts';
import { isFailure, type Job, type Result, runJobs } from './runner.ts';
import { renderVerdict, tell } from './timeline.ts';

/*
 * `npm run simulate`: plays fleets of real appliances through histories full of faults, on virtual time, and says what
 * broke. Exits with 1 where anything did.
 */

const USAGE = `npm run simulate -- [--seeds N] [--seed S] [--profile P] [--minutes M] [--workers W] [--shrink]
npm run simulate -- --plot FILE [--shrink]
  --seeds    histories; 2000 unless given
  --seed     the first one's seed, the others follow it; a fresh one unless given
  --profile  ${PROFILES.join(', ')}; mixed unless given, which has some of all
  --minutes  stop after so long; then --seeds has no bound of its own
  --workers  threads; as many as cores unless given
  --shrink   cut the plot of what failed down to the fewest incidents that still break it
  --plot     play the plot in this file, as printed by a failure, and print all that happens
  --lines    lines of a failed history that are shown whatever they say; 150 unless given
  --out      write each failure's plot to this file, one a line`;

interface Options {
  readonly seeds: number;
  readonly seed: number;
  readonly profile: Profile;
  readonly minutes: number | null;
  readonly workers: number;
  readonly shrink: boolean;
  readonly plot: string | null;
  readonly lines: number;
  readonly out: string | null;
}

/** Throws with a line that says what is wrong. */
function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string' },
      profile: { type: 'string', default: 'mixed' },
      minutes: { type: 'string' },
      workers: { type: 'string' },
      shrink: { type: 'boolean', default: false },
      plot: { type: 'string' },
      lines: { type: 'string', default: '150' },
      out: { type: 'string' },
    },
  });
  const profile = PROFILES.find((it) => it === values.profile);
  if (profile === undefined) throw new Error(`--profile ${values.profile}: there are ${PROFILES.join(', ')}`);
  const minutes = values.minutes === undefined ? null : Number(values.minutes);
  if (minutes !== null && !(minutes > 0))
    throw new Error(`--minutes ${values.minutes}: give a number above 0`);
  return {
    seeds:
      values.seeds === undefined
        ? minutes === null
          ? 2_000
          : Number.MAX_SAFE_INTEGER
        : wholeNumber('seeds', values.seeds, 1),
    // Seconds of the clock, so that runs one after the other have other seeds; and it can be typed.
    seed: values.seed === undefined ? Math.floor(Date.now() / 1_000) : wholeNumber('seed', values.seed, 0),
    profile,
    minutes,
    workers:
      values.workers === undefined ? availableParallelism() : wholeNumber('workers', values.workers, 1),
    shrink: values.shrink,
    plot: values.plot ?? null,
    lines: wholeNumber('lines', values.lines, 0),
    out: values.out ?? null,
  };
}

async function simulate(options: Options, signal: AbortSignal): Promise<Tally> {
  const startedAt = performance.now();
  const endAt = options.minutes === null ? Infinity : startedAt + options.minutes * 60_000;
  console.log(`seeds from ${options.seed} on, profile ${options.profile}, ${options.workers} workers`);
  const tally = createTally();
  const progress = createProgress();
  const jobs = function* (): Generator<Job> {
    for (let at = 0; at < options.seeds && performance.now() < endAt; at += 1)
      yield { seed: options.seed + at, profile: options.profile };
  };
  await runJobs(
    { jobs: jobs(), workers: options.workers },
    (result) => {
      count(tally, result);
      if (isFailure(result.kind)) progress.say(headOf(result));
      progress.show(
        `${tally.histories} histories, ${(tally.virtualMs / 3_600_000).toFixed(1)} virtual hours, ${tally.failures.length} failures`,
      );
    },
    signal,
  );
  progress.clear();
  await tellFailures(tally.failures, options);
  console.log(renderTally(tally, performance.now() - startedAt));
  return tally;
}

function headOf(result: Result): string {
  if (result.ending !== null) return renderVerdict(result.ending);
  return `${JSON.stringify(result.job)}: ${result.kind}: ${result.why}`;
}

/** The first of each kind in full, and all of them by plot where that is wanted. */
async function tellFailures(failures: readonly Result[], options: Options): Promise<void> {
  const told = new Set<string>();
  for (const { ending, kind } of failures) {
    const [first] = ending?.broken ?? [];
    const sign = first === undefined ? kind : `${first.law} ${first.check}`;
    if (ending === null || told.has(sign)) continue;
    told.add(sign);
    console.log(`\n${tell(ending, { lastLines: options.lines })}\n`);
    if (options.shrink) await shrinkAndTell(ending.plot, options);
  }
  if (options.out !== null) {
    const plots = failures.flatMap(({ ending }) => (ending === null ? [] : [JSON.stringify(ending.plot)]));
    await writeFile(options.out, plots.map((it) => `${it}\n`).join(''));
  }
}

async function shrinkAndTell(plot: Plot, { lines }: Options): Promise<void> {
  const shrunk = await shrinkFailure(plot, (simpler) =>
    console.error(`still breaks with ${simpler.incidents.length} incidents`),
  );
  if (shrunk === null) {
    console.log('it does not break when it is played again: the simulator is not deterministic');
    return;
  }
  console.log(
    `shrunk to ${shrunk.plot.incidents.length} incidents:\n${tell(shrunk, { lastLines: lines })}\n`,
  );
}

/** The plot in a file; null where it has none, which was said. */
async function readPlot(path: string): Promise<Plot | null> {
  try {
    const text: unknown = JSON.parse(await readFile(path, 'utf8'));
    // A kept plot has its story around it.
    const plot = (text as { readonly plot?: Plot } | null)?.plot ?? (text as Plot | null);
    if (Array.isArray(plot?.incidents)) return plot;
    refuse(`--plot ${path}: there is no plot in it`);
  } catch (error) {
    refuse(`--plot ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return null;
}

/** Plays a plot; whether it holds. */
async function playPlot(plot: Plot, options: Options): Promise<boolean> {
  const ending = await play(plot);
  console.log(tell(ending, { lastLines: ending.timeline.length }));
  if (options.shrink && isFailure(ending.kind)) await shrinkAndTell(plot, options);
  return !isFailure(ending.kind);
}

/** Does what is asked for; whether it holds, null where nothing could be done. */
async function run(options: Options): Promise<boolean | null> {
  if (options.plot !== null) {
    const plot = await readPlot(options.plot);
    return plot === null ? null : await playPlot(plot, options);
  }
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const tally = await simulate(options, stop.signal);
  const uncovered = options.profile === 'mixed' ? whyNotCovering(tally) : null;
  if (uncovered !== null) console.error(uncovered);
  return tally.failures.length === 0 && uncovered === null;
}

const given = readCommandLine(readOptions, USAGE);
const holds = given === null ? null : await run(given);
if (holds !== null) process.exitCode = holds ? 0 : 1;
