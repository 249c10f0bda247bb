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
  /** EC2 has forgotten the id, and the group lists it no more. */
  forget(id: string): void;
  setDesired(desired: number, group?: string): void;
  /** Until called with null: every question (of that instance, or of all) is unknown, with this reason. */
  breakDown(reason: string | null, askingInstance?: string): void;
  /** The next answers to anybody are unknown. */
  failNext(reason: string, times?: number): void;
  /** What a whole answer would be now. */
  fleet(): Fleet;
  /** Whether EC2, asked now, would say that it is gone for good. */
  isTerminated(id: string): boolean;
}

/** Makes a fleet of empty groups; one of the name `group` in eu-central-1 where none are given. */
export function createFakeFleet(groups: readonly Group[] = [DEFAULT_GROUP]): FakeFleet {
  const desired = new Map(groups.map((group) => [group.arn, group.desired]));
  const listed = new Map<string, Instance>();
  const ec2 = new Map<string, { readonly region: string; readonly state: Ec2State }>();
  const broken = new Map<string, string>();
  const failures: string[] = [];
  const [first] = groups;
  if (first === undefined) throw new Error('a fleet has at least one group');

  const fleet = (): Fleet => ({
    groups: groups.map((group) => ({ ...group, desired: desired.get(group.arn) ?? group.desired })),
    instances: [...listed.values()],
  });
  const trouble = (asking: string): string | undefined => {
    const down = broken.get(asking) ?? broken.get('*') ?? failures.shift();
    if (down !== undefined) return down;
    return listed.has(asking) ? undefined : `the group does not list the asking instance ${asking}`;
  };
  const find = (id: string): Instance => {
    const instance = listed.get(id);
    if (instance === undefined) throw new Error(`no instance ${id}: add it first`);
    return instance;
  };
  const setEc2 = (id: string, region: string, state: Ec2State | null): void => {
    if (state === null) ec2.delete(id);
    else ec2.set(id, { region, state });
  };

  return {
    port: (asking) => ({
      observe: async (signal) => {
        await Promise.resolve();
        signal.throwIfAborted();
        const reason = trouble(asking);
        return reason === undefined ? known(fleet()) : unknown(reason);
      },
      evidence: async (instances, signal) => {
        await Promise.resolve();
        signal.throwIfAborted();
        const reason = broken.get(asking) ?? broken.get('*') ?? failures.shift();
        if (reason !== undefined) return unknown(reason);
        if (!ec2.has(asking)) return unknown(`EC2's answer does not show the asking instance ${asking}`);
        const wordOn = ({ id, region }: { id: string; region: string }): Ec2Evidence => {
          const there = ec2.get(id);
          // Asked in another region than its own, EC2 does not know an id.
          return there === undefined || there.region !== region ? 'not-found' : there.state;
        };
        return known(new Map(instances.map((instance) => [instance.id, wordOn(instance)])));
      },
    }),
    add: (given) => {
      const { region } = groups.find((group) => group.arn === given.group) ?? first;
      const instance: Instance = {
        region,
        zone: `${region}a`,
        group: first.arn,
        lifecycle: 'InService',
        state: 'running',
        ...given,
      };
      listed.set(instance.id, instance);
      setEc2(instance.id, instance.region, instance.state);
    },
    set: (id, changes) => {
      const instance = { ...find(id), ...changes };
      listed.set(id, instance);
      setEc2(id, instance.region, instance.state);
    },
    terminate: (id) => {
      const instance = find(id);
      listed.set(id, { ...instance, lifecycle: 'Terminating', state: 'shutting-down' });
      setEc2(id, instance.region, 'shutting-down');
    },
    terminated: (id) => {
      const { region } = find(id);
      listed.delete(id);
      setEc2(id, region, 'terminated');
    },
    forget: (id) => {
      listed.delete(id);
      ec2.delete(id);
    },
    setDesired: (count, group = first.arn) => {
      desired.set(group, count);
    },
    breakDown: (reason, asking = '*') => {
      if (reason === null) broken.delete(asking);
      else broken.set(asking, reason);
    },
    failNext: (reason, times = 1) => {
      for (let i = 0; i < times; i += 1) failures.push(reason);
    },
    fleet,
    isTerminated: (id) => {
      const state = ec2.get(id)?.state;
      return state === 'shutting-down' || state === 'terminated';
    },
  };
}

const DEFAULT_GROUP: Group = {
  arn: 'arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:1:autoScalingGroupName/group',
  name: 'group',
  region: 'eu-central-1',
  desired: 3,
};
