import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { EtcdBinary } from '../src/etcd/binaries.ts';
import { readCommandLine, wholeNumber } from '../test/command-line.ts';
import { setup } from '../test/e2e/build.ts';
import { etcdBinary } from '../test/tools.ts';
import { liveAppliances } from './appliance.ts';
import { liveBare } from './bare.ts';
import { liveBig } from './big.ts';
import { type Life, onlyOf, type Part, PARTS, type Told } from './measures.ts';
import { createReport, type Lives, lookBefore, renderReport, type Report } from './report.ts';
import { liveStarts } from './start.ts';
import { liveSteady } from './steady.ts';
import { liveUpgrades } from './upgrade.ts';

/*
 * `npm run bench`: lives of a cluster of three, the appliance's and bare etcd's in turn, and what each step of them took,
 * beside what it must not take. It is no test: run it on a machine that does nothing else.
 */

const USAGE = `npm run bench -- [--runs N] [--only PART]... [--etcd MINOR|VERSION] [--minutes N | --soak] [--big] [--write]
  --runs     lives of each side; 5 unless given, 2 of those of other sizes
  --only     ${PARTS.join(', ')}; all unless given (forming comes before each)
  --etcd     the binary of both sides; 3.7 unless given
  --minutes  how long the steady cluster is watched; 6 unless given, which is three looks for drift
  --soak     30 minutes
  --big      with 1 GB of data, too: takes minutes, and 10 GB of disk for as long
  --write    keep the report, and who did what in one birth and one replacement, in bench/results`;

const SIZE = 3;
/** Other sizes, to see how each figure grows. */
const SIZES = [5, 7];
const RUNS_OF_SIZES = 2;
const SOAK_MINUTES = 30;
/** A start takes a moment, and varies more than what takes long. */
const STARTS = 15;

interface Options {
  readonly runs: number;
  readonly parts: ReadonlySet<Part>;
  readonly etcd: string;
  readonly minutes: number;
  readonly write: boolean;
}

/** Throws with a line that says what is wrong. */
function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '5' },
      only: { type: 'string', multiple: true },
      etcd: { type: 'string', default: '3.7' },
      minutes: { type: 'string', default: '6' },
      soak: { type: 'boolean', default: false },
      big: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
    },
  });
  const runs = wholeNumber('runs', values.runs, 1);
  const minutes = values.soak ? SOAK_MINUTES : Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes}: give a number above 0`);
  const only = values.only?.map((name) => {
    const part = PARTS.find((it) => it === name);
    if (part === undefined) throw new Error(`--only ${name}: there are ${PARTS.join(', ')}`);
    return part;
  });
  const parts = new Set<Part>([
    ...(only ?? (values.big ? [] : PARTS)),
    ...(values.big ? ['big' as const] : []),
  ]);
  return { runs, parts, etcd: values.etcd, minutes, write: values.write };
}

async function bench({ runs, parts, etcd, minutes, write }: Options, signal: AbortSignal): Promise<void> {
  const binary = await etcdBinary(etcd);
  const before = lookBefore(binary.version);
  await setup();
  const short = new Set([...parts].filter((it) => ALL_SHORT.has(it)));
  const threes = await inTurn(binary, SIZE, short.size === 0 ? 0 : runs, short, signal);
  const others = { appliance: [...threes.appliance], bare: [...threes.bare] };
  if (parts.has('start')) {
    console.error(`starts of one appliance alone, and of bare Node: ${STARTS} of each`);
    const starts = await liveStarts(STARTS, signal);
    others.appliance.push(starts.appliance);
    others.bare.push(starts.bare);
  }
  if (parts.has('steady')) {
    console.error(`a steady cluster, for ${minutes} minutes`);
    others.appliance.push(await liveSteady(binary, SIZE, minutes, signal));
  }
  if (parts.has('upgrade')) {
    console.error('upgrades from 3.4 to 3.5: by images, by a refresh, in place');
    others.appliance.push(await liveUpgrades(SIZE, signal));
  }
  if (parts.has('big')) {
    console.error('1 GB of data: the appliance, then bare etcd');
    others.appliance.push(await liveBig(binary, signal));
    others.bare.push(onlyOf('big', await liveBare(binary, SIZE, new Set<Part>(['big']), signal)));
  }
  const fleets: (Lives & { readonly size: number })[] = [];
  for (const size of parts.has('fleets') ? SIZES : []) {
    const lives = await inTurn(binary, size, Math.min(runs, RUNS_OF_SIZES), ALL_SHORT, signal);
    fleets.push({ size, ...lives });
  }
  const report = createReport(others, before, fleets);
  console.log(renderReport(report));
  if (write) await keep(report, threes.appliance);
}

const ALL_SHORT: ReadonlySet<Part> = new Set(['form', 'follower', 'leader', 'terminate', 'power-cut']);

/** Lives of both sides, one after the other, so that both have the same machine. */
async function inTurn(
  binary: EtcdBinary,
  size: number,
  runs: number,
  parts: ReadonlySet<Part>,
  signal: AbortSignal,
): Promise<Lives> {
  const appliance: Life[] = [];
  const bare: Life[] = [];
  for (let run = 1; run <= runs; run += 1) {
    console.error(`${size} members, run ${run} of ${runs}: the appliance`);
    appliance.push(await liveAppliances(binary, size, parts, signal));
    console.error(`${size} members, run ${run} of ${runs}: bare etcd`);
    bare.push(await liveBare(binary, size, parts, signal));
  }
  return { appliance, bare };
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
const asked = readCommandLine(readOptions, USAGE);
if (asked !== null) {
  await bench(asked, interrupted.signal).catch((error: unknown) => {
    if (!interrupted.signal.aborted) throw error;
    console.error('interrupted');
    process.exitCode = 1;
  });
}
