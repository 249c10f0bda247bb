import { expect } from 'vitest';
import type { RecordChange } from '../../src/core/records.ts';
import type { Incident, IncidentKind } from './incident.ts';
import { lastsMsOf } from './incident.ts';
import { strike } from './incidents/strike.ts';
import { ONE_VERSION } from './plot.ts';
import { openStage, type Stage } from './stage.ts';
import { renderTimeline } from './timeline.ts';
import { whyNotConverged } from './world/convergence.ts';
import type { Machine } from './world/machine.ts';
import { CLUSTER } from './world/names.ts';
import { present, type World, type WorldPlot } from './world/world.ts';

/** How often a history that waits for something looks whether it is there; ms. */
const LOOK_MS = 100;

/** A history that a test tells step by step, judged by every law as it goes. */
export interface History {
  readonly world: World;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  /** Lets time pass until the very moment at which the condition holds; it must, within so long. */
  waitFor(what: string, holds: () => boolean, limitMs: number): Promise<void>;
  /** Until the fleet is as it should be: how long that took; ms. */
  settled(limitMs: number): Promise<number>;
  /** Something happens to the fleet, now; it must fit. `machine`: to this one. */
  happens<Kind extends IncidentKind>(
    incident: Omit<Incident<Kind>, 'atMs' | 'who'> & { readonly kind: Kind },
    machine?: Machine,
  ): Promise<void>;
  /** A fault begins that the history itself brings about, and lasts so long: what breaks right then may be the fault's. */
  faulted(lastsMs: number): void;
  /** A person changes records, past every appliance. */
  write(changes: readonly RecordChange[]): Promise<void>;
  /** What the timeline says, of one who, or of all. */
  said(who?: string): string;
}

const PLOT: Omit<WorldPlot, 'seed' | 'desired'> = {
  hooks: [],
  bootstrapWaitMs: 120_000,
  zones: 3,
  warmPool: 0,
  awsLagMs: 0,
  clockDrift: 0,
  writeEveryMs: 1_000,
  restMs: 8_000,
  mayLoseMajority: false,
  image: ONE_VERSION,
};

/** A world in its first moment. */
export async function begin(
  plot: Pick<WorldPlot, 'seed' | 'desired'> & Partial<WorldPlot>,
): Promise<History> {
  const stage = await openStage({ ...PLOT, ...plot });
  return historyOf(stage, plot.seed);
}

/** A world whose fleet is as it should be. */
export async function formed(
  plot: Pick<WorldPlot, 'seed' | 'desired'> & Partial<WorldPlot>,
): Promise<History> {
  const history = await begin(plot);
  await history.settled(60_000);
  return history;
}

/** One of the machines that the group means to have. */
export function machine(history: History, index: number): Machine {
  const found = present(history.world)[index];
  if (found === undefined) throw new Error(`no machine ${index}`);
  return found;
}

function historyOf({ world, judge, until }: Stage, seed: number): History {
  const { clock } = world;
  const told = (): string => `seed ${seed}\n${renderTimeline(world.timeline, { lastLines: 80 })}`;
  const pass = async (ms: number): Promise<void> => {
    await until(clock.now() + ms);
    if (judge.broken.length > 0) expect(judge.broken, told()).toEqual([]);
  };
  const waitFor = async (what: string, holds: () => boolean, limitMs: number): Promise<void> => {
    await until(clock.now() + limitMs, holds);
    if (judge.broken.length > 0) expect(judge.broken, told()).toEqual([]);
    expect(holds(), `${what}, within ${limitMs} ms\n${told()}`).toBe(true);
  };
  return {
    world,
    pass,
    waitFor,
    async settled(limitMs) {
      const began = clock.now();
      while (whyNotConverged(world) !== null && clock.now() < began + limitMs) await pass(LOOK_MS);
      expect(whyNotConverged(world), told()).toBe(null);
      return clock.now() - began;
    },
    async happens(incident, to) {
      const machines = present(world);
      const who = to === undefined ? null : (machines.indexOf(to) + 0.5) / machines.length;
      const whole = { atMs: clock.now(), who, ...incident } as unknown as Incident;
      expect(strike(world, whole), `${incident.kind} fits\n${told()}`).toBe(true);
      world.tell({ kind: 'fault', lastsMs: lastsMsOf(whole) });
      await clock.settle();
    },
    async write(changes) {
      const outcome = await world.zone.port(CLUSTER).change(changes, new AbortController().signal);
      expect(outcome.kind).toBe('done');
      if (changes.every((it) => it.action === 'DELETE')) world.tell({ kind: 'released' });
    },
    faulted: (lastsMs) => world.tell({ kind: 'fault', lastsMs }),
    said: (who) =>
      world.timeline
        .filter((it) => who === undefined || it.who === who)
        .map((it) => `${it.who}: ${it.what}`)
        .join('\n'),
  };
}
