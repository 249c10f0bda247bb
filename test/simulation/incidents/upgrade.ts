import { encodePart, UPGRADE_KEYS } from '../../../src/core/upgrade-record.ts';
import { compareVersions, minorOf } from '../../../src/core/versions.ts';
import { writeAsOperator } from '../world/cluster.ts';
import { standingClaim } from '../world/convergence.ts';
import type { Machine } from '../world/machine.ts';
import { terminateAppliance } from '../world/power.ts';
import { alive, present, type World } from '../world/world.ts';
import type { Incident } from '../incident.ts';
import { NETWORK_INCIDENTS } from './network.ts';
import { PROCESS_INCIDENTS } from './process.ts';
import { SCALING_INCIDENTS } from './scaling.ts';
import { announce, type Strikes, targetOf } from './target.ts';

/** Between one machine that is configured anew and the next; ms. */
const CONFIGURED_EVERY_MS = 4_000;
const POLLED_EVERY_MS = 1_000;

/** What operators do about versions, and what goes wrong in a step. */
export const UPGRADE_INCIDENTS: Strikes<
  'image' | 'configure' | 'order' | 'bad-binary' | 'poll-health' | 'in-step'
> = {
  image: (world, { installs, wanted: wish }) => {
    const installed = together(world.image.installed, installs);
    const wanted = fitting(world, installed, wish);
    world.image = { installed, wanted };
    announce(
      world,
      `what is launched has etcd ${world.image.installed.join(', ')}, and wants ${wanted ?? 'the newest'}`,
    );
    return true;
  },
  configure: (world, { who, installs, wanted: wish }) => {
    const machine = who === null ? null : targetOf(world, who);
    if (who !== null && machine === null) return false;
    // Those in the warm pool come back into a cluster that has gone on.
    const machines = machine === null ? alive(world) : [machine];
    if (machines.length === 0) return false;
    const wanted = fitting(world, together(world.image.installed, installs), wish);
    announce(
      world,
      `${machine?.id ?? 'everybody'} gets etcd ${installs.join(', ')}, and wants ${wanted ?? 'the newest'}`,
    );
    if (machine === null) world.image = { installed: together(world.image.installed, installs), wanted };
    world.busy += 1;
    for (const [at, it] of machines.entries())
      world.clock.after(at * CONFIGURED_EVERY_MS, () => {
        it.image.versions = together(it.image.versions, installs);
        it.image.wanted = fitting(world, it.image.versions, wish);
        if (it.state === 'up') terminateAppliance(world, it, 'stop');
        world.tell({ kind: 'fault', lastsMs: 0 });
        if (it === machines.at(-1)) world.busy -= 1;
      });
    return true;
  },
  order: (world, { what, to, rings }) => {
    announce(world, `the operator says: ${what} ${what === 'to' ? (to ?? 'what is configured') : ''}`);
    const paused = what === 'pause' ? { at: world.clock.wallTime() } : null;
    if (what === 'pause' || what === 'resume')
      writeAsOperator(world, UPGRADE_KEYS.paused, encodePart(paused));
    if (what === 'resume' || what === 'abort') writeAsOperator(world, UPGRADE_KEYS.failed, '');
    if (what === 'to' || what === 'abort')
      writeAsOperator(world, UPGRADE_KEYS.to, encodePart(what === 'to' ? to : null));
    if (rings) world.clock.after(100, () => ring(world));
    return true;
  },
  'bad-binary': (world, { who, minor, fault, lastsMs }) => {
    const machine = who === null ? null : targetOf(world, who);
    if (who !== null && machine === null) return false;
    announce(world, `etcd ${minor} is broken (${fault}) on ${machine?.id ?? 'all'} for ${lastsMs} ms`);
    for (const it of machine === null ? alive(world) : [machine]) {
      // What runs has been read from the disk already.
      const bad = it.image.versions.filter((version) => minorOf(version) === minor);
      for (const version of bad) it.image.bad.set(version, fault);
      world.clock.after(lastsMs, () => {
        for (const version of bad) it.image.bad.delete(version);
        // Whoever mends it ends what hangs; by itself that takes a quarter of an hour.
        const process = world.etcd.processAt(it.address);
        if (process?.files === null && bad.includes(process.version)) world.etcd.kill(it.address);
      });
    }
    return true;
  },
  'poll-health': (world, { who, lastsMs }) => {
    const machine = targetOf(world, who);
    if (machine === null) return false;
    announce(world, `somebody asks ${machine.id} for /health for ${lastsMs} ms`);
    for (let ms = 0; ms < lastsMs; ms += POLLED_EVERY_MS)
      world.clock.after(ms, () => world.etcd.askHealth(machine.address));
    return true;
  },
  'in-step': (world, incident) => {
    announce(
      world,
      `${incident.does.kind} of the ${incident.to}, in the next step within ${incident.withinMs} ms`,
    );
    const listener = (holder: Machine): void => {
      world.onStep.delete(listener);
      world.clock.after(incident.afterMs, () => strikeInStep(world, holder, incident));
    };
    world.onStep.add(listener);
    world.clock.after(incident.withinMs, () => void world.onStep.delete(listener));
    return true;
  },
};

