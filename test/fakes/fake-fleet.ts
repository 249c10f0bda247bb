import type { Ec2Evidence, Ec2State, Fleet, Group, Instance } from '../../src/core/fleet.ts';
import { known, unknown } from '../../src/core/known.ts';
import type { FleetPort } from '../../src/daemon/ports.ts';

/** Auto Scaling and EC2 in memory, as the fleet port shows them; each asking instance has a view of its own. */
export interface FakeFleet {
  /** The port of one instance. It is unknown to an instance that its group does not list. */
  port(instanceId: string): FleetPort;
  /** Launches an instance into a group (the first one where none is named): InService and running, unless said otherwise. */
  add(instance: Pick<Instance, 'id' | 'address'> & Partial<Instance>): void;
  /** Changes what AWS says of an instance. */
  set(id: string, changes: Partial<Pick<Instance, 'lifecycle' | 'state' | 'address'>>): void;
  /** EC2 says shutting-down and the group Terminating; `terminated` ends it. */
  terminate(id: string): void;
  /** EC2 says terminated, and the group lists it no more. */
  terminated(id: string): void;
  /** The group lists it no more, and EC2 goes on saying this. */
  unlist(id: string, state: Ec2State): void;
  /** EC2 has forgotten the id, and the group lists it no more. */
  forget(id: string): void;
  setDesired(desired: number, group?: string): void;
  /** A stack update replaces a group by another: that launches from now on, and the old one goes with its last instance. */
  replaceGroup(group: string, by: string): void;
  /** Until called with null: every question (of that instance, or of all) is unknown, with this reason. */
  breakDown(reason: string | null, askingInstance?: string): void;
  /** The next answers to anybody are unknown. */
  failNext(reason: string, times?: number): void;
  /** What a whole answer would be now. */
  fleet(): Fleet;
  /** What EC2 knows of the id, whatever it shows to whom. */
  truth(id: string): Ec2Evidence;
  /** Whether EC2 knows that it is gone for good. */
  isTerminated(id: string): boolean;
}

/** How far behind the truth AWS is. */
export interface Lag {
  now(): number;
  /** By how much an answer to this instance is old now; ms. */
  lagMs(askingInstance: string): number;
}

/** What AWS would say at one moment. Never changed: a change makes a new one. */
interface View {
  readonly since: number;
  readonly groups: readonly Group[];
  /** ARN of a group that another replaces, and of that. */
  readonly replaced: ReadonlyMap<string, string>;
  readonly desired: ReadonlyMap<string, number>;
  readonly listed: ReadonlyMap<string, Instance>;
  readonly ec2: ReadonlyMap<string, { readonly region: string; readonly state: Ec2State }>;
}

/** So many changes back can an answer be. */
const VIEWS_KEPT = 100;

/**
 * Makes a fleet of empty groups; one of the name `group` in eu-central-1 where none are given. Without a lag every answer
 * is as new as can be.
 */
