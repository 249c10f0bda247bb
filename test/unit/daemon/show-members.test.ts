import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RunningAppliance, RunningCluster } from '../../fakes/bench-appliances.ts';
import { runAppliances } from '../../fakes/bench-appliances.ts';
import type { Bench } from '../../fakes/bench.ts';
import { createBench } from '../../fakes/bench.ts';

let bench: Bench;
let running: RunningCluster;

beforeEach(async () => {
  bench = createBench(3);
  running = await runAppliances(bench);
  await bench.clock.advance(60_000);
});

afterEach(() => running.stop());

const healthOf = ({ face }: RunningAppliance): Readonly<Record<string, string>> =>
  Object.fromEntries(face.members().members.map((it) => [it.instanceId ?? '', it.health]));

/** What the metric says of each member. */
async function gauges({ face }: RunningAppliance): Promise<Readonly<Record<string, string>>> {
  const { text } = await face.metrics();
  const found = text.matchAll(/^etcd_appliance_member_healthy\{instance="([^"]+)"\} (\d)$/gm);
  return Object.fromEntries([...found].map(([, id = '', value = '']) => [id, value]));
}

const ofLeader = (): RunningAppliance => {
  const leader = running.cluster.find(running.cluster.leader ?? '')?.name;
  const found = running.all.find((it) => it.host.self.id === leader);
  if (found === undefined) throw new Error('nobody leads');
  return found;
};

it.each(['that kept house', 'that followed'])(
  'shows who is dead where the quorum is lost, on the one %s: it is the table that an operator is sent to',
  async (who) => {
    const leader = ofLeader();
    const survivor = who === 'that kept house' ? leader : running.all.find((it) => it !== leader);
    if (survivor === undefined) throw new Error('nobody survives');
    expect(Object.values(healthOf(survivor))).toEqual(['healthy', 'healthy', 'healthy']);
    for (const it of running.all) if (it !== survivor) it.kill();
    await bench.clock.advance(60_000);
    expect(Object.values(healthOf(survivor))).toEqual(['unhealthy', 'unhealthy', 'unhealthy']);
    expect(Object.values(await gauges(survivor))).toEqual(['0', '0', '0']);
    const before = survivor.face.members().observedAt ?? '';
    await bench.clock.advance(3_600_000);
    const { observedAt, fleetObservedAt, unknown } = survivor.face.members();
    expect((observedAt ?? '') > before).toBe(true);
    // Without a quorum nobody asks AWS, and what it said once gets old.
    expect(unknown).toContainEqual(expect.stringContaining(`the fleet since ${fleetObservedAt}: `));
  },
);

it('looks at the others where the own etcd is silent', async () => {
  const [first, second] = [running.of(0), running.of(1)];
  bench.etcd.freeze(first.host.self.address, true);
  second.kill();
  await bench.clock.advance(33_000);
  expect(healthOf(first)).toMatchObject({ 'i-01': 'unhealthy', 'i-02': 'unhealthy' });
});

it('says of no member that it is healthy, or not, once nobody has looked for a while', async () => {
  const subject = running.of(0);
  running.stop();
  await bench.clock.advance(60_000);
  expect(Object.values(healthOf(subject))).toEqual(['healthy', 'healthy', 'healthy']);
  await bench.clock.advance(60_000);
  expect(Object.values(healthOf(subject))).toEqual(['unknown', 'unknown', 'unknown']);
  expect(await gauges(subject)).toEqual({});
  const { observedAt, unknown } = subject.face.members();
  expect(unknown).toEqual([`the members since ${observedAt}: nobody has looked at them`]);
});

it('says when AWS was asked for what it shows, and lacks nothing, as long as all is well', async () => {
  for (let minutes = 0; minutes < 6; minutes += 1) {
    await bench.clock.advance(60_000);
    const now = Date.parse(bench.clock.wallTime());
    for (const { face } of running.all) {
      const { fleetObservedAt, unknown } = face.members();
      expect(unknown).toEqual([]);
      // The next look at AWS, and the next writing of what was seen.
      expect(now - Date.parse(fleetObservedAt ?? '')).toBeLessThanOrEqual(250_000);
    }
  }
});

it('shows who is dead while AWS does not answer, and nobody keeps house', async () => {
  bench.aws.breakDown('AccessDenied: not authorized');
  await bench.clock.advance(600_000);
  expect(running.all.map((it) => it.appliance.state.keepsHouse)).toEqual([false, false, false]);
  const [dead, ...others] = [ofLeader(), ...running.all.filter((it) => it !== ofLeader())];
  dead?.kill();
  await bench.clock.advance(60_000);
  for (const it of others) {
    expect(healthOf(it)).toMatchObject({ [dead?.host.self.id ?? '']: 'unhealthy' });
    expect(Object.values(healthOf(it)).filter((health) => health === 'healthy')).toHaveLength(2);
    expect(await gauges(it)).toMatchObject({ [dead?.host.self.id ?? '']: '0' });
    expect(it.face.members().unknown.join()).toContain('AccessDenied: not authorized');
  }
});
