import { describe, expect, test } from 'vitest';
import { clientUrl } from '../../src/etcd/flags.ts';
import type { FaultKind } from '../../src/sandbox/model.ts';
import { type Fleet, fleetForTest } from './harness.ts';

/** AWS is asked all the time, not every two minutes: there is more to get wrong. */
const environment = { HOUSEKEEPING_INTERVAL: '1s' };
const OUTAGE_MS = 20_000;

/** Every change of the zone's records so far. */
function recordChanges({ sandbox }: Fleet): readonly string[] {
  return sandbox.cloud.events
    .since(0)
    .filter(({ type }) => type === 'record-change')
    .map(({ fields }) => `${String(fields['action'])} ${String(fields['name'])} ${String(fields['type'])}`);
}

async function memberIds(fleet: Fleet, address: string): Promise<readonly string[]> {
  const list = await fleet.admin.memberList(
    clientUrl(address),
    { linearizable: true },
    new AbortController().signal,
  );
  return list.known ? list.value.members.map(({ id }) => id).toSorted() : [];
}

describe.concurrent('a cluster that serves', () => {
  test('heals its etcds while every AWS call fails, and keeps its members and names', async (context) => {
    const fleet = await fleetForTest(context, { size: 3, environment });
    const { sandbox, whole, serves, during, leader, followers, writesGoOn } = fleet;
    await whole(3);
    const { address } = await leader();
    const members = await memberIds(fleet, address);
    const outage = fleet.fault({ kind: 'error' });
    const changes = recordChanges(fleet);
    const endMs = performance.now() + OUTAGE_MS;
    const [follower] = await followers();
    await sandbox.hypervisor.kill(follower?.instanceId ?? '', 'etcd');
    await serves(3);
    await sandbox.hypervisor.kill((await leader()).instanceId, 'etcd');
    await serves(3);
    await writesGoOn();
    await during(Math.max(0, endMs - performance.now()), async () => {
      const now = await memberIds(fleet, address);
      return now.length === 0 || now.join() === members.join() ? [] : [`members ${now.join()}`];
    });
    expect(recordChanges(fleet)).toEqual(changes);
    sandbox.cloud.faults.lift(outage.id);
    await whole(3);
    expect(await memberIds(fleet, address)).toEqual(members);
    await fleet.verify();
  });

  test('loses an instance while Route 53 refuses, and is named right when it takes calls again', async (context) => {
    const fleet = await fleetForTest(context, { size: 3, environment });
    const { sandbox, whole, until, followers, writesGoOn } = fleet;
    await whole(3);
    const outage = fleet.fault({ service: 'route53', kind: 'refuse' });
    const changes = recordChanges(fleet);
    const endMs = performance.now() + OUTAGE_MS;
    const [victim] = await followers();
    sandbox.cloud.terminateInstance(victim?.instanceId ?? '');
    await until('the outage is over', async () =>
      performance.now() < endMs ? ['Route 53 still refuses'] : [],
    );
    await writesGoOn();
    expect(recordChanges(fleet)).toEqual(changes);
    expect(fleet.watch.removed()).toEqual([victim?.status?.memberId]);
    sandbox.cloud.faults.lift(outage.id);
    await whole(3);
    await fleet.verify();
  });

  test('keeps a silent member, and its names, while AWS shows nothing, half, or only the asker', async (context) => {
    const fleet = await fleetForTest(context, { size: 3, environment });
    const { sandbox, whole, until, leader, followers, writesGoOn, hits } = fleet;
    await whole(3);
    const { address, instanceId } = await leader();
    const members = await memberIds(fleet, address);
    const [silent] = await followers();
    await sandbox.hypervisor.freeze(silent?.instanceId ?? '', 'etcd');
    for (const kind of ['empty', 'half', 'self-only'] satisfies readonly FaultKind[]) {
      const faults = [fleet.fault({ service: 'autoscaling', kind }), fleet.fault({ service: 'ec2', kind })];
      await until(`the housekeeper ${instanceId} is fooled`, async () => {
        const count = hits('DescribeAutoScalingGroups') + hits('DescribeInstances');
        return count >= 3 ? [] : [`${count} hits`];
      });
      for (const { id } of faults) sandbox.cloud.faults.lift(id);
    }
    await writesGoOn();
    expect(await memberIds(fleet, address)).toEqual(members);
    await sandbox.hypervisor.thaw(silent?.instanceId ?? '', 'etcd');
    await whole(3);
    expect(await memberIds(fleet, address)).toEqual(members);
    await fleet.verify();
  });
});
