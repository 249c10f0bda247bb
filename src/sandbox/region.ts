import { newGroup, stackTags } from './group-requests.ts';
import { createGroups, type Groups } from './groups.ts';
import { createInstances, type Instances, type MachineRunner } from './instances.ts';
import type { Clock, CloudSettings, EventLog, GroupRequest } from './model.ts';
import type { RegionPlace } from './regions.ts';
import { createSecurityGroups, securityGroupsOf, type SecurityGroups } from './security-groups.ts';
import type { Group, GroupTag, RegionStore } from './world.ts';

/** One region behind the wire: state machines of its own over its own part of the store. */
export interface Region extends RegionPlace {
  readonly clock: Clock;
  readonly random: () => number;
  /** The cloud's, with what was changed for this region alone. */
  readonly settings: () => CloudSettings;
  readonly events: EventLog;
  readonly store: RegionStore;
  readonly instances: Instances;
  readonly groups: Groups;
  readonly securityGroups: SecurityGroups;
  /** A group as a request describes it, with these tags; it is not created by this. */
  readonly newGroup: (request: GroupRequest, tags: readonly GroupTag[]) => Group;
  /** A group as a CloudFormation stack would create it: with its tags, and a security group beside it. */
  readonly createStack: (request: GroupRequest) => void;
  readonly close: () => void;
}

export interface RegionDeps {
  readonly place: RegionPlace;
  readonly store: RegionStore;
  readonly clock: Clock;
  readonly settings: () => CloudSettings;
  readonly events: EventLog;
  readonly random: () => number;
  readonly runner: MachineRunner;
  /** Who is no instance: the address range of clients and operators. */
  readonly clients: string;
}

/** A region with nothing in it yet. */
export function createRegion(deps: RegionDeps): Region {
  const { place, store, clock, settings, events, random } = deps;
  const shared = { store, clock, settings, events, random };
  const instances = createInstances({
    ...shared,
    region: place.name,
    addresses: place.addresses,
    runner: deps.runner,
    securityGroupsOf: (stackName) => securityGroupsOf(store, stackName).map(({ id }) => id),
    changed: (instance) => {
      groups.instanceChanged(instance);
    },
  });
  const groups: Groups = createGroups({ ...shared, instances });
  const securityGroups = createSecurityGroups(shared);
  return {
    ...place,
    ...shared,
    instances,
    groups,
    securityGroups,
    newGroup: (request, tags) => newGroup(place, deps, request, tags),
    createStack(request) {
      const group = newGroup(place, deps, request, stackTags(request));
      if (securityGroupsOf(store, request.stackName).length === 0)
        openStackPorts(securityGroups, request.stackName, deps.clients);
      groups.create(group);
    },
    close() {
      groups.close();
      instances.close();
    },
  };
}

/** The stack's security group: clients may speak etcd, and the group's own instances all that they say to each other. */
function openStackPorts(securityGroups: SecurityGroups, stackName: string, clients: string): void {
  const { id } = securityGroups.create({
    name: `${stackName}-EtcdSecurityGroup`,
    description: 'etcd, its peers and its appliances',
    tags: {
      'aws:cloudformation:stack-name': stackName,
      'aws:cloudformation:logical-id': 'EtcdSecurityGroup',
    },
  });
  const tcp = (fromPort: number, toPort: number) => ({ protocol: 'tcp', fromPort, toPort }) as const;
  securityGroups.authorize(
    id,
    [
      { ...tcp(2379, 2379), source: { cidr: clients }, description: 'clients' },
      { ...tcp(2378, 2380), source: { groupId: id }, description: 'the instances of this group' },
    ],
    {},
  );
}
