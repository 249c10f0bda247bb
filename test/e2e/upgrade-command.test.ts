import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { encodePart, UPGRADE_KEYS, UPGRADE_PREFIX } from '../../src/core/upgrade-record.ts';
import { clientUrl } from '../../src/etcd/flags.ts';
import { program } from './build.ts';
import { fleetForTest } from './harness.ts';
import type { Fleet } from './harness.ts';

const calm = new AbortController().signal;

/** `etcd-appliance upgrade` of the fleet's cluster, as an operator calls it whose output is no terminal. */
function start(fleet: Fleet, words: readonly string[], onLine: (line: string) => void = () => undefined) {
  const { aws, clusterName } = fleet.sandbox.addresses;
  const env = {
    PATH: process.env['PATH'],
    HOSTED_ZONE: 'example.org',
    AWS_ENDPOINT_URL: aws,
    AWS_ACCESS_KEY_ID: 'AKIAOPERATOR',
    AWS_SECRET_ACCESS_KEY: 'secret',
  };
  const args = [program(), 'upgrade', clusterName, ...words];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const out: string[] = [];
  const err: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    out.push(line);
    onLine(line);
  });
  createInterface({ input: child.stderr }).on('line', (line) => void err.push(line));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return { child, ended };
}

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

test('an operator orders, pauses, resumes, leaves and follows an upgrade in place', async (context) => {
  const fleet = await fleetForTest(context, { size: 3, environment: { ETCD_VERSION: '3.4' } });
  await fleet.whole(3);

  const dry = await start(fleet, ['--to', '3.5', '--dry-run']).ended;
  expect(dry).toMatchObject({ code: 0, err: [] });
  expect(dry.out).toContain('would be written: all members are to run etcd 3.5');
  expect(dry.out.join('\n')).toMatch(/preflight:\n {2}ok {4}every appliance says what it has\n/);
  expect(await keysOf(fleet)).toEqual({});

  const refused = await start(fleet, ['--to', '3.3']).ended;
  expect(refused.code).toBe(1);
  expect(refused.err).toEqual([
    expect.stringMatching(/nothing was written: etcd 3\.3 cannot be ordered: etcd has no way from 3\.4 down/),
  ]);
  expect(await keysOf(fleet)).toEqual({});

  expect(await start(fleet, ['--pause']).ended).toMatchObject({ code: 0, err: [] });
  const held = await start(fleet, ['--to', '3.5']).ended;
  expect(held).toMatchObject({
    code: 1,
    err: [expect.stringMatching(/the upgrade stands still: paused .*--resume$/)],
  });
  expect(await keysOf(fleet)).toMatchObject({ to: '"3.5"' });
  expect(await minorsOf(fleet)).toEqual(['3.4', '3.4', '3.4']);

  // Paused anew in the middle of the first step.
  const paused = Promise.withResolvers<void>();
  const resumed = start(fleet, ['--resume'], (line) => {
    if (!/ catches up: | done: etcd 3\.5/.test(line)) return;
    pause(fleet).then(paused.resolve, paused.reject);
  });
  const [stopped] = await Promise.all([resumed.ended, paused.promise]);
  expect(stopped.code, stopped.err.join('\n')).toBe(1);
  const between = await minorsOf(fleet);
  expect(new Set(between)).toEqual(new Set(['3.4', '3.5']));
  await fleet.writesGoOn();
  expect(await minorsOf(fleet)).toEqual(between);

  const left = start(fleet, ['--resume'], (line) => {
    if (line.startsWith('plan: ')) left.child.kill('SIGINT');
  });
  const interrupted = await left.ended;
  expect(interrupted.code).toBe(1);
  expect(interrupted.out.at(-1)).toMatch(
    /^not followed any more: the upgrade goes on by itself\. .*--pause$/,
  );

  const followed = await start(fleet, []).ended;
  expect(followed, followed.err.join('\n')).toMatchObject({ code: 0, err: [] });
  expect(followed.out.at(-1)).toMatch(
    /^done: every member runs what it aims at \(etcd 3\.5\.\d+\); the order for 3\.5 stays/,
  );
  expect(await minorsOf(fleet)).toEqual(['3.5', '3.5', '3.5']);
  await fleet.whole(3);
  await fleet.verify();
});

async function pause(fleet: Fleet): Promise<void> {
  const { address } = await fleet.leader();
  const value = encodePart({ at: '2026-01-01T00:00:00.000Z' });
  const put = await fleet.admin.put(clientUrl(address), UPGRADE_KEYS.paused, value, {}, calm);
  if (!put.known) throw new Error(put.reason);
}
