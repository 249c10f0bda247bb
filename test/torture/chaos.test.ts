import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'vitest';
import type { FaultRequest } from '../../src/sandbox/model.ts';
import { createRandom } from '../../src/sandbox/random.ts';
import { type Fleet, fleetForTest } from '../e2e/harness.ts';

/* Blow after blow, drawn from a seed, on a fleet whose AWS is never quite well. TORTURE_SEED repeats the draws. */
const SEED = Number(process.env['TORTURE_SEED'] ?? Date.now() % 1_000_000);
const ROUNDS = Number(process.env['TORTURE_ROUNDS'] ?? 20);
const HEALING_MS = 180_000;

type Blow = (fleet: Fleet, instanceId: string, random: () => number) => Promise<void> | void;

/** Those that may end an instance or its data: one of them at a time, on a fleet that is whole. */
const HARD: Readonly<Record<string, Blow>> = {
  terminate: ({ sandbox }, id) => sandbox.cloud.terminateInstance(id),
  replace: ({ sandbox }, id) => sandbox.cloud.terminateInstance(id, { decrement: false }),
  'power-cut': ({ sandbox }, id) => sandbox.cloud.powerCut(id),
  'wipe-data': ({ sandbox }, id) => sandbox.hypervisor.wipeData(id),
};

/** Those that leave everything where it is. */
const SOFT: Readonly<Record<string, Blow>> = {
  'kill-etcd': ({ sandbox }, id) => sandbox.hypervisor.kill(id, 'etcd'),
  'kill-appliance': ({ sandbox }, id) => sandbox.hypervisor.kill(id, 'appliance'),
  'kill-both': async ({ sandbox }, id) => {
    await Promise.all([sandbox.hypervisor.kill(id, 'appliance'), sandbox.hypervisor.kill(id, 'etcd')]);
  },
  'freeze-etcd': async ({ sandbox }, id, random) => {
    await sandbox.hypervisor.freeze(id, 'etcd');
    await delay(random() * 8_000);
    await sandbox.hypervisor.thaw(id, 'etcd');
  },
  'freeze-appliance': async ({ sandbox }, id, random) => {
    await sandbox.hypervisor.freeze(id, 'appliance');
    await delay(random() * 12_000);
    await sandbox.hypervisor.thaw(id, 'appliance');
  },
};

/** What may be wrong with AWS all through a round, each with how many of its calls. */
const WEATHER: readonly (Pick<FaultRequest, 'kind'> & Partial<FaultRequest>)[] = [
  { kind: 'error', rate: 0.3 },
  { kind: 'throttle', rate: 0.4 },
  { kind: 'reset', rate: 0.2 },
  { kind: 'lost-answer', service: 'route53', rate: 0.4 },
  { kind: 'error', service: 'route53', code: 'PriorRequestNotComplete', rate: 0.4 },
  { kind: 'stale', service: 'ec2', staleMs: 5_000 },
  { kind: 'stale', service: 'autoscaling', staleMs: 5_000 },
  { kind: 'half', service: 'ec2', rate: 0.3 },
  { kind: 'empty', service: 'autoscaling', rate: 0.3 },
  { kind: 'self-only', rate: 0.3 },
];

test(`a fleet survives what seed ${SEED} holds for it`, async (context) => {
  const random = createRandom(SEED);
  const pick = <T>(items: readonly T[]): T => {
    const item = items[Math.floor(random() * items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  };
  const fleet = await fleetForTest(context, { size: 3, environment: { HOUSEKEEPING_INTERVAL: '5s' } });
  const { sandbox, whole, view, writesGoOn } = fleet;
  let size = 3;
  await whole(size);
  for (let round = 1; round <= ROUNDS; round += 1) {
    const startedMs = performance.now();
    const weather = pick(WEATHER);
    fleet.fault(weather);
    const ids = (await view()).map(({ instanceId }) => instanceId);
    const [hard, soft] = [pick(Object.entries(HARD)), pick(Object.entries(SOFT))];
    const [victim, other] = [pick(ids), pick(ids)];
    if (random() < 0.3) {
      size = size === 3 ? 5 : 3;
      sandbox.cloud.setDesired(sandbox.addresses.group, size);
    }
    const strike = async (blow: Blow, id: string): Promise<void> => blow(fleet, id, random);
    const blows = [strike(hard[1], victim)];
    if (other !== victim && random() < 0.6) blows.push(strike(soft[1], other));
    // What is struck may be gone before the second blow falls.
    await Promise.allSettled(blows);
    await whole(size, HEALING_MS);
    await writesGoOn();
    sandbox.cloud.faults.liftAll();
    const tookMs = Math.round(performance.now() - startedMs);
    process.stdout.write(
      `round ${round}: ${hard[0]}${blows.length > 1 ? ` and ${soft[0]}` : ''}, ${weather.kind} of ${weather.service ?? 'all'}, size ${size}: ${tookMs} ms\n`,
    );
  }
  await fleet.verify({ joinersBeginAgain: true });
});
