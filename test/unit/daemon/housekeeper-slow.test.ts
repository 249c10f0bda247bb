import { expect, it } from 'vitest';
import { createContext } from '../../../src/daemon/context.ts';
import { createHousekeeper } from '../../../src/daemon/housekeeper.ts';
import { createBench } from '../../fakes/bench.ts';
import { seatVoter } from '../../fakes/bench-voter.ts';

// A machine that is off answers nothing at all on EC2: each look at it takes the whole deadline of a call (2 s).
it.each([50, 300, 700])(
  'evicts a silent terminated voter though AWS takes %i ms a call',
  async (latencyMs) => {
    const bench = createBench(3);
    const cluster = await bench.form();
    await bench.clock.advance(8_000);
    const leader = bench.hosts.find(
      (it) => it.context.ports.self.id === cluster.find(cluster.leader ?? '')?.name,
    );
    const victim = bench.hosts.find((it) => it !== leader);
    if (leader === undefined || victim === undefined) throw new Error('no leader');
    const { clock } = bench;
    const slow = async <T>(signal: AbortSignal, act: () => Promise<T>): Promise<T> => {
      await clock.sleep(latencyMs, signal);
      return await act();
    };
    const { fleet } = leader.ports;
    const ports = {
      ...leader.ports,
      fleet: {
        // Auto Scaling, then EC2.
        observe: (signal: AbortSignal) => slow(signal, () => slow(signal, () => fleet.observe(signal))),
        evidence: (list: Parameters<typeof fleet.evidence>[0], signal: AbortSignal) =>
          slow(signal, () => fleet.evidence(list, signal)),
      },
    };
    const context = createContext(leader.context.options, ports);
    await seatVoter(bench, leader, context, cluster);
    const loops = new AbortController();
    void createHousekeeper(context)
      .run(loops.signal)
      .catch(() => undefined);
    await clock.advance(10_000);
    bench.etcd.freeze(victim.self.address, true);
    bench.aws.terminate(victim.self.id);
    await clock.advance(120_000);
    loops.abort();
    expect(bench.changes.filter((it) => it.kind === 'remove').map((it) => it.member.name)).toEqual([
      victim.self.id,
    ]);
  },
);
