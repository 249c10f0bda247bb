import { setTimeout } from 'node:timers/promises';
import { createClients } from './aws/clients.ts';
import { findHostedZone } from './aws/hosted-zone.ts';
import type { HostedZone } from './aws/hosted-zone.ts';
import { createZone } from './aws/zone.ts';
import type { Zone } from './aws/zone.ts';
import { ApplianceError } from './errors.ts';

/** The hosted zone alone, opened without an instance around it: for an operator's verbs, anywhere. */
export interface OpenedZone {
  readonly zone: HostedZone;
  /** The part of the zone at and under a cluster's full name. */
  register(cluster: string): Zone;
  close(): void;
}

/**
 * Opens the hosted zone by name or id. `region` matters only for its partition. Throws `unavailable` where Route 53
 * does not answer or does not show the zone, and `configuration` where the name fits two zones.
 */
export async function openZone(hostedZone: string, region: string, signal: AbortSignal): Promise<OpenedZone> {
  const clients = createClients({ region }, { observer: { onCall: () => undefined } });
  const calls = clients.route53();
  const zone = await findHostedZone(calls, hostedZone, signal);
  if (!zone.known) throw new ApplianceError({ code: 'unavailable', service: 'route53' }, zone.reason);
  return {
    zone: zone.value,
    register: (name) =>
      createZone(
        { zone: zone.value, name },
        { calls, fraction: Math.random, sleep: (ms, cut) => setTimeout(ms, undefined, { signal: cut }) },
      ),
    close: () => clients.destroy(),
  };
}
