import { beforeEach, describe, expect, it } from 'vitest';
import { unknown } from '../../../src/core/known.ts';
import type { MaintenanceLock } from '../../../src/daemon/maintenance-lock.ts';
import { createMaintenanceLock, LOCK_KEY } from '../../../src/daemon/maintenance-lock.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import type { Bench, Host } from '../../fakes/bench.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';

const TTL_MS = 5_000;
/** By then etcd's leader, that looks every half second, has ended a lease that nobody renewed. */
const OVER_MS = TTL_MS + 600;

let bench: Bench;
let cluster: EtcdCluster;
let one: Host;
let two: Host;
let lock: MaintenanceLock;
let other: MaintenanceLock;

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  [one, two] = [bench.host(0), bench.host(1)];
  [lock, other] = [createMaintenanceLock(one.context), createMaintenanceLock(two.context)];
});

const take = (of = lock): Promise<boolean> => bench.soon(of.take(NEVER));
const look = (of = lock) => bench.soon(of.look(NEVER));
const guard = (of = lock): Promise<boolean> => bench.soon(of.guard(NEVER));

describe('the maintenance lock', () => {
  it('is held by one appliance', async () => {
    expect(await take()).toBe(true);
    expect(await take(other)).toBe(false);
    expect([lock.holds(), other.holds()]).toEqual([true, false]);
    expect(await look(other)).toMatchObject({ value: { holder: 'i-01' } });
  });

  it('leaves no lease behind where it could not be taken', async () => {
    await take();
    const before = cluster.revision;
    await take(other);
    // Granted, and revoked: nothing of it stands, and the holder's key is as it was.
    expect(cluster.read(LOCK_KEY)?.modRevision).toBe(lock.fence()?.createRevision);
    expect(cluster.revision).toBe(before);
    expect(cluster.state.leases.size).toBe(1);
  });

  it('stands as long as its holder looks at it, and falls 5 s after that', async () => {
    await take();
    for (let turn = 0; turn < 10; turn += 1) {
      await bench.clock.advance(2_000);
      await look();
    }
    expect(lock.holds()).toBe(true);
    await bench.clock.advance(OVER_MS);
    expect(await look(other)).toMatchObject({ value: { holder: null } });
    expect(await take(other)).toBe(true);
  });

  it('falls where its holder has not been able to read it for long, though its lease could be renewed', async () => {
    const { admin } = one.context.ports;
    let deaf = false;
    const read: typeof admin.read = async (...asked) =>
      deaf ? unknown('request timed out') : await admin.read(...asked);
    const ports = { ...one.context.ports, admin: { ...admin, read } };
    lock = createMaintenanceLock({ ...one.context, ports });
    const turns = async (count: number): Promise<void> => {
      for (let turn = 0; turn < count; turn += 1) {
        await bench.clock.advance(2_000);
        await look();
      }
    };
    await take();
    deaf = true;
    await turns(3);
    // An election, or a slow link.
    deaf = false;
    await turns(1);
    expect(lock.holds()).toBe(true);
    deaf = true;
    await turns(6);
    expect(lock.holds()).toBe(false);
    await bench.clock.advance(OVER_MS);
    expect(await take(other)).toBe(true);
    deaf = false;
    expect(await look()).toMatchObject({ value: { holder: 'i-02' } });
    expect(lock.holds()).toBe(false);
  });

  it('tells for how long nobody has held it', async () => {
    await take();
    await look(other);
    expect(other.freeForMs()).toBe(0);
    await bench.soon(lock.release(NEVER));
    await look(other);
    expect(other.freeForMs()).toBeGreaterThan(0);
    await bench.clock.advance(10_000);
    await look(other);
    expect(other.freeForMs()).toBeGreaterThanOrEqual(10_000);
    await take();
    await look(other);
    expect(other.freeForMs()).toBe(0);
  });

  it('is asked for under a lease, so that a leader that died asks no more', async () => {
    await take();
    await bench.soon(other.ask(NEVER));
    expect(await look()).toMatchObject({ value: { wantedBy: 'i-02' } });
    for (let turn = 0; turn < 4; turn += 1) {
      await bench.clock.advance(2_000);
      await look();
      await bench.soon(other.ask(NEVER));
    }
    expect(await look()).toMatchObject({ value: { wantedBy: 'i-02' } });
    await bench.clock.advance(2_400);
    await look();
    await bench.clock.advance(3_200);
    expect(await look()).toMatchObject({ value: { holder: 'i-01', wantedBy: null } });
  });

  it('is free at once when it is released', async () => {
    await take();
    await bench.soon(lock.release(NEVER));
    expect(lock.holds()).toBe(false);
    expect(lock.fence()).toBe(null);
    expect(await take(other)).toBe(true);
  });
});

