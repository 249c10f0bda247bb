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

/** The simulated cloud without its servers: state machines, and the operator's verbs. */
export function createCloud(deps: CloudDeps, initial: Partial<CloudSettings> = {}): CloudParts {
  const { clock, random, events, places } = deps;
  // One region reaches itself by its private addresses; regions that are not peered need others.
  const usual = { ...DEFAULT_SETTINGS, publicAddresses: places.length > 1 };
  const kept = createSettings({ ...usual, ...initial }, events);
  const settings = (): CloudSettings => kept.of(null);
  const store = createStore(clock);
  const faults = createFaults({ events, random, regions: places.map(({ name }) => name) });
  const shared = { clock, events, random };
  const regions = new Map(
    places.map((place) => [
      place.name,
      createRegion({
        ...shared,
        place,
        store: store.region(place.name),
        settings: () => kept.of(place.name),
        runner: deps.runner,
        clients: deps.clients,
      }),
    ]),
  );
  const zones = createZones({ ...shared, store, settings });

  const need = (name: string): Region => {
    const region = regions.get(name);
    if (region !== undefined) return region;
    const all = [...regions.keys()].join(', ');
    throw new CloudError('UnknownRegion', `no region ${name}: know ${all}`, 404);
  };
  /** The region that has a group of this name; it must be told which where several have. */
  const withGroup = (group: string, name: string | undefined): Region => {
    if (name !== undefined) return need(name);
    const all = [...regions.values()];
    const having = all.filter(({ store: own }) => own.world().groups.has(group));
    const [one = all[0], ...others] = having;
    if (one === undefined || others.length > 0) {
      const names = having.map((region) => region.name).join(', ');
      throw new CloudError('UnknownRegion', `the group ${group} is in ${names}: say which region is meant`);
    }
    return one;
  };
  const ofInstance = (id: string): Region => {
    const found = findInstance(store.world(), id);
    if (found !== null) return need(found.region);
    throw new CloudError('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);
  };

  const cloud: Cloud = {
    createGroup(request) {
      need(request.region ?? places[0]?.name ?? '').createStack(request);
    },
    setDesired(name, desired, region) {
      const { groups } = withGroup(name, region);
      const group = groups.need(name);
      checkDesired(group, desired);
      groups.update({ ...group, desired });
    },
    terminateInstance(id, options = {}) {
      const { instances, groups } = ofInstance(id);
      if (options.decrement === undefined) instances.terminate(id, 'Client.UserInitiatedShutdown');
      else groups.terminate(id, options.decrement);
    },
    powerCut(id) {
      ofInstance(id).instances.powerCut(id);
    },
    createZone(name, options = {}) {
      const made = zones.create({
        name,
        private: options.private === true,
        callerReference: randomText(random, 16, HEX),
        comment: '',
      });
      return made.zone.id;
    },
    describe: () => ({
      nowMs: clock.now(),
      regions: places.map((place) => place.name),
      ...snapshotWorld(store.world()),
      faults: faults.list(),
      settings: settings(),
      regionSettings: kept.own(),
    }),
    settings: (region) => (region === undefined ? settings() : need(region).settings()),
    changeSettings: (changes, region) =>
      kept.change(changes, region === undefined ? null : need(region).name),
    faults,
    events,
  };
  const close = (): void => {
    for (const region of regions.values()) region.close();
  };
  return { clock, settings, events, store, regions, zones, faults, cloud, close };
}
