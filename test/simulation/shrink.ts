import type { Ending } from './ending.ts';
import { type Incident, lastsMsOf } from './incident.ts';
import type { Plot } from './plot.ts';

/** What a cut plot is held to: it must still break the same. */
export interface Breakage {
  /** `law check` of the first law that was broken, or the kind of the ending. */
  readonly sign: string;
}

/** How a failed ending is recognised again; null where it is no failure. */
export function breakageOf({ kind, broken }: Ending): Breakage | null {
  const [first] = broken;
  if (first !== undefined) return { sign: `law ${first.law}, ${first.check}` };
  return kind === 'stuck' || kind === 'wrong' ? { sign: kind } : null;
}

/** How far to go. */
export interface ShrinkOptions {
  /** Whether this plot still breaks the same. */
  readonly breaks: (plot: Plot) => Promise<boolean>;
  /** Most plots that are tried. */
  readonly tries: number;
  /** Is told of each plot that is simpler and still breaks. */
  readonly onSimpler?: (plot: Plot) => void;
}

/**
 * Cuts a plot that breaks something down to the fewest incidents that still break it, then makes what is left simpler:
 * shorter, with fewer machines, in a calmer world. Gives the plot itself where nothing can be taken away.
 */
export async function shrink(plot: Plot, options: ShrinkOptions): Promise<Plot> {
  let left = options.tries;
  const holds = async (candidate: Plot): Promise<boolean> => {
    if (left <= 0) return false;
    left -= 1;
    const broken = await options.breaks(candidate);
    if (broken) options.onSimpler?.(candidate);
    return broken;
  };
  let current = plot;
  for (;;) {
    const before = current;
    current = await fewerIncidents(current, holds);
    current = await firstsThatHold(current, worldsOf, holds);
    for (let at = 0; at < current.incidents.length; at += 1)
      current = await firstsThatHold(current, (it) => simplerAt(it, at), holds);
    if (current === before || left <= 0) return current;
  }
}

type Holds = (candidate: Plot) => Promise<boolean>;

/** Delta debugging: without ever smaller parts of the incidents, until none of them alone can be left out. */
async function fewerIncidents(plot: Plot, holds: Holds): Promise<Plot> {
  let current = plot;
  let size = Math.ceil(current.incidents.length / 2);
  while (size >= 1) {
    let cut = false;
    for (let from = 0; from < current.incidents.length; from += size) {
      const incidents = current.incidents.filter((_, at) => at < from || at >= from + size);
      const candidate = { ...current, incidents };
      if (!(await holds(candidate))) continue;
      current = candidate;
      cut = true;
      from -= size;
    }
    if (!cut || size > current.incidents.length) size = size === 1 ? 0 : Math.ceil(size / 2);
  }
  return current;
}

/** Takes each candidate that still breaks, and looks for more from there. */
async function firstsThatHold(
  plot: Plot,
  candidates: (plot: Plot) => readonly Plot[],
  holds: Holds,
): Promise<Plot> {
  let current = plot;
  for (;;) {
    let better: Plot | null = null;
    for (const candidate of candidates(current)) {
      if (!(await holds(candidate))) continue;
      better = candidate;
      break;
    }
    if (better === null) return current;
    current = better;
  }
}

/** The plot in calmer worlds, one thing calmer in each. */
function worldsOf(plot: Plot): readonly Plot[] {
  const worlds: Plot[] = [];
  if (plot.warmPool > 0) worlds.push({ ...plot, warmPool: 0 });
  if (plot.clockDrift > 0) worlds.push({ ...plot, clockDrift: 0 });
  if (plot.awsLagMs > 0) worlds.push({ ...plot, awsLagMs: 0 });
  if (plot.regions === 2) worlds.push({ ...plot, regions: 1 });
  const { database, ...small } = plot;
  if (database !== undefined) worlds.push(small);
  if (plot.zones > 1) worlds.push({ ...plot, zones: 1 });
  if (plot.hooks.length > 0) worlds.push({ ...plot, hooks: plot.hooks.slice(1) });
  if (plot.mayLoseMajority) worlds.push({ ...plot, mayLoseMajority: false });
  for (let desired = 1; desired < plot.desired; desired += 1) worlds.push({ ...plot, desired });
  return worlds;
}

/** The plot with one of its incidents shorter, at a rounder time, or milder. */
function simplerAt(plot: Plot, at: number): readonly Plot[] {
  const incident = plot.incidents[at];
  if (incident === undefined) return [];
  return simpler(incident).map((it) => ({ ...plot, incidents: plot.incidents.with(at, it) }));
}

function simpler(incident: Incident): readonly Incident[] {
  const variants: Incident[] = [];
  const lastsMs = lastsMsOf(incident);
  if ('lastsMs' in incident && lastsMs > 1_000) {
    variants.push({ ...incident, lastsMs: round(lastsMs / 4) }, { ...incident, lastsMs: round(lastsMs / 2) });
    if (round(lastsMs) !== lastsMs) variants.push({ ...incident, lastsMs: round(lastsMs) });
  }
  if ('who' in incident && incident.who !== null && incident.who > 0)
    variants.push({ ...incident, who: 0 } as Incident);
  if (round(incident.atMs) !== incident.atMs) variants.push({ ...incident, atMs: round(incident.atMs) });
  if (incident.kind === 'zone' && incident.times > 1) variants.push({ ...incident, times: 1 });
  return variants;
}

/** To whole seconds, or tenths below ten of them. */
function round(ms: number): number {
  const step = ms >= 10_000 ? 1_000 : 100;
  return Math.max(step, Math.round(ms / step) * step);
}
