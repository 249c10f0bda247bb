import { setTimeout as delay } from 'node:timers/promises';
import { expect, type TestContext } from 'vitest';
import type { FaultRequest } from '../../src/sandbox/model.ts';
import { createRandom } from '../../src/sandbox/random.ts';
import { type Fleet, fleetForTest } from './harness.ts';
import { holdNewcomers } from './newcomers.ts';

/* Births in which everything goes wrong that may, drawn from a seed. */

type Random = () => number;

/** By so much at the most an appliance may be later than its machine, each by its own time. */
const LATEST_MS = 3_000;
/** How long AWS troubles a birth, whose last appliance may be late; when the last blow has fallen, too, it must end well. */
const TROUBLE_MS = 8_000 + LATEST_MS;
const BLOWS = 6;
/** Where there is no process to strike yet: in bad weather an etcd may start only when that is over. */
const TRY_AGAIN_MS = 100;
const WAIT_MS = 30_000;
/** A cluster of one is born by itself: seldom. */
const SIZES = [1, 3, 3, 3, 3, 5, 5, 5] as const;
/** More than are ever started. */
const LATE = 9;

/** What AWS does to a fleet that is being born, each with how many of its calls. */
const WEATHER: readonly (Pick<FaultRequest, 'kind'> & Partial<FaultRequest>)[] = [
  { kind: 'stale', service: 'autoscaling', staleMs: 1_500 },
  { kind: 'stale', service: 'ec2', staleMs: 1_500 },
  { kind: 'stale', service: 'route53', staleMs: 1_000, rate: 0.5 },
  { kind: 'half', rate: 0.4 },
  { kind: 'empty', service: 'autoscaling', rate: 0.4 },
  { kind: 'self-only', rate: 0.4 },
  { kind: 'error', rate: 0.3 },
  { kind: 'throttle', service: 'route53', rate: 0.4 },
  { kind: 'reset', rate: 0.2 },
  { kind: 'hang', rate: 0.2 },
  { kind: 'hang', service: 'route53', rate: 0.5 },
  { kind: 'malformed', rate: 0.2 },
  { kind: 'lost-answer', service: 'route53', rate: 0.5 },
  { kind: 'error', service: 'route53', code: 'PriorRequestNotComplete', rate: 0.5 },
];

function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

/** What came of what was drawn, by kind: how often it was drawn, and how often it hit anything. */
export type Blows = Map<string, { readonly drawn: number; readonly hits: number }>;

function note(blows: Blows, kind: string, hits: number): void {
  const before = blows.get(kind) ?? { drawn: 0, hits: 0 };
  blows.set(kind, { drawn: before.drawn + 1, hits: before.hits + hits });
}

/**
 * All appliances of a new group start at once or one after the other, while AWS lies or fails and processes are killed and frozen. At no moment
 * are there two clusters; and when the trouble is over there is one, with all that it acknowledged. It need not be of the first
 * epoch: a founder whose etcd is killed before it wrote anything does not found again. What hit is added to `blows`.
 */
export async function troubledBirth(context: TestContext, seed: number, blows: Blows): Promise<void> {
  const random = createRandom(seed);
  const size = pick(random, SIZES);
  const latenessMs = Array.from({ length: LATE }, () => random() * LATEST_MS);
  const fleet = await fleetForTest(context, {
    size,
    environment: { BOOTSTRAP_WAIT: pick(random, ['2s', '120s']) },
    settings: { launchDelayMs: Math.round(random() * 300), route53BusyMs: pick(random, [0, 0, 400]) },
    beforeStart: (sandbox) => {
      holdNewcomers(sandbox, async (_, before) => {
        note(blows, 'late appliance', 1);
        await delay(latenessMs[before] ?? 0);
      });
    },
  });
  const weather = [pick(random, WEATHER), pick(random, WEATHER)];
  for (const fault of weather) fleet.fault(fault);
  const { faults } = fleet.sandbox.cloud;
  const clearUp = async (): Promise<void> => {
    await fleet.during(TROUBLE_MS, async () => notOne(fleet));
    for (const { kind, service, code, hits } of faults.list())
      note(blows, `${code ?? kind} of ${service === '*' ? 'all' : service}`, hits);
    faults.liftAll();
  };
  await Promise.all([
    clearUp(),
    ...Array.from({ length: BLOWS }, () => strike(fleet, random() * TROUBLE_MS, random(), random, blows)),
  ]);
  await fleet.whole(size);
  await fleet.writesGoOn();
  expect(notOne(fleet)).toEqual([]);
  expect(fleet.watch.claim()).toMatchObject({ state: 'formed' });
  await fleet.verify({ joinersBeginAgain: true });
}

/** What speaks against there being one cluster, or none yet. */
function notOne({ watch }: Fleet): readonly string[] {
  const ids = watch.clusterIds();
  const tokens = watch.formedTokens();
  return ids.length > 1 || tokens.length > 1 ? [`clusters ${ids.join()}, formed ${tokens.join()}`] : [];
}

/** Kills or freezes a process of some instance: at this moment of the birth, or as soon as there is such a process. */
async function strike(fleet: Fleet, atMs: number, whom: number, random: Random, blows: Blows): Promise<void> {
  const { kill, freeze, thaw } = fleet.sandbox.hypervisor;
  const endMs = performance.now() + WAIT_MS;
  const target = pick(random, ['appliance', 'appliance', 'etcd'] as const);
  const frozenMs = random() < 0.5 ? 0 : random() * 4_000;
  await delay(atMs);
  const blow = frozenMs === 0 ? kill : freeze;
  let struck: string | null = null;
  while (struck === null && performance.now() < endMs) {
    const { instances } = fleet.sandbox.cloud.describe();
    const id = instances[Math.floor(whom * instances.length)]?.instanceId ?? '';
    struck = await blow(id, target).then(
      () => id,
      () => null,
    );
    if (struck === null) await delay(TRY_AGAIN_MS);
  }
  note(blows, `${frozenMs === 0 ? 'kill' : 'freeze'} ${target}`, struck === null ? 0 : 1);
  if (struck === null || frozenMs === 0) return;
  await delay(frozenMs);
  // It may have been killed meanwhile.
  await thaw(struck, target).catch(() => undefined);
}
