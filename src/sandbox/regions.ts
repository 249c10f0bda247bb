import { ApplianceError } from '../errors.ts';

/** Where a region is: its name, its zones, and whose account it is. */
export interface RegionPlace {
  readonly name: string;
  readonly zones: readonly string[];
  readonly account: string;
  readonly addresses: Addresses;
}

/** The addresses of one region's instances. */
export interface Addresses {
  /** The pair that a new instance gets; null where all of the zone are taken. */
  readonly free: (zone: string, used: ReadonlySet<string>, lowest: boolean) => AddressPair | null;
  /** All that the region ever gives out, private and public, as address ranges. */
  readonly ranges: readonly string[];
}

export interface AddressPair {
  readonly address: string;
  readonly publicAddress: string;
}

const FIRST_HOST = 10;
const LAST_HOST = 254;
/** By the third octet a person tells an address: 12 is the second zone of the second region, 112 the same in public. */
const REGION_STEP = 10;
const PUBLIC_STEP = 100;
const MOST_REGIONS = 8;
/** Fewer than `REGION_STEP`. */
const ZONE_LETTERS = ['a', 'b', 'c'] as const;
const ACCOUNT = '123456789012';

/** The places of a cloud's regions, in their order. Throws where there are none, too many, or one of them twice. */
export function regionPlaces(options: {
  readonly regions: readonly string[];
  /** First two octets of all addresses. */
  readonly network: string;
}): readonly RegionPlace[] {
  const { regions, network } = options;
  const wrong = regions.find((name, index) => !isRegionName(name) || regions.indexOf(name) !== index);
  if (wrong !== undefined)
    throw usage(`${wrong} is no region, or is there twice: write eu-central-1,eu-west-1`);
  if (regions.length === 0 || regions.length > MOST_REGIONS)
    throw usage(`${regions.length} regions are too few or too many: 1 to ${MOST_REGIONS}`);
  return regions.map((name, index) => {
    const zones = ZONE_LETTERS.map((letter) => name + letter);
    return { name, zones, account: ACCOUNT, addresses: createAddresses(network, zones, index * REGION_STEP) };
  });
}

/** Region names as AWS gives them: eu-central-1, us-gov-west-1. */
function isRegionName(text: string): boolean {
  return /^[a-z]{2,3}(?:-[a-z]+){1,3}-\d{1,2}$/.test(text);
}

/** Hands out addresses by zone in a circle, so that an old one comes back as late as possible. */
function createAddresses(network: string, zones: readonly string[], base: number): Addresses {
  const last = new Map<string, number>();
  const thirds = zones.map((_, index) => base + 1 + index);
  return {
    ranges: thirds.flatMap((third) => [`${network}.${third}.0/24`, `${network}.${third + PUBLIC_STEP}.0/24`]),
    free: (zone, used, lowest) => {
      const third = thirds[zones.indexOf(zone)];
      if (third === undefined) return null;
      const hosts = LAST_HOST - FIRST_HOST + 1;
      const start = lowest ? 0 : (last.get(zone) ?? -1) + 1;
      for (let step = 0; step < hosts; step += 1) {
        const host = (start + step) % hosts;
        const address = `${network}.${third}.${FIRST_HOST + host}`;
        if (used.has(address)) continue;
        last.set(zone, host);
        return { address, publicAddress: `${network}.${third + PUBLIC_STEP}.${FIRST_HOST + host}` };
      }
      return null;
    },
  };
}

function usage(message: string): ApplianceError {
  return new ApplianceError({ code: 'usage' }, message);
}
