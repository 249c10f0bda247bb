import { beforeEach, describe, expect, it } from 'vitest';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import { createEtcdLab, type EtcdLab } from '../../fakes/etcd/lab.ts';

const NEVER = new AbortController().signal;

let lab: EtcdLab;
let cluster: EtcdCluster;

async function form(count: number, machines = count + 2): Promise<void> {
  lab = createEtcdLab(machines);
  cluster = await lab.found(count);
  cluster.lead(idOf(0));
  await lab.clock.advance(5_100);
}

beforeEach(async () => {
  await form(3);
});

const idOf = (index: number): string => lab.node(index).files.memberId;
const add = (via: number, index: number) =>
  lab.soon(lab.admin.addLearner(lab.host(via).endpoint, lab.host(index).peerUrl, NEVER));
const promote = (via: number, memberId: string) =>
  lab.soon(lab.admin.promote(lab.host(via).endpoint, memberId, NEVER));
const remove = (via: number, memberId: string) =>
  lab.soon(lab.admin.removeMember(lab.host(via).endpoint, memberId, NEVER));
/** Starts a host as the member that was added for it. */
const join = async (index: number): Promise<void> => {
  const members = cluster.members.map((it) => ({ name: it.name || it.id, peerUrl: it.peerUrls[0] ?? '' }));
  await lab.start(index, { state: 'existing', cluster: members, token: 'any' });
};
const added = async (index: number): Promise<string> => {
  const outcome = await add(0, index);
  if (!outcome.ok) throw new Error(outcome.message);
  return outcome.value.memberId;
};

describe('a learner', () => {
  it('is added, starts, catches up, is promoted, and then has a vote', async () => {
    await lab.soon(lab.admin.put(lab.host(0).endpoint, 'k', 'v', {}, NEVER));
    const id = await added(3);
    expect(cluster.find(id)).toMatchObject({ name: '', clientUrls: [], learner: true });
    expect(await promote(0, id)).toMatchObject({ code: 'not-in-sync' });
    await join(3);
    await lab.clock.advance(5_000);
    expect(cluster.find(id)).toMatchObject({ name: 'n4', learner: true });
    expect(cluster.voters()).toHaveLength(3);
    expect(await promote(1, id)).toMatchObject({ ok: true });
    expect(await promote(1, id)).toMatchObject({ code: 'not-a-learner' });
    expect(cluster.voters()).toHaveLength(4);
    expect(lab.node(3).files.state.keys.get('k')?.value).toBe('v');
  });

  it('is promoted though it died, as etcd goes by what it last heard of it', async () => {
    const id = await added(3);
    await join(3);
    await lab.clock.advance(5_000);
    lab.etcd.kill(lab.host(3).address);
    expect(await promote(0, id)).toMatchObject({ ok: true });
  });

  it('answers for itself alone', async () => {
    await added(3);
    await join(3);
    await lab.clock.advance(5_000);
    const { endpoint } = lab.host(3);
    expect(await lab.soon(lab.admin.status(endpoint, NEVER))).toMatchObject({ value: { learner: true } });
    expect(await lab.soon(lab.admin.read(endpoint, 'k', { serializable: true }, NEVER))).toMatchObject({
      known: true,
    });
    expect(await lab.soon(lab.admin.memberList(endpoint, { linearizable: true }, NEVER))).toMatchObject({
      known: false,
    });
    expect(await add(3, 4)).toMatchObject({ code: 'learner-refuses' });
  });

  it('is the only one, and its URL is its own', async () => {
    await added(3);
    expect(await add(0, 4)).toMatchObject({ code: 'too-many-learners' });
    expect(await add(0, 3)).toMatchObject({ code: 'peer-url-exists' });
  });

  it('has the id of the second of its addition: the same again within it is the removed one', async () => {
    const id = await added(3);
    expect(await remove(0, id)).toMatchObject({ ok: true });
    // "member not found", which is no more than "soon" to the caller.
    expect(await add(0, 3)).toMatchObject({ code: 'unhealthy-cluster' });
    await lab.clock.advance(1_000);
    expect(await added(3)).not.toBe(id);
  });

  it('may need a snapshot, where the log was compacted', async () => {
    for (let count = 0; count < 200; count += 1) cluster.put('k', String(count), null);
    await added(3);
    await join(3);
    await lab.clock.advance(15_000);
    expect(lab.host(3).running?.seeded()).toBe(true);
    expect(lab.node(3).files.state.keys.get('k')?.value).toBe('199');
    expect(lab.node(3).process.serving).toBe(true);
  });
});

