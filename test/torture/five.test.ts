import { test } from 'vitest';
import { crashes } from '../e2e/crashes.ts';
import { fleetForFile } from '../e2e/harness.ts';
import { memberOf, type Role } from '../e2e/roles.ts';

/* What the end-to-end tests do to fleets of three, done to one of five. */
const fleet = fleetForFile({ size: 5 });

crashes(fleet, 5);

test.for(
  (['follower', 'leader'] satisfies readonly Role[]).flatMap((role) =>
    (['terminateInstance', 'powerCut'] as const).map((end) => ({ role, end })),
  ),
)('the $role ends by $end, and EC2 does not know its successor for a while', async ({ role, end }) => {
  const { sandbox, whole, writesGoOn } = fleet();
  sandbox.cloud.changeSettings({ unknownAfterLaunchMs: 4_000 });
  sandbox.cloud[end]((await memberOf(fleet(), role)).instanceId);
  await whole(5);
  await writesGoOn();
});

test('nothing was lost, and there was one cluster all the time', async () => {
  await fleet().verify();
});
