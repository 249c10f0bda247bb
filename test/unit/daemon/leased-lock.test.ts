import { beforeEach, describe, expect, it } from 'vitest';
import type { LeasedLock } from '../../../src/daemon/leased-lock.ts';
import { createLeasedLock } from '../../../src/daemon/leased-lock.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import type { Bench, Host } from '../../fakes/bench.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';

const KEY = '_some_lock';
const TTL_SECONDS = 60;
/** By then etcd's leader, that looks every half second, has ended a lease that nobody renewed. */
const OVER_MS = TTL_SECONDS * 1_000 + 600;

let bench: Bench;
let cluster: EtcdCluster;
let lock: LeasedLock;
let other: LeasedLock;

/** A lock of one host; each asks the other members before its own. */
function lockOf(host: Host, endpoints = bench.hosts.map((it) => it.url), inherits = false): LeasedLock {
  const others = endpoints.filter((it) => it !== host.url);
  const options = { key: KEY, ttlSeconds: TTL_SECONDS, endpoints: () => [...others, host.url], inherits };
  return createLeasedLock(options, host.ports);
}

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  [lock, other] = [lockOf(bench.host(0)), lockOf(bench.host(1))];
});

const take = (of: LeasedLock): Promise<boolean> => bench.soon(of.take(NEVER));
const guard = (of: LeasedLock): Promise<boolean> => bench.soon(of.guard(NEVER));

describe('a lock that is bound to a lease', () => {
  it('is held by one, who is its value', async () => {
    expect(await take(lock)).toBe(true);
    expect(await take(other)).toBe(false);
    expect([lock.holds(), other.holds()]).toEqual([true, false]);
    expect(cluster.read(KEY)?.value).toBe('i-01');
    expect(cluster.state.leases.size).toBe(1);
    expect([lock.fence()?.createRevision, other.fence()]).toEqual([cluster.read(KEY)?.createRevision, null]);
  });

  it('can be had as soon as it was let go', async () => {
    await take(lock);
    await bench.soon(lock.release(NEVER));
    expect(lock.holds()).toBe(false);
    expect(await take(other)).toBe(true);
  });

  it('stands while it is renewed, and is another’s when its lease is over', async () => {
    await take(lock);
    for (let minute = 0; minute < 3; minute += 1) {
      await bench.clock.advance(40_000);
      await bench.soon(lock.renew(NEVER));
    }
    expect(await take(other)).toBe(false);
    await bench.clock.advance(OVER_MS);
    expect(await take(other)).toBe(true);
    expect(await guard(lock)).toBe(false);
    expect([lock.holds(), lock.fence()]).toEqual([false, null]);
    expect(await guard(other)).toBe(true);
  });

  it('is not acted under once half its time is over without an answer to a renewal', async () => {
    // Renewals fail; reads do not.
    const host = bench.host(0);
    const silent = { known: false, reason: 'silent' } as const;
    const admin = { ...host.ports.admin, keepAlive: async () => await Promise.resolve(silent) };
    const options = {
      key: KEY,
      ttlSeconds: TTL_SECONDS,
      endpoints: () => [bench.host(1).url],
      inherits: false,
    };
    const half = createLeasedLock(options, { ...host.ports, admin });
    await take(half);
    await bench.clock.advance(25_000);
    expect(await guard(half)).toBe(true);
    await bench.clock.advance(6_000);
    expect(await guard(half)).toBe(false);
    // It may be its own still.
    expect(half.holds()).toBe(true);
  });

  it('is renewed and let go through others while the own etcd stands still', async () => {
    const own = bench.host(0);
    await take(lock);
    bench.etcd.kill(own.self.address);
    await bench.clock.advance(3_000);
    expect(await guard(lock)).toBe(true);
    await bench.soon(lock.release(NEVER));
    expect(await take(other)).toBe(true);
  });

  it('is taken over from an earlier life of the same instance, where that is wanted', async () => {
    await take(lock);
    const revision = lock.fence()?.createRevision;
    expect(await take(lockOf(bench.host(0)))).toBe(false);
    const heir = lockOf(bench.host(0), undefined, true);
    expect(await take(heir)).toBe(true);
    expect(heir.fence()?.createRevision).toBe(revision);
    // The lease of the earlier life ends, and the lock does not.
    await bench.clock.advance(40_000);
    await bench.soon(heir.renew(NEVER));
    await bench.clock.advance(40_000);
    expect(await guard(heir)).toBe(true);
    expect(await take(lockOf(bench.host(1), undefined, true))).toBe(false);
  });

  it('is not taken where nobody answers', async () => {
    const alone = lockOf(bench.host(0), []);
    bench.etcd.kill(bench.host(0).self.address);
    expect(await take(alone)).toBe(false);
  });

  it('is taken where the first asked does not answer', async () => {
    bench.etcd.kill(bench.host(1).self.address);
    await bench.clock.advance(5_000);
    expect(await take(lock)).toBe(true);
  });
});
