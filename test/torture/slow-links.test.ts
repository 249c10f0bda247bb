import { expect, onTestFinished, test } from 'vitest';
import { fleetForTest } from '../e2e/harness.ts';
import { slowLinks } from '../network/slow-links.ts';

/** One way. A round trip is then twice the beat of etcd's leader, and a read through a follower takes two of them. */
const DELAY_MS = 100;

test('a fleet whose links are slow is born, heals, and replaces its instances', async (context) => {
  let links: AsyncDisposable | null = null;
  const fleet = await fleetForTest(context, {
    size: 3,
    namespaces: true,
    beforeStart: (sandbox) => {
      links = slowLinks(sandbox, DELAY_MS);
    },
  });
  onTestFinished(async () => links?.[Symbol.asyncDispose]());
  const { sandbox, whole, writesGoOn, leader, followers, view, writers, watch, verify } = fleet;
  await whole(3);
  await writesGoOn();
  const acknowledged = writers.acknowledged();
  const startedMs = performance.now();
  await writesGoOn(60);
  // Three clients, each with one write at a time: were the links not slow, each would take a few milliseconds.
  const perWriteMs = ((performance.now() - startedMs) * 3) / (writers.acknowledged() - acknowledged);
  expect(perWriteMs).toBeGreaterThan(2 * DELAY_MS);

  await sandbox.hypervisor.kill((await leader()).instanceId, 'etcd');
  await whole(3);
  const [first] = await followers();
  sandbox.cloud.terminateInstance(first?.instanceId ?? '');
  await whole(3);
  const second = await leader();
  sandbox.cloud.powerCut(second.instanceId);
  await whole(3);
  await writesGoOn();
  const ids = [first, second].map((one) => one?.status?.memberId);
  expect(watch.removed().toSorted()).toEqual(ids.toSorted());
  expect((await view()).map(({ instanceId }) => instanceId)).not.toContain(second.instanceId);
  await verify();
});
