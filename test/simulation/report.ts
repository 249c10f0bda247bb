import { coverageOf } from './codes.ts';
import type { Slowness } from './ending.ts';
import type { IncidentKind } from './incident.ts';
import { isFailure, type Result, type ResultKind } from './runner.ts';

/** What many histories come to. */
export interface Tally {
  histories: number;
  virtualMs: number;
  cpuMs: number;
  readonly endings: Map<ResultKind, number>;
  readonly faults: Map<IncidentKind, number>;
  /** Times that an etcd was busy with its database for long, by what it did. */
  readonly slow: Map<keyof Slowness, number>;
  /** Each reason that was given, with the lowest seed of a history that gave it. */
  readonly reasons: Map<string, number>;
  /** Of each history that converged; ms. */
  readonly convergedInMs: number[];
  /** In the order in which they ended. */
  readonly failures: Result[];
}

/** Nothing yet. */
export function createTally(): Tally {
  return {
    histories: 0,
    virtualMs: 0,
    cpuMs: 0,
    endings: new Map(),
    faults: new Map(),
    slow: new Map(),
    reasons: new Map(),
    convergedInMs: [],
    failures: [],
  };
}

/** One more history. */
export function count(tally: Tally, result: Result): void {
  tally.histories += 1;
  tally.virtualMs += result.virtualMs;
  tally.cpuMs += result.cpuMs;
  increase(tally.endings, result.kind, 1);
  for (const [kind, times] of Object.entries(result.faults))
    increase(tally.faults, kind as IncidentKind, times);
  for (const [what, times] of Object.entries(result.slow))
    if (times > 0) increase(tally.slow, what as keyof Slowness, times);
  const { seed } = 'seed' in result.job ? result.job : result.job.plot;
  for (const it of result.reasons) tally.reasons.set(it, Math.min(seed, tally.reasons.get(it) ?? seed));
  if (result.kind === 'converged') tally.convergedInMs.push(result.convergedInMs);
  if (isFailure(result.kind)) tally.failures.push(result);
}

function increase<Key>(counts: Map<Key, number>, key: Key, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

/** The tally as a page for people; `tookMs`: real time. */
export function renderTally(tally: Tally, tookMs: number): string {
  const { histories, virtualMs, cpuMs, convergedInMs } = tally;
  const sorted = convergedInMs.toSorted((a, b) => a - b);
  const coverage = coverageOf(tally.reasons.keys());
  const codes = coverage.given.length + coverage.missing.length;
  const lines = [
    `histories     ${histories} in ${seconds(tookMs)}: ${((histories / tookMs) * 1_000).toFixed(1)} a second, ${(cpuMs / Math.max(1, histories)).toFixed(0)} ms of CPU each`,
    `virtual time  ${(virtualMs / 3_600_000).toFixed(1)} h`,
    `endings       ${listed(tally.endings)}`,
    `converged in  median ${seconds(quantile(sorted, 0.5))}, p99 ${seconds(quantile(sorted, 0.99))}, worst ${seconds(quantile(sorted, 1))} after the last fault`,
    `faults        ${listed(tally.faults)}`,
    `slow etcds    ${listed(tally.slow)}`,
    `reasons       ${coverage.given.length} of ${codes} codes of the planners were given`,
  ];
  if (coverage.missing.length > 0) lines.push(`  never given ${coverage.missing.join(', ')}`);
  if (coverage.surprising.length > 0)
    lines.push(
      `  given, though thought to be out of reach: ${withSeeds(coverage.surprising, tally.reasons)}`,
    );
  for (const { code, why } of coverage.unreachable) lines.push(`  out of reach ${code}: ${why}`);
  return lines.join('\n');
}

/** From so many histories of all kinds on, each reason that can be given has been: the rarest comes once in some thousands. */
const COVERING = 20_000;

/** Null where there are too few histories to say, or they gave the reasons that `codes.ts` says can be given, and no others. */
export function whyNotCovering({ histories, reasons }: Tally): string | null {
  if (histories < COVERING) return null;
  const { missing, surprising } = coverageOf(reasons.keys());
  if (missing.length > 0) return `${histories} histories never gave ${missing.join(', ')}`;
  return surprising.length === 0
    ? null
    : `thought to be out of reach, and given: ${withSeeds(surprising, reasons)}`;
}

/** Codes, each with the seed to play that shows it. */
function withSeeds(codes: readonly string[], reasons: ReadonlyMap<string, number>): string {
  return codes
    .map((code) => {
      const seeds = [...reasons].filter(([it]) => it.endsWith(`:${code}`)).map(([, seed]) => seed);
      return `${code} at seed ${Math.min(...seeds)}`;
    })
    .join(', ');
}

function listed(counts: ReadonlyMap<string, number>): string {
  const entries = [...counts].toSorted(([, a], [, b]) => b - a);
  return entries.map(([name, times]) => `${name} ${times}`).join(', ') || 'none';
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** The value below which such a share lies; 0 for none at all. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