describe('the strict check', () => {
  it('wants connections that are 5 s old, and all of three voters', async () => {
    lab.etcd.kill(lab.host(2).address);
    await lab.clock.advance(10);
    await lab.start(2, null);
    await lab.clock.advance(4_000);
    expect(await add(0, 3)).toMatchObject({ code: 'unhealthy-cluster' });
    await lab.clock.advance(3_000);
    expect(await add(0, 3)).toMatchObject({ ok: true });
  });

  it('takes a learner with four of five voters, and before 3.5.30 with none but five', async () => {
    await form(5);
    lab.etcd.kill(lab.host(4).address);
    await lab.clock.advance(3_000);
    expect(await add(0, 5)).toMatchObject({ ok: true });
    lab = createEtcdLab(6, 1, '3.4.23');
    cluster = await lab.found(5);
    await lab.clock.advance(5_100);
    lab.etcd.kill(lab.host(4).address);
    await lab.clock.advance(3_000);
    expect(await add(0, 5)).toMatchObject({ code: 'unhealthy-cluster' });
  });

  it('counts a frozen voter as connected, as etcd does since 3.5; before, only for 5 s', async () => {
    lab.etcd.freeze(lab.host(2).address, true);
    await lab.clock.advance(60_000);
    expect(await add(0, 3)).toMatchObject({ ok: true });
    lab = createEtcdLab(5, 1, '3.4.23');
    cluster = await lab.found(3);
    cluster.lead(idOf(0));
    await lab.clock.advance(5_100);
    lab.etcd.freeze(lab.host(2).address, true);
    await lab.clock.advance(5_100);
    expect(await add(0, 3)).toMatchObject({ code: 'unhealthy-cluster' });
  });

  it('lets a dead voter go, and a living one only while all are connected', async () => {
    const dead = idOf(2);
    lab.etcd.kill(lab.host(2).address);
    await lab.clock.advance(1_000);
    expect(await remove(0, idOf(1))).toMatchObject({ code: 'unhealthy-cluster' });
    expect(await remove(0, dead)).toMatchObject({ ok: true });
    expect(cluster.members).toHaveLength(2);
  });

  it('does not take the last voter away, nor who is unknown', async () => {
    await form(1);
    expect(await remove(0, idOf(0))).toMatchObject({ code: 'not-enough-started' });
    await form(3);
    expect(await remove(0, 'deadbeefdeadbeef')).toMatchObject({ code: 'not-found' });
  });
});

describe('a removed member', () => {
  it('ends, and says why; started again on its data it ends again', async () => {
    expect(await remove(0, idOf(2))).toMatchObject({ ok: true });
    await lab.clock.advance(2_000);
    expect(lab.host(2).exit).toMatchObject({ saysRemoved: true });
    await lab.start(2, null);
    await lab.clock.advance(5_000);
    expect(lab.host(2).exit).toMatchObject({ saysRemoved: true });
  });

  it('does not hear of it while it is cut off, and learns it from any peer afterwards', async () => {
    const id = idOf(2);
    lab.etcd.freeze(lab.host(2).address, true);
    await lab.clock.advance(5_100);
    expect(await remove(0, id)).toMatchObject({ ok: true });
    lab.etcd.freeze(lab.host(2).address, false);
    expect(lab.node(2).files.state.members.has(id)).toBe(true);
    await lab.clock.advance(1_000);
    expect(lab.host(2).exit).toMatchObject({ saysRemoved: true });
  });

  it('may be the leader: the others elect another', async () => {
    expect(await remove(1, idOf(0))).toMatchObject({ ok: true });
    await lab.clock.advance(4_000);
    expect(cluster.leader).not.toBe(null);
    expect(cluster.members).toHaveLength(2);
  });
});