export function createFakeFleet(
  given: readonly Group[] = [DEFAULT_GROUP],
  lag: Lag = { now: () => 0, lagMs: () => 0 },
): FakeFleet {
  const views: View[] = [
    {
      since: Number.NEGATIVE_INFINITY,
      groups: given,
      replaced: new Map(),
      desired: new Map(given.map((group) => [group.arn, group.desired])),
      listed: new Map(),
      ec2: new Map(),
    },
  ];
  const broken = new Map<string, string>();
  const failures: string[] = [];
  const [first] = given;
  if (first === undefined) throw new Error('a fleet has at least one group');

  const latest = (): View => views.at(-1) ?? EMPTY;
  /** What the instance is shown now. */
  const viewOf = (asking: string): View => {
    const until = lag.now() - lag.lagMs(asking);
    return views.findLast((it) => it.since <= until) ?? views[0] ?? EMPTY;
  };
  const change = (id: string, instance: Instance | null, word: Ec2State | null, region: string): void => {
    const listed = new Map(latest().listed);
    const ec2 = new Map(latest().ec2);
    if (instance === null) listed.delete(id);
    else listed.set(id, instance);
    if (word === null) ec2.delete(id);
    else ec2.set(id, { region, state: word });
    push({ ...latest(), since: lag.now(), listed, ec2 });
  };
  const push = (view: View): void => {
    views.push(view);
    if (views.length > VIEWS_KEPT) views.shift();
  };
  const fleetOf = ({ groups, replaced, desired, listed }: View): Fleet => {
    // What is in its warm pool, a group does not list.
    const instances = [...listed.values()].filter(({ lifecycle }) => !isWarmed(lifecycle));
    const left = groups.filter(({ arn }) => !replaced.has(arn) || instances.some((it) => it.group === arn));
    return {
      groups: left.map((group) => ({ ...group, desired: desired.get(group.arn) ?? group.desired })),
      instances,
    };
  };
  /** The group that launches in the place of this one. */
  const standsFor = (arn: string): string => latest().replaced.get(arn) ?? arn;
  const trouble = (asking: string, { listed }: View): string | undefined => {
    const down = broken.get(asking) ?? broken.get('*') ?? failures.shift();
    if (down !== undefined) return down;
    const own = listed.get(asking);
    return own !== undefined && !isWarmed(own.lifecycle)
      ? undefined
      : `the group does not list the asking instance ${asking}`;
  };
  const find = (id: string): Instance => {
    const instance = latest().listed.get(id);
    if (instance === undefined) throw new Error(`no instance ${id}: add it first`);
    return instance;
  };

  return {
    port: (asking) => ({
      observe: async (signal) => {
        await Promise.resolve();
        signal.throwIfAborted();
        const view = viewOf(asking);
        const reason = trouble(asking, view);
        return reason === undefined ? known(fleetOf(view)) : unknown(reason);
      },
      evidence: async (instances, signal) => {
        await Promise.resolve();
        signal.throwIfAborted();
        const reason = broken.get(asking) ?? broken.get('*') ?? failures.shift();
        if (reason !== undefined) return unknown(reason);
        const { ec2 } = viewOf(asking);
        if (!ec2.has(asking)) return unknown(`EC2's answer does not show the asking instance ${asking}`);
        const wordOn = ({ id, region }: { id: string; region: string | null }): Ec2Evidence => {
          const there = ec2.get(id);
          // Asked in another region than its own, EC2 does not know an id.
          return there === undefined || (region !== null && there.region !== region)
            ? 'not-found'
            : there.state;
        };
        return known(new Map(instances.map((instance) => [instance.id, wordOn(instance)])));
      },
    }),
    add: (launched) => {
      const { region } = given.find((group) => group.arn === launched.group) ?? first;
      const instance: Instance = {
        region,
        zone: `${region}a`,
        lifecycle: 'InService',
        state: 'running',
        ...launched,
        group: standsFor(launched.group ?? first.arn),
      };
      change(instance.id, instance, instance.state, instance.region);
    },
    set: (id, changes) => {
      const instance = { ...find(id), ...changes };
      change(id, instance, instance.state, instance.region);
    },
    terminate: (id) => {
      const instance = find(id);
      const going: Instance = { ...instance, lifecycle: 'Terminating', state: 'shutting-down' };
      change(id, going, 'shutting-down', instance.region);
    },
    terminated: (id) => change(id, null, 'terminated', find(id).region),
    unlist: (id, state) => change(id, null, state, find(id).region),
    forget: (id) => change(id, null, null, first.region),
    setDesired: (count, group = first.arn) => {
      push({
        ...latest(),
        since: lag.now(),
        desired: new Map(latest().desired).set(standsFor(group), count),
      });
    },
    replaceGroup: (group, by) => {
      const old = latest().groups.find((it) => it.arn === group);
      if (old === undefined) throw new Error(`no group ${group}`);
      const { groups, replaced, desired } = latest();
      push({
        ...latest(),
        since: lag.now(),
        groups: [...groups, { ...old, arn: by }],
        replaced: new Map(replaced).set(group, by),
        desired: new Map(desired).set(by, desired.get(group) ?? old.desired).set(group, 0),
      });
    },
    breakDown: (reason, asking = '*') => {
      if (reason === null) broken.delete(asking);
      else broken.set(asking, reason);
    },
    failNext: (reason, times = 1) => {
      for (let i = 0; i < times; i += 1) failures.push(reason);
    },
    fleet: () => fleetOf(latest()),
    truth: (id) => latest().ec2.get(id)?.state ?? 'not-found',
    isTerminated: (id) => {
      const state = latest().ec2.get(id)?.state;
      return state === 'shutting-down' || state === 'terminated';
    },
  };
}

function isWarmed(lifecycle: string): boolean {
  return lifecycle.startsWith('Warmed:');
}

const DEFAULT_GROUP: Group = {
  arn: 'arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:1:autoScalingGroupName/group',
  name: 'group',
  region: 'eu-central-1',
  desired: 3,
};

const EMPTY: View = {
  since: 0,
  groups: [],
  replaced: new Map(),
  desired: new Map(),
  listed: new Map(),
  ec2: new Map(),
};
