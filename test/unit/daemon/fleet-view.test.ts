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

describe('evidence over time', () => {
  it('is that an instance is gone once it was not found for an hour in every known answer', async () => {
    bench.aws.forget('i-02');
    expect(await evidence()).toEqual({ ec2: { known: true, value: 'not-found' }, notFoundForMs: 0 });
    await bench.clock.advance(HOUR_MS - 1);
    expect(isTerminatedForCertain(await evidence())).toBe(false);
    await bench.clock.advance(1);
    expect(isTerminatedForCertain(await evidence())).toBe(true);
  });

  it('begins anew where the instance was seen in between', async () => {
    bench.aws.forget('i-02');
    await evidence();
    await bench.clock.advance(HOUR_MS);
    bench.aws.add({ id: 'i-02', address: '10.0.0.2' });
    expect(await evidence()).toEqual({ ec2: { known: true, value: 'running' }, notFoundForMs: 0 });
    bench.aws.forget('i-02');
    await bench.clock.advance(HOUR_MS);
    expect((await evidence()).notFoundForMs).toBe(0);
  });

  it('is not shaken by answers that are unknown, and does not count them either', async () => {
    bench.aws.forget('i-02');
    await evidence();
    await bench.clock.advance(HOUR_MS);
    bench.aws.breakDown('throttled');
    expect(await evidence()).toEqual({ ec2: { known: false, reason: 'throttled' }, notFoundForMs: 0 });
    expect(isTerminatedForCertain(await evidence())).toBe(false);
    bench.aws.breakDown(null);
    expect((await evidence()).notFoundForMs).toBe(HOUR_MS);
  });

  it('is at once that an instance is gone where EC2 says so', async () => {
    bench.aws.terminate('i-02');
    expect(isTerminatedForCertain(await evidence())).toBe(true);
  });

  it('asks nothing about nobody', async () => {
    bench.aws.failNext('this would be an answer');
    expect((await view.evidence([], NEVER)).size).toBe(0);
    expect((await evidence()).ec2).toEqual({ known: false, reason: 'this would be an answer' });
  });
});
