import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { claimRecord, foundingClaim, formedClaim } from '../../src/core/claim.ts';
import { known } from '../../src/core/known.ts';
import type { UpgradeAnswer } from '../../src/core/upgrade.ts';
import { UPGRADE_KEYS } from '../../src/core/upgrade-record.ts';
import { runMain } from '../fakes/command.ts';
import { autoScalingAnswer, queryError, recordsAnswer, zonesAnswer } from '../fakes/wire-answers.ts';
import { startWireServer } from '../fakes/wire-server.ts';
import { calm, labCluster, must } from '../etcd-lab.ts';

/** A cluster of one, whose appliance says what `word` holds, and AWS, which lets no refresh begin. */
async function startCluster() {
  const stack = new AsyncDisposableStack();
  onTestFinished(async () => stack.disposeAsync());
  const { admin, members } = await labCluster('3.5', 1, stack);
  const [member] = members;
  if (member === undefined) throw new Error('no member');
  const { name, address, endpoint, version } = member;
  const status = must(await admin.status(endpoint, calm));
  const word = { installed: [version], wanted: '3.5' };
  const appliance = createServer((_, response) => {
    const answer: UpgradeAnswer = {
      instanceId: name,
      v2: known('clean'),
      replay: known({ snapshotIndex: 0, lastIndex: 1, lastV2Index: null }),
      freeBytes: known(1e12),
      ...word,
    };
    response.end(JSON.stringify(answer));
  });
  stack.defer(() => appliance.close().closeAllConnections());
  appliance.listen(2378, address);
  await once(appliance, 'listening');

  const founder = { instanceId: name, region: 'eu-central-1', address };
  const groups = ['arn:aws:autoscaling:eu-central-1:1:autoScalingGroup:u:autoScalingGroupName/demo-group'];
  const founding = foundingClaim({
    stack: 'demo',
    token: 'c0ffee',
    groups,
    founders: [founder],
    before: null,
  });
  const claim = claimRecord(
    '_etcd-cluster.demo.example.org',
    formedClaim(founding, status.clusterId, [{ ...founder, memberId: status.memberId }]),
  );
  const aws = await startWireServer(({ action }) => {
    if (action === 'GET /2013-04-01/hostedzonesbyname')
      return zonesAnswer([{ id: 'Z1', name: 'example.org.' }]);
    if (action === 'GET /2013-04-01/hostedzone/Z1/rrset')
      return recordsAnswer([
        { name: '_etcd-cluster.demo.example.org.', type: 'TXT', ttl: claim.ttl, values: claim.values },
      ]);
    if (action === 'DescribeLifecycleHooks')
      return autoScalingAnswer(
        action,
        '<LifecycleHooks><member><LifecycleTransition>autoscaling:EC2_INSTANCE_LAUNCHING</LifecycleTransition></member></LifecycleHooks>',
      );
    return action === 'DescribeInstanceRefreshes'
      ? autoScalingAnswer(action, '<InstanceRefreshes/>')
      : queryError(403, 'AccessDenied', 'it may not');
  });
  stack.use(aws);
  const env = {
    HOSTED_ZONE: 'example.org',
    AWS_ENDPOINT_URL: aws.endpoint,
    AWS_ACCESS_KEY_ID: 'AKIAOPERATOR',
    AWS_SECRET_ACCESS_KEY: 'secret',
  };
  return {
    address,
    version,
    word,
    call: async (...words: readonly string[]) => await runMain(['upgrade', ...words], env),
    order: async () =>
      must(await admin.read(endpoint, UPGRADE_KEYS.to, { serializable: false }, calm))?.value ?? null,
  };
}

test('what cannot be carried out is refused with advice that works, and nothing is written', async () => {
  const { address, version, word, call, order } = await startCluster();
  const at = ['--endpoint', address];

  const older = version.replace(/\d+$/, (patch) => String(Number(patch) - 1));
  word.installed = [older, version];
  const impossible = await call(...at, '--to', older);
  expect(impossible).toMatchObject({ code: 1, out: '' });
  expect(impossible.err).toContain(
    `nothing was written: etcd ${older} cannot be ordered: n1 runs etcd ${version}`,
  );
  expect(await order()).toBeNull();

  const lacking = await call(...at, '--to', '3.6', '--no-follow');
  expect(lacking.code).toBe(1);
  expect(lacking.err).toContain(
    'etcd-appliance upgrade NAME --to 3.6 --refresh, with the name of the cluster',
  );
  const refused = await call(...at, '--to', '3.6', '--refresh');
  expect(refused.code).toBe(64);
  expect(refused.err).toContain(
    'etcd-appliance upgrade NAME --to 3.6 --refresh, with the name of the cluster',
  );
  expect(await order()).toBeNull();
});

test('an operator orders by an address, does not wait, and takes it back', async () => {
  const { address, version, word, call, order } = await startCluster();
  const at = ['--endpoint', address];
  word.installed = [version, '3.6.16'];
  const given = await call(...at, '--to', '3.6', '--no-follow');
  expect(given).toMatchObject({ code: 0, err: '' });
  expect(given.out).toContain('written: all members are to run etcd 3.6\n');
  expect(await order()).toBe('"3.6"');

  const back = await call(...at, '--abort');
  expect(back).toMatchObject({ code: 0, err: '' });
  expect(back.out).toContain('written: the order to go to 3.6 is taken back');
  expect(await order()).toBe('');
  expect(await call(...at, '--abort')).toMatchObject({
    code: 0,
    out: expect.stringContaining('there is no order to take back') as string,
  });
  const rests = await call('demo');
  expect(rests).toMatchObject({ code: 0, err: '' });
  expect(rests.out).toContain(`done: every member runs what it aims at (etcd ${version})\n`);
});

test('a refresh that AWS refuses says that the order stands, and how to go on', async () => {
  const { call, order } = await startCluster();
  const refused = await call('demo', '--to', '3.6', '--refresh');
  expect(refused.code).toBe(69);
  expect(refused.err).toMatch(
    /no instance refresh has begun: .*; the order for etcd 3\.6 stands until --abort takes it back; go on with: etcd-appliance upgrade demo --refresh\n$/,
  );
  expect(await order()).toBe('"3.6"');
});
