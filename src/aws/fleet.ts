import { NOT_FOUND_IS_GONE_MS, regionsWith } from '../core/fleet.ts';
import type { Advertise, Ec2Evidence, Fleet, Instance, Self } from '../core/fleet.ts';
import { known, unknown } from '../core/known.ts';
import type { Known, Unknown } from '../core/known.ts';
import type { AwsClients } from './clients.ts';
import { groupByName, groupsOfStack } from './groups.ts';
import type { ListedGroup } from './groups.ts';
import { describeInstances } from './instances.ts';
import type { Ec2Instance } from './instances.ts';

/** Whose fleet it is. */
export interface FleetOptions {
  readonly self: Self;
  /** Name of the own Auto Scaling group; null where the instance is in none: the fleet is unknown then. */
  readonly group: string | null;
  /** Regions in which the stack has groups; the own one always counts, named or not. */
  readonly activeRegions: readonly string[];
  /** Which address of an instance is its own; private where it is left out. */
  readonly advertise?: Advertise;
}

export interface FleetDeps {
  readonly clients: Pick<AwsClients, 'ec2' | 'autoScaling'>;
  /** Milliseconds since some moment; never goes back. */
  readonly now: () => number;
}

/**
 * The fleet, asked of AWS. An answer is known only if nothing in it contradicts the rest or itself:
 *
 * - every active region answered, every page came;
 * - Auto Scaling shows a group of the stack in each region; a group may be empty (a zone or a region without capacity
 *   must not stop the others), the absence of groups is taken for an empty answer;
 * - the own group lists the asking instance, and EC2 shows it;
 * - EC2 shows every instance that Auto Scaling says serves (InService, Standby). One still Pending may not be visible
 *   yet, one that terminates may be visible no more: those have no state and no address. So that an id that EC2 has
 *   forgotten for good cannot keep the fleet unknown for ever, it is listed without a state after an hour of answers
 *   that lack it, the time after which the core, too, takes such an id for gone.
 */
export interface FleetSource {
  observe(signal: AbortSignal): Promise<Known<Fleet>>;
  /**
   * EC2's word on any instances, asked in the region of each; where that is null, in all of them, and then "not-found" is
   * what all of them say. Who is not in the answer, nothing is known of: a region that
   * is silent takes nothing from what the others say. A "not-found" is half a claim about the whole answer,
   * so the answer must also show the asking instance (in its own region) and those that the last known fleet,
   * if that is fresh, had running there.
   */
  evidence(
    instances: readonly { readonly id: string; readonly region: string | null }[],
    signal: AbortSignal,
  ): Promise<Known<ReadonlyMap<string, Ec2Evidence>>>;
}

/** EC2 shows a terminated instance for about an hour: within half of it, an instance seen running must be shown. */
const WITNESS_FRESH_MS = 30 * 60_000;

interface Memory {
  /** Since when every answer lacked the instance. */
  missingSince: ReadonlyMap<string, number>;
  /** Who ran, by region, in the last known fleet; and when that was asked. */
  witnesses: { readonly at: number; readonly byRegion: ReadonlyMap<string, readonly string[]> } | null;
}

/** Makes the fleet's source. What it keeps in memory only makes answers stricter, or ends a wait. */
export function createFleet(options: FleetOptions, deps: FleetDeps): FleetSource {
  const { advertise = 'private' } = options;
  const regions = regionsWith(options.self.region, options.activeRegions);
  const memory: Memory = { missingSince: new Map(), witnesses: null };
  return {
    observe: async (signal) => {
      const at = deps.now();
      const parts = await Promise.all(regions.map((region) => listRegion(region, options, deps, signal)));
      const failed = parts.find((part): part is Unknown => !part.known);
      if (failed !== undefined) return failed;
      const listed = parts.flatMap((part) => (part.known ? [part.value] : []));
      const missing = remember(memory, listed, at);
      if (missing !== undefined) {
        return unknown(
          `EC2 does not show ${missing}, which its group lists as serving: the answer is not whole`,
        );
      }
      const fleet = joined(listed, advertise);
      memory.witnesses = { at, byRegion: runningByRegion(fleet, regions) };
      return known(fleet);
    },
    evidence: async (instances, signal) => {
      const evidence = new Map<string, Ec2Evidence>();
      const asked = instances.flatMap(({ id, region }) =>
        (region === null ? regions : [region]).map((it) => ({ id, region: it })),
      );
      const places = [...new Set(asked.map((it) => it.region))];
      const answers = await Promise.all(
        places.map(async (region) => {
          const ids = asked.filter((it) => it.region === region).map((it) => it.id);
          return { ids, part: await evidenceIn(region, ids, options.self, memory, deps, signal) };
        }),
      );
      const silent = answers.filter(({ part }) => !part.known).flatMap(({ ids }) => ids);
      for (const { part } of answers) {
        for (const [id, word] of part.known ? part.value : []) {
          const isSaid = word === 'not-found' ? !evidence.has(id) && !silent.includes(id) : true;
          if (isSaid) evidence.set(id, word);
        }
      }
      const failed = answers.find(({ part }) => !part.known);
      return failed !== undefined && evidence.size === 0 ? failed.part : known(evidence);
    },
  };
}

