import { describe, expect, test } from 'vitest';
import type { TestContext } from 'vitest';
import { type Fleet, fleetForTest } from '../e2e/harness.ts';
import { memberIds, otherMembers } from '../e2e/members.ts';
import { DISTANCE, HERE, runningIn, THERE, wrongInRules } from '../e2e/two-regions.ts';

/* What two regions must stand that are 80 ms apart. */

/** A region is away for longer than any lock, lease or limit that is not made for it. */
const AWAY_MS = 90_000;
/** Everything takes its time over such a distance, and five of it on a machine that does other things. */
const LIMIT_MS = 240_000;

interface Split {
  readonly here: number;
  readonly there: number;
}

/** A fleet of two regions, whole. */
async function twoRegions(context: TestContext, { here, there }: Split): Promise<Fleet> {
  const fleet = await fleetForTest(context, {
    size: here + there,
    regions: { [HERE]: here, [THERE]: there },
    settings: DISTANCE,
    environment: { HOUSEKEEPING_INTERVAL: '5s' },
  });
  await fleet.whole(here + there, LIMIT_MS);
  await rulesAreRight(fleet);
  return fleet;
}

function rulesAreRight(fleet: Fleet): Promise<void> {
  return fleet.until('the rules are right', async () => wrongInRules(fleet));
}

/** Which voters of these are not in the claim any more. */
function struckOut({ watch }: Fleet, ids: readonly string[]): readonly string[] {
  const claimed = watch.claim()?.voters.map(({ instanceId }) => instanceId) ?? [];
  return ids.filter((id) => !claimed.includes(id));
}

const idsOf = (instances: readonly { readonly instanceId: string }[]): readonly string[] =>
  instances.map(({ instanceId }) => instanceId);

describe.concurrent('two regions', () => {
  test('the smaller one is lost, its API with it: the other serves, evicts nobody, and takes its successors when it returns', async (context) => {
    const fleet = await twoRegions(context, { here: 3, there: 2 });
    const { sandbox, during, whole, writesGoOn, watch, verify } = fleet;
    const [survivor] = runningIn(fleet, HERE);
    const lost = idsOf(runningIn(fleet, THERE));
    const members = await memberIds(fleet, survivor?.address);
    await sandbox.cuts.cutRegion(THERE, 'both');
    sandbox.cloud.changeSettings(
      { zonesWithoutCapacity: ['a', 'b', 'c'].map((zone) => THERE + zone) },
      THERE,
    );
    for (const id of lost) sandbox.cloud.powerCut(id);
    await writesGoOn();
    const rules = sandbox.cloud.describe().securityGroups;
    await during(AWAY_MS, async () => [
      ...(await otherMembers(fleet, members, survivor?.address)),
      ...struckOut(fleet, lost),
      ...(JSON.stringify(rules) === JSON.stringify(sandbox.cloud.describe().securityGroups)
        ? []
        : ['rules changed']),
      ...watch.emptied(),
    ]);
    await writesGoOn();
    sandbox.cloud.changeSettings({ zonesWithoutCapacity: [] }, THERE);
    await sandbox.cuts.cutRegion(THERE, 'none');
    await whole(5, LIMIT_MS);
    await rulesAreRight(fleet);
    expect(struckOut(fleet, lost)).toEqual(lost);
    await verify();
  });

  test('the smaller one is cut off and comes back: the other serves meanwhile, and nobody has lost his place', async (context) => {
    const fleet = await twoRegions(context, { here: 3, there: 2 });
    const { sandbox, during, whole, writesGoOn, verify } = fleet;
    const [survivor] = runningIn(fleet, HERE);
    const members = await memberIds(fleet, survivor?.address);
    await sandbox.cuts.cutRegion(THERE, 'peers');
    await writesGoOn();
    await during(AWAY_MS, () => otherMembers(fleet, members, survivor?.address));
    await writesGoOn();
    await sandbox.cuts.cutRegion(THERE, 'none');
    await whole(5, LIMIT_MS);
    await rulesAreRight(fleet);
    expect(await memberIds(fleet, survivor?.address)).toEqual(members);
    await verify();
  });

  test('the larger one is cut off: nobody founds anything here, and all is as it was when it is back', async (context) => {
    const fleet = await twoRegions(context, { here: 1, there: 2 });
    const { sandbox, during, whole, watch, writesGoOn, verify, view } = fleet;
    const [alone] = runningIn(fleet, HERE);
    const [other] = runningIn(fleet, THERE);
    const members = await memberIds(fleet, other?.address);
    await sandbox.cuts.cutRegion(HERE, 'peers');
    await fleet.until('it knows that it has no quorum', async () =>
      (await view()).flatMap(({ instanceId, notReady }) =>
        instanceId === alone?.instanceId && notReady === null ? ['it says that it is ready'] : [],
      ),
    );
    await during(AWAY_MS, async () => [
      ...(await otherMembers(fleet, members, other?.address)),
      ...(watch.clusterIds().length === 1 ? [] : watch.clusterIds()),
    ]);
    await sandbox.cuts.cutRegion(HERE, 'none');
    await whole(3, LIMIT_MS);
    await writesGoOn();
    expect(await memberIds(fleet, other?.address)).toEqual(members);
    await verify();
  });

  test('every instance is replaced, one after the other, now here, now there: the rules follow', async (context) => {
    const fleet = await twoRegions(context, { here: 2, there: 1 });
    const { sandbox, until, whole, writesGoOn, verify } = fleet;
    const first = [...runningIn(fleet, HERE), ...runningIn(fleet, THERE)];
    for (const [index, { instanceId }] of first.entries()) {
      if (index % 2 === 0) sandbox.cloud.terminateInstance(instanceId);
      else sandbox.cloud.powerCut(instanceId);
      await until('it is gone', async () => {
        const left = [...runningIn(fleet, HERE), ...runningIn(fleet, THERE)];
        return idsOf(left).filter((id) => id === instanceId);
      });
      await whole(3, LIMIT_MS);
      await rulesAreRight(fleet);
      await writesGoOn();
    }
    await verify();
  });

  test('one whose API does not answer keeps a birth waiting, and then there is one cluster', async (context) => {
    const fleet = await fleetForTest(context, {
      size: 3,
      regions: { [HERE]: 2, [THERE]: 1 },
      settings: DISTANCE,
      environment: { HOUSEKEEPING_INTERVAL: '5s', BOOTSTRAP_WAIT: '1s' },
      beforeStart: ({ cloud }) => {
        const every = { service: '*', action: '*', instance: '*', kind: 'error' } as const;
        cloud.faults.add({ ...every, region: THERE });
      },
    });
    const { sandbox, during, whole, watch, verify } = fleet;
    await during(20_000, async () => [...watch.clusterIds(), ...(watch.claim() === null ? [] : ['a claim'])]);
    sandbox.cloud.faults.liftAll();
    await whole(3, LIMIT_MS);
    await rulesAreRight(fleet);
    expect(watch.claim()).toMatchObject({ epoch: 1, lost: [] });
    await verify();
  });
});
