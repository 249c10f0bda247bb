import { expect, it } from 'vitest';
import { alarmsOf, isOutOfSpace } from '../../src/core/members.ts';
import { refusalOf } from '../../src/etcd/refusals.ts';
import { calm, fullCluster, type LabMember, must } from '../etcd-lab.ts';
import { createEtcdLab } from '../fakes/etcd/lab.ts';
import { eventually } from '../tools.ts';
import type { AdminPort } from '../../src/daemon/ports.ts';

/*
 * The simulator's etcd that is out of space is held to the real one: what it refuses, what it serves all the same, what it
 * says of itself, and that room and a disarmed alarm end it. The real one is filled beyond a small quota.
 */

const MINOR = '3.5';

/** An etcd that is out of space, alone in its cluster. */
interface Full {
  readonly admin: AdminPort;
  readonly endpoint: string;
  /** Makes room, and disarms the alarm. */
  mend(): Promise<void>;
  soon<T>(work: Promise<T>): Promise<T>;
}

async function post(member: LabMember, path: string, body: object): Promise<void> {
  const answer = await fetch(`${member.endpoint}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path} answers ${answer.status}: ${await answer.text()}`);
}

/** Compacts, defragments, and disarms: what docs/alarms.md tells an operator to do. */
async function makeRoom(admin: AdminPort, member: LabMember): Promise<void> {
  const key = must(await admin.read(member.endpoint, 'large', { serializable: false }, calm));
  await post(member, 'kv/deleterange', { key: btoa('large') });
  const revision = Number(key?.modRevision ?? 0) + 1;
  await post(member, 'kv/compaction', { revision: String(revision), physical: true });
  await post(member, 'maintenance/defragment', {});
  const { memberId } = must(await admin.status(member.endpoint, calm));
  const id = BigInt(`0x${memberId}`).toString();
  await post(member, 'maintenance/alarm', { action: 'DEACTIVATE', memberID: id, alarm: 'NOSPACE' });
}

async function realOne(stack: AsyncDisposableStack): Promise<Full> {
  const { admin, member } = await fullCluster(MINOR, stack);
  return {
    admin,
    endpoint: member.endpoint,
    mend: async () => await makeRoom(admin, member),
    soon: async (work) => await work,
  };
}

async function modelledOne(): Promise<Full> {
  const lab = createEtcdLab(1);
  const cluster = await lab.found(1);
  cluster.alarm(true);
  await lab.clock.advance(100);
  return {
    admin: lab.admin,
    endpoint: lab.host(0).endpoint,
    soon: lab.soon,
    async mend() {
      cluster.alarm(false);
      await lab.clock.advance(100);
    },
  };
}

/** What it answers to whatever an appliance asks of it, by class. */
async function said({ admin, endpoint, soon }: Full): Promise<Readonly<Record<string, string>>> {
  const classOf = (fact: { readonly known: boolean; readonly reason?: string }): string =>
    fact.known
      ? 'known'
      : `${refusalOf(new Error(fact.reason)).code}: ${/database space exceeded/.exec(fact.reason ?? '')?.[0] ?? fact.reason}`;
  const status = must(await soon(admin.status(endpoint, calm)));
  const alarms = must(await soon(admin.alarms(endpoint, calm)));
  return {
    put: classOf(await soon(admin.put(endpoint, 'k', 'v', {}, calm))),
    'fenced put': classOf(
      await soon(admin.put(endpoint, 'k', 'v', { fence: { key: 'k', createRevision: '0' } }, calm)),
    ),
    'created key': classOf(await soon(admin.createKey(endpoint, 'lock', 'i-1', '00000000000000aa', calm))),
    lease: classOf(await soon(admin.grantLease(endpoint, 5, calm))),
    read: classOf(await soon(admin.read(endpoint, 'k', { serializable: false }, calm))),
    'local read': classOf(await soon(admin.read(endpoint, 'k', { serializable: true }, calm))),
    members: classOf(await soon(admin.memberList(endpoint, { linearizable: true }, calm))),
    learner: String((await soon(admin.addLearner(endpoint, 'http://10.9.9.9:2380', calm))).ok),
    'its own word': String(isOutOfSpace(status)),
    'alarms in its word': String(
      alarmsOf(status).map((it) => `${it.alarm} ${it.memberId === status.memberId}`),
    ),
    alarms: String(alarms.map((it) => `${it.alarm} ${it.memberId === status.memberId}`)),
  };
}

it(`an etcd ${MINOR} that is out of space says and refuses what the model does, until somebody makes room`, async () => {
  await using stack = new AsyncDisposableStack();
  const [real, model] = [await realOne(stack), await modelledOne()];
  const told = await said(real);
  expect(await said(model)).toEqual(told);
  expect(told).toMatchObject({
    put: 'other: database space exceeded',
    lease: 'other: database space exceeded',
  });
  expect(told).toMatchObject({ read: 'known', members: 'known', learner: 'true', alarms: 'NOSPACE true' });
  for (const it of [real, model]) await it.mend();
  for (const { admin, endpoint, soon } of [real, model]) {
    await eventually(async () => (await soon(admin.put(endpoint, 'k', 'v', {}, calm))).known);
    expect(must(await soon(admin.grantLease(endpoint, 5, calm)))).not.toBe('');
    expect(isOutOfSpace(must(await soon(admin.status(endpoint, calm))))).toBe(false);
  }
});
