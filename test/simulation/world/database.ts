import { standingClaim } from './convergence.ts';
import type { World } from './world.ts';

/** How often it is looked whether there is a cluster to fill; ms. */
const LOOK_MS = 2_000;

/** Has clients fill the database of each cluster that is formed, where the plot says that it is large. */
export function fillDatabases(world: World): void {
  const { database } = world.plot;
  if (database === undefined) return;
  world.tell({ kind: 'large', stepMs: database.startMs + database.transferMs + database.restoreMs });
  const look = (): void => {
    const claim = standingClaim(world);
    const cluster = claim?.state === 'formed' ? world.etcd.clusters.get(claim.clusterId ?? '') : undefined;
    if (cluster?.state.bytes === 0) {
      cluster.fill(database.bytes);
      world.note('world', `clients fill the database with ${database.bytes} bytes`);
    }
    world.clock.after(LOOK_MS, look);
  };
  world.clock.after(LOOK_MS, look);
}
