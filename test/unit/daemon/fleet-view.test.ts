import { beforeEach, describe, expect, it } from 'vitest';
import { isTerminatedForCertain } from '../../../src/core/fleet.ts';
import type { FleetView } from '../../../src/daemon/fleet-view.ts';
import { createFleetView } from '../../../src/daemon/fleet-view.ts';
import type { Bench } from '../../fakes/bench.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';

const HOUR_MS = 3_600_000;

let bench: Bench;
let view: FleetView;

beforeEach(() => {
  bench = createBench(3);
  view = createFleetView(bench.host(0).ports);
});

const asked = { id: 'i-02', region: 'eu-central-1' };
const evidence = async () => {
  const answer = (await view.evidence([asked], NEVER)).get('i-02');
  if (answer === undefined) throw new Error('no word of i-02');
  return answer;
};

describe('the view of the fleet', () => {
  it('asks no more often than its reader needs, known or not', async () => {
    bench.aws.breakDown('throttled');
    expect(await view.fleet(2_000, NEVER)).toEqual({ known: false, reason: 'throttled' });
    bench.aws.breakDown(null);
    await bench.clock.advance(2_000);
    expect((await view.fleet(2_000, NEVER)).known).toBe(false);
    await bench.clock.advance(1);
    expect((await view.fleet(2_000, NEVER)).known).toBe(true);
    expect(view.ageMs()).toBe(0);
  });

  it('keeps the last known fleet through an outage, and counts for how long it is blind', async () => {
    await view.fleet(0, NEVER);
    bench.aws.breakDown('throttled');
    await bench.clock.advance(1_000);
    await view.fleet(0, NEVER);
    await bench.clock.advance(29_000);
    expect(view.last().known).toBe(true);
    expect(view.blindForMs()).toBe(29_000);
    bench.aws.breakDown(null);
    await view.fleet(0, NEVER);
    expect(view.blindForMs()).toBe(0);
  });

  it('knows whether its own instance is joinable in the last known fleet', async () => {
    expect(view.inFleet()).toBe(null);
    await view.fleet(0, NEVER);
    expect(view.inFleet()).toBe(true);
    bench.aws.set('i-01', { lifecycle: 'Standby' });
    await bench.clock.advance(1);
    await view.fleet(0, NEVER);
    expect(view.inFleet()).toBe(false);
  });
});

describe('an answer that is slow', () => {
  let arrives: () => void;

  /** The first question to AWS is answered as things are now, and only when it arrives. */
  beforeEach(() => {
    const gate = Promise.withResolvers<void>();
    arrives = gate.resolve;
    let first = true;
    const late =
      <Given extends readonly unknown[], T>(ask: (...given: Given) => Promise<T>) =>
      async (...given: Given): Promise<T> => {
        const isLate = first;
        first = false;
        const answer = await ask(...given);
        if (isLate) await gate.promise;
        return answer;
      };
    const { ports } = bench.host(0);
    const { observe, evidence: ask } = ports.fleet;
    view = createFleetView({ ...ports, fleet: { observe: late(observe), evidence: late(ask) } });
  });

  it.each([null, 'throttled'])('does not go back to before one that was faster (%s)', async (trouble) => {
    const slow = view.fleet(0, NEVER);
    await bench.clock.advance(1_000);
    bench.aws.forget('i-02');
    bench.aws.breakDown(trouble);
    const fast = await view.fleet(0, NEVER);
    arrives();
    expect(await slow).toEqual(fast);
    expect(await view.fleet(2_000, NEVER)).toEqual(fast);
    expect(view.last().known).toBe(trouble === null);
    expect(view.ageMs()).toBe(0);
  });

  it('does not go back to before one that was faster about an instance either', async () => {
    const slow = evidence();
    await bench.clock.advance(1_000);
    bench.aws.terminated('i-02');
    await evidence();
    arrives();
    expect((await slow).ec2).toEqual({ known: true, value: 'terminated' });
    expect((await evidence()).ec2).toEqual({ known: true, value: 'terminated' });
  });
});

