import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EtcdBinary } from '../src/etcd/binaries.ts';
import { readCommandLine } from '../test/command-line.ts';
import { setup } from '../test/e2e/build.ts';
import { etcdBinary } from '../test/tools.ts';
import { liveAppliances } from './appliance.ts';
import { liveBare } from './bare.ts';
import { liveBig } from './big.ts';
import { type Life, onlyOf, type Part, type Told } from './measures.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { createReport, type Lives, lookBefore, renderReport, type Report, type Watched } from './report.ts';
import { liveStarts } from './start.ts';
import { liveSteady } from './steady.ts';
import { WAYS } from './upgrade.ts';

/*
 * `npm run bench`: lives of a cluster of three, the appliance's and bare etcd's in turn, and what each step of them took,
 * beside what it must not take. It is no test: run it on a machine that does nothing else.
 */

const SIZE = 3;
/** Other sizes, to see how each figure grows. */
const SIZES = [5, 7];
/** At most so many of what takes minutes: lives of other sizes, steady clusters, upgrades, gigabytes. */
const LONG_RUNS = 3;
/** A steady cluster that is watched for longer than this is one alone. */
const LONG_MINUTES = 10;
/** Short lives beside each whole one: what bare etcd takes, the floor, is one election or two, by chance. */
const SHORT_LIVES = 2;
/** A start takes a moment, and varies more than what takes long. */
const STARTS = 15;

/** Does one thing of the run; null: it failed. That is told in the report, and the rest goes on. */
type Try = <T>(what: string, act: () => Promise<T>) => Promise<T | null>;

/** What every part of a run has. */
interface Run extends Options {
  readonly binary: EtcdBinary;
  readonly tried: Try;
  readonly signal: AbortSignal;
}

/** Runs what is asked for, and prints the report; whether all of it could be measured. */
async function bench(options: Options, signal: AbortSignal): Promise<boolean> {
  const binary = await etcdBinary(options.etcd);
  const before = lookBefore(binary.version);
  await setup();
  const failures: string[] = [];
  const tried: Try = async (what, act) => {
    console.error(what);
    try {
      return await act();
    } catch (error) {
      signal.throwIfAborted();
      console.error(error);
      failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return null;
    }
  };
  const run: Run = { ...options, binary, tried, signal };
  const { parts, minutes, fleetMinutes } = options;
  const short = new Set([...parts].filter((it) => ALL_SHORT.has(it)));
  const shorts = await inTurn(run, SIZE, options.runs, short);
  const longs = [await starts(run), await upgrades(run), await bigs(run)];
  const threes = joined(shorts, await steadies(run, SIZE, minutes), ...longs);
  const fleets: (Watched & { readonly size: number })[] = [];
  for (const size of parts.has('fleets') ? SIZES : []) {
    const lives = await inTurn(run, size, longRuns(run), ALL_SHORT);
    fleets.push({ size, minutes: fleetMinutes, ...joined(lives, await steady(run, size, fleetMinutes, '')) });
  }
  const watched = { ...threes, minutes: parts.has('steady') ? minutes : null };
  const report = createReport(watched, before, fleets, failures);
  console.log(renderReport(report));
  if (options.write) await keep(report, shorts.appliance);
  return failures.length === 0;
}

/** What a short life has. */
const SHORTEST = ['form', 'follower', 'leader'] as const satisfies readonly Part[];
const ALL_SHORT: ReadonlySet<Part> = new Set([
  ...SHORTEST,
  'terminate',
  'terminate-leader',
  'power-cut',
  'power-cut-leader',
]);

function longRuns({ runs }: Run): number {
  return Math.min(runs, LONG_RUNS);
}

const NONE: Lives = { appliance: [], bare: [] };

function joined(...all: readonly Lives[]): Lives {
  return {
    appliance: all.flatMap(({ appliance }) => appliance),
    bare: all.flatMap(({ bare }) => bare),
  };
}

/** Lives of both sides, one after the other, so that both have the same machine; and beside each some short ones. */
async function inTurn(run: Run, size: number, runs: number, parts: ReadonlySet<Part>): Promise<Lives> {
  if (parts.size === 0) return NONE;
  const shortest = new Set(SHORTEST.filter((it) => parts.has(it)));
  const beside = shortest.size > 0 ? SHORT_LIVES : 0;
  const all: Lives[] = [];
  for (let number = 1; number <= runs; number += 1) {
    all.push(await inPair(run, size, parts, `${size} members, run ${number} of ${runs}`));
    for (let short = 1; short <= beside; short += 1)
      all.push(await inPair(run, size, shortest, `${size} members, short life ${short} beside it`));
  }
  return joined(...all);
}

