import type { Incident } from '../incident.ts';
import type { World } from '../world/world.ts';
import { AWS_INCIDENTS } from './aws.ts';
import { DISK_INCIDENTS } from './disk.ts';
import { NETWORK_INCIDENTS } from './network.ts';
import { OPERATOR_INCIDENTS } from './operator.ts';
import { PROCESS_INCIDENTS } from './process.ts';
import { SCALING_INCIDENTS } from './scaling.ts';
import type { Strikes } from './target.ts';
import { UPGRADE_INCIDENTS } from './upgrade.ts';

const STRIKES: Strikes = {
  ...PROCESS_INCIDENTS,
  ...DISK_INCIDENTS,
  ...NETWORK_INCIDENTS,
  ...AWS_INCIDENTS,
  ...SCALING_INCIDENTS,
  ...OPERATOR_INCIDENTS,
  ...UPGRADE_INCIDENTS,
};

/** Brings an incident about now; false: it does not fit. */
export function strike(world: World, incident: Incident): boolean {
  // The table pairs each kind with its own function; the compiler cannot follow a union through it.
  const act = STRIKES[incident.kind] as (world: World, incident: Incident) => boolean;
  return act(world, incident);
}
