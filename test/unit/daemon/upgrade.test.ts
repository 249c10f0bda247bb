import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodePart, UPGRADE_KEYS, UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import { known, unknown } from '../../../src/core/known.ts';
import { minorOf } from '../../../src/core/versions.ts';
import { createContext } from '../../../src/daemon/context.ts';
import type { AdminPort, PeersPort } from '../../../src/daemon/ports.ts';
import { keepUpgraded } from '../../../src/daemon/upgrade.ts';
import { type Bench, createBench, type Host, NEVER } from '../../fakes/bench.ts';
import { seatVoter } from '../../fakes/bench-voter.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import { wordOf } from '../../fixtures/core/upgrade.ts';

let bench: Bench;
let cluster: EtcdCluster;
let over: AbortController;

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  over = new AbortController();
});
afterEach(() => over.abort());

/** What an appliance that died in the middle of a step leaves behind. */
async function leaveStepOf(host: Host): Promise<void> {
  const { self, url, ports } = host;
  await leaveLockOf(host);
  const step = { by: self.id, from: '3.4.23', to: '3.5.35', at: '2026-11-21T12:00:00Z' };
  await bench.soon(ports.admin.put(url, UPGRADE_KEYS.step, encodePart(step), {}, NEVER));
}

/** What one leaves behind that died when its step was over. */
async function leaveLockOf({ self, url, ports }: Host): Promise<void> {
  const lease = await bench.soon(ports.admin.grantLease(url, 60, NEVER));
  if (!lease.known) throw new Error(lease.reason);
  await bench.soon(ports.admin.createKey(url, UPGRADE_LOCK_KEY, self.id, lease.value, NEVER));
}

/** Runs the loop of an appliance that has just come back, for a while. */
async function runOn(host: Host, ms: number): Promise<void> {
  await seatVoter(bench, host, host.context, cluster);
  host.context.state.phase = 'running';
  keepUpgraded(host.context, over.signal).catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });
  await bench.clock.advance(ms);
}

const left = (): unknown => [cluster.read(UPGRADE_LOCK_KEY)?.value, cluster.read(UPGRADE_KEYS.step)?.value];

describe('a step that an appliance died in', () => {
  it('is ended by the next life of that appliance, long before its lease is over', async () => {
    await leaveStepOf(bench.host(1));
    await runOn(bench.host(1), 5_000);
    expect(left()).toEqual([undefined, '']);
  });

  it('leaves not even its lock behind', async () => {
    // There is nothing more that it aims at.
    const { context, ...rest } = bench.host(1);
    const options = { ...context.options, etcdVersion: '3.5.35' };
    const host = { ...rest, context: createContext(options, rest.ports) };
    await leaveLockOf(host);
    await runOn(host, 5_000);
    expect(left()).toEqual([undefined, '']);
  });

  it('is left alone by another, while the lease lasts and after it', async () => {
    await leaveStepOf(bench.host(1));
    await runOn(bench.host(0), 5_000);
    expect(left()).toEqual(['i-02', expect.stringContaining('i-02')]);
    await bench.clock.advance(90_000);
    expect(left()).toEqual([undefined, expect.stringContaining('i-02')]);
  });

  it('is ended by the appliance of the leader, where its instance is a member no more', async () => {
    const step = { by: 'i-99', from: '3.4.23', to: '3.5.35', at: '2026-11-21T12:00:00Z' };
    const [leader, follower] = [bench.host(0), bench.host(1)];
    cluster.lead(leader.disk.etcd?.memberId ?? '');
    await bench.soon(leader.ports.admin.put(leader.url, UPGRADE_KEYS.step, encodePart(step), {}, NEVER));
    await runOn(follower, 5_000);
    expect(left()).toEqual([undefined, expect.stringContaining('i-99')]);
    await runOn(leader, 15_000);
    expect(left()).toEqual([undefined, '']);
  });
});

/** A host that has the next minor, too, and these calls of its own; `count` is told of each try to take the upgrade lock. */
function aiming({ context, ports: all, ...rest }: Host, calls: Partial<AdminPort>, count: () => void): Host {
  const { process } = all;
  const admin = { ...all.admin, ...calls };
  const ports = {
    ...all,
    process: {
      ...process,
      binaries: async () =>
        await Promise.resolve(['3.5.35', '3.6.16'].map((version) => ({ version, minor: minorOf(version) }))),
    },
    admin: {
      ...admin,
      createKey: async (...call: Parameters<AdminPort['createKey']>) => {
        if (call[1] === UPGRADE_LOCK_KEY) count();
        return await admin.createKey(...call);
      },
    },
  };
  return { ...rest, ports, context: createContext(context.options, ports) };
}

const saidGivenUp = (): readonly string[] => bench.log.filter((line) => line.includes('upgrade-given-up'));

it('pauses longer and longer before it tries again what etcd refuses at once: under the lock nobody keeps house', async () => {
  bench = createBench(1);
  cluster = await bench.form();
  await bench.clock.advance(5_000);
  const host = bench.host(0);
  const { put } = host.ports.admin;
  let takes = 0;
  const refusing: AdminPort['put'] = async (...call) =>
    call[1] === UPGRADE_KEYS.step ? unknown('refused') : await put(...call);
  await runOn(
    aiming(host, { put: refusing }, () => (takes += 1)),
    20_000,
  );
  expect(takes).toBeGreaterThan(2);
  expect(takes).toBeLessThanOrEqual(7);
  expect(saidGivenUp()[0]).toContain('nobody takes the record of the step');
});

it('says why it gives up a step, tries it again after longer and longer pauses, and steps when that is over', async () => {
  await bench.clock.advance(5_000);
  cluster.lead(cluster.members[0]?.id ?? '');
  await bench.clock.advance(1_000);
  const host = bench.host(1);
  const { read } = host.ports.admin;
  let takes = 0;
  let isAway = true;
  // Another voter is heard as long as nobody steps, and not by the time of the last look.
  const steps = (): boolean => (cluster.read(UPGRADE_KEYS.step)?.value ?? '') !== '';
  const once: AdminPort['read'] = async (...call) =>
    isAway && call[0] === bench.host(2).url && steps()
      ? unknown('no answer in 2000 ms')
      : await read(...call);
  const aimer = aiming(host, { read: once }, () => (takes += 1));
  const askUpgrade: PeersPort['askUpgrade'] = async (address) =>
    await Promise.resolve(
      known(wordOf(`i-0${address.slice(-1)}`, { installed: ['3.5.35', '3.6.16'], wanted: '3.6.16' })),
    );
  Object.assign(aimer.ports, { peers: { ...aimer.ports.peers, askUpgrade } });
  await runOn(aimer, 60_000);
  expect(takes).toBeGreaterThan(3);
  expect(takes).toBeLessThanOrEqual(8);
  expect(saidGivenUp()[0]).toContain('i-03 has no answer of its leader: no answer in 2000 ms');
  expect(aimer.context.state.upgrade?.action).toMatchObject({
    kind: 'none',
    reason: { code: 'upgrade-unhealthy', sentence: expect.stringContaining('i-03 has no answer') as string },
  });
  expect(aimer.context.state.swap).toBe(null);
  isAway = false;
  await bench.clock.until(() => aimer.context.state.swap !== null, 45_000);
  expect(aimer.context.state.swap).toMatchObject({ version: '3.6.16' });
});
