import { beforeEach, describe, expect, it } from 'vitest';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import { lastIndex, write } from '../../fakes/etcd/files.ts';
import { createEtcdLab, type EtcdLab } from '../../fakes/etcd/lab.ts';
import type { Route } from '../../fakes/network.ts';

const NEVER = new AbortController().signal;

let lab: EtcdLab;
let cluster: EtcdCluster;

beforeEach(async () => {
  lab = createEtcdLab(5);
  cluster = await lab.found(3);
  cluster.lead(idOf(0));
});

const idOf = (index: number): string => lab.node(index).files.memberId;
const leaders = (): readonly string[] =>
  cluster.members
    .flatMap(({ id }) =>
      lab.etcd.nodesOf(cluster.id).filter((it) => it.files.memberId === id && it.role === 'leader'),
    )
    .map((it) => it.process.name);
const put = (index: number, key: string, value = 'v') =>
  lab.soon(lab.admin.put(lab.host(index).endpoint, key, value, {}, NEVER));
const get = (index: number, key: string, serializable = false) =>
  lab.soon(lab.admin.read(lab.host(index).endpoint, key, { serializable }, NEVER));
/** No message of the peers gets from any of these to any of those. */
const fromTo = (from: readonly number[], to: readonly number[]): Route => ({
  traffic: ['peer'],
  concerns: (one, other) =>
    from.some((it) => lab.host(it).address === one) && to.some((it) => lab.host(it).address === other),
});
const cut = (group: readonly number[], others: readonly number[]): (() => void) => {
  const ends = [lab.network.cut(fromTo(group, others)), lab.network.cut(fromTo(others, group))];
  return () => {
    for (const end of ends) end();
  };
};

describe('an etcd that is killed as it founds, before its log has an entry', () => {
  it.each([0, 2])('knows no members when it is started again; %i others serve', async (others) => {
    lab = createEtcdLab(3);
    const initial = lab.founding(3);
    for (let index = 1; index <= others; index += 1) await lab.start(index, initial);
    await lab.start(0, initial);
    expect(await lab.clock.until(() => lab.host(0).disk.etcd !== null, 5_000)).toBe(true);
    lab.etcd.kill(lab.host(0).address);
    expect(lab.host(0).disk.etcd?.entries).toEqual([]);

    await lab.start(0, null);
    const serves = (): boolean => lab.etcd.processAt(lab.host(0).address)?.serving === true;
    // A leader sends it all that there is.
    expect(await lab.clock.until(serves, 60_000)).toBe(others > 0);
    expect(lab.node(0).files.state.members.size).toBe(others > 0 ? 3 : 0);
  });
});

describe('a cluster of three', () => {
  it('has one leader, that all follow in one term', () => {
    expect(leaders()).toEqual(['n1']);
    const nodes = [0, 1, 2].map((it) => lab.node(it));
    expect(new Set(nodes.map((it) => it.files.term)).size).toBe(1);
    expect(new Set(nodes.map((it) => it.leader)).size).toBe(1);
  });

  it('elects another within two election timeouts when the leader dies, in a higher term', async () => {
    const { term } = lab.node(0).files;
    lab.etcd.kill(lab.host(0).address);
    expect(cluster.leader).toBe(null);
    expect(await lab.clock.until(() => cluster.leader !== null, 800)).toBe(false);
    expect(await lab.clock.until(() => cluster.leader !== null, 4_000)).toBe(true);
    expect(lab.node(1).files.term).toBeGreaterThan(term);
    expect(await put(1, 'k')).toEqual({ known: true, value: true });
  });

  it('hands leadership over when the leader is ended in order', async () => {
    await lab.soon(lab.host(0).running?.stop(5_000) ?? Promise.reject(new Error('not running')));
    expect(cluster.leader).not.toBe(null);
    expect(lab.host(0).exit).toMatchObject({ signal: 'SIGTERM' });
  });

  it('has no leader without a majority, and answers nothing but what it has itself', async () => {
    await put(0, 'k', 'old');
    lab.etcd.kill(lab.host(1).address);
    lab.etcd.kill(lab.host(2).address);
    await lab.clock.advance(3_000);
    expect(leaders()).toEqual([]);
    expect(await put(0, 'k', 'new')).toMatchObject({ known: false });
    expect(await get(0, 'k')).toMatchObject({ known: false });
    expect(await get(0, 'k', true)).toMatchObject({ known: true, value: { value: 'old' } });
    const status = await lab.soon(lab.admin.status(lab.host(0).endpoint, NEVER));
    expect(status).toMatchObject({ value: { leader: null, errors: ['etcdserver: no leader'] } });
  });

  it('serves no client after a restart before there is a quorum', async () => {
    for (const it of lab.hosts.slice(0, 3)) lab.etcd.kill(it.address);
    await lab.clock.advance(100);
    await lab.start(0, null);
    await lab.clock.advance(5_000);
    expect(lab.etcd.processAt(lab.host(0).address)?.serving).toBe(false);
    await lab.start(1, null);
    await lab.clock.advance(5_000);
    expect(lab.etcd.processAt(lab.host(0).address)?.serving).toBe(true);
  });
});

