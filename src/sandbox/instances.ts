import { CloudError } from './cloud-error.ts';
import type { Clock, CloudSettings, Ec2State, EventLog, Hypervisor, Machine } from './model.ts';
import { HEX, randomText } from './random.ts';
import type { Addresses } from './regions.ts';
import type { Group, Instance, RegionStore } from './world.ts';

/** A machine as the cloud knows it; the server adds the metadata endpoint when it listens there. */
export type BareMachine = Omit<Machine, 'metadataEndpoint'>;

export interface MachineRunner {
  readonly boot: (machine: BareMachine) => Promise<void>;
  readonly shutdown: Hypervisor['shutdown'];
  readonly powerCut: Hypervisor['powerCut'];
}

export interface InstancesDeps {
  readonly store: RegionStore;
  readonly clock: Clock;
  readonly settings: () => CloudSettings;
  readonly events: EventLog;
  readonly runner: MachineRunner;
  readonly random: () => number;
  readonly region: string;
  readonly addresses: Addresses;
  /** Ids of the security groups that a new instance of a stack gets. */
  readonly securityGroupsOf: (stackName: string) => readonly string[];
  /** Called after an instance reached running or terminated. */
  readonly changed: (instance: Instance) => void;
}

export interface Instances {
  /** The new instance, or why the zone takes none. */
  readonly launch: (group: Group, zone: string) => Instance | string;
  /** Ends an instance in order; no effect on one that is ending or over. Throws InvalidInstanceID.NotFound. */
  readonly terminate: (id: string, reason: string) => void;
  readonly powerCut: (id: string) => void;
  readonly setTags: (id: string, tags: Readonly<Record<string, string>>) => void;
  /** Starts nothing new and forgets what was scheduled. */
  readonly close: () => void;
}

/** EC2's state machine: pending, running, shutting-down, terminated; it drives the hypervisor. */
export function createInstances(deps: InstancesDeps): Instances {
  const { store, clock, settings, events, runner, random } = deps;
  const boots = new Map<string, Promise<void>>();
  let open = true;

  const need = (id: string): Instance => {
    const instance = store.world().instances.get(id);
    if (instance === undefined) {
      throw new CloudError('InvalidInstanceID.NotFound', `The instance ID '${id}' does not exist`);
    }
    return instance;
  };

  const enter = (instance: Instance, state: Ec2State, more: Partial<Instance> = {}): Instance => {
    const next = { ...instance, ...more, state };
    store.setInstance(next);
    events.emit('instance-state', {
      instanceId: next.id,
      groupName: next.groupName,
      zone: next.zone,
      address: next.address,
      ...(next.publicAddress === null ? {} : { publicAddress: next.publicAddress }),
      state,
      ...(next.reason === '' ? {} : { reason: next.reason }),
    });
    return next;
  };

  const end = (id: string, reason: string, stop: () => Promise<void>): void => {
    const instance = need(id);
    if (instance.state === 'shutting-down' || instance.state === 'terminated') return;
    enter(instance, 'shutting-down', { reason });
    const finish = (): void => {
      clock.after(settings().terminationDelayMs, () => {
        if (!open) return;
        deps.changed(enter(need(id), 'terminated', { terminatedAtMs: clock.now() }));
      });
    };
    const booted = boots.get(id);
    if (booted === undefined) {
      finish();
      return;
    }
    // A machine that is still booting would outlive its own end.
    booted
      .then(stop)
      .catch((error: unknown) => {
        events.emit('hypervisor-failed', { instanceId: id, verb: 'stop', message: String(error) });
      })
      .finally(finish);
  };

  const terminate = (id: string, reason: string): void => {
    end(id, reason, () => runner.shutdown(id, settings().shutdownGraceMs));
  };

  const run = (id: string): void => {
    const instance = store.world().instances.get(id);
    if (!open || instance?.state !== 'pending') return;
    const boot = runner
      .boot({
        instanceId: id,
        region: deps.region,
        zone: instance.zone,
        address: instance.address,
        publicAddress: instance.publicAddress,
        stackName: instance.stackName,
        groupName: instance.groupName,
        launchedAtMs: instance.launchedAtMs,
      })
      .catch((error: unknown) => {
        events.emit('hypervisor-failed', { instanceId: id, verb: 'boot', message: String(error) });
        if (open) terminate(id, 'Server.InternalError: the machine did not start');
      });
    boots.set(id, boot);
    deps.changed(enter(instance, 'running'));
  };

  return {
    launch(group, zone) {
      const used = new Set(
        [...store.world().instances.values()]
          .filter((it) => it.state !== 'terminated')
          .map((it) => it.address),
      );
      const free = deps.addresses.free(zone, used, settings().reuseAddresses);
      if (free === null) return `no free address in zone ${zone}`;
      const id = `i-0${randomText(random, 16, HEX)}`;
      const instance = enter(
        {
          id,
          reservationId: `r-0${randomText(random, 16, HEX)}`,
          groupName: group.name,
          stackName: group.stackName,
          zone,
          address: free.address,
          publicAddress: settings().publicAddresses ? free.publicAddress : null,
          securityGroupIds: deps.securityGroupsOf(group.stackName),
          launchedAtMs: clock.now(),
          state: 'pending',
          terminatedAtMs: null,
          reason: '',
          tags: {
            ...Object.fromEntries(
              group.tags.filter((tag) => tag.propagate).map((tag) => [tag.key, tag.value]),
            ),
            'aws:autoscaling:groupName': group.name,
          },
        },
        'pending',
      );
      clock.after(settings().launchDelayMs, () => {
        run(id);
      });
      return instance;
    },
    terminate,
    powerCut(id) {
      end(id, 'Server.InternalError: the host lost its power', () => runner.powerCut(id));
    },
    setTags(id, tags) {
      const instance = need(id);
      store.setInstance({ ...instance, tags: { ...instance.tags, ...tags } });
    },
    close() {
      open = false;
    },
  };
}