/** What nobody has is not wished for before a birth: it would be waited for, and rightly. */
function fitting(world: World, installed: readonly string[], wanted: string | null): string | null {
  const isLate = standingClaim(world)?.state === 'formed';
  return isLate || installed.some((it) => it === wanted || minorOf(it) === wanted) ? wanted : null;
}

/** Both, in their order. */
function together(one: readonly string[], other: readonly string[]): readonly string[] {
  return [...new Set([...one, ...other])].toSorted(compareVersions);
}

function ring(world: World): void {
  const never = new AbortController().signal;
  for (const { process } of present(world))
    process?.life.deliver(() => void process.appliance.upgrade(true, never).catch(() => undefined));
}

function strikeInStep(world: World, holder: Machine, { to, does, forMs }: Incident<'in-step'>): void {
  const machines = present(world);
  const others = machines.filter((it) => it !== holder);
  const target = to === 'holder' ? holder : others[world.random.int(0, Math.max(0, others.length - 1))];
  if (target === undefined || !machines.includes(target)) return;
  const who = (machines.indexOf(target) + 0.5) / machines.length;
  const atMs = world.clock.now();
  const isPlain = does.kind === 'power-cut' || (does.kind === 'freeze' && does.what === 'etcd');
  const lasts = does.kind === 'freeze' || does.kind === 'partition';
  world.tell({ kind: 'fault', lastsMs: lasts && !isPlain ? forMs : 0 });
  switch (does.kind) {
    case 'kill':
      PROCESS_INCIDENTS.kill(world, { ...does, kind: 'kill', atMs, who });
      return;
    case 'kill-at-call':
      PROCESS_INCIDENTS['kill-at-call'](world, { ...does, kind: 'kill-at-call', atMs, who });
      return;
    case 'freeze':
      PROCESS_INCIDENTS.freeze(world, { ...does, kind: 'freeze', atMs, who, lastsMs: forMs });
      return;
    case 'power-cut':
      PROCESS_INCIDENTS['power-cut'](world, { kind: 'power-cut', atMs, who, lastsMs: forMs });
      return;
    case 'partition': {
      const traffic = ['peer', 'client', 'http', 'aws'] as const;
      const cut = { kind: 'partition', shape: 'node', share: 0, traffic } as const;
      NETWORK_INCIDENTS.partition(world, { ...cut, atMs, who, lastsMs: forMs });
      return;
    }
    case 'lose':
      SCALING_INCIDENTS.lose(world, { kind: 'lose', atMs, who });
      return;
    case 'terminate':
      SCALING_INCIDENTS.terminate(world, { kind: 'terminate', atMs, who });
  }
}
