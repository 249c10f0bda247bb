import { minorOf } from '../../../src/core/versions.ts';
import { clusterView } from './cluster.ts';
import { standingClaim } from './convergence.ts';
import { terminate } from './group.ts';
import { present, type World } from './world.ts';

/**
 * Does what an appliance says that cannot start for want of the cluster's etcd: terminates its instance, so that the group
 * sends one of the image that it has now. Some come too late for the image that they were launched with: the others had gone on.
 */
export function replaceStranded(world: World): void {
  const cluster = clusterView(world, standingClaim(world)?.clusterId ?? null);
  const version =
    cluster === null ? null : (world.etcd.clusters.get(cluster.id)?.state.clusterVersion ?? null);
  if (cluster === null || version === null) return;
  const members = new Set(cluster.members.map((it) => it.name));
  for (const machine of present(world)) {
    const lacks = machine.image.versions.every((it) => minorOf(it) !== minorOf(version));
    const wanted = world.image.installed.some((it) => minorOf(it) === minorOf(version));
    if (!lacks || !wanted || members.has(machine.id)) continue;
    world.note('world', `an operator terminates ${machine.id}, whose image lacks etcd ${minorOf(version)}`);
    terminate(world, machine);
  }
}
