import { beforeEach, describe, expect, it } from 'vitest';
import { known, unknown } from '../../../src/core/known.ts';
import type { Known } from '../../../src/core/known.ts';
import type { MemberVersions } from '../../../src/core/members.ts';
import type { UpgradeAnswer } from '../../../src/core/upgrade.ts';
import { UPGRADE_KEYS, UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import type { AdminPort, DowngradeAction, PeersPort } from '../../../src/daemon/ports.ts';
import type { Held } from '../../../src/daemon/upgrade-acts.ts';
import { bringSnapshot, enableDowngrade, endDowngrade } from '../../../src/daemon/upgrade-cluster-acts.ts';
import { type Bench, createBench, type Host, NEVER } from '../../fakes/bench.ts';
import { holdUpgradeLock } from '../../fakes/bench-held.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import { replayOf, wordOf } from '../../fixtures/core/upgrade.ts';

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

/** How a cluster of three is to be for the first, by what is said of the third: a member that is asked, and one that is waited for. */
type Said<T> = (afterMs: number) => Known<T>;

const SILENT = unknown('no answer in 2000 ms');
const LIMIT_MS = 30_000;

describe('while others are waited for', () => {
  let began: number;

  beforeEach(() => (began = bench.clock.now()));

  const recorded = (): readonly (string | undefined)[] =>
    [UPGRADE_KEYS.step, UPGRADE_KEYS.failed].map((key) => cluster.read(key)?.value);
  const tookMs = (): number => bench.clock.now() - began;

  describe('whose data are to be such as the lower version can read', () => {
    const READY: MemberVersions = {
      server: '3.6.16',
      cluster: '3.5.0',
      storage: '3.5.0',
      downgradeTarget: '3.5.0',
    };
    const EARLY: MemberVersions = { ...READY, storage: '3.6.0' };

    /** All are ready at once but the third; no downgrade is under way at first. */
    async function enabling(third: Said<MemberVersions>): Promise<string | null> {
      const versions: AdminPort['versions'] = async (endpoint) => {
        if (endpoint === bench.host(2).url) return await Promise.resolve(third(tookMs()));
        const downgradeTarget = asked.includes('enable') ? READY.downgradeTarget : null;
        return await Promise.resolve(known({ ...READY, downgradeTarget }));
      };
      Object.assign(host.ports.admin, { versions });
      return await bench.soon(ACTS['a downgrade is enabled']());
    }

    it('all say so: the wait is over at once', async () => {
      expect(await enabling(() => known(READY))).toBeNull();
      expect(tookMs()).toBeLessThan(1_000);
      expect(recorded()).toEqual(['', undefined]);
    });

    it('one whose data stay as they are, and says so all along, fails the upgrade', async () => {
      expect(await enabling(() => known(EARLY))).toBeNull();
      expect(tookMs()).toBeGreaterThanOrEqual(LIMIT_MS);
      expect(recorded()).toEqual(['', expect.stringContaining("the data are not etcd 3.5's in time")]);
    });

    it('one that falls silent is not waited for, and fails nothing', async () => {
      expect(await enabling((ms) => (ms < 2_000 ? known(EARLY) : SILENT))).toBe(
        'i-03 does not say how far its data are: no answer in 2000 ms',
      );
      expect(tookMs()).toBeLessThan(10_000);
      expect(recorded()).toEqual(['', undefined]);
      // Whoever plans next goes on with it where the member is back in a moment, and cancels it where it is not.
      expect(asked).toEqual(['enable']);
    });

    it('one whose etcd restarts is waited for', async () => {
      expect(await enabling((ms) => (ms < 4_000 ? SILENT : known(READY)))).toBeNull();
      expect(recorded()).toEqual(['', undefined]);
    });

    it('one that is silent again and again fails nothing: it is not known whether there was time for its data', async () => {
      const said = await enabling((ms) => (Math.floor(ms / 3_000) % 2 === 0 ? SILENT : known(EARLY)));
      expect(said).toContain('i-03 does not say how far its data are');
      expect(tookMs()).toBeLessThan(2 * LIMIT_MS);
      expect(recorded()).toEqual(['', undefined]);
    });

    it('who has lost the lock meanwhile does not say that it failed', async () => {
      let isLost = false;
      const lost = enabling((ms) => {
        if (ms > 2_000 && !isLost) {
          isLost = true;
          void loseLock();
        }
        return known(EARLY);
      });
      expect(await lost).toBe('the upgrade lock is lost');
      expect(bench.log.filter((line) => line.includes('upgrade-taken-back'))).toEqual([]);
    });
  });

  describe('who are to take a snapshot of their log', () => {
    const CUT = wordOf('i-03');
    const UNCUT = wordOf('i-03', { replay: replayOf(4) });

    /** All have taken theirs at once but the third; no downgrade is under way at any time. */
    async function bringing(
      third: (fresh: boolean, afterMs: number) => Known<UpgradeAnswer>,
    ): Promise<string | null> {
      const askUpgrade: PeersPort['askUpgrade'] = async (address, { fresh }) =>
        await Promise.resolve(
          address === bench.host(2).self.address ? third(fresh === true, tookMs()) : known(wordOf('i-01')),
        );
      Object.assign(host.ports, { peers: { ...host.ports.peers, askUpgrade } });
      return await bench.soon(ACTS['snapshots are brought']());
    }

    it('all say so: the downgrade is cancelled, and that is said', async () => {
      expect(await bringing(() => known(CUT))).toBeNull();
      expect(asked).toEqual(['enable', 'cancel']);
      expect(bench.log.join()).toContain('upgrade-snapshots');
      expect(recorded()).toEqual(['', undefined]);
    });

    it('one whose log stays as it is, and says so all along, fails the upgrade', async () => {
      expect(await bringing(() => known(UNCUT))).toBeNull();
      expect(asked).toEqual(['enable', 'cancel']);
      expect(recorded()).toEqual(['', expect.stringContaining('not every member took a snapshot')]);
    });

    it('one that falls silent is not waited for, and fails nothing; the downgrade is cancelled', async () => {
      const why = await bringing((_fresh, ms) => (ms < 2_000 ? known(UNCUT) : SILENT));
      expect(why).toBe('i-03 does not say what its log holds: no answer in 2000 ms');
      expect(tookMs()).toBeLessThan(10_000);
      expect(asked).toEqual(['enable', 'cancel']);
      expect(recorded()).toEqual(['', undefined]);
    });

    it('one that cannot read its log fails nothing either', async () => {
      const dark = { ...UNCUT, replay: unknown('etcd does not run') };
      expect(await bringing(() => known(dark))).toBe(
        'i-03 does not say what its log holds: etcd does not run',
      );
      expect(recorded()).toEqual(['', undefined]);
    });

    it('one that reads its log for longer than is waited for an answer is not told to begin anew', async () => {
      expect(await bringing((fresh) => (fresh ? SILENT : known(CUT)))).toBeNull();
      expect(bench.log.join()).toContain('upgrade-snapshots');
    });
  });
});
