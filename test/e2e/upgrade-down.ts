import { expect, type TestContext } from 'vitest';
import { etcdBinary } from '../tools.ts';
import { DOWN, fleetOn } from './upgrade-crashes.ts';
import { crashing, mend } from './upgrade-images.ts';
import {
  loweredTo,
  order,
  recordOf,
  resume,
  untilAllRun,
  untilRuns,
  untilSaid,
  untilStepping,
  upgradedTo,
  upgradeFleet,
} from './upgrades.ts';

/* What may go wrong on the way down, beyond crashes of the appliance. */

/** The old etcd ends at its start: the step is taken back, the downgrade cancelled, and all go down once it is mended. */
export async function oldEtcdCrashes(context: TestContext): Promise<void> {
  const { from, to } = DOWN;
  const { version } = await etcdBinary(to);
  const fleet = await upgradeFleet(context, { size: 3, from, image: [crashing(version), from] });
  await order(fleet, to);
  await untilSaid(fleet, 'was taken back');
  const failed = (await recordOf(fleet))?.failed;
  expect(failed?.why).toContain(`etcd ${version} does not come up`);
  expect(failed?.why).toContain('runs again');
  // Nobody can join before it is cancelled.
  await fleet.until('the downgrade is over', async () => [(await loweredTo(fleet)) ?? []].flat());
  await untilAllRun(fleet, from);
  await fleet.whole(3);
  await mend(fleet.firstImage, to);
  await resume(fleet);
  await upgradedTo(fleet, to);
}

/**
 * While etcd goes down, an instance that does not step is lost. Its successor can join when the downgrade is over, by its end
 * or because it was cancelled; and then all come to the old minor. `moment`: nobody has stepped yet, or one has.
 */
export async function replacedWhileDown(
  context: TestContext,
  moment: 'lowered' | 'stepped',
  end: 'terminateInstance' | 'powerCut',
): Promise<void> {
  const { to } = DOWN;
  const fleet = await fleetOn(context, DOWN);
  await order(fleet, to);
  const { by } = await untilStepping(fleet);
  if (moment === 'lowered')
    await fleet.until('etcd goes down', async () => ((await loweredTo(fleet)) === null ? [by] : []));
  else await untilRuns(fleet, by, `${to}.`);
  const other = (await fleet.followers()).find((it) => it.instanceId !== by);
  if (other === undefined) throw new Error('nobody else is there');
  fleet.sandbox.cloud[end](other.instanceId);
  await upgradedTo(fleet, to);
  const left = (await fleet.view()).map((it) => it.instanceId);
  expect(left).not.toContain(other.instanceId);
}
