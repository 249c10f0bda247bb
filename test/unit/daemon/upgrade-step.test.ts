import { beforeEach, describe, expect, it } from 'vitest';
import { UPGRADE_KEYS, UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import { createLeasedLock } from '../../../src/daemon/leased-lock.ts';
import { look } from '../../../src/daemon/look.ts';
import { clearRequests } from '../../../src/daemon/upgrade-step.ts';
import { type Bench, createBench, type Host, NEVER } from '../../fakes/bench.ts';
import { seatVoter } from '../../fakes/bench-voter.ts';
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
async function prepared(): Promise<() => Promise<void>> {
  const { context, ports, url, self } = host;
  await seatVoter(bench, host, context, cluster);
  context.state.phase = 'running';
  const { etcd } = context.state;
  if (etcd !== null)
    context.state.etcd = {
      ...etcd,
      stop: async () => {
        stops += 1;
        return await Promise.resolve(ENDED);
      },
    };
  const lock = createLeasedLock(
    { key: UPGRADE_LOCK_KEY, ttlSeconds: 60, endpoints: () => [url], inherits: true },
    ports,
  );
  expect(await bench.soon(lock.take(NEVER))).toBe(true);
  const seen = await bench.soon(look(context, url, NEVER));
  if (!seen.known) throw new Error(seen.reason);
  const held = { context, lock, members: seen.value.members, signal: NEVER };
  const action = {
    kind: 'clear',
    who: self.id,
    memberId: '',
    from: '3.5.35',
    to: '3.6.16',
    handOverTo: null,
    reason: { code: 'upgrade-clear', sentence: '' },
  } as const;
  return async () => await clearRequests(held, action);
}

/** It does, and comes to the usual start that is last. */
async function clearing(): Promise<{ readonly work: Promise<void> }> {
  const begin = await prepared();
  const work = begin();
  const { state } = host.context;
  await bench.clock.until(() => state.swap?.snapshotCount === null, 30_000);
  expect(state.swap).not.toBe(null);
  return { work };
}

const ENDED = {
  code: 0,
  signal: null,
  saysDamaged: null,
  saysRemoved: false,
  saysOtherMembers: false,
  lastWords: '',
};

const saysCleared = (): boolean => bench.log.some((line) => line.includes('upgrade-cleared'));

describe('clearing the log', () => {
  it('leaves etcd alone where another voter is silent by the time that leadership and names are settled', async () => {
    const begin = await prepared();
    bench.etcd.freeze(bench.host(2).self.address, true);
    await bench.soon(begin());
    expect(stops).toBe(0);
    expect(cluster.read(UPGRADE_KEYS.step)?.value).toBe('');
  });

  it('is said when etcd runs as usual again', async () => {
    const { work } = await clearing();
    await bench.soon(work);
    expect(saysCleared()).toBe(true);
  });

  it('is not said by an instance that leaves before', async () => {
    const { work } = await clearing();
    host.context.state.phase = 'leaving';
    await bench.soon(work);
    expect(saysCleared()).toBe(false);
  });
});
