import type { Fleet } from './harness.ts';
import { askNames } from './view.ts';

/** The addresses that clients are sent to by DNS now, sorted. */
export async function clientAddresses({ sandbox }: Fleet): Promise<readonly string[]> {
  const names = await askNames(sandbox);
  return names[`_etcd-client._tcp.${sandbox.addresses.clusterName}`] ?? [];
}

/** Until clients are sent to these addresses, and to no others. */
export async function untilNamed(fleet: Fleet, addresses: readonly string[]): Promise<void> {
  const wanted = addresses.toSorted().join();
  await fleet.until('DNS names those that serve', async () => {
    const given = (await clientAddresses(fleet)).join();
    return given === wanted ? [] : [`${given} instead of ${wanted}`];
  });
}
