import { expect, it } from 'vitest';
import { known, refused, unknown } from '../../../src/core/known.ts';
import type { Known } from '../../../src/core/known.ts';
import type { DataIdentity } from '../../../src/core/local-data.ts';
import type { UpgradeAnswer } from '../../../src/core/upgrade.ts';
import { explain } from '../../../src/daemon/explain.ts';
import type { PlanReport } from '../../../src/daemon/explain.ts';
import type { AdminPort } from '../../../src/daemon/ports.ts';
import { createBench, NEVER, TOKEN } from '../../fakes/bench.ts';
import { wordOf } from '../../fixtures/core/upgrade.ts';

/** What the first of three instances would do, whose appliances answer so. */
async function explained(
  answer: (id: string) => Known<UpgradeAnswer>,
  admin: Partial<AdminPort> = {},
): Promise<PlanReport> {
  const bench = createBench(3);
  const { id: clusterId } = await bench.form();
  const { context, self, ports } = bench.host(0);
  const own = await bench.soon(ports.admin.status(`http://${self.address}:2379`, NEVER));
  if (!own.known) throw new Error(own.reason);
  const { memberId } = own.value;
  const identity: DataIdentity = {
    format: 1,
    instanceId: self.id,
    token: TOKEN,
    epoch: 1,
    clusterId,
    memberId,
    formed: true,
    voter: true,
    version: '3.5.35',
    register: 'r',
  };
  await ports.data.writeIdentity(identity, NEVER);
  const peers = {
    ...ports.peers,
    askUpgrade: (address: string) =>
      Promise.resolve(answer(bench.hosts.find((host) => host.self.address === address)?.self.id ?? 'nobody')),
  };
  return await bench.soon(
    explain({ ...context, ports: { ...ports, peers, admin: { ...ports.admin, ...admin } } }, NEVER),
  );
}

function says(id: string, changes: Partial<UpgradeAnswer> = {}): Known<UpgradeAnswer> {
  return known(wordOf(id, { installed: ['3.5.35', '3.6.16'], wanted: '3.6', ...changes }));
}

function upgradeOf({ steps, notTaken }: PlanReport): readonly (readonly [string, string, string])[] {
  const of = (name: string, lines: PlanReport['steps']) =>
    lines
      .filter(({ code }) => code.startsWith('upgrade-'))
      .map(({ kind, code }) => [name, kind, code] as const);
  return [...of('step', steps), ...of('not taken', notTaken)];
}

it('tells of a step as one where it is the own turn, and else as one that is not taken', async () => {
  const report = await explained(says);
  const [line, ...more] = upgradeOf(report);
  expect(more).toEqual([]);
  const sentence = [...report.steps, ...report.notTaken].find(
    ({ code }) => code === 'upgrade-step',
  )?.sentence;
  expect(line).toEqual(
    sentence?.startsWith('i-01 ')
      ? ['step', 'step', 'upgrade-step']
      : ['not taken', 'upgrade', 'upgrade-step'],
  );
});

it('asks the running appliance of its own data, and says each thing that is amiss', async () => {
  const report = await explained((id) =>
    id === 'i-01' ? says(id, { v2: known('store'), freeBytes: known(1) }) : says(id),
  );
  expect(upgradeOf(report)).toEqual([
    ['not taken', 'upgrade', 'upgrade-disk'],
    ['not taken', 'upgrade', 'upgrade-v2'],
  ]);
});

it('says where an appliance is silent', async () => {
  const report = await explained((id) => (id === 'i-02' ? unknown('it is away') : says(id)));
  expect(upgradeOf(report).map(([, , code]) => code)).toContain('upgrade-silent');
});

const refuses = () => Promise.resolve(refused('authentication is on'));
const lists = { read: refuses, memberList: refuses, readPrefix: refuses };

// 3.4 tells its status to everybody, later ones to nobody.
it.each([
  ['nothing', { ...lists, status: refuses }],
  ['its status alone', lists],
])('takes an etcd that tells %s for one that runs, and names authentication', async (_what, admin) => {
  const report = await explained(says, admin);
  expect(report.steps).toEqual([]);
  expect(report.notTaken).toEqual([
    {
      kind: 'member',
      code: 'member-refused',
      sentence: 'etcd runs, and is left alone: authentication is on',
    },
    {
      kind: 'upgrade',
      code: 'upgrade-auth',
      sentence: 'the upgrade lock cannot be read: authentication is on',
    },
  ]);
  expect(report.unknown).toEqual(['the members: authentication is on']);
});
