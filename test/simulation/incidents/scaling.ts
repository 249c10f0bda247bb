import { known } from '../../../src/core/known.ts';
import {
  lose,
  off,
  reconcileSoon,
  setDesired,
  stopInstance,
  takeFromPool,
  tellDesired,
  terminate,
} from '../world/group.ts';
import { groupIn } from '../world/regions.ts';
import { clusterView } from '../world/cluster.ts';
import { promisedClaim } from '../world/convergence.ts';
import { terminateAppliance } from '../world/power.ts';
import type { Machine } from '../world/machine.ts';
import { alive, present, tellEc2, type World } from '../world/world.ts';
import { announce, mayLose, type Strikes, targetOf, withDispensable, withTarget } from './target.ts';

/** From the notice until EC2 takes a spot instance; ms. */
const SPOT_NOTICE_MS = 120_000;

/** A refresh gives up on a step after so long; ms. */
const REFRESH_STEP_MS = 5 * 60_000;
const REFRESH_LOOK_MS = 1_000;
/** How long Auto Scaling waits for an instance in standby, unless told otherwise; then the refresh has failed. */
const REFRESH_STANDBY_MS = 60 * 60_000;

/** What Auto Scaling, EC2 and people do with instances. */
export const SCALING_INCIDENTS: Strikes<
  'scale' | 'terminate' | 'lose' | 'spot' | 'ec2-stop' | 'standby' | 'rest' | 'refresh' | 'regroup'
> = {
  scale: (world, { desired }) => {
    if (desired === 0 && !world.plot.mayLoseMajority) return false;
    if (present(world).some((it) => !mayLose(world, it))) return false;
    announce(world, `the group wants ${desired} instances`);
    setDesired(world, desired);
    return true;
  },
  terminate: (world, { who }) =>
    withDispensable(world, who, (machine) => {
      announce(world, `${machine.id}: is terminated in order`);
      terminate(world, machine);
    }),
  lose: (world, { who }) =>
    withDispensable(world, who, (machine) => {
      announce(world, `${machine.id}: is lost`);
      lose(world, machine);
    }),
  spot: (world, { who }) =>
    withDispensable(world, who, (machine) => {
      announce(world, `${machine.id}: EC2 takes it back in two minutes`);
      machine.doomed = true;
      machine.metadata.spot = known({ action: 'terminate', time: '' });
      world.tell({ kind: 'told', id: machine.id, to: 'go' });
      later(world, SPOT_NOTICE_MS, () => {
        if (machine.state === 'gone') return;
        machine.state = 'leaving';
        world.aws.terminate(machine.id);
        tellEc2(world, machine);
        terminateAppliance(world, machine, 'go');
        later(world, world.random.int(1_000, 30_000), () => off(world, machine));
      });
    }),
  'ec2-stop': (world, { who }) =>
    withDispensable(world, who, (machine) => {
      announce(world, `${machine.id}: is stopped through EC2, and its group replaces it`);
      machine.doomed = true;
      world.busy += 1;
      stopInstance(world, machine, () => {
        world.clock.after(world.random.int(1_000, 30_000), () => {
          world.busy -= 1;
          if (machine.state !== 'up') return;
          machine.state = 'leaving';
          world.aws.set(machine.id, { lifecycle: 'Terminating' });
          reconcileSoon(world);
          later(world, machine.hooks.has.has('terminating') ? 180_000 : 1_000, () => off(world, machine));
        });
      });
    }),
  standby: (world, { who, lastsMs }) => {
    if (world.desired < 2) return false;
    return withTarget(world, who, (machine) => {
      announce(world, `${machine.id}: is in standby for ${lastsMs} ms`);
      enterStandby(world, machine);
      later(world, lastsMs, () => leaveStandby(world, machine));
    });
  },
  rest: (world, { who, lastsMs }) => {
    // What is without power is not stopped in order, nor started again.
    if (world.desired < 2 || targetOf(world, who)?.powered !== true) return false;
    return withDispensable(world, who, (machine) => {
      announce(world, `${machine.id}: goes to the warm pool for ${lastsMs} ms`);
      machine.place = 'pool';
      machine.metadata.target = known('Warmed:Stopped');
      world.aws.set(machine.id, { lifecycle: 'Warmed:Pending' });
      want(world, world.desired - 1);
      stopInstance(world, machine, () => {
        if (machine.state === 'up') world.aws.set(machine.id, { lifecycle: 'Warmed:Stopped' });
      });
      later(world, lastsMs, () => {
        if (machine.state !== 'up') return;
        // It may have been taken already, for another that went, or be on its way there once more.
        if (machine.place === 'pool' && !machine.powered) takeFromPool(world, machine);
        want(world, world.desired + 1);
        reconcileSoon(world);
      });
    });
  },
  refresh: (world, { minHealthyPercent }) => {
    const olds = refreshed(world);
    // As Auto Scaling answers: a refresh is in progress.
    if (olds.length === 0 || world.refreshing) return false;
    announce(
      world,
      `an instance refresh replaces ${olds.length} instances, ${minHealthyPercent} % stay healthy`,
    );
    replaceAll(world, olds, minHealthyPercent);
    return true;
  },
  regroup: (world, { who }) => {
    const region = targetOf(world, who)?.region;
    if (region === undefined || world.refreshing) return false;
    const old = groupIn(region);
    const by = `${old}-renamed`;
    // Once is enough.
    if (world.aws.fleet().groups.some((it) => it.arn === by)) return false;
    announce(world, `a stack update replaces the group of ${region} by another`);
    world.aws.replaceGroup(old, by);
    world.tell({ kind: 'regrouped' });
    replaceAll(
      world,
      refreshed(world).filter((it) => it.region === region),
      100,
    );
    return true;
  },
};

