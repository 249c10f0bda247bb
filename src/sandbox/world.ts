import type { Clock, Ec2State, HookRequest, LifecycleState, RecordSnapshot } from './model.ts';

/** The state of the simulated cloud: values that are replaced, never changed, so that an old state can be shown again. */
export interface World {
  /** By their names. Only those in which there ever was something. */
  readonly regions: ReadonlyMap<string, RegionWorld>;
  /** Route 53 has no regions: there is one for all. */
  readonly zones: ReadonlyMap<string, HostedZone>;
  readonly changes: ReadonlyMap<string, ZoneChange>;
}

/** What EC2 and Auto Scaling hold in one region. */
export interface RegionWorld {
  readonly instances: ReadonlyMap<string, Instance>;
  readonly groups: ReadonlyMap<string, Group>;
  readonly securityGroups: ReadonlyMap<string, SecurityGroup>;
}

export type Tags = Readonly<Record<string, string>>;

export interface Instance {
  readonly id: string;
  readonly reservationId: string;
  readonly groupName: string;
  readonly stackName: string;
  readonly zone: string;
  readonly address: string;
  /** Null where the subnet gives none. EC2 shows it while the instance runs. */
  readonly publicAddress: string | null;
  readonly securityGroupIds: readonly string[];
  readonly launchedAtMs: number;
  readonly state: Ec2State;
  readonly terminatedAtMs: number | null;
  /** Why it ended, in EC2's words. */
  readonly reason: string;
  readonly tags: Tags;
}

/** A lifecycle action that waits for somebody to complete it. */
export interface HookWait {
  readonly hookName: string;
  readonly token: string;
  readonly startedAtMs: number;
  readonly deadlineMs: number;
}

export interface Member {
  readonly instanceId: string;
  readonly lifecycle: LifecycleState;
  readonly health: 'Healthy' | 'Unhealthy';
  readonly waits: readonly HookWait[];
  readonly inServiceAtMs: number | null;
}

export interface GroupTag {
  readonly key: string;
  readonly value: string;
  readonly propagate: boolean;
}

export type RefreshStatus = 'InProgress' | 'Successful' | 'Cancelled';

export interface Refresh {
  readonly id: string;
  readonly status: RefreshStatus;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly minHealthyPercentage: number;
  readonly maxHealthyPercentage: number;
  readonly warmupMs: number;
  /** Members that are still to be replaced. */
  readonly remaining: readonly string[];
  readonly total: number;
}

export interface Group {
  readonly name: string;
  readonly arn: string;
  readonly stackName: string;
  readonly createdAtMs: number;
  readonly min: number;
  readonly max: number;
  readonly desired: number;
  readonly zones: readonly string[];
  readonly hooks: readonly HookRequest[];
  readonly tags: readonly GroupTag[];
  readonly members: readonly Member[];
  readonly refreshes: readonly Refresh[];
  readonly deleting: boolean;
}

/** Who is let in by a rule: an address range, or the instances of a security group. */
export type RuleSource = { readonly cidr: string } | { readonly groupId: string };

/** What tells two rules apart; a description does not. */
export interface Permission {
  /** tcp, udp, icmp, or -1 for all. */
  readonly protocol: string;
  /** -1 for both where the protocol has no ports. */
  readonly fromPort: number;
  readonly toPort: number;
  readonly source: RuleSource;
}

export interface SecurityRule extends Permission {
  readonly id: string;
  readonly description: string;
  readonly tags: Tags;
}

/** A security group; its rules are those for what comes in, everything may go out. */
export interface SecurityGroup {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly tags: Tags;
  readonly rules: readonly SecurityRule[];
}

export interface HostedZone {
  readonly id: string;
  readonly name: string;
  readonly private: boolean;
  readonly callerReference: string;
  readonly comment: string;
  /** Keyed by name and type (recordKey). */
  readonly records: ReadonlyMap<string, RecordSnapshot>;
  readonly changedAtMs: number | null;
}

export interface ZoneChange {
  readonly id: string;
  readonly submittedAtMs: number;
  readonly comment: string;
}

export interface Store {
  readonly world: () => World;
  /** The world as it was so long ago (the oldest kept where that is too long ago). */
  readonly at: (agoMs: number) => World;
  readonly setZone: (zone: HostedZone, change: ZoneChange) => void;
  /** The part of it that is one region's; whoever has only this sees and changes nothing else. */
  readonly region: (name: string) => RegionStore;
}

export interface RegionStore {
  readonly world: () => RegionWorld;
  readonly at: (agoMs: number) => RegionWorld;
  readonly setInstance: (instance: Instance) => void;
  readonly setGroup: (group: Group) => void;
  readonly removeGroup: (name: string) => void;
  readonly setSecurityGroup: (group: SecurityGroup) => void;
}

const EMPTY: World = { regions: new Map(), zones: new Map(), changes: new Map() };
const EMPTY_REGION: RegionWorld = { instances: new Map(), groups: new Map(), securityGroups: new Map() };
const KEPT_MS = 15 * 60_000;
const KEPT_STATES = 5_000;

function withEntry<T>(map: ReadonlyMap<string, T>, key: string, value: T): ReadonlyMap<string, T> {
  return new Map(map).set(key, value);
}

/** One region's part of a world. */
export function inRegion(world: World, name: string): RegionWorld {
  return world.regions.get(name) ?? EMPTY_REGION;
}

/** An instance of any region, with the region's name; null where there is none of this id. */
export function findInstance(
  world: World,
  id: string,
): { readonly region: string; readonly instance: Instance } | null {
  for (const [region, { instances }] of world.regions) {
    const instance = instances.get(id);
    if (instance !== undefined) return { region, instance };
  }
  return null;
}

/** Holds the world and its recent past. */
export function createStore(clock: Clock): Store {
  let current = EMPTY;
  let past: { readonly atMs: number; readonly world: World }[] = [{ atMs: -Infinity, world: EMPTY }];

  const set = (world: World): void => {
    current = world;
    past.push({ atMs: clock.now(), world });
    if (past.length > 2 * KEPT_STATES) past = past.slice(-KEPT_STATES);
    while (past.length > 1 && (past[1]?.atMs ?? Infinity) < clock.now() - KEPT_MS) past.shift();
  };

  const at = (agoMs: number): World => {
    if (agoMs <= 0) return current;
    const since = clock.now() - agoMs;
    return (past.findLast((entry) => entry.atMs <= since) ?? past[0])?.world ?? EMPTY;
  };

  return {
    world: () => current,
    at,
    setZone(zone, change) {
      set({
        ...current,
        zones: withEntry(current.zones, zone.id, zone),
        changes: withEntry(current.changes, change.id, change),
      });
    },
    region(name) {
      const change = (part: (before: RegionWorld) => Partial<RegionWorld>): void => {
        const before = inRegion(current, name);
        set({ ...current, regions: withEntry(current.regions, name, { ...before, ...part(before) }) });
      };
      return {
        world: () => inRegion(current, name),
        at: (agoMs) => inRegion(at(agoMs), name),
        setInstance(instance) {
          change(({ instances }) => ({ instances: withEntry(instances, instance.id, instance) }));
        },
        setGroup(group) {
          change(({ groups }) => ({ groups: withEntry(groups, group.name, group) }));
        },
        removeGroup(group) {
          change((before) => {
            const groups = new Map(before.groups);
            groups.delete(group);
            return { groups };
          });
        },
        setSecurityGroup(group) {
          change(({ securityGroups }) => ({ securityGroups: withEntry(securityGroups, group.id, group) }));
        },
      };
    },
  };
}
