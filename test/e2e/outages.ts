import { expect, type TestContext } from 'vitest';
import type { FaultKind, FaultRequest } from '../../src/sandbox/model.ts';
import { SILENT_FAULTS } from '../fakes/fault-kinds.ts';
import { type Fleet, fleetForTest } from './harness.ts';
import { memberIds, otherMembers } from './members.ts';
import { memberOf, type Role } from './roles.ts';

/* What a living cluster must stand: short in the end-to-end tests, long in the torture. */

/** AWS is asked all the time, not every two minutes: there is more to get wrong. */
const environment = { HOUSEKEEPING_INTERVAL: '1s' };

/** Until a call of this action was hit since faults were last lifted. */
async function untilHit({ until, hits }: Fleet, action: string): Promise<void> {
  // While AWS's answers are no use, it is asked less and less often.
  await until(`${action} is hit`, async () => (hits(action) > 0 ? [] : ['it was not']));
}

/** Until this member, which may not have an answer at once, lists these and no others. */
async function untilMembers(fleet: Fleet, address: string, members: readonly string[]): Promise<void> {
  await fleet.until('the members are those of before', async () => {
    const now = await memberIds(fleet, address);
    return now.join() === members.join() ? [] : [`members ${now.join()}`];
  });
}

const SILENCES: ReadonlySet<FaultKind> = new Set(SILENT_FAULTS);

/** All of AWS, or all but the metadata, gone wrong in one way. */
function faultsOf(fleet: Fleet, kind: FaultKind, services: readonly FaultRequest['service'][]): () => void {
  // Older than the fleet: an answer in which nobody of it is there.
  const staleMs = kind === 'stale' ? { staleMs: 600_000 } : {};
  const faults = services.map((service) => fleet.fault({ service, kind, ...staleMs }));
  return () => faults.forEach(({ id }) => fleet.sandbox.cloud.faults.lift(id));
}

/** A way in which AWS goes wrong, and whose etcd is killed meanwhile, one after the other. */
export interface Outage {
  readonly kind: FaultKind;
  readonly killed: readonly Role[];
}

/**
 * All of AWS goes wrong in these ways, one after the other, each for so long; in each of them etcds are killed, in the last an
 * appliance with its own. All come back as what they were.
 */
export async function everyCallFails(
  context: TestContext,
  size: number,
  outages: readonly Outage[],
  eachMs: number,
): Promise<void> {
  const fleet = await fleetForTest(context, { size, environment });
  const { sandbox, whole, serves, during, leader, followers, writesGoOn, machine } = fleet;
  const { kill } = sandbox.hypervisor;
  await whole(size);
  const first = await leader();
  const members = await memberIds(fleet, first.address);
  const changed = (): Promise<readonly string[]> => otherMembers(fleet, members, first.address);
  let lift = (): void => undefined;
  for (const { kind, killed } of outages) {
    const liftLast = lift;
    lift = faultsOf(fleet, kind, ['*']);
    liftLast();
    const endMs = performance.now() + eachMs;
    for (const role of killed) {
      const { instanceId } = await memberOf(fleet, role);
      await kill(instanceId, 'etcd');
      await serves(size);
      await writesGoOn();
    }
    await during(Math.max(0, endMs - performance.now()), changed);
    // A way to go wrong that nobody met would prove nothing.
    await untilHit(fleet, 'DescribeAutoScalingGroups');
    // Names may be added on what was read before: that none is taken away while the fleet is unknown is the simulator's to show.
    if (SILENCES.has(kind)) await untilHit(fleet, 'ListResourceRecordSets');
  }
  // Metadata are the instance's own, and answer again: all else that this appliance needs to know, it has kept.
  const last = outages.at(-1)?.kind ?? 'error';
  faultsOf(fleet, last, ['ec2', 'autoscaling', 'route53']);
  lift();
  const { instanceId } = (await followers())[0] ?? first;
  const before = await machine(instanceId);
  await Promise.all([kill(instanceId, 'appliance'), kill(instanceId, 'etcd')]);
  await serves(size);
  expect((await machine(instanceId)).etcd?.pid).not.toBe(before.etcd?.pid);
  await writesGoOn();
  expect(await changed()).toEqual([]);
  sandbox.cloud.faults.liftAll();
  await whole(size);
  await untilMembers(fleet, first.address, members);
  await fleet.verify();
}

/** Route 53 refuses every connection for so long, while an instance is terminated. */
export async function namesCannotBeWritten(
  context: TestContext,
  size: number,
  outageMs: number,
): Promise<void> {
  const fleet = await fleetForTest(context, { size, environment });
  const { sandbox, whole, until, followers, writesGoOn } = fleet;
  await whole(size);
  const outage = fleet.fault({ service: 'route53', kind: 'refuse' });
  const endMs = performance.now() + outageMs;
  const [victim] = await followers();
  sandbox.cloud.terminateInstance(victim?.instanceId ?? '');
  await until('the outage is over', async () =>
    performance.now() < endMs ? ['Route 53 still refuses'] : [],
  );
  await writesGoOn();
  // Changes may be tried, by who read the records before: they compare, so they do no harm late.
  await untilHit(fleet, 'ListResourceRecordSets');
  expect(fleet.watch.removed()).toEqual([victim?.status?.memberId]);
  sandbox.cloud.faults.lift(outage.id);
  await whole(size);
  await fleet.verify();
}

/** A member is silent while AWS lies in every way, `looks` times in each. */
export async function awsLies(context: TestContext, size: number, looks: number): Promise<void> {
  const fleet = await fleetForTest(context, { size, environment });
  const { sandbox, whole, until, leader, followers, writesGoOn, hits } = fleet;
  await whole(size);
  const { address, instanceId } = await leader();
  const members = await memberIds(fleet, address);
  const [silent] = await followers();
  const { freeze, thaw } = sandbox.hypervisor;
  // With its appliance, which would start it again after 30 s: what AWS is made to say may take longer.
  for (const what of ['appliance', 'etcd'] as const) await freeze(silent?.instanceId ?? '', what);
  for (const kind of ['empty', 'half', 'self-only'] satisfies readonly FaultKind[]) {
    const faults = [fleet.fault({ service: 'autoscaling', kind }), fleet.fault({ service: 'ec2', kind })];
    await until(
      `the housekeeper ${instanceId} is fooled`,
      async () => {
        const count = hits('DescribeAutoScalingGroups') + hits('DescribeInstances');
        return count >= looks ? [] : [`${count} hits`];
      },
      // While AWS's answers are no use, it is asked less and less often.
      looks * 30_000,
    );
    for (const { id } of faults) sandbox.cloud.faults.lift(id);
  }
  await writesGoOn();
  await untilMembers(fleet, address, members);
  for (const what of ['etcd', 'appliance'] as const) await thaw(silent?.instanceId ?? '', what);
  await whole(size);
  await untilMembers(fleet, address, members);
  await fleet.verify();
}
