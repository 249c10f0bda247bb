import type { Clock, Ec2State, HookRequest, LifecycleState, RecordSnapshot } from './model.ts';

/** The state of the simulated cloud: values that are replaced, never changed, so that an old state can be shown again. */
export interface World {
  readonly instances: ReadonlyMap<string, Instance>;
  readonly groups: ReadonlyMap<string, Group>;
  readonly zones: ReadonlyMap<string, HostedZone>;
  readonly changes: ReadonlyMap<string, ZoneChange>;
}

export type Tags = Readonly<Record<string, string>>;

export interface Instance {
  readonly id: string;
  readonly reservationId: string;
  readonly groupName: string;
  readonly stackName: string;
  readonly zone: string;
  readonly address: string;
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
  readonly setInstance: (instance: Instance) => void;
  readonly setGroup: (group: Group) => void;
  readonly removeGroup: (name: string) => void;
  readonly setZone: (zone: HostedZone, change: ZoneChange) => void;
}

const EMPTY: World = { instances: new Map(), groups: new Map(), zones: new Map(), changes: new Map() };
const KEPT_MS = 15 * 60_000;
const KEPT_STATES = 5_000;

function withEntry<T>(map: ReadonlyMap<string, T>, key: string, value: T): ReadonlyMap<string, T> {
  return new Map(map).set(key, value);
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

  return {
    world: () => current,
    at(agoMs) {
      if (agoMs <= 0) return current;
      const since = clock.now() - agoMs;
      return (past.findLast((entry) => entry.atMs <= since) ?? past[0])?.world ?? EMPTY;
    },
    setInstance(instance) {
      set({ ...current, instances: withEntry(current.instances, instance.id, instance) });
    },
    setGroup(group) {
      set({ ...current, groups: withEntry(current.groups, group.name, group) });
    },
    removeGroup(name) {
      const groups = new Map(current.groups);
      groups.delete(name);
      set({ ...current, groups });
    },
    setZone(zone, change) {
      set({
        ...current,
        zones: withEntry(current.zones, zone.id, zone),
        changes: withEntry(current.changes, change.id, change),
      });
    },
  };
}
