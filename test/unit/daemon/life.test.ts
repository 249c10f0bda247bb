import { describe, expect, it } from 'vitest';
import type { DataIdentity } from '../../../src/core/local-data.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { live } from '../../../src/daemon/life.ts';
import type { DataPort } from '../../../src/daemon/ports.ts';
import type { Host } from '../../fakes/bench.ts';
import { createBench, NEVER, TOKEN } from '../../fakes/bench.ts';

function identityOf(host: Host, register: string): DataIdentity {
  return {
    format: 1,
    instanceId: host.self.id,
    token: TOKEN,
    epoch: 1,
    clusterId: null,
    memberId: null,
    formed: true,
    voter: true,
    version: '3.5.35',
    register,
  };
}

describe('an etcd that runs already', () => {
  it('is left running, and not taken over, where its data belong to another register', async () => {
    const bench = createBench();
    const cluster = await bench.form();
    const host = bench.host(0);
    host.disk.identity = identityOf(host, 'route53:ZOTHER/_etcd-cluster.main.example.org');
    await expect(bench.soon(live(host.context, NEVER))).rejects.toMatchObject({ code: 'configuration' });
    expect(host.context.state.etcd).toBeNull();
    expect(cluster.upVoters()).toHaveLength(1);
  });

  it('is taken over where the register is the own one', async () => {
    const bench = createBench();
    await bench.form();
    const host = bench.host(0);
    host.disk.identity = identityOf(host, host.ports.zone.register);
    const end = new AbortController();
    const life = live(host.context, end.signal);
    await bench.clock.advance(1_000);
    expect(host.context.state.etcd).not.toBeNull();
    end.abort();
    await expect(life).rejects.toThrow('aborted');
  });

  it('counts a wait before its restart as a turn of the start', async () => {
    const bench = createBench();
    await bench.form();
    const host = bench.host(0);
    host.disk.identity = identityOf(host, host.ports.zone.register);
    const { data } = host.ports;
    let reads = 0;
    // Only the adoption reads the disk: the start after it waits for a slow one.
    const read: DataPort['read'] = async (signal) => {
      reads += 1;
      return reads === 1 ? await data.read(signal) : await new Promise<never>(() => undefined);
    };
    const context = createContext(host.context.options, { ...host.ports, data: { ...data, read } });
    void live(context, NEVER);
    await bench.clock.advance(60_000);
    bench.etcd.kill(host.self.address);
    await bench.clock.advance(1_000);
    expect(context.state.etcd).toBeNull();
    expect(bench.clock.now() - (context.state.turns.get('start') ?? 0)).toBeLessThanOrEqual(1_000);
  });
});
