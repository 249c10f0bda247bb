import { describe, expect, it } from 'vitest';
import type { Bench } from '../../fakes/bench.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';
import { createLife } from '../../fakes/mortal.ts';

/** A loop as the daemon has them, over the ports of a mortal. */
function loop(bench: Bench) {
  const life = createLife(bench.clock);
  const ports = life.ports(bench.host(0).ports);
  const done: string[] = [];
  const run = async (): Promise<void> => {
    try {
      await ports.clock.sleep(100, NEVER);
      done.push('slept');
      await ports.zone.change(
        [{ action: 'CREATE', record: { name: 'a.example.org', type: 'A', ttl: 60, values: ['10.0.0.1'] } }],
        NEVER,
      );
      done.push('changed');
      await ports.clock.sleep(100, NEVER);
      done.push('slept again');
    } finally {
      done.push('finally');
    }
  };
  return { life, ports, done, run };
}

describe('a killed process', () => {
  it('runs to its end while it lives', async () => {
    const bench = createBench();
    const { life, done, run } = loop(bench);
    await bench.soon(run());
    expect(done).toEqual(['slept', 'changed', 'slept again', 'finally']);
    expect(life.calls()).toBe(3);
    expect(life.offences).toEqual([]);
  });

  it('waits for ever for what it waits for, and not even its finally runs on', async () => {
    const bench = createBench();
    const { life, done, run } = loop(bench);
    void run();
    await bench.clock.advance(50);
    life.kill();
    await bench.clock.advance(60_000);
    expect(done).toEqual([]);
    expect(life.offences).toEqual([]);
  });

  it.each([
    [true, 1],
    [false, 0],
  ])('may have been heard once more when it was killed at a call: %s', async (taken, records) => {
    const bench = createBench();
    const { life, done, run } = loop(bench);
    let killed = 0;
    life.killAtCall(2, taken, () => (killed += 1));
    void run();
    await bench.clock.advance(60_000);
    expect(done).toEqual(['slept']);
    expect(killed).toBe(1);
    expect(bench.zone.records()).toHaveLength(records);
  });

  it('stands still once a call of a port has gone out, and goes on from there when it thaws', async () => {
    const bench = createBench();
    const { life, done, run } = loop(bench);
    let frozen = 0;
    life.freezeAtCall('zone', 1, () => (frozen += 1));
    void run();
    await bench.clock.advance(60_000);
    expect([done, frozen, bench.zone.records().length]).toEqual([['slept'], 1, 1]);
    life.thaw();
    await bench.clock.advance(60_000);
    expect(done).toEqual(['slept', 'changed', 'slept again', 'finally']);
  });

  it('does not stand still once that is forgotten', async () => {
    const bench = createBench();
    const { life, done, run } = loop(bench);
    life.freezeAtCall(null, 2, () => undefined);
    life.forgetFreeze();
    await bench.soon(run());
    expect(done).toHaveLength(4);
  });

  it('is found out where something behind it runs on', async () => {
    const bench = createBench();
    const { life, ports } = loop(bench);
    life.kill();
    await bench.clock.advance(1_000);
    bench.clock.after(10, () => ports.clock.wallTime());
    await bench.clock.advance(1_000);
    bench.clock.after(10, () => void ports.zone.list(NEVER));
    await bench.clock.advance(1_000);
    expect(life.offences).toEqual(['clock.wallTime', 'zone.list']);
  });

  it('does not hear of the end of its etcd, which lives on', async () => {
    const bench = createBench();
    await bench.form();
    const { life, ports } = loop(bench);
    const etcd = await ports.process.adopt(NEVER);
    let heard = false;
    void etcd?.exited.then(() => (heard = true));
    life.kill();
    expect(bench.etcd.processAt('10.0.0.1')?.alive).toBe(true);
    bench.etcd.kill('10.0.0.1');
    await bench.clock.advance(1_000);
    expect(heard).toBe(false);
  });
});
