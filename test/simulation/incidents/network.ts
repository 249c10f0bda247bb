import type { Place, Route, Traffic } from '../../fakes/network.ts';
import type { Incident } from '../incident.ts';
import type { Machine } from '../world/machine.ts';
import { writeMuch } from '../world/cluster.ts';
import { alive, type World } from '../world/world.ts';
import { announce, type Strikes, targetOf, withTarget } from './target.ts';

/** What happens between the machines, and between them and AWS. */
export const NETWORK_INCIDENTS: Strikes<'partition' | 'slow' | 'loss' | 'metadata' | 'load'> = {
  partition: (world, incident) => {
    const machine = targetOf(world, incident.who);
    if (machine === null) return false;
    const { shape, traffic, lastsMs } = incident;
    const route = routeOf(world, machine, incident);
    announce(world, `${route.what} for ${lastsMs} ms: ${shape}, ${traffic.join()}`);
    world.clock.after(lastsMs, world.network.cut(route));
    return true;
  },
  slow: (world, { who, traffic, delayMs, lastsMs }) => {
    const route = routeOfOne(world, who, traffic);
    if (route === null) return false;
    announce(
      world,
      `${route.what}: messages late by up to ${delayMs} ms, for ${lastsMs} ms, ${traffic.join()}`,
    );
    world.clock.after(lastsMs, world.network.slow(route, delayMs));
    // Late beyond etcd's heartbeats, what peers send each other is as good as lost for a while.
    if (delayMs >= 1_000 && traffic.includes('peer')) flap(world, route, 0.5, lastsMs);
    return true;
  },
  loss: (world, { who, traffic, share, lastsMs }) => {
    const route = routeOfOne(world, who, traffic);
    if (route === null) return false;
    announce(
      world,
      `${route.what}: ${share * 100} % of the messages lost for ${lastsMs} ms, ${traffic.join()}`,
    );
    world.clock.after(lastsMs, world.network.lose(route, share));
    if (traffic.includes('peer')) flap(world, route, share, lastsMs);
    return true;
  },
  metadata: (world, { who, lastsMs }) =>
    withTarget(world, who, (machine) => {
      announce(world, `${machine.id}: its metadata are silent for ${lastsMs} ms`);
      const route = { traffic: ['imds' as const], concerns: (from: Place) => from === machine.address };
      world.clock.after(lastsMs, world.network.cut(route));
    }),
  load: (world, { entries, lastsMs }) => {
    announce(world, `clients write ${entries} entries within ${lastsMs} ms`);
    const parts = Math.ceil(lastsMs / LOAD_EVERY_MS);
    for (let part = 0; part < parts; part += 1)
      world.clock.after(part * LOAD_EVERY_MS, () => writeMuch(world, Math.ceil(entries / parts)));
    return true;
  },
};

/** So often a part of what clients write much of is written; ms. */
const LOAD_EVERY_MS = 500;

type Said = Route & { readonly what: string };

/** Who is cut from whom. Machines that are launched later are on the other side. */
function routeOf(world: World, machine: Machine, { shape, traffic, share }: Incident<'partition'>): Said {
  const all = alive(world).map((it) => it.address);
  const at = all.indexOf(machine.address);
  const others = [...all.slice(at + 1), ...all.slice(0, at)];
  const own = machine.address;
  // From the target on, so that it is on the first side of two.
  const near = [own, ...others.slice(0, Math.floor(share * others.length))];
  const sideOf = (it: Place): 'near' | 'far' => (near.includes(it) ? 'near' : 'far');
  switch (shape) {
    case 'node':
      return {
        traffic,
        concerns: (from, to) => from === own || to === own,
        what: `${machine.id} is cut off`,
      };
    case 'one-way':
      return { traffic, concerns: (from) => from === own, what: `what ${machine.id} sends is lost` };
    case 'deaf':
      return { traffic, concerns: (_from, to) => to === own, what: `what is sent to ${machine.id} is lost` };
    case 'group':
      return {
        traffic,
        concerns: (from, to) => sideOf(from) !== sideOf(to),
        what: `${near.join()} are cut off`,
      };
    case 'bridge':
      return {
        traffic,
        concerns: (from, to) => from !== own && to !== own && sideOf(from) !== sideOf(to),
        what: `${near.join()} are cut off, but for ${own}`,
      };
  }
}

function routeOfOne(world: World, who: number | null, traffic: readonly Traffic[]): Said | null {
  if (who === null) return { traffic, concerns: () => true, what: 'everybody' };
  const machine = targetOf(world, who);
  if (machine === null) return null;
  const own = machine.address;
  return { traffic, concerns: (from, to) => from === own || to === own, what: machine.id };
}

/**
 * The etcds' own messages are not played one by one: a share that is lost, or too late, is as many short cuts, now one way,
 * now both.
 */
function flap(world: World, route: Route, share: number, lastsMs: number): void {
  const { clock, network, random } = world;
  if (lastsMs <= 0) return;
  const ms = Math.min(lastsMs, random.int(200, 2_000));
  if (random.chance(share)) {
    const oneWay = random.chance(0.5);
    const concerns = (from: Place, to: Place): boolean => route.concerns(from, to) && (!oneWay || from < to);
    // Each is a fault of its own, however long the whole lasts: nobody can have seen it who looked before it. It is told before
    // what it brings about.
    world.tell({ kind: 'fault', lastsMs: ms });
    clock.after(ms, network.cut({ traffic: ['peer'], concerns }));
  }
  clock.after(ms, () => flap(world, route, share, lastsMs - ms));
}
