import type { DaemonOptions } from '../../../src/daemon/options.ts';
import type { FirewallPort } from '../../../src/daemon/ports.ts';
import { createFakeFirewall, type FakeFirewall } from '../../fakes/fake-firewall.ts';
import type { Network, Traffic } from '../../fakes/network.ts';
import { REGIONS } from './names.ts';
import type { World, WorldPlot } from './world.ts';

/** Between members and appliances: what a security group lets in, or does not. */
const MEMBERS: readonly Traffic[] = ['peer', 'client', 'http'];

const PORTS = { from: 2378, to: 2380 };

/** Further than the furthest two regions of AWS are, one way; ms. */
const DISTANCE_MS = 150;

/** The regions of a world, the first of which is where everything is if there is one. */
export function regionsOf({ regions = 1 }: Pick<WorldPlot, 'regions'>): readonly string[] {
  return REGIONS.slice(0, regions);
}

/** How many of `desired` are the group's of this region. */
export function shareOf(plot: Pick<WorldPlot, 'regions'>, region: string, desired: number): number {
  const regions = regionsOf(plot);
  return Math.floor((desired + regions.length - 1 - regions.indexOf(region)) / regions.length);
}

/** ARN of the group of a region. */
export function groupIn(region: string): string {
  return `arn:aws:autoscaling:${region}:1:autoScalingGroup:1:main`;
}

/** What an appliance is told of its regions. */
export function regionalOptions({ plot }: World): Pick<DaemonOptions, 'far' | 'firewall'> {
  const regions = regionsOf(plot);
  return regions.length === 1
    ? {}
    : { far: true, firewall: { regions, ports: [PORTS], withOwnRegion: false } };
}

/** Security groups that hold: between regions only such messages pass as a rule lets in, and they take their time. */
export function openFirewall(network: Network, plot: Pick<WorldPlot, 'regions'>): FakeFirewall {
  const regions = regionsOf(plot);
  const firewall = createFakeFirewall(Object.fromEntries(regions.map((it) => [it, []])));
  if (regions.length === 1) return firewall;
  const isFar = (from: string, to: string): boolean => {
    const [one, other] = [regionAt(from), regionAt(to)];
    return one !== null && other !== null && one !== other;
  };
  const isLetIn = (from: string, to: string): boolean =>
    (firewall.rules.get(regionAt(to) ?? '') ?? []).some((it) => it.address === from);
  network.cut({ traffic: MEMBERS, concerns: (from, to) => isFar(from, to) && !isLetIn(from, to) });
  network.slow({ traffic: MEMBERS, concerns: isFar }, DISTANCE_MS);
  // Who listens to the network hears that another may be reached now.
  const told =
    <Change extends FirewallPort['open']>(change: Change): FirewallPort['open'] =>
    async (...args) => {
      const outcome = await change(...args);
      network.cut({ traffic: [], concerns: () => false })();
      return outcome;
    };
  return { ...firewall, open: told(firewall.open), close: told(firewall.close) };
}

/** The second number of an address is its region's. */
export function regionAt(address: string): string | null {
  const [, index] = /^10\.(\d)\./.exec(address) ?? [];
  return index === undefined ? null : (REGIONS[Number(index)] ?? null);
}

/** Cuts a region off from the others; gives the way to end it. */
export function cutOff({ network }: World, region: string): () => void {
  return network.cut({
    traffic: MEMBERS,
    concerns: (from, to) =>
      regionAt(from) !== null &&
      regionAt(to) !== null &&
      (regionAt(from) === region) !== (regionAt(to) === region),
  });
}
