import { beforeEach, describe, expect, it } from 'vitest';
import { known, unknown } from '../../../src/core/known.ts';
import type { UpgradeCode, UpgradePlan } from '../../../src/core/plan-upgrade.ts';
import { planWithout } from '../../../src/core/plan-upgrade.ts';
import { reason } from '../../../src/core/reason.ts';
import { completeLaunch } from '../../../src/daemon/launching.ts';
import type { Bench, Host } from '../../fakes/bench.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';
import { runningEtcd } from '../../fakes/bench-voter.ts';

let bench: Bench;
let host: Host;
let other: string;
let over: boolean;

beforeEach(() => {
  bench = createBench(2);
  host = bench.host(0);
  other = bench.host(1).self.id;
  host.context.state.upgrade = planned('upgrade-done');
  over = false;
});

/** A plan of an upgrade in which these are still to step. */
function planned(code: UpgradeCode, ...waiting: readonly string[]): UpgradePlan {
  return { ...planWithout({ kind: 'none', reason: reason(code, 'as planned') }), waiting };
}

/** A plan in which nothing but the image of an instance keeps the own one from its step. */
function barredBy(instanceId: string): UpgradePlan {
  return { ...planned('upgrade-lacks', host.self.id), lacking: [instanceId] };
}

/** Lets it run beside the test, as the appliance does. */
function launch(): void {
  void completeLaunch(host.context, NEVER).then(() => (over = true));
}

function waitAtHook(): void {
  host.hooks.has.add('launching');
  host.hooks.waits.add('launching');
}

const calls = (): readonly string[] => host.hooks.heard.map((it) => it.call);

