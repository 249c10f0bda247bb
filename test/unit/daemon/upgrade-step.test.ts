import { beforeEach, describe, expect, it } from 'vitest';
import { UPGRADE_KEYS } from '../../../src/core/upgrade-record.ts';
import { peerUrl } from '../../../src/core/urls.ts';
import { clearRequests, stepSelf } from '../../../src/daemon/upgrade-step.ts';
import { type Bench, createBench, cutPeers, type Host } from '../../fakes/bench.ts';
import { holdUpgradeLock } from '../../fakes/bench-held.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';

let bench: Bench;
let cluster: EtcdCluster;
let host: Host;
/** How often etcd was told to stop. */
let stops: number;

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  await bench.clock.advance(5_000);
  host = bench.host(1);
  stops = 0;
  cluster.lead(cluster.members[0]?.id ?? '');
});

/** A member that is to clear its log, with the lock; its etcd is the same all along. */
async function prepared(handOverTo: string | null = null): Promise<() => Promise<string | null>> {
  const held = await holdUpgradeLock(bench, host, cluster, () => {
    stops += 1;
    // As who starts it would write down.
    const { state } = host.context;
    const { identity, swap } = state;
    if (identity !== null) state.identity = { ...identity, snapshotCount: swap?.snapshotCount ?? null };
  });
  const action = {
    kind: 'clear',
    who: host.self.id,
    memberId: '',
    from: '3.5.35',
    to: '3.6.16',
    handOverTo,
    reason: { code: 'upgrade-clear', sentence: '' },
  } as const;
  return async () => await clearRequests(held, action);
}

/** It does, and comes to the usual start that is last. */
async function clearing(): Promise<{ readonly work: Promise<string | null> }> {
  const begin = await prepared();
  const work = begin();
  const { state } = host.context;
  await bench.clock.until(() => state.swap?.snapshotCount === null, 30_000);
  expect(state.swap).not.toBe(null);
  return { work };
}

// A process that waits for a volume that hangs (EBS) is not ended by SIGKILL either.
it('a step is given up where the old etcd does not end: as long as it holds the lock, nobody keeps house', async () => {
  const held = await holdUpgradeLock(bench, host, cluster);
  const { state } = host.context;
  const etcd = state.etcd;
  if (etcd === null) throw new Error('no etcd runs');
  state.etcd = { ...etcd, stop: () => new Promise(() => undefined) };
  const action = {
    kind: 'step',
    who: host.self.id,
    memberId: '',
    from: '3.5.35',
    to: '3.6.16',
    handOverTo: null,
    reason: { code: 'upgrade-step', sentence: '' },
  } as const;
  let over = false;
  void stepSelf(held, action).then(() => (over = true));
  await bench.clock.until(() => over, 90_000);
  expect(state.swap).toBeNull();
  expect(cluster.read(UPGRADE_KEYS.step)?.value).toBe('');
  expect(bench.log.some((line) => line.includes('stop-hangs'))).toBe(true);
});

const saysCleared = (): boolean => bench.log.some((line) => line.includes('upgrade-cleared'));

describe('clearing the log', () => {
  it('leaves etcd alone where another voter is silent by the time that leadership and names are settled', async () => {
    const begin = await prepared();
    bench.etcd.freeze(bench.host(2).self.address, true);
    expect(await bench.soon(begin())).toContain('i-03 is not well: it does not answer');
    expect(stops).toBe(0);
    expect(cluster.read(UPGRADE_KEYS.step)?.value).toBe('');
  });

  it('leaves etcd alone where it hands leadership over, and the other two do not hear each other', async () => {
    cluster.lead(cluster.members[1]?.id ?? '');
    cutPeers(bench, '10.0.0.1', '10.0.0.3', 'both ways');
    const begin = await prepared(cluster.members[2]?.id);
    expect(await bench.soon(begin())).toMatch(/^i-01 follows \w+, and not \w+$/);
    expect(cluster.leader).toBe(cluster.members[2]?.id);
    expect(stops).toBe(0);
    expect(cluster.read(UPGRADE_KEYS.step)?.value).toBe('');
  });

  it('leaves etcd alone where leadership is not handed over, and says why', async () => {
    cluster.lead(cluster.members[1]?.id ?? '');
    const begin = await prepared(cluster.members[2]?.id);
    Object.assign(host.ports.admin, {
      moveLeader: async () =>
        await Promise.resolve({ ok: false, code: 'refused', message: 'leader transfer timed out' }),
    });
    expect(await bench.soon(begin())).toBe('leadership is not handed over: leader transfer timed out');
    expect(stops).toBe(0);
    expect(cluster.read(UPGRADE_KEYS.step)?.value).toBe('');
  });

  it('leaves etcd alone where another has joined since it was planned', async () => {
    const begin = await prepared();
    cluster.addLearner(peerUrl('10.0.9.9'));
    expect(await bench.soon(begin())).toMatch(/^member \w+ has joined meanwhile$/);
    expect(stops).toBe(0);
    expect(cluster.read(UPGRADE_KEYS.step)?.value).toBe('');
  });

  it('leaves etcd alone where another has left since it was planned: its successor would come after the record', async () => {
    const begin = await prepared();
    cluster.removeMember(cluster.members[2]?.id ?? '');
    expect(await bench.soon(begin())).toBe('i-03 has left meanwhile');
    expect(stops).toBe(0);
    expect(cluster.read(UPGRADE_KEYS.step)?.value).toBe('');
  });

  it('is given up where etcd has ended by then: its database may lack what it had applied', async () => {
    const begin = await prepared();
    const work = begin();
    await bench.clock.until(() => (cluster.read(UPGRADE_KEYS.step)?.value ?? '') !== '', 30_000);
    host.context.state.etcd = null;
    expect(await bench.soon(work)).toBe('the own etcd has ended');
    expect(host.context.state.swap).toBe(null);
    expect(cluster.read(UPGRADE_KEYS.step)?.value).toBe('');
  });

  it('is said when etcd runs as usual again', async () => {
    const { work } = await clearing();
    expect(await bench.soon(work)).toBe(null);
    expect(saysCleared()).toBe(true);
  });

  it('is not said by an instance that leaves before', async () => {
    const { work } = await clearing();
    host.context.state.phase = 'leaving';
    await bench.soon(work);
    expect(saysCleared()).toBe(false);
  });
});
