import { expect, test, type TestContext } from 'vitest';
import { type Fleet, fleetForTest } from '../e2e/harness.ts';
import { untilVoters } from '../network/partitions.ts';
import { slowLinks, type SlowLinks } from '../network/slow-links.ts';

const SIZES = [3, 5] as const;

/** A fleet whose links take so long one way, from the first moment on. */
async function slowFleet(
  context: TestContext,
  size: number,
  delayMs: number,
): Promise<{ readonly fleet: Fleet; readonly links: SlowLinks }> {
  const made: SlowLinks[] = [];
  const fleet = await fleetForTest(context, {
    size,
    namespaces: true,
    beforeStart: (sandbox) => void made.push(slowLinks(sandbox, delayMs)),
  });
  const [links] = made;
  if (links === undefined) throw new Error('the links were not slowed');
  context.onTestFinished(async () => links[Symbol.asyncDispose]());
  return { fleet, links };
}

/** Three clients, each with one write at a time: were the links not slow, each would take a few milliseconds. */
async function writesAreSlow({ writers, writesGoOn }: Fleet, delayMs: number): Promise<void> {
  await writesGoOn();
  const acknowledged = writers.acknowledged();
  const startedMs = performance.now();
  await writesGoOn(60);
  const perWriteMs = ((performance.now() - startedMs) * 3) / (writers.acknowledged() - acknowledged);
  expect(perWriteMs).toBeGreaterThan(2 * delayMs);
}

// A round trip is then twice the beat of etcd's leader, and a read through a follower takes two of them.
test.for(SIZES)(
  'a fleet of %i whose links take 100 ms is born, heals, and replaces its instances',
  async (size, context) => {
    const { fleet } = await slowFleet(context, size, 100);
    const { sandbox, whole, writesGoOn, leader, followers, view, watch, verify } = fleet;
    await whole(size);
    await writesAreSlow(fleet, 100);
    await sandbox.hypervisor.kill((await leader()).instanceId, 'etcd');
    await whole(size);
    const [first] = await followers();
    sandbox.cloud.terminateInstance(first?.instanceId ?? '');
    await whole(size);
    const second = await leader();
    sandbox.cloud.powerCut(second.instanceId);
    await whole(size);
    await writesGoOn();
    const ids = [first, second].map((one) => one?.status?.memberId);
    expect(watch.removed().toSorted()).toEqual(ids.toSorted());
    expect((await view()).map(({ instanceId }) => instanceId)).not.toContain(second.instanceId);
    await verify();
  },
);

/** For so long somebody is awaited in vain. */
const WAIT_MS = 30_000;

/*
 * 200 ms are more than one region is made for, and than its appliances bear. etcd does: its followers hear a beat every 100 ms,
 * however late, so that nobody asks for an election, and a vote takes 400 of its 1,000 ms. But a member list is two linearizable
 * answers, and on a new connection eight round trips: at 250 ms each they are all of the 2 s that a call may take
 * (`FAR_CALL_MS` is for regions that are further apart). So followers are in and out of the names, and who is new may take the
 * quorum for lost, and wait. Writes are made all the same, etcds come back, nobody is removed but who ended, and the fleet is
 * whole as soon as the links are what they should be.
 */
test.for(SIZES)(
  'a fleet of %i whose links take 200 ms is born, loses nobody but who ends, and is whole when they are mended',
  async (size, context) => {
    const { fleet, links } = await slowFleet(context, size, 200);
    const { sandbox, whole, during, writesGoOn, leader, followers, watch, verify } = fleet;
    await untilVoters(fleet, size);
    await writesAreSlow(fleet, 200);
    await sandbox.hypervisor.kill((await leader()).instanceId, 'etcd');
    await writesGoOn();
    const [ending] = await followers();
    const others = (): readonly string[] => watch.removed().filter((id) => id !== ending?.status?.memberId);
    sandbox.cloud.terminateInstance(ending?.instanceId ?? '');
    await during(WAIT_MS, async () => others());
    await writesGoOn();
    links.delay(0);
    await whole(size);
    await writesGoOn();
    expect(watch.removed()).toEqual([ending?.status?.memberId]);
    await verify();
  },
);
