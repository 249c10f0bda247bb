import { describe, expect, test } from 'vitest';
import type { Report } from '../../src/cli/upgrade-report.ts';
import { encodePart, UPGRADE_KEYS, UPGRADE_PREFIX } from '../../src/core/upgrade-record.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import type { Fleet } from '../e2e/harness.ts';
import { operatorOf, ordered } from '../e2e/operator.ts';
import { upgradedTo, upgradeFleet } from '../e2e/upgrades.ts';

const calm = new AbortController().signal;

async function keysOf(fleet: Fleet): Promise<Readonly<Record<string, string>>> {
  const { address } = await fleet.leader();
  const keys = await fleet.admin.readPrefix(clientUrl(address), UPGRADE_PREFIX, calm);
  if (!keys.known) throw new Error(keys.reason);
  return Object.fromEntries(keys.value.map((it) => [it.key.slice(UPGRADE_PREFIX.length), it.value]));
}

async function minorsOf(fleet: Fleet): Promise<readonly string[]> {
  const views = await fleet.view();
  return views.map(({ status }) => status?.version.replace(/\.\d+$/, '') ?? 'silent').toSorted();
}

describe.concurrent('an operator', () => {
  test('orders, pauses, resumes, leaves and follows an upgrade in place', async (context) => {
    const fleet = await upgradeFleet(context, { size: 3, from: '3.4' });
    const start = operatorOf(context, fleet);

    const dry = await start(['--to', '3.5', '--dry-run']).ended;
    expect(dry).toMatchObject({ code: 0, err: [] });
    expect(dry.out).toContain('would be written: all members are to run etcd 3.5');
    expect(dry.out.join('\n')).toMatch(/preflight:\n {2}ok {4}every appliance says what it has\n/);
    expect(await keysOf(fleet)).toEqual({});

    const refused = await start(['--to', '3.3']).ended;
    expect(refused.code).toBe(1);
    expect(refused.err).toEqual([
      expect.stringMatching(
        /nothing was written: etcd 3\.3 cannot be ordered: etcd has no way from 3\.4 down/,
      ),
    ]);
    expect(await keysOf(fleet)).toEqual({});

    expect(await start(['--pause']).ended).toMatchObject({ code: 0, err: [] });
    const held = await start(['--to', '3.5']).ended;
    expect(held).toMatchObject({
      code: 1,
      err: [expect.stringMatching(/the upgrade stands still: paused .*--resume$/)],
    });
    expect(await keysOf(fleet)).toMatchObject({ to: '"3.5"' });
    expect(await minorsOf(fleet)).toEqual(['3.4', '3.4', '3.4']);

    // Paused anew in the middle of the first step.
    const paused = Promise.withResolvers<void>();
    const resumed = start(['--resume'], (line) => {
      if (!/ catches up: | done: etcd 3\.5/.test(line)) return;
      pause(fleet).then(paused.resolve, paused.reject);
    });
    const [stopped] = await Promise.all([resumed.ended, paused.promise]);
    expect(stopped.code, stopped.err.join('\n')).toBe(1);
    const between = await minorsOf(fleet);
    expect(new Set(between)).toEqual(new Set(['3.4', '3.5']));
    await fleet.writesGoOn();
    expect(await minorsOf(fleet)).toEqual(between);

    const left = start(['--resume'], (line) => {
      if (line.startsWith('plan: ')) left.child.kill('SIGINT');
    });
    const interrupted = await left.ended;
    expect(interrupted.code).toBe(1);
    expect(interrupted.out.at(-1)).toMatch(
      /^not followed any more: what is under way goes on by itself\. .*--pause$/,
    );

    // Called again, and by another operator at the same time, whose order is the one that stands.
    for (const followed of await Promise.all([start([]).ended, start(['--to', '3.5']).ended])) {
      expect(followed, followed.err.join('\n')).toMatchObject({ code: 0, err: [] });
      expect(followed.out.at(-1)).toMatch(
        /^done: every member runs what it aims at \(etcd 3\.5\.\d+\); the order for 3\.5 stays/,
      );
    }
    expect(await minorsOf(fleet)).toEqual(['3.5', '3.5', '3.5']);
    await fleet.whole(3);
    await fleet.verify();
  });

  test.for([
    { from: '3.4', to: '3.7', size: 3 },
    { from: '3.4', to: '3.5', size: 5 },
    { from: '3.7', to: '3.5', size: 3 },
    { from: '3.6', to: '3.5', size: 5 },
  ])('orders $size from $from to $to, and follows', async ({ from, to, size }, context) => {
    const fleet = await upgradeFleet(context, { size, from });
    await ordered(context, fleet, to);
    await upgradedTo(fleet, to);
  });

  test('has the group replaced, where its image lacks what is ordered', async (context) => {
    const fleet = await upgradeFleet(context, { size: 1, from: '3.4', image: ['3.4'], hooks: true });
    const start = operatorOf(context, fleet);
    const [old] = await fleet.view();
    const lacking = await start(['--to', '3.5']).ended;
    expect(lacking.code).toBe(1);
    expect(lacking.err).toEqual([
      expect.stringMatching(
        /nothing was written: the image of i-\w+ has no etcd 3\.5 .* --to 3\.5 --refresh$/,
      ),
    ]);
    expect(await keysOf(fleet)).toEqual({});

    fleet.launchWith({ ETCD_DIR: await fleet.image(['3.4', '3.5']) });
    const refreshed = await start(['--to', '3.5', '--refresh', '--json']).ended;
    expect(refreshed.code, refreshed.err.join('\n')).toBe(0);
    const reports = refreshed.out.map((line) => JSON.parse(line) as Report);
    expect(reports[0]).toMatchObject({ refresh: { active: true }, orders: [{ part: 'to', value: '3.5' }] });
    expect(reports.at(-1)).toMatchObject({
      standing: 'none',
      refresh: { status: 'Successful' },
      members: [{ role: 'leader', runs: expect.stringMatching(/^3\.5\./) }],
    });
    expect(reports.at(-1)?.members[0]?.instanceId).not.toBe(old?.instanceId);
    await fleet.whole(1);
    await fleet.verify();
  });
});

async function pause(fleet: Fleet): Promise<void> {
  const { address } = await fleet.leader();
  const value = encodePart({ at: '2026-01-01T00:00:00.000Z' });
  const put = await fleet.admin.put(clientUrl(address), UPGRADE_KEYS.paused, value, {}, calm);
  if (!put.known) throw new Error(put.reason);
}