describe('law 8: what is done under the lock', () => {
  it('is fenced by its create revision: a write of a holder that lost it is refused', async () => {
    await take();
    const fence = lock.fence();
    if (fence === null) throw new Error('it holds no lock');
    const put = (value: string) =>
      bench.soon(one.ports.admin.put(one.url, '_appliance/x', value, { fence }, NEVER));
    expect(await put('mine')).toEqual({ known: true, value: true });
    await bench.clock.advance(OVER_MS);
    await take(other);
    expect(await put('late')).toEqual({ known: true, value: false });
    expect(cluster.read('_appliance/x')?.value).toBe('mine');
  });

  it('is done while the lock is the own one', async () => {
    await take();
    expect(await guard()).toBe(true);
  });

  it('is not done without the lock', async () => {
    expect(await guard()).toBe(false);
  });

  it("is not done by a holder that was frozen until its lock was another one's", async () => {
    await take();
    await bench.clock.advance(OVER_MS);
    await take(other);
    expect(await guard()).toBe(false);
    expect(lock.holds()).toBe(false);
    expect(await guard(other)).toBe(true);
  });

  it('is not done by a holder that was frozen, though it took the lock again under the same name', async () => {
    await take();
    const before = lock.fence();
    await bench.clock.advance(OVER_MS);
    expect(await guard()).toBe(false);
    expect(await take()).toBe(true);
    expect(lock.fence()).not.toEqual(before);
  });

  it('is not done where a departure lets the lock go meanwhile', async () => {
    const { admin } = one.ports;
    const leaving = createMaintenanceLock({
      ...one.context,
      ports: {
        ...one.ports,
        admin: {
          ...admin,
          read: async (...call) => {
            const answer = await admin.read(...call);
            void leaving.release(NEVER);
            return answer;
          },
        },
      },
    });
    expect(await take(leaving)).toBe(true);
    expect(await guard(leaving)).toBe(false);
  });

  it('is not done where the lock cannot be read', async () => {
    await take();
    bench.etcd.kill('10.0.0.2');
    bench.etcd.kill('10.0.0.3');
    expect(await guard()).toBe(false);
  });

  it('is not done later than half the TTL after the renewal was sent, however late its answer came', async () => {
    await take();
    const { admin } = one.ports;
    // An answer that takes 2 s, and a read that takes another 0.6: the lease stands, the own deadline is over.
    const slow = createMaintenanceLock({
      ...one.context,
      ports: {
        ...one.ports,
        admin: {
          ...admin,
          keepAlive: async (...call) => {
            const answer = await admin.keepAlive(...call);
            await bench.clock.sleep(2_000, NEVER);
            return answer;
          },
          read: async (...call) => {
            await bench.clock.sleep(600, NEVER);
            return await admin.read(...call);
          },
        },
      },
    });
    await bench.soon(lock.release(NEVER));
    expect(await take(slow)).toBe(true);
    expect(await guard(slow)).toBe(false);
    expect(slow.holds()).toBe(true);
  });

  it('is not done after a thaw in the middle of the guard itself', async () => {
    await take();
    const { clock } = bench;
    let thawed = false;
    const frozen = createMaintenanceLock({
      ...one.context,
      ports: {
        ...one.ports,
        // The process is stopped between the answer and the act: its clock has gone on when it looks again.
        clock: { ...clock, now: () => clock.now() + (thawed ? 2_500 : 0) },
        admin: {
          ...one.ports.admin,
          read: async (...call) => {
            const answer = await one.ports.admin.read(...call);
            thawed = true;
            return answer;
          },
        },
      },
    });
    await bench.soon(lock.release(NEVER));
    expect(await take(frozen)).toBe(true);
    expect(await guard(frozen)).toBe(false);
  });

  it('counts the time of a grant from before it was sent', async () => {
    const { admin } = one.ports;
    const slow = createMaintenanceLock({
      ...one.context,
      ports: {
        ...one.ports,
        admin: {
          ...admin,
          // The answer is late, and no renewal comes through.
          grantLease: async (...call) => {
            const answer = await admin.grantLease(...call);
            await bench.clock.sleep(2_500, NEVER);
            return answer;
          },
          keepAlive: async () => await Promise.resolve({ known: false, reason: 'no answer' }),
        },
      },
    });
    expect(await take(slow)).toBe(true);
    expect(await guard(slow)).toBe(false);
  });
});
