import type { SandboxAddresses } from '../../src/sandbox/control.ts';
import type { Cloud } from '../../src/sandbox/model.ts';

/** A cloud, and where it answers: as much of a sandbox as can be looked at from outside. */
export interface Place {
  readonly cloud: Cloud;
  readonly addresses: Pick<SandboxAddresses, 'dns' | 'clusterName'>;
}
