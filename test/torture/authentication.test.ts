import { Etcd3 } from 'etcd3';
import { expect, test } from 'vitest';
import { clientUrl } from '../../src/etcd/flags.ts';
import type { Fleet } from '../e2e/harness.ts';
import { operatorOf } from '../e2e/operator.ts';
import { upgradeFleet } from '../e2e/upgrades.ts';

/*
 * Appliances have no user in etcd: with authentication on they can see to nothing. 3.4 tells its status to everybody, later
 * ones tell nothing at all.
 */

/** An etcd that answered once and does not any more is restarted after 30 s. */
const LONGER_THAN_SILENCE_MS = 40_000;
const SENTENCE =
  /authentication is on in etcd, and appliances have no user .*: switch it off with etcdctl auth disable/;

/** What each appliance says of its readiness and of the upgrade, and the etcd that it runs. */
async function look({ view, sandbox }: Fleet) {
  const views = await view();
  const machines = await sandbox.hypervisor.report();
  return await Promise.all(
    views.map(async ({ instanceId, address, notReady }) => {
      const upgrade = await (await fetch(`http://${address}:2378/upgrade`)).text();
      const pid = machines.find((it) => it.instanceId === instanceId)?.etcd?.pid;
      return { instanceId, notReady, upgrade, pid };
    }),
  );
}

/** What an appliance lacks that has understood; empty: nothing. */
async function notSaid(fleet: Fleet): Promise<readonly string[]> {
  return (await look(fleet)).flatMap(({ instanceId, notReady, upgrade }) =>
    SENTENCE.test(notReady ?? '') && upgrade.includes('"upgrade-auth"') && SENTENCE.test(upgrade)
      ? []
      : [`${instanceId}: ${notReady}; ${upgrade}`],
  );
}

test.concurrent.for(['3.4', '3.5', '3.6', '3.7'])(
  'authentication is switched on in etcd %s: nothing is done, and that is said, until it is off',
  async (minor, context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: minor });
    const { address } = await fleet.leader();
    const hosts = clientUrl(address);
    const nobody = new Etcd3({ hosts });
    const root = new Etcd3({ hosts, auth: { username: 'root', password: 'secret' } });
    context.onTestFinished(() => {
      nobody.close();
      root.close();
    });
    await nobody.auth.userAdd({ name: 'root', password: 'secret' });
    await nobody.auth.userGrantRole({ user: 'root', role: 'root' });
    await nobody.auth.authEnable();

    await fleet.until('every appliance says so', async () => await notSaid(fleet));
    const before = (await look(fleet)).map((it) => it.pid);
    expect(before).not.toContain(undefined);
    await fleet.during(LONGER_THAN_SILENCE_MS, async () => {
      const now = await look(fleet);
      return now.every((it, at) => it.pid === before[at]) ? [] : ['an etcd was restarted'];
    });
    expect(await notSaid(fleet)).toEqual([]);
    const asked = await operatorOf(context, fleet)(['--dry-run']).ended;
    expect(asked).toMatchObject({ code: 69, err: [expect.stringMatching(SENTENCE)] });

    await root.auth.authDisable();
    await fleet.whole(3);
    await fleet.writesGoOn();
    expect((await look(fleet)).map((it) => it.pid)).toEqual(before);
    await fleet.verify();
  },
);
