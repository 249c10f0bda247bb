import { execFileSync } from 'node:child_process';
import { availableParallelism, loadavg, release, totalmem } from 'node:os';
import { type Life, MEASURES, median, type MeasureName, type Told } from './measures.ts';
import type { Measure } from './targets.ts';

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
  /** What the median must not be above, and whether it is not; null: there is no such thing, or no floor to set it by. */
  readonly target: { readonly text: string; readonly limit: number; readonly held: boolean } | null;
}

/** The same figures of another size of cluster. */
interface FleetRows {
  readonly size: number;
  readonly minutes: number | null;
  readonly rows: readonly Row[];
}

/** Lives of both sides, alternated in one run. */
export interface Lives {
  readonly appliance: readonly Life[];
  readonly bare: readonly Life[];
}

/** What was lived of one size of cluster. */
export interface Watched extends Lives {
  /** How long each steady cluster was watched; null: none was. */
  readonly minutes: number | null;
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
  /** How long each steady cluster of three was watched; null: none was. */
  readonly minutes: number | null;
  readonly rows: readonly Row[];
  /** Other sizes than three. */
  readonly fleets: readonly FleetRows[];
  /** What could not be measured, and why: it failed, and the rest went on. */
  readonly failures: readonly string[];
  /** Medians, ms from the first process. */
  readonly milestones: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** What has to be asked before the runs: others may commit meanwhile, and the runs are a load themselves. */
export interface Before {
  readonly etcd: string;
  readonly commit: string;
  readonly load: number;
}

/** Makes a report of the lives of clusters of three, and of those of other sizes. */
export function createReport(
  threes: Watched,
  before: Before,
  fleets: readonly (Watched & { readonly size: number })[] = [],
  failures: readonly string[] = [],
): Report {
  const { appliance, minutes } = threes;
  return {
    at: new Date().toISOString(),
    machine: {
      cores: availableParallelism(),
      memoryGb: Math.round(totalmem() / 2 ** 30),
      kernel: release(),
      loadBefore: before.load,
    },
    versions: { node: process.version, etcd: before.etcd, commit: before.commit },
    minutes,
    rows: rowsOf(threes),
    fleets: fleets.map((it) => ({ size: it.size, minutes: it.minutes, rows: rowsOf(it) })),
    failures,
    milestones: {
      forming: milestonesOf('form', appliance),
      'replacing a terminated instance': milestonesOf('terminate', appliance),
      'replacing one that lost its power': milestonesOf('power-cut', appliance),
    },
  };
}

type Floors = Parameters<NonNullable<Measure['target']>['limit']>[0];

function rowsOf({ appliance, bare, minutes }: Watched): readonly Row[] {
  const names = Object.keys(MEASURES) as MeasureName[];
  const floors: Floors = (name) => spreadOf(name as MeasureName, bare);
  return names.flatMap((name) => {
    const own = spreadOf(name, appliance);
    return own === null ? [] : [rowOf(name, own, spreadOf(name, bare), { floors, minutes })];
  });
}

function rowOf(
  name: MeasureName,
  appliance: Spread,
  bare: Spread | null,
  { floors, minutes }: { readonly floors: Floors } & Pick<Watched, 'minutes'>,
): Row {
  const { title, unit, target }: Measure = MEASURES[name];
  const limit = target?.limit(floors) ?? null;
  const isWatched = name.startsWith('steady.') && minutes !== null;
  return {
    name,
    title: isWatched ? `${title}, in ${minutes} minutes` : title,
    unit,
    appliance,
    bare,
    ratio: bare === null ? null : appliance.median / bare.median,
    target:
      target === undefined || limit === null
        ? null
        : { text: target.text, limit, held: appliance.median <= limit },
  };
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
export function renderReport(report: Report): string {
  const { at, machine, versions, rows, fleets, failures, milestones } = report;
  const missed = [{ size: 3, rows }, ...fleets].flatMap((it) =>
    it.rows
      .filter(({ target }) => target !== null && !target.held)
      .map(({ name, title }) => `- ${it.size}: ${title} (${name})`),
  );
  const ways = Object.entries(milestones).flatMap(([part, moments]) => renderWay(part, moments));
  return [
    `# Bench of ${at.slice(0, 10)}`,
    `${machine.cores} cores, ${machine.memoryGb} GB, kernel ${machine.kernel}, load ${machine.loadBefore} before it began; node ${versions.node}, etcd ${versions.etcd}, commit ${versions.commit}. The appliance and bare etcd in turn; each row says how many samples it has.`,
    renderRows(rows),
    missed.length === 0
      ? 'All targets are held.'
      : `Targets that are missed, by the size of the cluster:\n\n${missed.join('\n')}`,
    ...(failures.length === 0
      ? []
      : [`What failed, and is not in the figures:\n\n${failures.map((it) => `- ${it}`).join('\n')}`]),
    ...fleets.flatMap((it) => [`## ${it.size} members`, renderRows(it.rows)]),
    ...ways,
  ].join('\n\n');
}

function renderRows(rows: readonly Row[]): string {
  return renderTable([
    ['measure', 'median', 'min', 'max', 'samples', 'bare etcd', 'ratio', 'target', ''],
    ...rows.map(({ title, unit, appliance, bare, ratio, target }) => [
      title,
      show(appliance.median, unit),
      show(appliance.min, unit),
      show(appliance.max, unit),
      String(appliance.samples.length),
      bare === null ? '' : renderBare(bare, unit),
      ratio === null ? '' : `${ratio.toFixed(1)}x`,
      target === null ? '' : `${show(target.limit, unit)} (${target.text})`,
      target === null ? '' : target.held ? 'held' : 'MISSED',
    ]),
  ]);
}

function renderBare({ median: middle, min, max, samples }: Spread, unit: string): string {
  return `${show(middle, unit)} (${show(min, '')}–${show(max, '')}, ${samples.length} samples)`;
}

function renderWay(part: string, moments: Readonly<Record<string, number>>): readonly string[] {
  if (Object.keys(moments).length === 0) return [];
  return [
    `Where ${part} goes (medians, from the first process on):`,
    renderTable([
      ['moment', 'at', 'after the one before'],
      ...Object.entries(moments).map(([title, ms], index, rest) => [
        title,
        show(ms, 'ms'),
        show(ms - (rest[index - 1]?.[1] ?? 0), 'ms'),
      ]),
    ]),
  ];
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
