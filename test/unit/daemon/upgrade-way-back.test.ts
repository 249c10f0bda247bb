import { beforeEach, describe, expect, it } from 'vitest';
import type { EtcdExit } from '../../../src/core/local-data.ts';
import { known } from '../../../src/core/known.ts';
import type { FailedStep } from '../../../src/core/upgrade.ts';
import { encodePart, UPGRADE_KEYS, UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import type { Context } from '../../../src/daemon/context.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { createLeasedLock } from '../../../src/daemon/leased-lock.ts';
import { live } from '../../../src/daemon/life.ts';
import { look } from '../../../src/daemon/look.ts';
import type { ProcessPort, RunningEtcd } from '../../../src/daemon/ports.ts';
import { stepSelf } from '../../../src/daemon/upgrade-step.ts';
import { conclude } from '../../../src/daemon/upgrade-way-back.ts';
import { type Bench, createBench, type Host, NEVER } from '../../fakes/bench.ts';
import { holdUpgradeLock } from '../../fakes/bench-held.ts';
import { claimFormed, runningEtcd, voterIdentity } from '../../fakes/bench-voter.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';

/** What the bench's etcd runs all along, and what it is said to have run before. */
const TO = '3.5.35';
const FROM = '3.4.45';

let bench: Bench;
let cluster: EtcdCluster;
let host: Host;

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  await bench.clock.advance(5_000);
  host = bench.host(1);
});

/** Its new etcd has not come up in time; `onStop` is what the cluster's version becomes until that etcd has ended. */
async function goingBack(onStop: string): Promise<{ readonly work: Promise<void> }> {
  let version = '3.4.0';
  const tell = async () =>
    await Promise.resolve(known({ server: TO, cluster: version, storage: null, downgradeTarget: null }));
  Object.assign(host.ports.admin, { versions: tell });
  const held = await holdUpgradeLock(bench, host, cluster, () => {
    version = onStop;
  });
  const way = { from: FROM, to: TO };
  return { work: conclude(held, way, { kind: 'failed', why: 'it is slow', tooOld: false }) };
}

const says = (code: string): boolean => bench.log.some((line) => line.includes(code));

describe('a step that is taken back', () => {
  it('runs the old etcd where the version has not moved', async () => {
    const { work } = await goingBack('3.4.0');
    work.catch(() => undefined);
    await bench.clock.until(() => host.context.state.swap !== null, 1_000);
    await bench.clock.advance(1_000);
    expect(host.context.state.swap).toMatchObject({ version: FROM, step: { why: 'it is slow' } });
  });

  it('runs the new one again where the version moved before that had ended, and the step is over when it is well', async () => {
    const { work } = await goingBack('3.5.0');
    await bench.clock.until(() => host.context.state.swap?.version === TO, 1_000);
    expect(host.context.state.swap).toMatchObject({ version: TO, step: { why: null } });
    await bench.soon(work);
    expect([says('upgrade-stepped'), says('upgrade-taken-back')]).toEqual([true, false]);
  });
});

describe('a step that is over', () => {
  const STAYS = 'it does not come up';

  /** What stays recorded of a failed step once the own one, from 3.4 to 3.5, is over. */
  async function leftOf(failed: Pick<FailedStep, 'by' | 'from' | 'to'>): Promise<string> {
    const held = await holdUpgradeLock(bench, host, cluster);
    const record = encodePart({ ...failed, at: '2026-11-21T12:00:00Z', why: STAYS });
    await bench.soon(host.ports.admin.put(host.url, UPGRADE_KEYS.failed, record, {}, NEVER));
    await bench.soon(conclude(held, { from: FROM, to: TO }, { kind: 'well' }));
    expect(says('upgrade-stepped')).toBe(true);
    return cluster.read(UPGRADE_KEYS.failed)?.value ?? '';
  }

  it('leaves nothing of what this member failed at before, on that way', async () => {
    expect(await leftOf({ by: host.self.id, from: FROM, to: TO })).toBe('');
  });

  it.each([
    ['another failed at, on another way', { by: 'i-03', from: '3.5.35', to: '3.6.16' }],
    ['another failed at, on that way', { by: 'i-03', from: FROM, to: TO }],
    ['this member failed at, further on', { by: 'i-02', from: '3.5.35', to: '3.6.16' }],
  ])('leaves what %s: that stops the upgrade still', async (_name, failed) => {
    expect(await leftOf(failed)).toContain(STAYS);
  });
});

/** An etcd that ends at once, and says that it cannot read its log. */
function unreadable(version: string): RunningEtcd {
  const exit: EtcdExit = {
    code: 1,
    signal: null,
    saysRemoved: false,
    saysDamaged: 'wal',
    lastWords: 'wal: max entry size limit exceeded',
  };
  return { ...runningEtcd(version), exited: Promise.resolve(exit) };
}

/** A whole member that is to step to 3.6, which cannot read its log, and does so; of its other one, as `rotten` says. */
async function steppingToUnreadable(
  rotten: boolean,
): Promise<{ readonly context: Context; readonly step: Promise<string | null> }> {
  cluster.lead(cluster.members[0]?.id ?? '');
  await claimFormed(bench, cluster);
  const memberId = cluster.members.find((it) => it.name === host.self.id)?.id ?? '';
  host.disk.identity = voterIdentity(host, { clusterId: cluster.id, memberId });
  const newer = { version: '3.6.16', minor: '3.6' };
  let tried = false;
  const process: ProcessPort = {
    ...host.ports.process,
    binaries: async (signal) => [...(await host.ports.process.binaries(signal)), newer],
    async start(how, signal) {
      tried ||= how.version === newer.version;
      const cannotRead = how.version === newer.version || (rotten && tried && how.initial === null);
      return cannotRead ? known(unreadable(how.version)) : await host.ports.process.start(how, signal);
    },
  };
  const context = createContext(host.context.options, { ...host.ports, process });
  void live(context, NEVER);
  await bench.clock.until(() => context.state.notReady === null, 30_000);
  const endpoints = (): readonly string[] => [bench.host(0).url];
  const lock = createLeasedLock(
    { key: UPGRADE_LOCK_KEY, ttlSeconds: 600, endpoints, inherits: true },
    context.ports,
  );
  await bench.soon(lock.take(NEVER));
  const seen = await bench.soon(look(context, host.url, NEVER));
  if (!seen.known) throw new Error(seen.reason);
  const held = { context, lock, members: seen.value.members, signal: NEVER };
  const step = stepSelf(held, {
    kind: 'step',
    who: host.self.id,
    memberId,
    from: TO,
    to: newer.version,
    handOverTo: null,
    reason: { code: 'upgrade-step', sentence: '' },
  });
  return { context, step };
}

const failure = (): string => cluster.read(UPGRADE_KEYS.failed)?.value ?? '';

describe('a new etcd that calls the log unreadable', () => {
  it('is taken back, and the one before it runs on the data that it ran on', async () => {
    const { context, step } = await steppingToUnreadable(false);
    await bench.soon(step);
    expect(host.disk.aside).toEqual([]);
    expect(context.state.etcd?.version).toBe(TO);
    expect(failure()).toContain('max entry size limit exceeded; etcd 3.5.35 runs again');
  });

  it('is taken back, too, where the one before it can read them no more, and they are set aside', async () => {
    const { context, step } = await steppingToUnreadable(true);
    await bench.clock.until(() => host.disk.aside.length > 0, 60_000);
    await bench.soon(step);
    expect(failure()).toContain('max entry size limit exceeded');
    expect(context.state.identity?.step ?? null).toBe(null);
  });
});
