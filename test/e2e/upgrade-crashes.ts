import { expect, type TestContext } from 'vitest';
import { clientUrl } from '../../src/etcd/flags.ts';
import { etcdBinary } from '../tools.ts';
import { doom, DOOM_PRELOAD, type Doom, type StandingDoom } from './doom.ts';
import { leaderInTheHouse, memberOf } from './roles.ts';
import { crashing, mend } from './upgrade-images.ts';
import {
  order,
  recordOf,
  resume,
  untilAllRun,
  untilSaid,
  upgradedTo,
  upgradeFleet,
  type UpgradeFleet,
} from './upgrades.ts';

/* Crashes of the appliance that steps, between any two of its steps: calls that change something, and starts of etcd. */

/** A way from one minor to the next, and on which one the fleet is born that goes it. */
export interface Way {
  readonly born: string;
  readonly from: string;
  readonly to: string;
  /** Somebody asks every member for its health, which 3.4 writes to its log as a request that 3.6 dies of. */
  readonly asksHealth: boolean;
}

export const PLAIN: Way = { born: '3.4', from: '3.4', to: '3.5', asksHealth: false };
/** Each member has to clear its log before it steps. */
export const CLEARING: Way = { born: '3.4', from: '3.5', to: '3.6', asksHealth: true };
/** One has every member take a snapshot of its log before they step. */
export const LOWERING: Way = { born: '3.5', from: '3.6', to: '3.7', asksHealth: false };
/** One tells etcd to go down before they step. */
export const DOWN: Way = { born: '3.6', from: '3.6', to: '3.5', asksHealth: false };

/** A fleet at the beginning of a way. */
export async function fleetOn(
  context: TestContext,
  { born, from, asksHealth }: Way,
  preload?: string,
): Promise<UpgradeFleet> {
  const fleet = await upgradeFleet(context, {
    size: 3,
    from: born,
    ...(preload !== undefined && { preload }),
  });
  if (asksHealth)
    for (const { address } of await fleet.view())
      expect((await fetch(`${clientUrl(address)}/health`)).ok).toBe(true);
  if (from !== born) {
    await order(fleet, from);
    await untilAllRun(fleet, from, 120_000);
    await fleet.whole(3);
  }
  // Leaders change on the way; an appliance that gives the house away beside its step takes one that is in no work.
  await leaderInTheHouse(fleet);
  return fleet;
}

const START = 'start of etcd';
/** The lock, and the record of the step. */
const BEGIN = ['LeaseGrant', 'Txn', 'Txn'] as const;
/** The record, that the step is over; and the lock. */
const END = ['Txn', 'LeaseRevoke'] as const;
const NAMES = 'ChangeResourceRecordSets';
const CLEARING_WRITES = Array.from({ length: 8 }, () => 'Txn');

