import { EC2Client, RevokeSecurityGroupIngressCommand } from '@aws-sdk/client-ec2';
import { expect, test } from 'vitest';
import { OPERATOR_ACCESS_KEY } from '../../src/sandbox/caller.ts';
import { type Fleet, fleetForTest } from '../e2e/harness.ts';
import { DISTANCE, HERE, runningIn, THERE, wrongInRules } from '../e2e/two-regions.ts';

/** Each etcd is started anew, and then waits for the other. */
const LIMIT_MS = 120_000;

/** Somebody takes the rules of all members away, by EC2's own API. */
async function clearRules({ sandbox: { addresses, cloud } }: Fleet): Promise<void> {
  for (const { region, id, rules } of cloud.describe().securityGroups) {
    const ec2 = new EC2Client({
      region,
      endpoint: addresses.aws,
      credentials: { accessKeyId: OPERATOR_ACCESS_KEY, secretAccessKey: 'any' },
    });
    const permissions = rules
      .filter(({ description }) => description.startsWith('etcd-appliance: '))
      .map(({ fromPort, toPort, from }) => ({
        IpProtocol: 'tcp',
        FromPort: fromPort,
        ToPort: toPort,
        IpRanges: [{ CidrIp: from }],
      }));
    await ec2.send(new RevokeSecurityGroupIngressCommand({ GroupId: id, IpPermissions: permissions }));
    ec2.destroy();
  }
}

test('somebody clears the rules of both regions, and no connection is left: the members find back to each other', async (context) => {
  const fleet = await fleetForTest(context, {
    size: 2,
    regions: { [HERE]: 1, [THERE]: 1 },
    settings: DISTANCE,
  });
  const { sandbox, view, whole, until, writesGoOn, verify } = fleet;
  const rulesAreRight = (): Promise<void> =>
    until('the rules are right', async () => wrongInRules(fleet), LIMIT_MS);
  await whole(2);
  await rulesAreRight();
  const members = [...runningIn(fleet, HERE), ...runningIn(fleet, THERE)];

  await clearRules(fleet);
  expect(wrongInRules(fleet)).toHaveLength(2);
  // Connections that stand outlast a rule, as on EC2: with etcd they end.
  await Promise.all(members.map(({ instanceId }) => sandbox.hypervisor.kill(instanceId, 'etcd')));
  await until('nobody has a quorum', async () =>
    (await view()).flatMap(({ instanceId, list }) => (list === null ? [] : [`${instanceId} has`])),
  );
  await rulesAreRight();
  await whole(2, LIMIT_MS);
  await writesGoOn();
  await verify();
});
