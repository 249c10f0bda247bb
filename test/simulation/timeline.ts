import { isDeepStrictEqual } from 'node:util';
import type { Ending, Line } from './ending.ts';
import { drawPlot } from './plot.ts';

/** Longest line; a sentence that goes on is cut. */
const WIDTH = 240;

/** How much of a timeline is shown. */
export interface TimelineOptions {
  /** Lines at the end that are shown whatever they are. */
  readonly lastLines: number;
}

/** A law's breach, or an incident, as `world` says it: shown however long ago it was. */
const ALWAYS = /^(INCIDENT|WRONG)\b/;

/** How a history is read: what the world did, all of it, and the end of what the appliances said. */
export function renderTimeline(timeline: readonly Line[], { lastLines }: TimelineOptions): string {
  const from = timeline.length - lastLines;
  const out: string[] = [];
  let skipped = 0;
  timeline.forEach((line, index) => {
    if (index < from && !ALWAYS.test(line.what)) {
      skipped += 1;
      return;
    }
    if (skipped > 0) out.push(`          … ${skipped} lines`);
    skipped = 0;
    out.push(renderLine(line));
  });
  return out.join('\n');
}

function renderLine({ atMs, who, what }: Line): string {
  const text = `${(atMs / 1_000).toFixed(3).padStart(9)} ${who.padEnd(11)} ${what}`;
  return text.length > WIDTH ? `${text.slice(0, WIDTH - 1)}…` : text;
}

/** What broke, in a line of its own for each law. */
export function renderVerdict({ plot, kind, broken, why }: Ending): string {
  const laws = broken.map((it) => `  law ${it.law}, ${it.check}: ${it.what}`);
  const head = `seed ${plot.seed}, profile ${plot.profile}: ${kind}`;
  return laws.length > 0 ? [head, ...laws].join('\n') : `${head}: ${why}`;
}

/** An ending as a person reads it: what broke, the plot, how to play it again, and what led to it. */
export function tell(ending: Ending, options: TimelineOptions = { lastLines: 120 }): string {
  return [
    renderVerdict(ending),
    `plot: ${JSON.stringify(ending.plot)}`,
    `again: ${replayCommand(ending)}`,
    renderTimeline(ending.timeline, options),
  ].join('\n');
}

/** The command that plays it again: by its seed, or, where the plot was cut, from a file. */
export function replayCommand({ plot }: Ending): string {
  const { seed, profile } = plot;
  return isDeepStrictEqual(plot, drawPlot(seed, profile))
    ? `npm run simulate -- --seed ${seed} --profile ${profile} --seeds 1`
    : 'npm run simulate -- --plot FILE, with this plot in it';
}
