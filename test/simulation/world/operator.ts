import { minorOf } from '../../../src/core/versions.ts';
import { clusterView } from './cluster.ts';
import { promisedClaim } from './convergence.ts';
import { terminate } from './group.ts';
import { alive, present, type World } from './world.ts';

/**
 * Does what an appliance says that cannot start for want of the cluster's etcd: terminates its instance, so that the group
 * sends one of the image that it has now. Some come too late for the image that they were launched with: the others had gone on.
 */
export function replaceStranded(world: World): void {
  const cluster = clusterView(world, promisedClaim(world)?.clusterId ?? null);
  const version =
    cluster === null ? null : (world.etcd.clusters.get(cluster.id)?.state.clusterVersion ?? null);
  if (cluster === null || version === null) return;
  const has = (versions: readonly string[]): boolean =>
    versions.some((it) => minorOf(it) === minorOf(version));
  const members = new Set(cluster.members.map((it) => it.name));
  for (const machine of present(world)) {
    if (has(machine.image.versions) || members.has(machine.id)) continue;
    if (!has(world.image.installed)) {
      // Somebody gave it to one machine, and forgot those that are still to come.
      const able = alive(world).find((it) => has(it.image.versions));
      if (able === undefined) continue;
      world.note('world', `an operator mends the image, which lacks etcd ${minorOf(version)}`);
      world.image = { ...world.image, installed: able.image.versions };
    }
    world.note('world', `an operator terminates ${machine.id}, whose image lacks etcd ${minorOf(version)}`);
    terminate(world, machine);
  }
}
