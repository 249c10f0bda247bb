import type { Config } from '../config.ts';
import { groupsWithVoters } from '../core/claim.ts';
import { ApplianceError } from '../errors.ts';
import { withRegister } from './register.ts';
import { readEndpoint } from './upgrade-wish.ts';

/** Where a cluster is found. */
export interface Place {
  /** Full name; the address where it was found by that. */
  readonly cluster: string;
  readonly addresses: readonly string[];
  /** Of the claim; null where it was found by an address, or is being born. */
  readonly clusterId: string | null;
  /** ARNs of the groups that its voters are in; empty where it was found by an address. */
  readonly groups: readonly string[];
  /** Of each voter of the claim, by its instance id; null where the claim does not say. */
  readonly regions: ReadonlyMap<string, string | null>;
  /** As it is named on a command line. */
  readonly words: string;
}

/**
 * Finds a cluster: by its name in the hosted zone, whose claim names the voters, or by the address of a member. Throws
 * `usage`, `configuration` or `unavailable` as the register does, and `not-found` where no cluster lives under the name.
 */
export async function findPlace(
  given: string | undefined,
  endpoint: string | undefined,
  config: Config,
): Promise<Place> {
  if (endpoint === undefined) return await findByName(given, config);
  if (given !== undefined)
    throw new ApplianceError(
      { code: 'usage' },
      `a name (${given}) and --endpoint contradict each other: give one of them`,
    );
  const address = readEndpoint(endpoint);
  return {
    cluster: address,
    addresses: [address],
    clusterId: null,
    groups: [],
    regions: new Map(),
    words: `--endpoint ${address}`,
  };
}

/** How instances get another image, as a clause for an operator: the command that has groups do it where that can be called. */
export function refreshAdvice({ groups, clusterId, words }: Place, to: string | null): string {
  const order = `${to === null ? '' : ` --to ${to}`} --refresh`;
  if (groups.length > 0) return `etcd-appliance upgrade ${words}${order}`;
  return clusterId === null
    ? `etcd-appliance upgrade NAME${order}, with the name of the cluster, whose claim knows the groups, in place of ${words}`
    : 'terminate the instances one by one, each when the one before is replaced: the claim names no group';
}

async function findByName(given: string | undefined, config: Config): Promise<Place> {
  return await withRegister(given, config, ({ cluster, reading }) => {
    if (reading.kind === 'unreadable')
      throw new ApplianceError(
        { code: 'conflict', what: cluster },
        `the claim of ${cluster} cannot be read: ${reading.why}; name a member with --endpoint`,
      );
    if (reading.kind === 'none')
      throw new ApplianceError(
        { code: 'not-found', what: cluster },
        `no cluster lives under ${cluster}: there is no claim`,
      );
    const { claim } = reading;
    if (claim.voters.length === 0)
      throw new ApplianceError(
        { code: 'not-found', what: cluster },
        `the cluster of ${cluster} is not born yet: its claim is ${claim.state}`,
      );
    return {
      cluster,
      addresses: claim.voters.map((it) => it.address),
      clusterId: claim.clusterId,
      groups: groupsWithVoters(claim),
      regions: new Map(claim.voters.map((it) => [it.instanceId, it.region])),
      words: given ?? cluster,
    };
  });
}
