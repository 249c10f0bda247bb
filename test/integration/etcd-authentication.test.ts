import { Etcd3 } from 'etcd3';
import { describe, expect, test } from 'vitest';
import { createContext } from '../../src/daemon/context.ts';
import type { Context } from '../../src/daemon/context.ts';
import { claimRecord, formedClaim, foundingClaim } from '../../src/core/claim.ts';
import { unknown } from '../../src/core/known.ts';
import type { MemberList } from '../../src/core/members.ts';
import { namesOf } from '../../src/core/names.ts';
import { explain } from '../../src/daemon/explain.ts';
import { askQuorum } from '../../src/daemon/quorum.ts';
import { calm, labCluster, type LabMember, must } from '../etcd-lab.ts';
import { createBench, NAME, TOKEN } from '../fakes/bench.ts';
import { createEtcdFiles } from '../fakes/etcd/files.ts';
import { voterIdentity } from '../fakes/bench-voter.ts';
import { eventually, ownAddress, TESTED_MINORS } from '../tools.ts';

type Lab = Awaited<ReturnType<typeof labCluster>>;

const SENTENCE =
  /authentication is on in etcd, .*user name is empty.*switch it off with etcdctl auth disable/;
const SAID = expect.stringMatching(SENTENCE) as unknown;

/** A cluster of so many, in which somebody has just switched authentication on; and its members as they were listed before. */
async function closedCluster(
  minor: string,
  size: number,
  stack: AsyncDisposableStack,
): Promise<Lab & { readonly list: MemberList }> {
  const lab = await labCluster(minor, size, stack);
  const [hosts] = lab.members.map((it) => it.endpoint);
  if (hosts === undefined) throw new Error('no member');
  const list = must(await lab.admin.memberList(hosts, { linearizable: true }, calm));
  const client = new Etcd3({ hosts });
  stack.defer(() => client.close());
  await client.auth.userAdd({ name: 'root', password: 'secret' });
  await client.auth.userGrantRole({ user: 'root', role: 'root' });
  await client.auth.authEnable();
  // A follower applies it a moment later.
  for (const { endpoint } of lab.members)
    await eventually(
      async () => !(await lab.admin.read(endpoint, 'any', { serializable: false }, calm)).known,
    );
  return { ...lab, list };
}

/**
 * An appliance at this address, with etcds that are real, and a claim that names their members as the voters; with the data
 * of `member` on its disk, if one is given.
 */
async function applianceBeside(
  { admin, members, list }: Awaited<ReturnType<typeof closedCluster>>,
  id: string,
  address: string,
  member: LabMember | null = null,
): Promise<Context> {
  const bench = createBench(1);
  const [host] = bench.hosts;
  const { context, ports, disk } = host;
  bench.aws.terminated('i-01');
  bench.aws.add({ id, address });
  for (const it of members.filter(({ name }) => name !== id))
    bench.aws.add({ id: it.name, address: it.address });
  const self = { ...ports.self, id, address };
  const [{ arn } = { arn: '' }] = bench.aws.fleet().groups;
  const founding = foundingClaim({
    stack: self.stack,
    token: TOKEN,
    groups: [arn],
    founders: [],
    before: null,
  });
  const voters = members.map((it) => ({
    memberId: list.members.find(({ name }) => name === it.name)?.id ?? '',
    instanceId: it.name,
    region: self.region,
    address: it.address,
  }));
  const record = claimRecord(namesOf(NAME).claim, formedClaim(founding, list.clusterId, voters));
  await ports.zone.change([{ action: 'CREATE', record }], calm);
  if (member !== null) {
    const clusterId = list.clusterId;
    const memberId = list.members.find(({ name }) => name === member.name)?.id ?? '';
    disk.etcd = createEtcdFiles(clusterId, memberId);
    disk.identity = voterIdentity(host, { instanceId: id, clusterId, memberId });
  }
  const peers = { ...ports.peers, askBirth: () => Promise.resolve(unknown('nobody is asked here')) };
  return createContext(context.options, { ...ports, self, peers, admin, fleet: bench.aws.port(id) });
}

describe.concurrent.each(TESTED_MINORS)('authentication is on in etcd %s', (minor) => {
  test('who asks for a quorum is refused where there is one, and hears nothing where there is none', async () => {
    await using stack = new AsyncDisposableStack();
    const closed = await closedCluster(minor, 3, stack);
    const { admin, members, running } = closed;
    const [{ ports }] = createBench(1).hosts;
    const endpoints = members.map((it) => it.endpoint).sort();
    const wanted = { clusterId: null, preferred: null, limitMs: null };
    const ask = async () => await askQuorum({ ...ports, admin }, endpoints, wanted, calm);
    expect(await ask()).toEqual({
      kind: 'nobody',
      foreign: [],
      refused: endpoints.map((endpoint) => ({ endpoint, reason: SAID })),
    });
    await Promise.all([running[1]?.stop(0), running[2]?.stop(0)]);
    expect(await ask()).toEqual({ kind: 'nobody', foreign: [], refused: [] });
    const [member] = members;
    if (member === undefined) throw new Error('no member');
    const left = await applianceBeside(closed, member.name, member.address, member);
    const { notTaken } = await explain(left, calm);
    expect(notTaken.map((it) => it.code)).toContain('member-no-quorum');
  });

  test('a new instance, one with data, and one that runs are told so', async () => {
    await using stack = new AsyncDisposableStack();
    const closed = await closedCluster(minor, 1, stack);
    const [member] = closed.members;
    if (member === undefined) throw new Error('no member');
    const line = (kind: string, code: string) =>
      expect.objectContaining({ kind, code, sentence: SAID }) as unknown;

    const fresh = await applianceBeside(closed, 'i-new', ownAddress());
    expect(await explain(fresh, calm)).toEqual({
      steps: [],
      notTaken: [line('wait', 'start-refused')],
      unknown: [],
    });

    const restarted = await applianceBeside(closed, 'i-old', ownAddress(), member);
    expect(await explain(restarted, calm)).toEqual({
      steps: [line('start-data', 'own-data-refused')],
      notTaken: [],
      unknown: [],
    });

    const running = await applianceBeside(closed, member.name, member.address, member);
    expect(await explain(running, calm)).toEqual({
      steps: [],
      notTaken: [line('member', 'member-refused'), line('upgrade', 'upgrade-auth')],
      unknown: [SAID],
    });
  });
});
