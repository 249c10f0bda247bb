import type { PlayOptions } from './ending.ts';
import { createJudge, type Judge } from './laws/laws.ts';
import { type Clients, openClients } from './world/clients.ts';
import { openGroup } from './world/group.ts';
import type { Happening } from './world/happening.ts';
import { fillDatabases } from './world/database.ts';
import { createWatch } from './world/watch.ts';
import { createWorld, type World, type WorldPlot } from './world/world.ts';

/** What nobody does who has nothing left to do: the plan of a steady fleet is empty. */
const ACTS: ReadonlySet<Happening['kind']> = new Set([
  'membership',
  'records',
  'founding',
  'etcd-stopped',
  'disk',
]);

/** A world under way, with what judges it. */
export interface Stage {
  readonly world: World;
  readonly judge: Judge;
  readonly clients: Clients;
  /** Lets time pass, and looks after each step; ends early where a law is broken, or there is what is waited for. */
  until(endAt: number, there?: () => boolean): Promise<void>;
  /** When somebody last did something. */
  actedAt(): number;
}

/** A world in its first moment. */
export async function openStage(plot: WorldPlot, options: PlayOptions = {}): Promise<Stage> {
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
  fillDatabases(world);
  return {
    world,
    judge,
    clients: openClients(world),
    actedAt: () => actedAt,
    async until(endAt, there = () => false) {
      let jumped = false;
      await world.clock.run(() => {
        if (jumped) watch.look();
        jumped = true;
        return judge.broken.length > 0 || world.clock.now() >= endAt || there();
      });
    },
  };
}