/** What a region answered. */
interface Listed {
  readonly region: string;
  readonly groups: readonly ListedGroup[];
  readonly instances: ReadonlyMap<string, Ec2Instance>;
}

async function listRegion(
  region: string,
  options: FleetOptions,
  deps: FleetDeps,
  signal: AbortSignal,
): Promise<Known<Listed>> {
  const groups = await groupsIn(region, options, deps, signal);
  if (!groups.known) return groups;
  const ids = groups.value.flatMap((group) => group.instances.map((instance) => instance.id));
  const witness = region === options.self.region ? options.self.id : null;
  const instances = await describeInstances(deps.clients.ec2(region), region, ids, witness, signal);
  return instances.known ? known({ region, groups: groups.value, instances: instances.value }) : instances;
}

async function groupsIn(
  region: string,
  { self, group: ownName }: FleetOptions,
  deps: FleetDeps,
  signal: AbortSignal,
): Promise<Known<readonly ListedGroup[]>> {
  const autoScaling = deps.clients.autoScaling(region);
  const tagged = await groupsOfStack(autoScaling, region, self.stack, signal);
  if (!tagged.known) return tagged;
  if (region !== self.region) {
    return tagged.value.length > 0
      ? tagged
      : unknown(`Auto Scaling shows no group of stack ${self.stack} in ${region}`);
  }
  if (ownName === null) return unknown(`instance ${self.id} is in no Auto Scaling group`);
  let own = tagged.value.find((group) => group.name === ownName);
  const others = tagged.value.filter((group) => group.name !== ownName);
  if (own === undefined) {
    // A group without CloudFormation's tag, the stack's name comes from configuration: found by its own name.
    const named = await groupByName(autoScaling, region, ownName, signal);
    if (!named.known) return named;
    if (named.value === null) return unknown(`Auto Scaling does not show the own group ${ownName}`);
    if (named.value.stack === self.stack)
      return unknown(`Auto Scaling's answers contradict each other on ${ownName}`);
    own = named.value;
  }
  if (!own.instances.some((instance) => instance.id === self.id)) {
    return unknown(`the group ${ownName} does not list the asking instance ${self.id}`);
  }
  return known([own, ...others]);
}

const SERVING: ReadonlySet<string> = new Set(['InService', 'EnteringStandby', 'Standby']);

/**
 * Notes which serving instances EC2 does not show, and since when. Answers the first that has not been missing for
 * long enough to be believed gone.
 */
function remember(memory: Memory, listed: readonly Listed[], at: number): string | undefined {
  const missing = listed.flatMap(({ groups, instances }) =>
    groups
      .flatMap((group) => group.instances)
      .filter((instance) => SERVING.has(instance.lifecycle) && !instances.has(instance.id))
      .map((instance) => instance.id),
  );
  memory.missingSince = new Map(missing.map((id) => [id, memory.missingSince.get(id) ?? at]));
  return missing.find((id) => at - (memory.missingSince.get(id) ?? at) < NOT_FOUND_IS_GONE_MS);
}

function joined(listed: readonly Listed[], advertise: Advertise): Fleet {
  const groups = listed.flatMap(({ region, groups: inRegion }) =>
    inRegion.map(({ arn, name, desired }) => ({ arn, name, region, desired })),
  );
  const instances = listed.flatMap(({ region, groups: inRegion, instances: described }) =>
    inRegion.flatMap((group) =>
      group.instances.map(({ id, zone, lifecycle }): Instance => {
        const {
          state = null,
          address: inside = null,
          publicAddress: outside = null,
        } = described.get(id) ?? {};
        const [address, other] = advertise === 'private' ? [inside, outside] : [outside, inside];
        const place = { id, region, zone, group: group.arn, lifecycle, state, address };
        return other === null ? place : { ...place, otherAddress: other };
      }),
    ),
  );
  return { groups, instances };
}

function runningByRegion(fleet: Fleet, regions: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const running = fleet.instances.filter((instance) => instance.state === 'running');
  return new Map(
    regions.map((region) => [region, running.filter((one) => one.region === region).map((one) => one.id)]),
  );
}

async function evidenceIn(
  region: string,
  ids: readonly string[],
  self: Self,
  memory: Memory,
  deps: FleetDeps,
  signal: AbortSignal,
): Promise<Known<ReadonlyMap<string, Ec2Evidence>>> {
  const fresh = memory.witnesses !== null && deps.now() - memory.witnesses.at < WITNESS_FRESH_MS;
  const witnesses = fresh ? (memory.witnesses?.byRegion.get(region) ?? []) : [];
  const own = region === self.region ? self.id : null;
  const described = await describeInstances(
    deps.clients.ec2(region),
    region,
    [...ids, ...witnesses],
    own,
    signal,
  );
  if (!described.known) return described;
  const evidence = new Map<string, Ec2Evidence>();
  for (const id of ids) {
    const instance = described.value.get(id);
    if (instance !== undefined && instance.state === null)
      return unknown(`EC2 in ${region} tells no state of ${id}`);
    evidence.set(id, instance?.state ?? 'not-found');
  }
  const lacking = witnesses.find((id) => !described.value.has(id));
  if (lacking === undefined) return known(evidence);
  return unknown(`EC2's answer in ${region} does not show ${lacking}, which ran just now: it is not whole`);
}
