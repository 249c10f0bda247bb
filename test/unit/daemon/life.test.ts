import { describe, expect, it } from 'vitest';
import { claimRecord, formedClaim, foundingClaim } from '../../../src/core/claim.ts';
import { namesOf } from '../../../src/core/names.ts';
import { createContext } from '../../../src/daemon/context.ts';
import type { Context } from '../../../src/daemon/context.ts';
import type { EtcdExit } from '../../../src/core/local-data.ts';
import { live } from '../../../src/daemon/life.ts';
import { known, unknown } from '../../../src/core/known.ts';
import { swapEtcd } from '../../../src/daemon/swap-etcd.ts';
import type { DataPort, ProcessPort, RunningEtcd } from '../../../src/daemon/ports.ts';
import type { Host } from '../../fakes/bench.ts';
import { createBench, NAME, NEVER, TOKEN } from '../../fakes/bench.ts';
import { voterIdentity } from '../../fakes/bench-voter.ts';

/** An appliance of this host whose etcd says at its end what `said` gives then. */
function withLastWords({ context, ports }: Host, said: () => EtcdExit['saysDamaged']): Context {
  const { process } = ports;
  const speaking = (etcd: RunningEtcd): RunningEtcd => ({
    ...etcd,
    exited: etcd.exited.then((exit) => ({ ...exit, saysDamaged: said() })),
  });
  const adopt: ProcessPort['adopt'] = async (signal) => {
    const adopted = await process.adopt(signal);
    return adopted === null ? null : speaking(adopted);
  };
  const start: ProcessPort['start'] = async (how, signal) => {
    const started = await process.start(how, signal);
    return started.known ? known(speaking(started.value)) : started;
  };
  return createContext(context.options, { ...ports, process: { ...process, adopt, start } });
}

/** The life of the only member, whose etcd ran already. */
async function takenOver() {
  const bench = createBench();
  await bench.form();
  const host = bench.host(0);
  host.disk.identity = voterIdentity(host);
  const end = new AbortController();
  let said: EtcdExit['saysDamaged'] = null;
  const context = withLastWords(host, () => said);
  const life = live(context, end.signal);
  await bench.clock.advance(1_000);
  const say = (damaged: typeof said): void => {
    said = damaged;
  };
  return { bench, host, context, life, end, say };
}

describe('an etcd that runs already', () => {
  it('is left running, and not taken over, where its data belong to another register', async () => {
    const bench = createBench();
    const cluster = await bench.form();
    const host = bench.host(0);
    host.disk.identity = voterIdentity(host, {
      register: 'route53:ZOTHER/_etcd-cluster.main.example.org',
    });
    await expect(bench.soon(live(host.context, NEVER))).rejects.toMatchObject({ code: 'configuration' });
    expect(host.context.state.etcd).toBeNull();
    expect(cluster.upVoters()).toHaveLength(1);
  });

  it('is taken over where the register is the own one', async () => {
    const { context, life, end } = await takenOver();
    expect(context.state.etcd).not.toBeNull();
    end.abort();
    await expect(life).rejects.toThrow('aborted');
  });

  it.for([
    { wellMs: 10_000, starts: 'two starts, however well they began', aside: 1 },
    { wellMs: 90_000, starts: 'two starts that served for long, and are no proof', aside: 0 },
  ])('ends of damage in $starts', async ({ wellMs, aside }) => {
    const bench = createBench(3);
    const cluster = await bench.form();
    const host = bench.host(0);
    const { stack } = host.self;
    // The claim says where the others are. Of these hosts one leads that is not the own: they answer when it ends.
    const voters = cluster.members.map(({ id, name }, index) => {
      return { memberId: id, instanceId: name, region: 'r', address: bench.host(index).self.address };
    });
    cluster.lead(voters[1]?.memberId ?? '');
    const founding = foundingClaim({ stack, token: TOKEN, groups: ['g'], founders: [], before: null });
    const record = claimRecord(namesOf(NAME).claim, formedClaim(founding, cluster.id, voters));
    await host.ports.zone.change([{ action: 'CREATE', record }], NEVER);
    host.disk.identity = voterIdentity(host);
    let rotten = true;
    const context = withLastWords(host, () => (rotten ? 'database' : null));
    void live(context, NEVER);
    for (const _ of [1, 2]) {
      await bench.clock.advance(wellMs);
      expect(context.state.etcd).not.toBeNull();
      bench.etcd.kill(host.self.address);
    }
    await bench.clock.advance(5_000);
    expect(host.disk.aside).toHaveLength(aside);
    rotten = false;
    // Those that it has now may be new: nobody said a bad word about them.
    await bench.clock.until(() => context.state.etcd !== null, 30_000);
    bench.etcd.kill(host.self.address);
    await bench.clock.advance(20_000);
    expect(host.disk.aside).toHaveLength(aside);
  });

  it.for([
    { wellMs: 0, what: 'etcd has not served on them since', after: true },
    { wellMs: 10_000, what: 'etcd has served on them since', after: false },
  ])('keeps beside the data that they are damaged: $what', async ({ wellMs, after }) => {
    const { bench, host, context, life, end, say } = await takenOver();
    const damaged = (): boolean => host.disk.identity?.damaged === true;
    say('database');
    bench.etcd.kill(host.self.address);
    await bench.clock.until(() => damaged(), 5_000);
    say(null);
    await bench.clock.until(() => context.state.etcd !== null, 30_000);
    await bench.clock.advance(wellMs);
    bench.etcd.kill(host.self.address);
    await bench.clock.until(() => context.state.etcd === null, 5_000);
    await bench.clock.advance(0);
    expect(damaged()).toBe(after);
    end.abort();
    await expect(life).rejects.toThrow('aborted');
  });

  it('is not started again by a step before it is said as what', async () => {
    const { bench, context, life, end } = await takenOver();
    const same = { version: context.state.etcd?.version ?? '', snapshotCount: null, step: null };
    const said = Promise.withResolvers<null>();
    const swap = swapEtcd(context, same, NEVER, async () => await said.promise);
    await bench.clock.advance(60_000);
    expect(context.state.etcd).toBeNull();
    said.resolve(null);
    await bench.soon(swap);
    await bench.clock.until(() => context.state.etcd !== null, 10_000);
    end.abort();
    await expect(life).rejects.toThrow('aborted');
  });

  it('counts a wait before its restart as a turn of the start', async () => {
    const bench = createBench();
    await bench.form();
    const host = bench.host(0);
    host.disk.identity = voterIdentity(host);
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

  it('takes what was planned for it along when it ends: alarms go by what is shown', async () => {
    const bench = createBench();
    await bench.form();
    const host = bench.host(0);
    host.disk.identity = voterIdentity(host);
    const { process } = host.ports;
    const start: ProcessPort['start'] = async () => unknown('no room');
    const ports = { ...host.ports, process: { ...process, start } };
    const context = createContext(host.context.options, ports);
    void live(context, NEVER);
    await bench.clock.advance(1_000);
    expect([...context.state.plans.keys()].toSorted()).toEqual(['liveness', 'member']);
    bench.etcd.kill(host.self.address);
    await bench.clock.advance(5_000);
    expect([...context.state.plans.keys()]).toEqual(['start']);
  });
});
