import { execFileSync } from 'node:child_process';
import { availableParallelism, loadavg, release, totalmem } from 'node:os';
import { type Life, MEASURES, median, type MeasureName, type Told } from './measures.ts';

interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly samples: readonly number[];
}

interface Row {
  readonly name: MeasureName;
  readonly title: string;
  readonly unit: string;
  readonly appliance: Spread;
  /** The same done to bare etcd in the same run; null where that has no such thing. */
  readonly bare: Spread | null;
  /** Median over median. */
  readonly ratio: number | null;
}

/** Everything that a run gave. Neither paths nor host names are in it. */
export interface Report {
  readonly at: string;
  readonly machine: {
    readonly cores: number;
    readonly memoryGb: number;
    readonly kernel: string;
    /** Load average of a minute before anything was run: what else the machine was busy with. */
    readonly loadBefore: number;
  };
  readonly versions: { readonly node: string; readonly etcd: string; readonly commit: string };
  readonly runs: number;
  readonly rows: readonly Row[];
  /** Medians, ms from the first process. */
  readonly milestones: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** What has to be asked before the runs: others may commit meanwhile, and the runs are a load themselves. */
export interface Before {
  readonly etcd: string;
  readonly commit: string;
  readonly load: number;
}

/** Joins the lives of both sides, alternated in one run, into a report. */
export function createReport(appliance: readonly Life[], bare: readonly Life[], before: Before): Report {
  const names = Object.keys(MEASURES) as MeasureName[];
  return {
    at: new Date().toISOString(),
    machine: {
      cores: availableParallelism(),
      memoryGb: Math.round(totalmem() / 2 ** 30),
      kernel: release(),
      loadBefore: before.load,
    },
    versions: { node: process.version, etcd: before.etcd, commit: before.commit },
    runs: appliance.length,
    rows: names.flatMap((name) => rowOf(name, spreadOf(name, appliance), spreadOf(name, bare))),
    milestones: {
      forming: milestonesOf('form', appliance),
      'replacing a terminated instance': milestonesOf('terminate', appliance),
      'replacing one that lost its power': milestonesOf('power-cut', appliance),
    },
  };
}

function rowOf(name: MeasureName, appliance: Spread | null, bare: Spread | null): readonly Row[] {
  if (appliance === null) return [];
  const ratio = bare === null ? null : appliance.median / bare.median;
  return [{ name, ...MEASURES[name], appliance, bare, ratio }];
}

function spreadOf(name: MeasureName, lives: readonly Life[]): Spread | null {
  const samples = lives.flatMap((life) => life.samples.get(name) ?? []);
  if (samples.length === 0) return null;
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples), samples };
}

function milestonesOf(part: Told, lives: readonly Life[]): Readonly<Record<string, number>> {
  const all = lives.flatMap((life) => [...(life.milestones.get(part) ?? [])]);
  const titles = [...new Set(all.map(([title]) => title))];
  const medians = titles.map(
    (title) => [title, median(all.filter(([one]) => one === title).map(([, ms]) => ms))] as const,
  );
  return Object.fromEntries(medians.toSorted(([, one], [, other]) => one - other));
}

/** Looks at the machine and at what is checked out. */
export function lookBefore(etcd: string): Before {
  return { etcd, commit: checkedOut(), load: Math.round((loadavg()[0] ?? 0) * 10) / 10 };
}

/** The commit, and whether `src` differs from it. */
function checkedOut(): string {
  const git = (...args: readonly string[]): string =>
    execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', '../src') === '' ? '' : ' and changes'}`;
  } catch {
    return 'unknown';
  }
}

/** The report as Markdown that reads well in a terminal, too. */
export function renderReport({ at, machine, versions, runs, rows, milestones }: Report): string {
  const table = [
    ['measure', 'median', 'min', 'max', 'bare etcd', 'ratio'],
    ...rows.map(({ title, unit, appliance, bare, ratio }) => [
      title,
      show(appliance.median, unit),
      show(appliance.min, unit),
      show(appliance.max, unit),
      bare === null ? '' : `${show(bare.median, unit)} (${show(bare.min, '')}–${show(bare.max, '')})`,
      ratio === null ? '' : `${ratio.toFixed(1)}x`,
    ]),
  ];
  const ways = Object.entries(milestones).flatMap(([part, moments]) =>
    Object.keys(moments).length === 0
      ? []
      : [
          `Where ${part} goes (medians, from the first process on):`,
          renderTable([
            ['moment', 'at', 'after the one before'],
            ...Object.entries(moments).map(([title, ms], index, rest) => [
              title,
              show(ms, 'ms'),
              show(ms - (rest[index - 1]?.[1] ?? 0), 'ms'),
            ]),
          ]),
        ],
  );
  return [
    `# Bench of ${at.slice(0, 10)}`,
    `${machine.cores} cores, ${machine.memoryGb} GB, kernel ${machine.kernel}, load ${machine.loadBefore} before it began; node ${versions.node}, etcd ${versions.etcd}, commit ${versions.commit}; ${runs} runs of each, the appliance and bare etcd in turn.`,
    renderTable(table),
    ...ways,
  ].join('\n\n');
}

function show(value: number, unit: string): string {
  const digits = Math.abs(value) >= 10 || Number.isInteger(value) ? 0 : 2;
  return `${value.toFixed(digits)}${unit === '' || unit === 'calls' ? '' : ` ${unit}`}`;
}

function renderTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const render = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [render(head), rule, ...rows.map(render)].join('\n');
}
