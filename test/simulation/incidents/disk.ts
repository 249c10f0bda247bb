import { damage, disarmNoSpace, raiseNoSpace, unmount, wipe } from '../world/cluster.ts';
import { endsIn } from '../world/group.ts';
import { cutPower, powerOn } from '../world/power.ts';
import type { Machine } from '../world/machine.ts';
import type { World } from '../world/world.ts';
import { announce, mayLose, type Strikes, targetOf, withDispensable, withTarget } from './target.ts';

/** What happens to disks. */
export const DISK_INCIDENTS: Strikes<
  'wipe' | 'unmount' | 'damage' | 'disk-full' | 'disks-short' | 'no-space' | 'defragment'
> = {
  wipe: (world, { who, what }) =>
    withDispensable(world, who, (machine) => {
      announce(
        world,
        `${machine.id}: comes back ${what === 'disk' ? 'on an empty disk' : 'without etcd’s files'}`,
      );
      cutPower(world, machine);
      wipe(world, machine, what);
      powerOn(world, machine, endsIn(world));
    }),
  unmount: (world, { who, lastsMs }) =>
    withDispensable(world, who, (machine) => {
      announce(world, `${machine.id}: boots without its volume, which is there again in ${lastsMs} ms`);
      cutPower(world, machine);
      const mount = unmount(world, machine);
      powerOn(world, machine, endsIn(world));
      world.clock.after(lastsMs, () => {
        if (machine.state === 'gone' || !mayLose(world, machine)) return;
        cutPower(world, machine);
        mount();
        world.note(machine.id, 'boots with its volume again');
        powerOn(world, machine, endsIn(world));
      });
    }),
  damage: (world, { who, what }) =>
    withDispensable(world, who, (machine) => {
      announce(world, `${machine.id}: etcd dies, and its ${what} cannot be read`);
      damage(world, machine, what);
    }),
  'disk-full': (world, { who, lastsMs, aside = false }) =>
    withTarget(world, who, (machine) => {
      const { disk } = machine;
      const isOfAside = aside && machine.fullOf === null && disk.etcd !== null && disk.identity !== null;
      const by = isOfAside ? 'of data set aside that nobody needs' : `for ${lastsMs} ms`;
      announce(world, `${machine.id}: its disk is full ${by}`);
      if (isOfAside) fillWithAside(world, machine);
      machine.diskFull = true;
      world.etcd.kill(machine.address);
      world.clock.after(lastsMs, () => {
        if (machine.fullOf === null) machine.diskFull = false;
      });
    }),
  'disks-short': (world, { lastsMs }) => {
    announce(world, `no disk has room for what is set aside, for ${lastsMs} ms`);
    world.disksShort = true;
    world.clock.after(lastsMs, () => {
      world.disksShort = false;
    });
    return true;
  },
  'no-space': (world, { lastsMs }) => {
    if (!raiseNoSpace(world)) return false;
    announce(world, `etcd is out of space for ${lastsMs} ms`);
    world.clock.after(lastsMs, () => makeRoom(world));
    return true;
  },
  defragment: (world, { who, lastsMs }) => {
    const machine = targetOf(world, who);
    if (machine === null || !world.etcd.defragment(machine.address, lastsMs)) return false;
    announce(world, `${machine.id}: its etcd is told to defragment its database, for ${lastsMs} ms`);
    return true;
  },
};

/** What a learner had, whom nobody remembers, takes all the room. */
function fillWithAside(world: World, machine: Machine): void {
  const { disk } = machine;
  const identity = disk.identity === null ? null : { ...disk.identity, voter: false };
  const numbers = disk.aside.map((it) => Number(it.directory.split('/').at(-1)));
  const directory = `aside/${Math.max(0, ...numbers) + 1}`;
  const entry = { directory, identity, at: world.clock.wallTime(), reason: 'removed-while-away', etcd: null };
  disk.aside = [...disk.aside, entry];
  machine.fullOf = directory;
}

/** An operator tries so often to disarm an alarm, for which etcd needs a quorum; ms. */
const DISARM_EVERY_MS = 1_000;

/** What was raised may be applied only when a leader that was frozen, or has lost its quorum, has one: so long is looked on; ms. */
const LOOKS_ON_MS = 5 * 60_000;

function makeRoom(world: World, calmMs = 0): void {
  const isCalm = disarmNoSpace(world);
  if (isCalm && calmMs >= LOOKS_ON_MS) return;
  world.clock.after(DISARM_EVERY_MS, () => makeRoom(world, isCalm ? calmMs + DISARM_EVERY_MS : 0));
}
