import { beforeEach, describe, expect, it } from 'vitest';
import type { RunningEtcd } from '../../../src/daemon/ports.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import { createEtcdLab, type EtcdLab } from '../../fakes/etcd/lab.ts';

/*
 * A member that is busy with its database, as etcd 3.5.35 and 3.7.3 were while they defragmented 900 MB for 7 to 11 s: it
 * answers nothing but who the members are, leads on, and follows on.
 */

const NEVER = new AbortController().signal;
const LARGE = { startMs: 60_000, transferMs: 10_000, restoreMs: 40_000 };
const BUSY_MS = 10_000;

let lab: EtcdLab;
let cluster: EtcdCluster;

beforeEach(async () => {
  lab = createEtcdLab(4, 1, '3.5.35', LARGE);
  cluster = await lab.found(3);
  cluster.lead(lab.node(0).files.memberId);
});

const at = (index: number): string => lab.host(index).endpoint;
const isKnown = async (work: Promise<{ readonly known: boolean }>): Promise<boolean> =>
  (await lab.soon(work)).known;
const status = (index: number) => isKnown(lab.admin.status(at(index), NEVER));
const list = (index: number, linearizable: boolean) =>
  isKnown(lab.admin.memberList(at(index), { linearizable }, NEVER));
const put = (index: number, key: string) => isKnown(lab.admin.put(at(index), key, 'v', {}, NEVER));
const read = (index: number, serializable: boolean) =>
  isKnown(lab.admin.read(at(index), 'k', { serializable }, NEVER));

function running(index: number): RunningEtcd {
  const it = lab.host(index).running;
  if (it === null) throw new Error(`nothing runs on ${index}`);
  return it;
}

function defragment(index: number): void {
  expect(lab.etcd.defragment(lab.host(index).address, BUSY_MS)).toBe(true);
}

/** Until it serves; ms. */
async function untilServing(index: number, limitMs: number): Promise<number> {
  const began = lab.clock.now();
  const serves = (): boolean => lab.etcd.processAt(lab.host(index).address)?.serving === true;
  expect(await lab.clock.until(serves, limitMs)).toBe(true);
  return lab.clock.now() - began;
}

describe('a member that defragments', () => {
  it('has applied what was committed meanwhile when it is killed and started again, though nobody leads', async () => {
    defragment(1);
    expect(await put(0, 'meanwhile')).toBe(true);
    await lab.clock.advance(100);
    for (const index of [0, 1, 2]) lab.etcd.kill(lab.host(index).address);
    await lab.start(1, null);
    await lab.clock.advance(1_000);
    expect(lab.node(1).files.state.keys.has('meanwhile')).toBe(true);
  });

  it('answers nobody but who asks for the members, says that it does, and answers when it is done', async () => {
    expect(running(1).defragments()).toBe(false);
    defragment(1);
    expect(running(1).defragments()).toBe(true);
    expect(await list(1, false)).toBe(true);
    expect(await status(1)).toBe(false);
    expect(await read(1, true)).toBe(false);
    expect(lab.etcd.defragment(lab.host(1).address, BUSY_MS)).toBe(false);
    await lab.clock.advance(BUSY_MS);
    expect(running(1).defragments()).toBe(false);
    expect(await status(1)).toBe(true);
  });

  it('leads on: the others write, read and change members, and it has all that when it is done', async () => {
    await lab.clock.advance(6_000);
    defragment(0);
    expect(await put(1, 'k')).toBe(true);
    expect(await read(2, false)).toBe(true);
    expect((await lab.soon(lab.admin.addLearner(at(1), lab.host(3).peerUrl, NEVER))).ok).toBe(true);
    expect(cluster.leader).toBe(lab.node(0).files.memberId);
    expect(lab.node(0).files.state.keys.has('k')).toBe(false);
    await lab.clock.advance(BUSY_MS);
    expect(lab.node(0).files.state.keys.has('k')).toBe(true);
    expect(lab.node(0).files.state.members.size).toBe(4);
  });

  it('does, where it leads, not renew a lease before it has applied what is committed; so that one ends', async () => {
    const lease = await lab.soon(lab.admin.grantLease(at(1), 5, NEVER));
    if (!lease.known) throw new Error(lease.reason);
    const renewed = () => isKnown(lab.admin.keepAlive(at(1), lease.value, NEVER));
    defragment(0);
    expect(await renewed()).toBe(true);
    expect(await put(1, 'k')).toBe(true);
    expect(await renewed()).toBe(false);
    await lab.clock.advance(5_000);
    expect(await lab.soon(lab.admin.put(at(2), 'k', 'v', { leaseId: lease.value }, NEVER))).toMatchObject({
      known: false,
    });
  });

  it('ends on SIGTERM when it is done, or by SIGKILL when the grace is over', async () => {
    defragment(1);
    const began = lab.clock.now();
    expect((await lab.soon(running(1).stop(30_000))).signal).toBe('SIGTERM');
    expect(lab.clock.now() - began).toBeGreaterThanOrEqual(BUSY_MS);
    defragment(2);
    expect((await lab.soon(running(2).stop(1_000))).signal).toBe('SIGKILL');
  });

  it('says so to nobody who begins to listen in the middle of it', async () => {
    defragment(1);
    const adopted = await lab.host(1).process.adopt(NEVER);
    expect(adopted?.defragments()).toBe(false);
  });
});

describe('a member with a large database', () => {
  beforeEach(async () => {
    cluster.fill(1e9);
    await lab.clock.advance(1_000);
  });

  it('says its size', async () => {
    const answer = await lab.soon(lab.admin.status(at(1), NEVER));
    expect(answer).toMatchObject({ value: { dbSizeBytes: 1e9 + 20_480 } });
  });

  it('says nothing to anybody before it has read it, after each start', async () => {
    lab.etcd.kill(lab.host(1).address);
    await lab.clock.settle();
    await lab.start(1, null);
    await lab.clock.advance(20_000);
    const probe = lab.etcd.probe(lab.host(0).address).probe(lab.host(1).address, NEVER);
    expect((await lab.soon(probe)).kind).toBe('silent');
    expect(await list(1, false)).toBe(false);
    expect(await untilServing(1, LARGE.startMs)).toBeGreaterThan(5_000);
  });

  it('is sent all of it where it begins, and puts that in place before it serves', async () => {
    await lab.clock.advance(6_000);
    lab.node(0).files.replayedFrom = 1;
    lab.etcd.kill(lab.host(0).address);
    await lab.clock.advance(3_000);
    await lab.start(0, null);
    await untilServing(0, LARGE.startMs + 5_000);
    await lab.clock.advance(6_000);
    cluster.lead(lab.node(0).files.memberId);
    const added = await lab.soon(lab.admin.addLearner(at(0), lab.host(3).peerUrl, NEVER));
    expect(added.ok).toBe(true);
    const members = cluster.list().map((it, index) => ({
      name: it.name || `n${index + 1}`,
      peerUrl: it.peerUrls[0] ?? '',
    }));
    await lab.start(3, { state: 'existing', cluster: members, token: 't' });
    expect(await lab.clock.until(() => running(3).restores(), LARGE.transferMs + 1_000)).toBe(true);
    expect(running(3).seeded()).toBe(false);
    const probe = lab.etcd.probe(lab.host(0).address).probe(lab.host(3).address, NEVER);
    expect((await lab.soon(probe)).kind).toBe('answers');
    expect(await untilServing(3, LARGE.restoreMs + 10_000)).toBeGreaterThan(LARGE.restoreMs / 2 - 2_000);
    expect(running(3).seeded()).toBe(true);
    expect(running(3).restores()).toBe(false);
  });
});
