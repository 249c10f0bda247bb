import type { Ending, EndingKind, PlayOptions } from './ending.ts';
import { type IncidentKind, lastsMsOf } from './incident.ts';
import { strike } from './incidents/strike.ts';
import { createJudge, type Judge } from './laws/laws.ts';
import type { Plot } from './plot.ts';
import { isRecoverable, whyNotConverged } from './world/convergence.ts';
import { openGroup } from './world/group.ts';
import type { Happening } from './world/happening.ts';
import { createWatch } from './world/watch.ts';
import { createWorld, type World } from './world/world.ts';

/** Longest wait for rest after the last incident: two forming limits, and what follows; ms. */
const PATIENCE_MS = 20 * 60_000;

/** Whether the fleet is as it should be is looked at so often; ms. */
const LOOK_MS = 500;

/** What nobody does who has nothing left to do: the plan of a steady fleet is empty. */
const ACTS: ReadonlySet<Happening['kind']> = new Set([
  'membership',
  'records',
  'founding',
  'etcd-stopped',
  'disk',
]);

/** A world under way, with what judges it. */
interface Stage {
  readonly world: World;
  readonly judge: Judge;
  /** Lets time pass, and looks after each step; ends early where a law is broken. */
  until(endAt: number): Promise<void>;
  /** When somebody last did something. */
  actedAt(): number;
}

/** Plays a plot: the fleet is launched, incidents come at their times, the last one ends, and it must come to rest. */
export async function play(plot: Plot, options: PlayOptions = {}): Promise<Ending> {
  const stage = await openStage(plot, options);
  const { world, judge } = stage;
  const faults: Partial<Record<IncidentKind, number>> = {};
  let calmAt = 0;
  for (const incident of plot.incidents) {
    await stage.until(incident.atMs);
    if (judge.broken.length > 0) break;
    if (!strike(world, incident)) continue;
    await world.clock.settle();
    const lastsMs = lastsMsOf(incident);
    world.tell({ kind: 'fault', lastsMs });
    faults[incident.kind] = (faults[incident.kind] ?? 0) + 1;
    calmAt = Math.max(calmAt, world.clock.now() + lastsMs);
  }
  await stage.until(calmAt);
  world.tell({ kind: 'calm' });
  const rest = await comeToRest(stage, calmAt);
  return {
    plot,
    ...rest,
    broken: judge.broken,
    virtualMs: world.clock.now(),
    faults,
    reasons: world.reasons,
    timeline: world.timeline,
  };
}

/** A world in its first moment. */
async function openStage(plot: Plot, options: PlayOptions): Promise<Stage> {
  let actedAt = 0;
  const judge = createJudge(({ law, check, what }) =>
    world.note('world', `WRONG law ${law}, ${check}: ${what}`),
  );
  const world = createWorld(plot, {
    hear(happening, atMs) {
      if (ACTS.has(happening.kind)) actedAt = atMs;
      judge.hear(happening, atMs);
    },
    ...(options.onLine === undefined ? {} : { onLine: options.onLine }),
    ...(options.sabotage === undefined ? {} : { sabotage: options.sabotage }),
  });
  const watch = createWatch(world);
  await world.clock.settle();
  openGroup(world);
  return {
    world,
    judge,
    actedAt: () => actedAt,
    async until(endAt) {
      while (judge.broken.length === 0 && world.clock.now() < endAt) {
        if (!(await world.clock.step())) break;
        watch.look();
      }
    },
  };
}

/** Waits until the fleet is as it should be and nobody does anything any more. */
async function comeToRest(
  { world, judge, until, actedAt }: Stage,
  calmAt: number,
): Promise<Pick<Ending, 'kind' | 'why' | 'convergedInMs'>> {
  const { clock } = world;
  let restSince: number | null = null;
  let why: string | null = '';
  while (judge.broken.length === 0 && clock.now() < calmAt + PATIENCE_MS) {
    await until(clock.now() + LOOK_MS);
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
    return end('converged', '');
  }
  if (!isRecoverable(world)) return end('lost', 'a majority of the voters lost its data');
  return end('stuck', why ?? 'somebody always has something left to do');
}