describe('a start without data', () => {
  const wiped = async (index: number, state: 'new' | 'existing'): Promise<void> => {
    lab.etcd.kill(lab.host(index).address);
    lab.host(index).disk.wipe();
    await lab.clock.advance(10);
    if (state === 'new') await lab.start(index, lab.founding(3));
    else await join(index);
    await lab.clock.advance(5_000);
  };

  it('as new is refused to whom others know as started', async () => {
    await wiped(2, 'new');
    expect(lab.host(2).exit?.lastWords).toContain('has already been bootstrapped');
  });

  it('as existing under the old id ends in a panic, as it has not what it acknowledged', async () => {
    await wiped(2, 'existing');
    expect(lab.host(2).exit).toMatchObject({ code: 2, lastWords: expect.stringContaining('out of range') });
  });

  it('needs the very members in its list, and somebody who answers', async () => {
    await added(3);
    const { cluster: three } = lab.founding(3);
    await lab.start(3, {
      state: 'existing',
      cluster: [
        ...three,
        { name: 'n4', peerUrl: lab.host(3).peerUrl },
        { name: 'n9', peerUrl: 'http://10.0.0.9:2380' },
      ],
      token: 'any',
    });
    await lab.clock.advance(500);
    expect(lab.host(3).exit?.lastWords).toContain('member count is unequal');
    for (const it of lab.hosts.slice(0, 3)) lab.etcd.kill(it.address);
    await join(3);
    await lab.clock.advance(500);
    expect(lab.host(3).exit?.lastWords).toContain('could not retrieve cluster information');
  });
});

describe('a wiped voter under its old id', () => {
  it('can lose what was acknowledged', async () => {
    // n3 does not hear of the write, that n1 and n2 make a majority for.
    lab.etcd.freeze(lab.host(2).address, true);
    expect(await lab.soon(lab.admin.put(lab.host(0).endpoint, 'k', 'acked', {}, NEVER))).toMatchObject({
      value: true,
    });
    lab.etcd.kill(lab.host(0).address);
    lab.etcd.kill(lab.host(1).address);
    lab.host(1).disk.wipe();
    await lab.clock.advance(10);
    lab.etcd.freeze(lab.host(2).address, false);
    // n2 comes back as if it had never promised anything, and gives n3 its vote.
    await join(1);
    await lab.clock.advance(10_000);
    const read = lab.admin.read(lab.host(2).endpoint, 'k', { serializable: false }, NEVER);
    expect(await lab.soon(read)).toEqual({ known: true, value: null });
  });

  it('a majority of them, with the same token, is an empty cluster of the same id', async () => {
    const { id } = cluster;
    cluster.put('k', 'acked', null);
    for (const index of [0, 1, 2]) lab.etcd.kill(lab.host(index).address);
    for (const index of [1, 2]) lab.host(index).disk.wipe();
    await lab.clock.advance(10);
    for (const index of [1, 2]) await lab.start(index, lab.founding(3));
    await lab.clock.advance(5_000);
    expect(lab.node(1).files.clusterId).toBe(id);
    const read = lab.admin.read(lab.host(1).endpoint, 'k', { serializable: false }, NEVER);
    expect(await lab.soon(read)).toEqual({ known: true, value: null });
  });

  it('with another token they are another cluster, that has nothing to do with the survivor', async () => {
    const { id } = cluster;
    for (const index of [0, 1, 2]) lab.etcd.kill(lab.host(index).address);
    for (const index of [1, 2]) lab.host(index).disk.wipe();
    await lab.clock.advance(10);
    await lab.start(0, null);
    for (const index of [1, 2]) await lab.start(index, lab.founding(3, 'another-token'));
    await lab.clock.advance(5_000);
    expect(lab.node(1).files.clusterId).not.toBe(id);
    expect(lab.node(0).files.clusterId).toBe(id);
    expect(lab.node(0).process.serving).toBe(false);
    expect(lab.node(1).process.serving).toBe(true);
  });
});