/** All that one who steps does, in its order; of the leader, it is the same with `MoveLeader` in it. */
export const WORK = {
  step: [...BEGIN, NAMES, START, NAMES, ...END],
  clear: [...BEGIN, NAMES, START, ...CLEARING_WRITES, START, NAMES, ...END],
  /** Asked whether it may go down, etcd is told to, and, when all have their snapshots, that it need not. */
  bringSnapshot: [...BEGIN, 'Downgrade', 'Downgrade', 'Downgrade', ...END],
  /** Etcd is told to go down, and then it is stepped. */
  down: [...BEGIN, 'Downgrade', 'Downgrade', ...END, ...BEGIN, NAMES, START, NAMES, ...END],
  /** The new etcd ends two times and more at its start, the old one is run again, and that is recorded. */
  wayBack: [...BEGIN, NAMES, START, START, START, 'Txn', NAMES, ...END],
  /** The next life of who crashed has a lock of its own for the names, and one for the record. */
  resume: ['LeaseGrant', 'Txn', 'Txn', NAMES, 'LeaseRevoke', 'LeaseGrant', 'Txn', ...END],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** A fault point: the n-th of that name from the order on, by the appliance of one member, or of whoever is first. */
export type FaultPoint = Pick<Doom, 'step' | 'nth' | 'when' | 'withEtcd'>;

/** Fault points of some work, where each is the place of a step in it: before it, and after it with the etcd beside. */
export function pointsOf(
  work: readonly string[],
  places: readonly number[] = [...work.keys()],
): FaultPoint[] {
  return places.flatMap((place) => {
    const step = work[place] ?? '';
    const nth = work.slice(0, place + 1).filter((it) => it === step).length;
    return [
      { step, nth, when: 'before', withEtcd: false },
      { step, nth, when: 'after', withEtcd: true },
    ];
  });
}

/** The same points, but the other way round: alone after a step, and with the etcd beside before it. */
export function turned(points: readonly FaultPoint[]): FaultPoint[] {
  return points.map((it) => ({ ...it, withEtcd: !it.withEtcd }));
}

/** The appliance that steps is killed at a point of its work, and goes on when it is back. */
export async function stepperCrashes(
  context: TestContext,
  point: FaultPoint,
  work: readonly string[],
  way: Way = PLAIN,
): Promise<void> {
  const fleet = await fleetOn(context, way, DOOM_PRELOAD);
  const standing = await doom(fleet, { ...point, meant: 'these', instanceIds: await idsOf(fleet) });
  await order(fleet, way.to);
  await upgradedTo(fleet, way.to);
  await standing.lift();
  expectCrashed(standing, point, work);
}

/** The leader's appliance is killed at a point of its step. */
export async function leaderCrashes(context: TestContext, point: FaultPoint): Promise<void> {
  const fleet = await fleetOn(context, PLAIN, DOOM_PRELOAD);
  const { instanceId } = await memberOf(fleet, 'leader');
  const standing = await doom(fleet, { ...point, meant: 'these', instanceIds: [instanceId] });
  await order(fleet, PLAIN.to);
  await upgradedTo(fleet, PLAIN.to);
  await standing.lift();
  expect(standing.fulfilled(), standing.seen().join()).toBe(`${instanceId} ${point.when} ${point.step}`);
  expectKnown(standing);
}

/** The appliance that steps is killed right when it has started the new etcd, alone or with it, and its next life at a point of what it does then. */
export async function resumingCrashes(
  context: TestContext,
  point: FaultPoint,
  work: readonly string[],
  diesWithEtcd: boolean,
): Promise<void> {
  const fleet = await fleetOn(context, PLAIN, DOOM_PRELOAD);
  const meant = { meant: 'these', instanceIds: await idsOf(fleet) } as const;
  const standing = await doom(fleet, {
    ...meant,
    step: START,
    nth: 1,
    when: 'after',
    withEtcd: diesWithEtcd,
    afterwards: { ...point, ...meant },
  });
  await order(fleet, PLAIN.to);
  await upgradedTo(fleet, PLAIN.to);
  await standing.lift();
  expectCrashed(standing, point, work);
}

/** The new etcd ends at its start, and the appliance at a point of the way back: its next life takes the step back. */
export async function bothCrash(context: TestContext, size: 1 | 3, point: FaultPoint): Promise<void> {
  const { from, to } = PLAIN;
  const { version } = await etcdBinary(to);
  const image = [from, crashing(version)];
  const fleet = await upgradeFleet(context, { size, from, image, preload: DOOM_PRELOAD });
  const standing = await doom(fleet, { ...point, meant: 'others', instanceIds: [] });
  await order(fleet, to);
  await untilSaid(fleet, 'was taken back');
  await fleet.until('the crash', async () => {
    await Promise.resolve();
    return standing.fulfilled() === null ? [standing.seen().join()] : [];
  });
  // Who is alone stays in the names, and keeps house beside.
  if (size === 1) expectKnown(standing);
  else expectCrashed(standing, point, WORK.wayBack);
  expect((await recordOf(fleet))?.failed?.why).toContain('runs again');
  await untilAllRun(fleet, from);
  await fleet.whole(size);
  await standing.lift();
  await mend(fleet.firstImage, to);
  await resume(fleet);
  await upgradedTo(fleet, to);
}

async function idsOf(fleet: UpgradeFleet): Promise<readonly string[]> {
  return (await fleet.view()).map(({ instanceId }) => instanceId);
}

/** It crashed there, and until then did what the work says and nothing else: no step is missing among the points. */
function expectCrashed(
  standing: StandingDoom,
  { step, nth, when }: FaultPoint,
  work: readonly string[],
): void {
  const fulfilled = standing.fulfilled() ?? '';
  expect(fulfilled, standing.seen().join()).toContain(`${when} ${step}`);
  const steps = standing.stepsOf(fulfilled.split(' ')[0] ?? '');
  const places = [...steps.keys()].filter((place) => steps[place] === step);
  const until = steps.slice(0, (places[nth - 1] ?? steps.length) + 1);
  // Downgrades are seen only by a doom that is about one.
  const known = step === 'Downgrade' ? work : work.filter((it) => it !== 'Downgrade');
  const expected = once(known);
  const came = once(until);
  expect(came).toEqual(expected.slice(0, came.length));
  expectKnown(standing);
}

/** How often an etcd is tried before it is given up is a matter of moments. */
function once(steps: readonly string[]): readonly string[] {
  return steps.filter((step, place) => step !== START || steps[place - 1] !== START);
}

/** Nobody took a step that is in no work: one around which nothing was tried. */
function expectKnown(standing: StandingDoom): void {
  const known = new Set<string>([...Object.values(WORK).flat(), 'MoveLeader']);
  expect(standing.seen().filter((it) => !known.has(it))).toEqual([]);
}
