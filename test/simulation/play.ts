import type { Ending, EndingKind, PlayOptions } from './ending.ts';
import { type Incident, type IncidentKind, lastsMsOf } from './incident.ts';
import { strike } from './incidents/strike.ts';
import type { Plot } from './plot.ts';
import type { WorldPlot } from './world/world.ts';
import { openStage, type Stage } from './stage.ts';
import { replaceStranded } from './world/operator.ts';
import { isRecoverable, standingClaim, whyNotConverged } from './world/convergence.ts';

/** Longest wait for rest after the last incident: two forming limits, and what follows; ms. */
const PATIENCE_MS = 20 * 60_000;

/** Restarts of one member in an upgrade over all minors: a step to each, and before it one that clears its log. */
const RESTARTS = 6;

/**
 * The same for this plot. Where the database is large, each instance may have to be replaced, one after the other, and sent
 * all of it; and it is started on it anew in each step of an upgrade, one after the other, too.
 */
function patienceMs({ database, desired }: WorldPlot, wanted: number): number {
  if (database === undefined) return PATIENCE_MS;
  const { startMs, transferMs, restoreMs } = database;
  return PATIENCE_MS + Math.max(desired, wanted) * (1 + RESTARTS) * (startMs + transferMs + restoreMs);
}

/** Where the group wants nothing there is nothing to become: only safety is watched, for so long; ms. */
const NOTHING_WANTED_MS = 2 * 60_000;

/** After so long an operator does what an appliance that cannot start asks for; ms. */
const STRANDED_MS = 2 * 60_000;

/** Whether the fleet is as it should be is looked at so often; ms. */
const LOOK_MS = 500;

/** Plays a plot: the fleet is launched, incidents come at their times, the last one ends, and it must come to rest. */
export async function play(plot: Plot, options: PlayOptions = {}): Promise<Ending> {
  const stage = await openStage(plot, options);
  const { world, judge } = stage;
  const faults: Partial<Record<IncidentKind, number>> = {};
  let calmAt = 0;
  for (const incident of plot.incidents) {
    await stage.until(incident.atMs);
    if (judge.broken.length > 0) break;
    const lastsMs = lastsMsOf(incident);
    world.strikes = { kind: 'fault', lastsMs: isPlain(incident) ? 0 : lastsMs };
    const struck = strike(world, incident);
    world.strikes = null;
    if (!struck) continue;
    await world.clock.settle();
    faults[incident.kind] = (faults[incident.kind] ?? 0) + 1;
    calmAt = Math.max(calmAt, world.clock.now() + lastsMs);
  }
  await stage.until(calmAt);
  // Changes that nobody had to make yet would be refused long after the last fault, one in each pause between two tries.
  world.zone.failNoMore();
  world.tell({ kind: 'calm' });
  const rest = await comeToRest(stage, calmAt);
  return {
    plot,
    ...rest,
    broken: judge.broken,
    virtualMs: world.clock.now(),
    faults,
    slow: { ...world.slow },
    reasons: world.reasons,
    timeline: world.timeline,
  };
}

/** Whoever looks sees at once what does not answer at all: that excuses nothing that is done later. */
function isPlain(incident: Incident): boolean {
  // What waits for its moment is told when that comes.
  if (['in-step', 'freeze-at-call', 'kill-as-it-founds'].includes(incident.kind)) return true;
  if (incident.kind === 'defragment') return true;
  return incident.kind === 'power-cut' || (incident.kind === 'freeze' && incident.what === 'etcd');
}

/** Waits until the fleet is as it should be and nobody does anything any more. */
async function comeToRest(
  { world, judge, clients, until, actedAt }: Stage,
  calmAt: number,
): Promise<Pick<Ending, 'kind' | 'why' | 'convergedInMs'>> {
  const { clock, plot } = world;
  let restSince: number | null = null;
  let why: string | null = '';
  const limitMs = world.desired === 0 ? NOTHING_WANTED_MS : patienceMs(plot, world.desired);
  while (judge.broken.length === 0 && clock.now() < calmAt + limitMs) {
    await until(clock.now() + LOOK_MS);
    if (clock.now() >= calmAt + STRANDED_MS) replaceStranded(world);
    why = whyNotConverged(world);
    if (why !== null) restSince = null;
    else restSince = Math.max(restSince ?? clock.now(), actedAt());
    if (restSince !== null && clock.now() >= restSince + world.plot.restMs) break;
    if (!isRecoverable(world)) break;
  }
  const end = (kind: EndingKind, text: string): Pick<Ending, 'kind' | 'why' | 'convergedInMs'> => ({
    kind,
    why: text,
    convergedInMs: Math.max(0, (restSince ?? clock.now()) - calmAt),
  });
  if (judge.broken.length > 0) return end('wrong', judge.broken.map((it) => it.what).join('; '));
  if (restSince !== null && clock.now() >= restSince + world.plot.restMs) {
    world.tell({ kind: 'converged' });
    clients.readAll(standingClaim(world)?.clusterId ?? null);
    return judge.broken.length > 0
      ? end('wrong', judge.broken.map((it) => it.what).join('; '))
      : end('converged', '');
  }
  if (!isRecoverable(world)) return end('lost', 'a majority of the voters lost its data');
  if (world.desired === 0) return end('lost', 'the group wants no instances');
  return end('stuck', why ?? 'somebody always has something left to do');
}
