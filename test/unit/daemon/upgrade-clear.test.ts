import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { known } from '../../../src/core/known.ts';
import { encodePart, UPGRADE_KEYS, UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import type { Context } from '../../../src/daemon/context.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { live } from '../../../src/daemon/life.ts';
import type { InspectPort } from '../../../src/daemon/ports.ts';
import { keepUpgraded } from '../../../src/daemon/upgrade.ts';
import type { Held } from '../../../src/daemon/upgrade-acts.ts';
import { clearRequests } from '../../../src/daemon/upgrade-step.ts';
import { type Bench, createBench, type Host, NEVER } from '../../fakes/bench.ts';
import { holdUpgradeLock } from '../../fakes/bench-held.ts';
import { claimFormed, voterIdentity } from '../../fakes/bench-voter.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';

/*
 * Clearing the log stops etcd twice, and much may happen in between: the log is looked through, which takes seconds.
 */

const ACTION = {
  kind: 'clear',
  who: 'i-02',
  memberId: '',
  from: '3.5.35',
  to: '3.6.16',
  handOverTo: null,
  reason: { code: 'upgrade-clear', sentence: '' },
} as const;

let bench: Bench;
let cluster: EtcdCluster;
let host: Host;
/** Who held the upgrade lock at each stop of etcd. */
let stops: (string | null)[];
/** What happens while the log is looked through. */
let meanwhile: () => Promise<void>;

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  await bench.clock.advance(5_000);
  host = bench.host(1);
  stops = [];
  meanwhile = async () => await Promise.resolve();
  cluster.lead(cluster.members[0]?.id ?? '');
});

const lockHolder = (): string | null => cluster.read(UPGRADE_LOCK_KEY)?.value ?? null;
const says = (code: string): boolean => bench.log.some((line) => line.includes(code));

const inspected: InspectPort['v2Content'] = async () => {
  await meanwhile();
  return known('clean');
};

/** Another takes the lock, whose lease has ended; gives how it lets go of it. */
async function takenByAnother(): Promise<() => Promise<unknown>> {
  const { url, ports, self } = bench.host(2);
  const lease = cluster.read(UPGRADE_LOCK_KEY);
  if (lease === null) throw new Error('nobody holds the lock');
  for (const id of cluster.state.leases.keys()) await ports.admin.revokeLease(url, id, NEVER);
  const granted = await ports.admin.grantLease(url, 600, NEVER);
  if (!granted.known) throw new Error(granted.reason);
  await ports.admin.createKey(url, UPGRADE_LOCK_KEY, self.id, granted.value, NEVER);
  return async () => await ports.admin.revokeLease(url, granted.value, NEVER);
}

describe('the second stop of a clearing', () => {
  /** A member that clears its log, with the lock; its etcd is the same all along, and its data say as what it was started. */
  async function clearing(): Promise<{ readonly held: Held; readonly work: Promise<string | null> }> {
    Object.assign(host.ports.inspect, { v2Content: inspected });
    const { state } = host.context;
    const held = await holdUpgradeLock(bench, host, cluster, () => {
      stops.push(lockHolder());
      const { identity, swap } = state;
      if (identity !== null) state.identity = { ...identity, snapshotCount: swap?.snapshotCount ?? null };
    });
    return { held, work: clearRequests(held, ACTION) };
  }

  it('is made under the lock, where all others serve', async () => {
    const { work } = await clearing();
    await bench.soon(work);
    expect(stops).toEqual([host.self.id, host.self.id]);
    expect([host.context.state.identity?.snapshotCount, says('upgrade-cleared')]).toEqual([null, true]);
  });

  it('is left to later where another voter went since the first: its eviction needs the lock to be free', async () => {
    meanwhile = async () => await Promise.resolve(bench.etcd.kill(bench.host(2).self.address));
    const { work } = await clearing();
    await bench.soon(work);
    expect(stops).toHaveLength(1);
    expect(cluster.read(UPGRADE_KEYS.step)?.value).toBe('');
    expect(cluster.read(UPGRADE_KEYS.failed)?.value ?? '').toBe('');
    expect([host.context.state.identity?.snapshotCount, says('upgrade-cleared')]).toEqual([3, false]);
  });

  it('is left to later where another has the lock by then, and so is all else', async () => {
    let letGo: () => Promise<unknown> = async () => await Promise.resolve();
    meanwhile = async () => {
      letGo = await takenByAnother();
    };
    const { work } = await clearing();
    let over = false;
    void work.then(() => (over = true));
    await bench.clock.advance(60_000);
    expect([stops.length, over, lockHolder()]).toEqual([1, false, 'i-03']);
    await bench.soon(letGo());
    await bench.soon(work);
    expect(stops).toHaveLength(1);
  });

  it('and the look at the log are left to later where the writes that cut it are not taken', async () => {
    const { put } = host.ports.admin;
    let writes = 0;
    Object.assign(host.ports.admin, {
      put: async (...call: Parameters<typeof put>) => {
        writes += call[1] === UPGRADE_KEYS.step ? 1 : 0;
        // Nor by any other endpoint.
        return writes >= 4 && writes <= 6 ? { known: false, reason: 'no leader' } : await put(...call);
      },
    });
    const { work } = await clearing();
    await bench.soon(work);
    expect([says('upgrade-cleared'), says('upgrade-taken-back')]).toEqual([false, false]);
    expect(stops).toHaveLength(2);
  });
});

