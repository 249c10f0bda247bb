import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { readCommandLine } from '../command-line.ts';

/*
 * `npm run mutate [-- [--list] FILE …]`: changes `src/core` in every small way that Stryker knows, one at a time, and looks
 * whether a test of the core fails. A change that no test sees is a rule that nothing holds, unless survivors.json says why
 * it cannot matter. Fails where a survivor is not listed, and below the least score; says which of those listed died.
 * `--list` writes the survivors of the run down, each new one without a reason: to be killed, or given one.
 */

const USAGE = `npm run mutate -- [--list] [FILE]...
  FILE    of src/core; all of them unless given
  --list  write the survivors down, those without a reason yet, too`;

const LEAST_SCORE = 90;
const REPORT = 'coverage/mutation/report.json';
const LISTED = new URL('survivors.json', import.meta.url);

/** A mutant that lives: where, what, and why it may. */
interface Survivor {
  readonly file: string;
  /** The line as it stands, without its indent. */
  readonly line: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

interface Mutant {
  readonly status:
    'Killed' | 'Survived' | 'NoCoverage' | 'Timeout' | 'Ignored' | 'RuntimeError' | 'CompileError';
  readonly replacement: string;
  readonly location: { readonly start: Place; readonly end: Place };
}

/** Both count from 1. */
interface Place {
  readonly line: number;
  readonly column: number;
}

const DEAD: readonly Mutant['status'][] = ['Killed', 'Timeout'];
const ALIVE: readonly Mutant['status'][] = ['Survived', 'NoCoverage'];

function survivorOf(file: string, source: string, { location, replacement }: Mutant): Survivor {
  const lines = source.split('\n');
  const { start, end } = location;
  const first = lines[start.line - 1] ?? '';
  const touched = lines.slice(start.line - 1, end.line);
  const last = touched.length - 1;
  const from = touched
    .map((text, index) =>
      text.slice(index === 0 ? start.column - 1 : 0, index === last ? end.column - 1 : undefined),
    )
    .join('\n');
  return { file, line: first.trim(), from: squeezed(from), to: squeezed(replacement), reason: '' };
}

function squeezed(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}

function keyOf({ file, line, from, to }: Survivor): string {
  return JSON.stringify([file, line, from, to]);
}

function describe({ file, line, from, to }: Survivor): string {
  return `${file}: ${line}\n    ${from}\n -> ${to}`;
}

async function stryker(files: readonly string[]): Promise<Report> {
  const args = ['run', ...(files.length === 0 ? [] : ['--mutate', files.join(',')])];
  const child = spawn('stryker', args, { stdio: 'inherit' });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`stryker ended with ${String(code)}`);
  return JSON.parse(await readFile(REPORT, 'utf8')) as Report;
}

/** Prints the score of each file and of all; gives the latter, in percent. */
function printScores(report: Report): number {
  const counts = Object.entries(report.files).map(([file, { mutants }]) => ({
    file,
    dead: mutants.filter((it) => DEAD.includes(it.status)).length,
    alive: mutants.filter((it) => ALIVE.includes(it.status)).length,
  }));
  const dead = counts.reduce((sum, it) => sum + it.dead, 0);
  const alive = counts.reduce((sum, it) => sum + it.alive, 0);
  const score = (one: { readonly dead: number; readonly alive: number }): number =>
    one.dead + one.alive === 0 ? 100 : (100 * one.dead) / (one.dead + one.alive);
  const all = { file: 'all', dead, alive };
  for (const one of [...counts.filter((it) => it.dead + it.alive > 0), all]) {
    console.log(
      `${one.file.padEnd(34)} ${score(one).toFixed(1).padStart(5)} %  ${one.dead} killed, ${one.alive} alive`,
    );
  }
  return score(all);
}

interface Asked {
  readonly list: boolean;
  /** All of the core where there are none. */
  readonly files: readonly string[];
}

/** Throws with a line that says what is wrong. */
function readAsked(): Asked {
  const { values, positionals } = parseArgs({
    options: { list: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const stranger = positionals.find((it) => !it.startsWith('src/core/') || !existsSync(it));
  if (stranger !== undefined) throw new Error(`${stranger}: give files of src/core`);
  return { list: values.list, files: positionals };
}

async function mutate({ list, files }: Asked): Promise<boolean> {
  const report = await stryker(files);
  const listed = JSON.parse(await readFile(LISTED, 'utf8')) as readonly Survivor[];
  const alive = Object.entries(report.files).flatMap(([file, { source, mutants }]) =>
    mutants.filter((it) => ALIVE.includes(it.status)).map((mutant) => survivorOf(file, source, mutant)),
  );
  const score = printScores(report);
  const reasons = new Map(listed.map((it) => [keyOf(it), it.reason]));
  if (list) {
    const others = listed.filter((it) => !(it.file in report.files));
    const found = alive.map((it) => ({ ...it, reason: reasons.get(keyOf(it)) ?? '' }));
    const all = new Map([...others, ...found].map((it) => [keyOf(it), it]));
    const sorted = [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, it]) => it);
    await writeFile(LISTED, `${JSON.stringify(sorted, null, 2)}\n`);
  }
  const living = new Set(alive.map(keyOf));
  const fresh = alive.filter((it) => (reasons.get(keyOf(it)) ?? '') === '');
  const gone = listed.filter((it) => it.file in report.files && !living.has(keyOf(it)));
  for (const it of fresh)
    console.log(`\nno test sees this, and survivors.json gives no reason:\n${describe(it)}`);
  for (const it of gone)
    console.log(`\nsurvivors.json lists this, and it does not survive:\n${describe(it)}`);
  if (score < LEAST_SCORE)
    console.log(`\n${score.toFixed(1)} % of the mutants are killed, ${LEAST_SCORE} % must be`);
  return fresh.length === 0 && score >= LEAST_SCORE;
}

const asked = readCommandLine(readAsked, USAGE);
if (asked !== null) process.exitCode = (await mutate(asked)) ? 0 : 1;
