import type { Appliance } from '../../../src/daemon/appliance.ts';
import type { Clock } from '../../../src/daemon/ports.ts';
import type { FakeDisk } from '../../fakes/fake-data.ts';
import type { FakeHooks } from '../../fakes/fake-hooks.ts';
import type { FakeMetadata } from '../../fakes/fake-metadata.ts';
import type { Life } from '../../fakes/mortal.ts';
import type { EtcdImage } from '../../fakes/etcd/world.ts';
import type { SeededRandom } from '../../fakes/seeded-random.ts';

/** The process of an appliance. */
export interface ApplianceProcess {
  readonly appliance: Appliance;
  readonly life: Life;
  readonly stop: AbortController;
}

/** What is installed, and what `ETCD_VERSION` says. */
export interface MachineImage extends EtcdImage {
  wanted: string | null;
}

/** One instance: a disk, perhaps a process of the appliance, perhaps one of etcd (which the etcd model has, by address). */
export interface Machine {
  readonly id: string;
  readonly address: string;
  readonly region: string;
  /** Availability zone. */
  readonly zone: string;
  readonly disk: FakeDisk;
  readonly hooks: FakeHooks;
  readonly metadata: FakeMetadata;
  readonly image: MachineImage;
  /** Its own randomness: what happens to another machine changes nothing here. */
  readonly random: SeededRandom;
  readonly clock: Clock;
  /** `leaving`: it was told to go, and has its grace; `gone`: it never comes back. */
  state: 'up' | 'leaving' | 'gone';
  /** Whose it is: the group means it to serve, keeps it in its warm pool, or a person took it out for a while, or for good. */
  place: 'group' | 'pool' | 'standby' | 'detached';
  powered: boolean;
  /** How often its power was cut: whatever it was about to do then, it never does. */
  powerCuts: number;
  /** Its operating system shuts down: nothing is started any more. */
  shutsDown: boolean;
  /** EC2 has begun to take it away: nobody may count on its data. */
  doomed: boolean;
  diskFull: boolean;
  /** Folder of `aside` that takes all the room: the disk is full until it is deleted; null: something else does. */
  fullOf: string | null;
  /** Starts of its etcd since its appliance last stopped one, and when that ended: one that died since is no slow one; ms. */
  starts: number;
  stoppedAt: number;
  /** When its etcd last said that it leads and is out of space: its appliance may keep house without a lock then; ms. */
  ledFullAt: number;
  /** When its appliance was last told that etcd has no room here; ms. */
  shortAt: number;
  /** When a heartbeat of a lifecycle hook was last taken; ms. */
  heartbeatAt: number;
  process: ApplianceProcess | null;
  /** Addresses at which its appliance, since it was started, was told of an etcd that runs, or of formed data. */
  readonly met: Set<string>;
}

/** Whether the machine is in the same run as now: where its power was cut since, it is another, though power be back already. */
export function runOf(machine: Machine): () => boolean {
  const { powerCuts } = machine;
  return () => machine.powered && machine.powerCuts === powerCuts;
}

/** Time as a machine has it: its clock runs faster or slower than the world's by a share. */
export function createDriftingClock(clock: Clock, drift: number): Clock {
  if (drift === 0) return clock;
  const rate = 1 + drift;
  return {
    now: () => clock.now() * rate,
    wallTime: () => clock.wallTime(),
    sleep: (ms, signal) => clock.sleep(ms / rate, signal),
  };
}
