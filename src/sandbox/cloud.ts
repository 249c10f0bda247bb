import { CloudError } from './cloud-error.ts';
import { createFaults, type FaultSource } from './faults.ts';
import { checkDesired } from './group-requests.ts';
import type { MachineRunner } from './instances.ts';
import type { Clock, Cloud, CloudSettings, EventLog } from './model.ts';
import { HEX, randomText } from './random.ts';
import { createRegion, type Region } from './region.ts';
import type { RegionPlace } from './regions.ts';
import { checkSettings } from './settings.ts';
import { snapshotWorld } from './snapshot.ts';
import { createStore, findInstance, type Store } from './world.ts';
import { createZones, type Zones } from './zones.ts';

/** The parts behind the wire; only the sandbox's own servers use them. */
export interface CloudParts {
  readonly clock: Clock;
  /** Of the whole cloud; a region may have its own. */
  readonly settings: () => CloudSettings;
  readonly events: EventLog;
  readonly store: Store;
  /** By name, in the order in which they were given. */
  readonly regions: ReadonlyMap<string, Region>;
  readonly zones: Zones;
  readonly faults: FaultSource;
  readonly cloud: Cloud;
  readonly close: () => void;
}

export interface CloudDeps {
  readonly places: readonly RegionPlace[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly events: EventLog;
  readonly runner: MachineRunner;
  /** Address range of those who are no instance; the security groups of stacks let them in as clients. */
  readonly clients: string;
}

/**
 * Quick by default: what makes a demo or a test wait is asked for. Only the rate of Route 53 is as real as can be, because
 * the whole birth is built around it: a rehearsal that is gentler than AWS would hide a birth that asks too often.
 */
export const DEFAULT_SETTINGS: CloudSettings = {
  launchDelayMs: 200,
  terminationDelayMs: 200,
  shutdownGraceMs: 30_000,
  healthCheckMs: 1_000,
  scalingDelayMs: 0,
  unknownAfterLaunchMs: 0,
  terminatedVisibleMs: 3_600_000,
  stalenessMs: {},
  route53PendingMs: 1_000,
  route53RateLimit: 5,
  route53BusyMs: 0,
  zonesWithoutCapacity: [],
  pageSize: 0,
  reuseAddresses: false,
  publicAddresses: false,
  rulesPerSecurityGroup: 60,
  distanceMs: 0,
};

/** The settings of the cloud, and what regions have of their own. */
function createSettings(initial: CloudSettings, events: EventLog) {
  let common = initial;
  let own: Readonly<Record<string, Partial<CloudSettings>>> = {};
  return {
    of: (region: string | null): CloudSettings => (region === null ? common : { ...common, ...own[region] }),
    own: () => own,
    change(changes: Partial<CloudSettings>, region: string | null): CloudSettings {
      checkSettings(changes, region !== null);
      if (region === null) common = { ...common, ...changes };
      else own = { ...own, [region]: { ...own[region], ...changes } };
      const words = JSON.parse(JSON.stringify(changes));
      events.emit('settings', region === null ? words : { region, ...words });
      return this.of(region);
    },
  };
}

/** Finds the region that is meant. Each throws a CloudError where there is none, or more than one. */
function createLookups(regions: ReadonlyMap<string, Region>, store: Store) {
  const all = [...regions.values()];
  const need = (name: string): Region => {
    const region = regions.get(name);
    if (region !== undefined) return region;
    throw new CloudError('UnknownRegion', `no region ${name}: know ${[...regions.keys()].join(', ')}`, 404);
  };
  return {
    need,
    /** The region that has a group of this name; it must be told which where several have. */
    withGroup(group: string, name: string | undefined): Region {
      if (name !== undefined) return need(name);
      const having = all.filter(({ store: own }) => own.world().groups.has(group));
      const [one = all[0], ...others] = having;
      if (one !== undefined && others.length === 0) return one;
      const names = having.map((region) => region.name).join(', ');
      throw new CloudError('UnknownRegion', `the group ${group} is in ${names}: say which region is meant`);
    },
    ofInstance(id: string): Region {
      const found = findInstance(store.world(), id);
      if (found !== null) return need(found.region);
      throw new CloudError('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);
    },
  };
}

/** The simulated cloud without its servers: state machines, and the operator's verbs. */
export function createCloud(deps: CloudDeps, initial: Partial<CloudSettings> = {}): CloudParts {
  const { clock, random, events, places } = deps;
  // One region reaches itself by its private addresses; regions that are not peered need others.
  const usual = { ...DEFAULT_SETTINGS, publicAddresses: places.length > 1 };
  const kept = createSettings({ ...usual, ...initial }, events);
  const settings = (): CloudSettings => kept.of(null);
  const store = createStore(clock);
  const faults = createFaults({ events, random, regions: places.map(({ name }) => name) });
  const regionOf = (place: RegionPlace): Region =>
    createRegion({
      ...deps,
      place,
      store: store.region(place.name),
      settings: () => kept.of(place.name),
    });
  const regions = new Map(places.map((place) => [place.name, regionOf(place)]));
  const zones = createZones({ store, clock, settings, events, random });
  const parts = { clock, settings, events, store, regions, zones, faults };
  return {
    ...parts,
    cloud: createVerbs(parts, kept, random),
    close() {
      for (const region of regions.values()) region.close();
    },
  };
}

/** What an operator does, and sees. */
function createVerbs(
  parts: Omit<CloudParts, 'cloud' | 'close'>,
  kept: ReturnType<typeof createSettings>,
  random: () => number,
): Cloud {
  const { clock, store, regions, zones, faults, events, settings } = parts;
  const lookups = createLookups(regions, store);
  const names = [...regions.keys()];
  return {
    createGroup(request) {
      lookups.need(request.region ?? names[0] ?? '').createStack(request);
    },
    setDesired(name, desired, region) {
      const { groups } = lookups.withGroup(name, region);
      const group = groups.need(name);
      checkDesired(group, desired);
      groups.update({ ...group, desired });
    },
    terminateInstance(id, options = {}) {
      const { instances, groups } = lookups.ofInstance(id);
      if (options.decrement === undefined) instances.terminate(id, 'Client.UserInitiatedShutdown');
      else groups.terminate(id, options.decrement);
    },
    powerCut(id) {
      lookups.ofInstance(id).instances.powerCut(id);
    },
    createZone(name, options = {}) {
      const callerReference = randomText(random, 16, HEX);
      return zones.create({ name, private: options.private === true, callerReference, comment: '' }).zone.id;
    },
    describe: () => ({
      nowMs: clock.now(),
      regions: names,
      ...snapshotWorld(store.world()),
      faults: faults.list(),
      settings: settings(),
      regionSettings: kept.own(),
    }),
    settings: (region) => (region === undefined ? settings() : lookups.need(region).settings()),
    changeSettings: (changes, region) =>
      kept.change(changes, region === undefined ? null : lookups.need(region).name),
    faults,
    events,
  };
}
