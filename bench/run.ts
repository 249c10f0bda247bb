import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setup } from '../test/e2e/build.ts';
import { etcdBinary } from '../test/tools.ts';
import { liveAppliances } from './appliance.ts';
import { liveBare } from './bare.ts';
import { type Life, type Part, PARTS } from './measures.ts';
import { createReport, lookBefore, renderReport, type Report } from './report.ts';

/*
 * `npm run bench`: lives of a cluster of three, the appliance's and bare etcd's in turn, and what each step of them took.
 * It measures and judges nothing; run it on a machine that does nothing else.
 */

const USAGE = `npm run bench -- [--runs N] [--only PART]... [--etcd MINOR|VERSION] [--write]
  --runs   lives of each side; 5 unless given
  --only   ${PARTS.join(', ')}; all unless given (forming comes before each)
  --etcd   the binary of both sides; 3.7 unless given
  --write  keep the report in bench/results`;

interface Options {
  readonly runs: number;
  readonly parts: ReadonlySet<Part>;
  readonly etcd: string;
  readonly write: boolean;
}

/** Throws with a line that says what is wrong. */
function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '5' },
      only: { type: 'string', multiple: true },
      etcd: { type: 'string', default: '3.7' },
      write: { type: 'boolean', default: false },
    },
  });
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1)
    throw new Error(`--runs ${values.runs}: give a whole number above 0`);
  const only = values.only?.map((name) => {
    const part = PARTS.find((it) => it === name);
    if (part === undefined) throw new Error(`--only ${name}: there are ${PARTS.join(', ')}`);
    return part;
  });
  return { runs, parts: new Set(only ?? PARTS), etcd: values.etcd, write: values.write };
}

async function bench({ runs, parts, etcd, write }: Options, signal: AbortSignal): Promise<void> {
  const binary = await etcdBinary(etcd);
  const before = lookBefore(binary.version);
  await setup();
  const appliance: Life[] = [];
  const bare: Life[] = [];
  for (let run = 1; run <= runs; run += 1) {
    console.error(`run ${run} of ${runs}: the appliance`);
    appliance.push(await liveAppliances(binary, parts, signal));
    console.error(`run ${run} of ${runs}: bare etcd`);
    bare.push(await liveBare(binary, parts, signal));
  }
  const report = createReport(appliance, bare, before);
  console.log(renderReport(report));
  if (write) await keep(report);
}

async function keep(report: Report): Promise<void> {
  const folder = join(import.meta.dirname, 'results');
  await mkdir(folder, { recursive: true });
  const name = `${report.at.slice(0, 10)}-${report.machine.cores}-cores-${report.machine.memoryGb}-gb`;
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(folder, `${name}.md`), `${renderReport(report)}\n`);
  console.error(`kept as bench/results/${name}.{json,md}`);
}

/** The options, or null where they were wrong, which was said. */
function options(): Options | null {
  try {
    return readOptions();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return null;
  }
}

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => interrupted.abort(new Error(`interrupted by ${name}`)));
}
const asked = options();
if (asked === null) process.exitCode = 64;
else {
  await bench(asked, interrupted.signal).catch((error: unknown) => {
    if (!interrupted.signal.aborted) throw error;
    console.error('interrupted');
    process.exitCode = 1;
  });
}