async function inPair(
  { binary, tried, signal }: Run,
  size: number,
  parts: ReadonlySet<Part>,
  what: string,
): Promise<Lives> {
  const appliance = await tried(`${what}: the appliance`, () => liveAppliances(binary, size, parts, signal));
  const bare = await tried(`${what}: bare etcd`, () => liveBare(binary, size, parts, signal));
  return { appliance: listed(appliance), bare: listed(bare) };
}

function listed<T>(one: T | null): readonly T[] {
  return one === null ? [] : [one];
}

async function starts({ parts, tried, signal }: Run): Promise<Lives> {
  if (!parts.has('start')) return NONE;
  const both = await tried(`starts of one appliance alone, and of bare Node: ${STARTS} of each`, () =>
    liveStarts(STARTS, signal),
  );
  return { appliance: listed(both?.appliance ?? null), bare: listed(both?.bare ?? null) };
}

/** Steady clusters, one after the other: together they would be a load that none has alone. */
async function steadies(run: Run, size: number, minutes: number): Promise<Lives> {
  if (!run.parts.has('steady')) return NONE;
  const runs = minutes > LONG_MINUTES ? 1 : longRuns(run);
  const all: Lives[] = [];
  for (let number = 1; number <= runs; number += 1)
    all.push(await steady(run, size, minutes, `, run ${number} of ${runs}`));
  return joined(...all);
}

async function steady(
  { binary, tried, signal }: Run,
  size: number,
  minutes: number,
  which: string,
): Promise<Lives> {
  const life = await tried(`a steady cluster of ${size}, for ${minutes} minutes${which}`, () =>
    liveSteady(binary, size, minutes, signal),
  );
  return { appliance: listed(life), bare: [] };
}

async function upgrades(run: Run): Promise<Lives> {
  if (!run.parts.has('upgrade')) return NONE;
  const runs = longRuns(run);
  const all: Life[] = [];
  for (let number = 1; number <= runs; number += 1) {
    for (const [way, live] of WAYS) {
      const what = `upgrades ${way}, run ${number} of ${runs}`;
      all.push(...listed(await run.tried(what, () => live(SIZE, run.signal))));
    }
  }
  return { appliance: all, bare: [] };
}

async function bigs(run: Run): Promise<Lives> {
  if (!run.parts.has('big')) return NONE;
  const { binary, tried, signal } = run;
  const runs = longRuns(run);
  const all: Lives[] = [];
  for (let number = 1; number <= runs; number += 1) {
    const what = `1 GB of data, run ${number} of ${runs}`;
    const appliance = await tried(`${what}: the appliance`, () => liveBig(binary, signal));
    const bare = await tried(`${what}: bare etcd`, async () =>
      onlyOf('big', await liveBare(binary, SIZE, new Set<Part>(['big']), signal)),
    );
    all.push({ appliance: listed(appliance), bare: listed(bare) });
  }
  return joined(...all);
}

async function keep(report: Report, lives: readonly Life[]): Promise<void> {
  const folder = join(import.meta.dirname, 'results');
  await mkdir(folder, { recursive: true });
  const name = `${report.at.slice(0, 10)}-${report.machine.cores}-cores-${report.machine.memoryGb}-gb`;
  await writeWhole(join(folder, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
  await writeWhole(join(folder, `${name}.md`), `${renderReport(report)}\n`);
  for (const [part, title] of TOLD) {
    const timeline = lives.flatMap((life) => life.timelines.get(part) ?? [])[0];
    if (timeline !== undefined) await writeWhole(join(folder, `${name}-${title}.txt`), `${timeline}\n`);
  }
  console.error(`kept as bench/results/${name}*`);
}

const TOLD: readonly (readonly [Told, string])[] = [
  ['form', 'birth'],
  ['terminate', 'replacement'],
];

/** A run that is interrupted leaves the last report as it was. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => interrupted.abort(new Error(`interrupted by ${name}`)));
}
const asked = readCommandLine(() => readOptions(process.argv.slice(2)), USAGE);
if (asked !== null) {
  const measured = await bench(asked, interrupted.signal).catch((error: unknown) => {
    if (!interrupted.signal.aborted) throw error;
    console.error('interrupted');
    return false;
  });
  if (!measured) process.exitCode = 1;
}
