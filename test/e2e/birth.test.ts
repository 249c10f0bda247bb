import { describe, expect, test } from 'vitest';
import type { FaultKind } from '../../src/sandbox/model.ts';
import { textOf } from './fields.ts';
import { type Fleet, fleetForTest } from './harness.ts';

/** Many times what a birth takes: whoever would found a cluster on what it is shown has had the time. */
const LOOKS_OF_EACH = 4;

/** By what an appliance learns who its fleet is. */
const FLEET_ACTION = 'DescribeAutoScalingGroups';

/** Until every appliance has found out who it is, and shows its face. */
async function untilAllAreUp({ until, sandbox }: Fleet, size: number): Promise<void> {
  await until('every appliance shows its face', async () => {
    const { instances } = sandbox.cloud.describe();
    const answers = await Promise.allSettled(
      instances.map(({ address }) => fetch(`http://${address}:2378/status`)),
    );
    const up = answers.filter((answer) => answer.status === 'fulfilled' && answer.value.ok).length;
    return up === size ? [] : [`${up} of ${size}`];
  });
}

/** Until every instance was lied to so often. */
async function untilAllWereFooled({ sandbox, until }: Fleet, kind: FaultKind, size: number): Promise<void> {
  const { events } = sandbox.cloud;
  await until('every instance looks again and again', async () => {
    const askers = events
      .since(0)
      .filter(
        ({ type, fields }) =>
          type === 'fault-hit' && fields['action'] === FLEET_ACTION && fields['kind'] === kind,
      )
      .map(({ fields }) => textOf(fields, 'asking'));
    const often = new Set(
      askers.filter((id) => askers.filter((other) => other === id).length >= LOOKS_OF_EACH),
    );
    return often.size >= size ? [] : [`${often.size} of ${size} asked ${LOOKS_OF_EACH} times`];
  });
}

describe.concurrent('a birth while AWS shows each instance', () => {
  test.for<{ readonly kind: FaultKind; readonly what: string }>([
    { kind: 'empty', what: 'nothing' },
    { kind: 'half', what: 'half of the group' },
    { kind: 'self-only', what: 'only itself' },
  ])('$what: no cluster, then one', async ({ kind }, context) => {
    // Nobody may wait in vain for a complete fleet here: a second is long over when the last look is taken.
    const fleet = await fleetForTest(context, { size: 3, environment: { BOOTSTRAP_WAIT: '1s' } });
    const { sandbox, watch, whole, writesGoOn, verify, writers } = fleet;
    // Who does not know who it is does not get as far as a birth: the lie begins when all know.
    const silence = fleet.fault({ service: 'autoscaling', action: FLEET_ACTION, kind: 'error' });
    await untilAllAreUp(fleet, 3);
    fleet.fault({ service: 'autoscaling', kind });
    fleet.fault({ service: 'ec2', kind });
    sandbox.cloud.faults.lift(silence.id);
    await untilAllWereFooled(fleet, kind, 3);
    expect(watch.claim()).toBeNull();
    expect(watch.clusterIds()).toEqual([]);
    expect(writers.acknowledged()).toBe(0);
    sandbox.cloud.faults.liftAll();
    await whole(3);
    await writesGoOn();
    expect(watch.claim()).toMatchObject({ epoch: 1, lost: [] });
    await verify();
  });
});
