import { damage, wipe } from '../world/cluster.ts';
import { endsIn } from '../world/group.ts';
import { cutPower, powerOn } from '../world/power.ts';
import { announce, type Strikes, withDispensable, withTarget } from './target.ts';

/** What happens to disks. */
export const DISK_INCIDENTS: Strikes<'wipe' | 'damage' | 'disk-full'> = {
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
  damage: (world, { who, what }) =>
    withDispensable(world, who, (machine) => {
      announce(world, `${machine.id}: etcd dies, and its ${what} cannot be read`);
      damage(world, machine, what);
    }),
  'disk-full': (world, { who, lastsMs }) =>
    withTarget(world, who, (machine) => {
      announce(world, `${machine.id}: its disk is full for ${lastsMs} ms`);
      machine.diskFull = true;
      world.etcd.kill(machine.address);
      world.clock.after(lastsMs, () => {
        machine.diskFull = false;
      });
    }),
};