describe('an appliance that dies between the two stops', () => {
  let over: AbortController;

  beforeEach(() => {
    over = new AbortController();
  });
  afterEach(() => over.abort());

  const snapshotCount = (): number => bench.etcd.processAt(host.self.address)?.snapshotCount ?? 0;

  /** One life of it, until the signal. */
  function lives(signal: AbortSignal): Context {
    const ports = { ...host.ports, inspect: { ...host.ports.inspect, v2Content: inspected } };
    const context = createContext(host.context.options, ports);
    const quiet = (error: unknown): void => {
      if (!signal.aborted) throw error;
    };
    live(context, signal).catch(quiet);
    return context;
  }

  /** It has died as the log was looked through; its etcd runs on. */
  async function diedClearing(): Promise<void> {
    await claimFormed(bench, cluster);
    const memberId = cluster.members.find((it) => it.name === host.self.id)?.id ?? null;
    host.disk.identity = voterIdentity(host, { clusterId: cluster.id, memberId });
    const first = new AbortController();
    meanwhile = async () => {
      first.abort();
      await new Promise(() => undefined);
    };
    const context = lives(first.signal);
    await bench.clock.until(() => context.state.notReady === null, 30_000);
    keepUpgraded(context, first.signal).catch(() => undefined);
    const held = await heldBy(context, first.signal);
    clearRequests(held, ACTION).catch(() => undefined);
    await bench.clock.until(() => first.signal.aborted, 60_000);
    expect([snapshotCount(), host.disk.identity.snapshotCount]).toEqual([3, 3]);
  }

  async function heldBy(context: Context, signal: AbortSignal): Promise<Held> {
    const held = await holdUpgradeLock(bench, host, cluster);
    // The lock and the look are those of the bench; what is stopped and started is this life's.
    return { ...held, context, signal };
  }

  /** The next life takes that etcd over. */
  async function comesBack(): Promise<Context> {
    meanwhile = async () => await Promise.resolve();
    const context = lives(over.signal);
    keepUpgraded(context, over.signal).catch((error: unknown) => {
      if (!over.signal.aborted) throw error;
    });
    await bench.clock.until(() => context.state.notReady === null, 30_000);
    return context;
  }

  it.each([['goes on'], ['is paused']])(
    'has its etcd started as usual by its next life, under the lock, where the upgrade %s',
    async (how) => {
      await diedClearing();
      if (how === 'is paused') {
        const { url, ports } = bench.host(0);
        const paused = encodePart({ at: bench.clock.wallTime() });
        await bench.soon(ports.admin.put(url, UPGRADE_KEYS.paused, paused, {}, NEVER));
      }
      await comesBack();
      await bench.clock.until(() => snapshotCount() === 100_000, 120_000);
      await bench.clock.advance(30_000);
      expect(host.disk.identity?.snapshotCount ?? null).toBe(null);
      expect([lockHolder(), cluster.read(UPGRADE_KEYS.step)?.value]).toEqual([null, '']);
    },
  );

  it('waits with that until all others serve', async () => {
    await diedClearing();
    const { self, ports } = bench.host(2);
    bench.etcd.kill(self.address);
    const context = await comesBack();
    await bench.clock.advance(120_000);
    expect(snapshotCount()).toBe(3);
    expect(context.state.upgrade?.action.reason).toMatchObject({
      code: 'upgrade-unhealthy',
      sentence: expect.stringContaining('restarts once i-03 serves') as string,
    });
    const again = { version: '3.5.35', name: self.id, address: self.address, initial: null };
    await bench.soon(ports.process.start(again, NEVER));
    await bench.clock.until(() => snapshotCount() === 100_000, 120_000);
    expect(snapshotCount()).toBe(100_000);
  });

  it('needs nothing of that where etcd has ended meanwhile: it is started as usual', async () => {
    await diedClearing();
    bench.etcd.kill(host.self.address);
    await comesBack();
    expect([snapshotCount(), host.disk.identity?.snapshotCount ?? null]).toEqual([100_000, null]);
  });
});