describe('votes', () => {
  it('are not given to a member whose log lacks what is committed', async () => {
    const heal = cut([2], [0, 1]);
    expect(await put(0, 'k', 'committed')).toMatchObject({ value: true });
    lab.etcd.kill(lab.host(0).address);
    heal();
    // n2 and n3 are left, and only n2 has the write.
    await lab.clock.until(() => cluster.leader !== null, 10_000);
    expect(leaders()).toEqual(['n2']);
    expect(await get(2, 'k')).toMatchObject({ value: { value: 'committed' } });
  });

  it('are on the disk before they are given', async () => {
    lab.etcd.kill(lab.host(0).address);
    await lab.clock.until(() => cluster.leader !== null, 5_000);
    const votes = [1, 2].map((it) => lab.host(it).disk.etcd?.vote);
    expect(votes).toEqual([cluster.leader, cluster.leader]);
  });
});

describe('a partition', () => {
  it('lets the majority elect, and the old leader give up; what only that had written goes', async () => {
    const heal = cut([0], [1, 2]);
    const lost = put(0, 'k', 'minority');
    await lab.clock.advance(4_000);
    expect(await lost).toMatchObject({ known: false });
    expect(lab.node(0).role).toBe('follower');
    expect(await put(1, 'k', 'majority')).toMatchObject({ value: true });
    heal();
    await lab.clock.advance(3_000);
    expect(await get(0, 'k')).toMatchObject({ value: { value: 'majority' } });
    const logs = [0, 1, 2].map((it) =>
      lab.node(it).files.entries.map((entry) => `${entry.index}@${entry.term}`),
    );
    expect(logs[0]).toEqual(logs[1]);
  });

  it('leaves nothing of what only the old leader had written, though the others have compacted what came instead', async () => {
    await put(0, 'k', 'before');
    const heal = cut([0], [1, 2]);
    const { files } = lab.node(0);
    for (let left = 100; left > 0; left -= 1)
      write(files, [
        { term: files.term, index: lastIndex(files) + 1, change: { kind: 'noop' }, request: 0, caller: '' },
      ]);
    await lab.clock.advance(4_000);
    await put(1, 'k', 'majority');
    cluster.load(130);
    await lab.clock.advance(1_000);
    const other = lab.node(1).files;
    expect(lastIndex(files)).toBeGreaterThan(other.snapshotIndex);
    expect(files.commit).toBeLessThan(other.snapshotIndex);
    heal();
    await lab.clock.advance(5_000);
    expect(files.appliedIndex).toBe(other.appliedIndex);
    expect(files.state.keys.get('k')?.value).toBe('majority');
  });

  it('does not trouble a leader with a majority: the pre-vote of who is cut off raises no term', async () => {
    const { term } = lab.node(0).files;
    const heal = cut([2], [0, 1]);
    await lab.clock.advance(60_000);
    heal();
    await lab.clock.advance(3_000);
    expect(leaders()).toEqual(['n1']);
    expect(lab.node(2).files.term).toBe(term);
  });

  it('of one way: who hears nothing gets no votes while the others hear, and who is not heard is not counted', async () => {
    lab.network.cut(fromTo([0], [2]));
    await lab.clock.advance(10_000);
    expect(leaders()).toEqual(['n1']);
    expect(lab.node(2).leader).toBe(null);
    expect(await put(0, 'k')).toMatchObject({ value: true });
    lab.etcd.kill(lab.host(1).address);
    // n3 reaches n1, and n1 does not reach n3.
    await lab.clock.advance(5_000);
    expect(leaders()).toEqual([]);
    expect(await put(0, 'k2')).toMatchObject({ known: false });
  });

  it('of one way, back: the follower goes on hearing the leader, whose writes then lack its acknowledgement', async () => {
    lab.network.cut(fromTo([2], [0]));
    await lab.clock.advance(3_000);
    expect(lab.node(2).leader).toBe(idOf(0));
    lab.etcd.kill(lab.host(1).address);
    await lab.clock.advance(200);
    expect(await put(0, 'k')).toMatchObject({ known: false });
  });
});

describe('a frozen leader', () => {
  it('is replaced, and thaws with its old beliefs, which no quorum shares', async () => {
    await put(0, 'k', 'old');
    lab.etcd.freeze(lab.host(0).address, true);
    await lab.clock.until(() => cluster.leader !== null, 5_000);
    expect(await put(1, 'k', 'new')).toMatchObject({ value: true });
    const asked = lab.admin.read(lab.host(0).endpoint, 'k', { serializable: false }, NEVER);
    await lab.clock.advance(500);
    lab.etcd.freeze(lab.host(0).address, false);
    expect(lab.node(0).role).toBe('leader');
    expect(lab.etcd.processAt(lab.host(0).address)?.files?.state.keys.get('k')?.value).toBe('old');
    expect(await lab.soon(asked)).toMatchObject({ value: { value: 'new' } });
    expect(leaders()).toHaveLength(1);
    expect(leaders()).not.toEqual(['n1']);
  });

  it('neither answers nor votes', async () => {
    lab.etcd.freeze(lab.host(0).address, true);
    lab.etcd.freeze(lab.host(1).address, true);
    await lab.clock.advance(10_000);
    expect(cluster.leader).toBe(null);
    expect(await get(0, 'k', true)).toMatchObject({ known: false });
    lab.etcd.freeze(lab.host(1).address, false);
    await lab.clock.advance(5_000);
    expect(cluster.leader).not.toBe(null);
  });
});