describe('evidence over time', () => {
  /** As the planners ask: often. */
  const askFor = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 30_000) {
      await evidence();
      await bench.clock.advance(Math.min(30_000, ms - passed));
    }
  };

  it('is that an instance is gone once it was not found for an hour in every known answer', async () => {
    bench.aws.forget('i-02');
    expect(await evidence()).toEqual({
      ec2: { known: true, value: 'not-found' },
      notFoundForMs: 0,
      unlistedForMs: 0,
    });
    await askFor(HOUR_MS - 30_000);
    expect(isTerminatedForCertain(await evidence())).toBe(false);
    await askFor(30_000);
    expect(isTerminatedForCertain(await evidence())).toBe(true);
  });

  it('says nothing of the time between two answers that are far apart', async () => {
    bench.aws.forget('i-02');
    await evidence();
    await bench.clock.advance(HOUR_MS);
    expect((await evidence()).notFoundForMs).toBe(0);
    await bench.clock.advance(300_000);
    expect((await evidence()).notFoundForMs).toBe(300_000);
  });

  it('begins anew where the instance was seen in between', async () => {
    bench.aws.forget('i-02');
    await askFor(240_000);
    bench.aws.add({ id: 'i-02', address: '10.0.0.2' });
    expect(await evidence()).toEqual({
      ec2: { known: true, value: 'running' },
      notFoundForMs: 0,
      unlistedForMs: 0,
    });
    bench.aws.forget('i-02');
    await bench.clock.advance(2_000);
    expect(await evidence()).toEqual({
      ec2: { known: true, value: 'not-found' },
      notFoundForMs: 0,
      unlistedForMs: 0,
    });
  });

  it('is not shaken by answers that are unknown, and does not count them either', async () => {
    bench.aws.forget('i-02');
    await askFor(240_000);
    bench.aws.breakDown('throttled');
    expect(await evidence()).toEqual({
      ec2: { known: false, reason: 'throttled' },
      notFoundForMs: 0,
      unlistedForMs: 0,
    });
    expect(isTerminatedForCertain(await evidence())).toBe(false);
    bench.aws.breakDown(null);
    await bench.clock.advance(2_000);
    expect((await evidence()).notFoundForMs).toBe(242_000);
  });

  it('is at once that an instance is gone where EC2 says so', async () => {
    bench.aws.terminate('i-02');
    expect(isTerminatedForCertain(await evidence())).toBe(true);
  });

  it.each([
    ['known', null],
    ['unknown', 'throttled'],
  ])(
    'is asked for every two seconds, and less often once it is the same for a minute: %s',
    async (_, reason) => {
      const { ports } = bench.host(0);
      let calls = 0;
      const ask: typeof ports.fleet.evidence = async (...call) => {
        calls += 1;
        return await ports.fleet.evidence(...call);
      };
      view = createFleetView({ ...ports, fleet: { ...ports.fleet, evidence: ask } });
      bench.aws.breakDown(reason);
      const askForSeconds = async (seconds: number): Promise<number> => {
        calls = 0;
        for (let tick = 0; tick < seconds * 2; tick += 1) {
          await evidence();
          await bench.clock.advance(500);
        }
        return calls;
      };
      expect(await askForSeconds(60)).toBe(30);
      expect(await askForSeconds(300)).toBeLessThan(12);
      bench.aws.breakDown(null);
      bench.aws.terminate('i-02');
      await bench.clock.advance(30_000);
      expect(isTerminatedForCertain(await evidence())).toBe(true);
    },
  );

  it('asks nothing about nobody', async () => {
    bench.aws.failNext('this would be an answer');
    expect((await view.evidence([], NEVER)).size).toBe(0);
    expect((await evidence()).ec2).toEqual({ known: false, reason: 'this would be an answer' });
  });

  it('counts for how long no known answer has listed an instance, from the first that did not', async () => {
    await view.fleet(0, NEVER);
    expect((await evidence()).unlistedForMs).toBe(0);
    await bench.clock.advance(120_000);
    bench.aws.unlist('i-02', 'stopped');
    await view.fleet(0, NEVER);
    expect((await evidence()).unlistedForMs).toBe(0);
    await bench.clock.advance(60_000);
    bench.aws.breakDown('throttled');
    await view.fleet(0, NEVER);
    expect((await evidence()).unlistedForMs).toBe(0);
    bench.aws.breakDown(null);
    await bench.clock.advance(1);
    await view.fleet(0, NEVER);
    expect((await evidence()).unlistedForMs).toBe(60_001);
    // Nobody looked for longer: it may have been listed meanwhile.
    await bench.clock.advance(300_001);
    await view.fleet(0, NEVER);
    expect((await evidence()).unlistedForMs).toBe(0);
  });

  /** Asks both. */
  const look = async (): Promise<number> => {
    await view.fleet(0, NEVER);
    return (await evidence()).unlistedForMs;
  };

  it('begins that time anew where an answer has listed the instance in between', async () => {
    bench.aws.unlist('i-02', 'stopped');
    expect(await look()).toBe(0);
    await bench.clock.advance(50_000);
    expect(await look()).toBe(50_000);
    bench.aws.add({ id: 'i-02', address: '10.0.0.2', lifecycle: 'Standby', state: 'stopped' });
    await bench.clock.advance(1_000);
    expect(await look()).toBe(0);
    bench.aws.unlist('i-02', 'stopped');
    await bench.clock.advance(1_000);
    expect(await look()).toBe(0);
    await bench.clock.advance(20_000);
    expect(await look()).toBe(20_000);
  });

  it('begins that time anew where EC2 did not know the instance either: both may have been half blind', async () => {
    bench.aws.unlist('i-02', 'stopped');
    expect(await look()).toBe(0);
    bench.aws.forget('i-02');
    await bench.clock.advance(40_000);
    expect(await look()).toBe(0);
    bench.aws.add({ id: 'i-02', address: '10.0.0.2' });
    bench.aws.unlist('i-02', 'stopped');
    await bench.clock.advance(40_000);
    expect(await look()).toBe(40_000);
  });
});
