import { beforeEach, describe, expect, it } from 'vitest';
import { known } from '../../../src/core/known.ts';
import { UPGRADE_KEYS, UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import type { AdminPort, DowngradeAction } from '../../../src/daemon/ports.ts';
import type { Held } from '../../../src/daemon/upgrade-acts.ts';
import { bringSnapshot, enableDowngrade, endDowngrade } from '../../../src/daemon/upgrade-cluster-acts.ts';
import { type Bench, createBench, type Host, NEVER } from '../../fakes/bench.ts';
import { holdUpgradeLock } from '../../fakes/bench-held.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';

/*
 * What is done to the whole cluster carries no comparison: who was frozen until another has the lock must not do it any more.
 */

const WHY = { code: 'upgrade-step', sentence: '' } as const;

let bench: Bench;
let cluster: EtcdCluster;
let host: Host;
let held: Held;
/** What was asked of etcd that changes something. */
let asked: DowngradeAction[];

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  await bench.clock.advance(5_000);
  host = bench.host(1);
  asked = [];
  const downgrade: AdminPort['downgrade'] = async (_endpoint, action) => {
    if (action !== 'validate') asked.push(action);
    return await Promise.resolve({ ok: true, value: undefined });
  };
  const versions: AdminPort['versions'] = async () =>
    await Promise.resolve(
      known({ server: '3.6.16', cluster: '3.6.0', storage: '3.6.0', downgradeTarget: null }),
    );
  Object.assign(host.ports.admin, { downgrade, versions });
  held = await holdUpgradeLock(bench, host, cluster);
});

/** The lease of the lock ends, and another has it from now on. */
async function loseLock(): Promise<void> {
  const { url, ports, self } = bench.host(2);
  for (const lease of cluster.state.leases.keys()) await ports.admin.revokeLease(url, lease, NEVER);
  const granted = await ports.admin.grantLease(url, 600, NEVER);
  if (!granted.known) throw new Error(granted.reason);
  await ports.admin.createKey(url, UPGRADE_LOCK_KEY, self.id, granted.value, NEVER);
}

/** The lock is lost as soon as the step is recorded: the last thing that carried a comparison. */
function loseLockOnceRecorded(): void {
  const { put } = host.ports.admin;
  let lost = false;
  Object.assign(host.ports.admin, {
    put: async (...call: Parameters<AdminPort['put']>) => {
      const written = await put(...call);
      if (call[1] === UPGRADE_KEYS.step && !lost) {
        lost = true;
        await loseLock();
      }
      return written;
    },
  });
}

const ACTS = {
  'snapshots are brought': async () =>
    await bringSnapshot(held, {
      kind: 'bring-snapshot',
      who: 'i-02',
      from: '3.6.16',
      to: '3.7.3',
      reason: WHY,
    }),
  'a downgrade is enabled': async () =>
    await enableDowngrade(held, {
      kind: 'enable-downgrade',
      who: 'i-02',
      from: '3.6.16',
      to: '3.5.35',
      reason: WHY,
    }),
} as const;

describe.each(Object.entries(ACTS))('where %s', (_name, act) => {
  it('etcd is told under the lock', async () => {
    await bench.soon(act());
    expect(asked[0]).toBe('enable');
  });

  it('etcd is told nothing by who has lost the lock meanwhile', async () => {
    loseLockOnceRecorded();
    await bench.soon(act());
    expect(asked).toEqual([]);
    expect(cluster.read(UPGRADE_LOCK_KEY)?.value).toBe('i-03');
  });
});

it('who is refused by etcd says why it was given up, and has recorded that nothing goes on', async () => {
  Object.assign(host.ports.admin, {
    downgrade: async () => await Promise.resolve({ ok: false, code: 'refused', message: 'no' }),
  });
  const why = await bench.soon(ACTS['a downgrade is enabled']());
  expect(why).toBe('etcd does not go down to 3.5: no');
  expect(cluster.read(UPGRADE_KEYS.step)?.value).toBe('');
});

it('who lost the lock while snapshots were taken leaves the end of it to others: it may be theirs by now', async () => {
  const { downgrade } = host.ports.admin;
  Object.assign(host.ports.admin, {
    downgrade: async (...call: Parameters<AdminPort['downgrade']>) => {
      const done = await downgrade(...call);
      if (call[1] === 'enable') await loseLock();
      return done;
    },
  });
  await bench.soon(ACTS['snapshots are brought']());
  expect(asked).toEqual(['enable']);
  expect(bench.log.filter((line) => line.includes('upgrade-taken-back'))).toEqual([]);
});

it('who lost the lock while it asked whether etcd may go down does not tell it to', async () => {
  const { downgrade } = host.ports.admin;
  Object.assign(host.ports.admin, {
    downgrade: async (...call: Parameters<AdminPort['downgrade']>) => {
      if (call[1] === 'validate') await loseLock();
      return await downgrade(...call);
    },
  });
  await bench.soon(ACTS['a downgrade is enabled']());
  expect(asked).toEqual([]);
});

describe('where a downgrade is cancelled', () => {
  const cancel = async (): Promise<void> =>
    await bench.soon(endDowngrade(held, { kind: 'cancel-downgrade', who: 'i-02', reason: WHY }));

  it('etcd is told under the lock', async () => {
    await cancel();
    expect(asked).toEqual(['cancel']);
  });

  it('etcd is told nothing by who has lost the lock meanwhile', async () => {
    await bench.soon(loseLock());
    await cancel();
    expect(asked).toEqual([]);
  });
});
