import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodePart, UPGRADE_KEYS, UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import { unknown } from '../../../src/core/known.ts';
import { minorOf } from '../../../src/core/versions.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { keepUpgraded } from '../../../src/daemon/upgrade.ts';
import { type Bench, createBench, type Host, NEVER } from '../../fakes/bench.ts';
import { seatVoter } from '../../fakes/bench-voter.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';

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

it('pauses before it tries again what etcd refuses at once: under the lock nobody keeps house', async () => {
  bench = createBench(1);
  cluster = await bench.form();
  await bench.clock.advance(5_000);
  const { context, ports: all, ...rest } = bench.host(0);
  let takes = 0;
  const { admin, process } = all;
  const ports = {
    ...all,
    process: {
      ...process,
      binaries: async () =>
        await Promise.resolve(['3.5.35', '3.6.16'].map((version) => ({ version, minor: minorOf(version) }))),
    },
    admin: {
      ...admin,
      createKey: async (...call: Parameters<typeof admin.createKey>) => {
        if (call[1] === UPGRADE_LOCK_KEY) takes += 1;
        return await admin.createKey(...call);
      },
      put: async (...call: Parameters<typeof admin.put>) =>
        call[1] === UPGRADE_KEYS.step ? unknown('refused') : await admin.put(...call),
    },
  };
  await runOn({ ...rest, ports, context: createContext(context.options, ports) }, 20_000);
  expect(takes).toBeGreaterThan(2);
  expect(takes).toBeLessThanOrEqual(20);
});