/** Whom a refresh replaces. */
function refreshed(world: World): readonly Machine[] {
  return alive(world).filter((it) => it.state === 'up' && isRefreshed(it));
}

/** Replaces these machines one after the other. */
function replaceAll(world: World, olds: readonly Machine[], minHealthyPercent: number): void {
  // The pool is replaced, too: what it holds was launched from the image, and by the group, of before.
  for (const it of alive(world)) if (it.place === 'pool') lose(world, it);
  world.busy += 1;
  world.refreshing = true;
  refreshNext(world, olds, minHealthyPercent);
}

/** Does something later that the group is in the middle of until then. */
function later(world: World, ms: number, act: () => void): void {
  world.busy += 1;
  world.clock.after(ms, () => {
    world.busy -= 1;
    act();
  });
}

function enterStandby(world: World, machine: Machine): void {
  machine.place = 'standby';
  world.aws.set(machine.id, { lifecycle: 'Standby' });
  machine.metadata.target = known('Standby');
  want(world, world.desired - 1);
}

/** What the group wants changes with what it has: there is nothing to reconcile. */
function want(world: World, desired: number): void {
  world.desired = desired;
  tellDesired(world, desired);
}

function leaveStandby(world: World, machine: Machine): void {
  if (machine.state !== 'up') return;
  world.note(machine.id, 'comes back from standby');
  machine.place = 'group';
  machine.metadata.target = known('InService');
  world.aws.set(machine.id, { lifecycle: 'Pending' });
  want(world, world.desired + 1);
  world.clock.after(world.random.int(500, 2_000), () => {
    if (machine.state === 'up') world.aws.set(machine.id, { lifecycle: 'InService' });
  });
  reconcileSoon(world);
}

/** One instance after the other: with 100 % its successor comes first, else after it. */
function refreshNext(world: World, olds: readonly Machine[], minHealthyPercent: number): void {
  const [old, ...rest] = olds;
  if (old === undefined) {
    world.note('world', 'the refresh is done');
    world.busy -= 1;
    world.refreshing = false;
    return;
  }
  const next = (): void => refreshNext(world, rest, minHealthyPercent);
  const isBack = (): boolean => old.state !== 'up' || old.place !== 'standby';
  within(world, REFRESH_STANDBY_MS, isBack, () => {
    if (old.state === 'up' && old.place === 'group') replace(world, old, minHealthyPercent, next);
    else next();
  });
}

/** An instance that is in standby is replaced when it comes back. */
function isRefreshed({ place }: Machine): boolean {
  return place === 'group' || place === 'standby';
}

function replace(world: World, old: Machine, minHealthyPercent: number, next: () => void): void {
  const extra = minHealthyPercent >= 100 ? 1 : 0;
  world.surplus += extra;
  reconcileSoon(world);
  const ready = (): boolean => inService(world) >= world.desired + extra && mayGo(world, old);
  within(world, REFRESH_STEP_MS, ready, () => {
    world.surplus -= extra;
    if (mayGo(world, old)) terminate(world, old);
    reconcileSoon(world);
    within(world, REFRESH_STEP_MS, () => old.state === 'gone' && inService(world) >= world.desired, next);
  });
}

/** A warm-up stands in for a hook: no refresh goes on while it would take a majority's data from a fleet that is not well. */
function mayGo(world: World, old: Machine): boolean {
  if (mayLose(world, old)) return true;
  const cluster = clusterView(world, promisedClaim(world)?.clusterId ?? null);
  return cluster !== null && cluster.voters.length > 1 && cluster.upVoters.length === cluster.voters.length;
}

function inService(world: World): number {
  const { instances } = world.aws.fleet();
  return instances.filter((it) => it.lifecycle === 'InService' && it.state === 'running').length;
}

/** Goes on once the condition holds, or the time is over. */
function within(world: World, ms: number, holds: () => boolean, then: () => void): void {
  if (ms <= 0 || holds()) then();
  else world.clock.after(REFRESH_LOOK_MS, () => within(world, ms - REFRESH_LOOK_MS, holds, then));
}