describe('the launching hook', () => {
  it('gets a heartbeat every 15 s while the member is not ready, and is not completed', async () => {
    waitAtHook();
    launch();
    await bench.clock.advance(61_000);
    expect(calls()).toEqual(['heartbeat', 'heartbeat', 'heartbeat', 'heartbeat']);
    expect(over).toBe(false);
  });

  it('is completed once the member is ready, at once', async () => {
    waitAtHook();
    launch();
    await bench.clock.advance(5_000);
    host.context.state.notReady = null;
    await bench.clock.advance(300);
    expect(host.hooks.heard).toEqual([{ call: 'complete', which: 'launching', answer: known('done') }]);
    expect(over).toBe(true);
  });

  it.each([
    ['nobody has looked yet what it should run', () => null],
    ['its step is next', () => planned('upgrade-step', host.self.id)],
    ['its step comes after another', () => planned('upgrade-locked', 'i-other', host.self.id)],
    ['the next minor may begin in a moment', () => planned('upgrade-settling')],
    ['another steps, and nobody knows meanwhile who is next', () => planned('upgrade-locked')],
    ['it is not known for a moment what there is to do', () => planned('upgrade-unknown')],
    ['another catches up, and then its step is next', () => planned('upgrade-learner', host.self.id)],
    ['another leaves, and then its step is next', () => planned('upgrade-unhealthy', host.self.id)],
    ['another is silent for a moment', () => planned('upgrade-silent', 'i-other', host.self.id)],
  ])('waits while %s', async (_, plan) => {
    waitAtHook();
    host.context.state.upgrade = plan();
    host.context.state.notReady = null;
    launch();
    await bench.clock.advance(16_000);
    expect(calls()).toEqual(['heartbeat']);
    host.context.state.upgrade = planned('upgrade-done');
    await bench.clock.advance(300);
    expect(calls()).toEqual(['heartbeat', 'complete']);
  });

  it('waits while others alone have to step in this round, and its own step comes in the next', async () => {
    waitAtHook();
    const { state } = host.context;
    state.etcd = runningEtcd('3.6.16');
    state.aim = '3.7.3';
    state.upgrade = planned('upgrade-step', 'i-other');
    state.notReady = null;
    launch();
    await bench.clock.advance(60_000);
    expect(calls()).not.toContain('complete');
    state.etcd = runningEtcd('3.7.3');
    await bench.clock.advance(300);
    expect(calls().at(-1)).toBe('complete');
  });

  it.each([
    ['it waits for other images', () => barredBy(other)],
    ['others alone have to step', () => planned('upgrade-step', 'i-other')],
    ['another catches up, and others alone have to step', () => planned('upgrade-learner', 'i-other')],
    ['an operator has paused it', () => planned('upgrade-paused', host.self.id)],
  ])('is completed where %s', async (_, plan) => {
    waitAtHook();
    host.context.state.upgrade = plan();
    host.context.state.notReady = null;
    launch();
    await bench.clock.advance(300);
    expect(calls()).toEqual(['complete']);
  });

  it.each([
    ['until it stays after all', true],
    ['for a while', false],
  ])('waits where the only old image leaves, %s', async (_, stays) => {
    waitAtHook();
    bench.aws.set(other, { lifecycle: 'Terminating:Wait' });
    host.context.state.upgrade = barredBy(other);
    launch();
    await bench.clock.advance(5_000);
    // Who is not ready has no need to know.
    expect(host.context.fleetView.seen()).toBe(null);
    host.context.state.notReady = null;
    await bench.clock.advance(10_000);
    expect(calls()).not.toContain('complete');
    if (stays) bench.aws.set(other, { lifecycle: 'InService' });
    await bench.clock.advance(5_000);
    expect(calls().includes('complete')).toBe(stays);
    await bench.clock.advance(16_000);
    expect(calls().at(-1)).toBe('complete');
  });

  it.each([
    ['it is not known for long what there is to do', () => planned('upgrade-unknown')],
    ['another takes long to catch up', () => planned('upgrade-learner', host.self.id)],
    ['another is not well for long', () => planned('upgrade-unhealthy', host.self.id)],
  ])('is completed where %s', async (_, plan) => {
    waitAtHook();
    host.context.state.upgrade = plan();
    host.context.state.notReady = null;
    launch();
    await bench.clock.advance(29_000);
    host.context.state.upgrade = planned('upgrade-step', host.self.id);
    await bench.clock.advance(2_000);
    host.context.state.upgrade = plan();
    await bench.clock.advance(29_000);
    expect(calls()).not.toContain('complete');
    await bench.clock.advance(2_000);
    expect(calls().at(-1)).toBe('complete');
  });

  it('is completed again where nobody knows whether it was, less and less often, and says so once', async () => {
    waitAtHook();
    host.hooks.next.push(...Array.from({ length: 20 }, () => unknown('denied')));
    host.context.state.notReady = null;
    launch();
    await bench.clock.advance(300_000);
    expect(calls().length).toBeGreaterThanOrEqual(8);
    expect(calls().length).toBeLessThanOrEqual(10);
    expect(bench.log.filter((line) => line.includes('launch-unknown'))).toHaveLength(1);
    await bench.clock.advance(15 * 60_000);
    expect(calls()).toHaveLength(21);
    expect(host.hooks.waits.has('launching')).toBe(false);
    expect(over).toBe(true);
  });

  it('is tried again while the group does not have the instance waiting yet', async () => {
    host.hooks.has.add('launching');
    host.context.state.notReady = null;
    launch();
    await bench.clock.advance(3_000);
    host.hooks.waits.add('launching');
    await bench.clock.advance(3_000);
    expect(host.hooks.waits.has('launching')).toBe(false);
    expect(over).toBe(true);
  });

  it('is given up where the instance never waits at it', async () => {
    host.hooks.has.add('launching');
    host.context.state.notReady = null;
    launch();
    await bench.clock.advance(60_000);
    expect(calls()).toHaveLength(5);
    expect(over).toBe(true);
  });

  it('is no matter where the group has none', async () => {
    launch();
    await bench.clock.advance(16_000);
    expect(calls()).toEqual(['heartbeat']);
    expect(over).toBe(true);
  });

  it('gets its heartbeats on where one could not be known', async () => {
    waitAtHook();
    host.hooks.next.push(unknown('throttled'), known('not-waiting'));
    launch();
    await bench.clock.advance(46_000);
    expect(calls()).toHaveLength(3);
    expect(over).toBe(false);
  });
});
