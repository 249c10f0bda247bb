import { describe, expect, it } from 'vitest';
import { createFace } from '../../src/app-face.ts';
import { namesOf } from '../../src/core/names.ts';
import { createAppliance } from '../../src/daemon/appliance.ts';
import { createMetrics } from '../../src/http/metrics.ts';
import type { Face } from '../../src/http/face.ts';
import type { Bench } from '../fakes/bench.ts';
import { createBench, NEVER } from '../fakes/bench.ts';

async function subject() {
  const bench = createBench();
  const { context, ports } = bench.host(0);
  const appliance = createAppliance(context.options, ports);
  const face = createFace({
    appliance,
    metrics: createMetrics({ version: '0' }),
    version: '0',
    cluster: 'main.example.org',
  });
  await bench.form();
  const etcd = await ports.process.adopt(NEVER);
  const { state, register } = appliance.context;
  return { bench, face, state, register, etcd };
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A day of turns that ended now; the start's was before them. */
async function aDayOn(bench: Bench, turns: Map<string, number>): Promise<void> {
  turns.set('start', bench.clock.now());
  await bench.clock.advance(DAY_MS);
  turns.set('housekeeping', bench.clock.now());
  turns.set('member', bench.clock.now());
}

describe('health', () => {
  it('is good before any loop has turned', async () => {
    const { face } = await subject();
    expect(face.health().ok).toBe(true);
  });

  it('stays good when etcd ends days after its start, and a restart goes on', async () => {
    const { bench, face, state, etcd } = await subject();
    state.etcd = etcd;
    await aDayOn(bench, state.turns);
    state.etcd = null;
    expect(face.health()).toEqual({ ok: true, reason: 'the loops turn' });
  });

  it('stays good when etcd was started again after a long start, before the member is first looked at', async () => {
    const { bench, face, state, etcd } = await subject();
    await aDayOn(bench, state.turns);
    await bench.clock.advance(HOUR_MS);
    state.turns.set('start', bench.clock.now());
    state.turns.set('housekeeping', bench.clock.now());
    state.etcd = etcd;
    expect(face.health().ok).toBe(true);
  });

  it.each(['member', 'start'])('names the %s loop that is stuck', async (loop) => {
    const { bench, face, state, etcd } = await subject();
    state.etcd = loop === 'member' ? etcd : null;
    await aDayOn(bench, state.turns);
    await bench.clock.advance(91_000);
    state.turns.set('housekeeping', bench.clock.now());
    expect(face.health()).toEqual({ ok: false, reason: `no turn for 90 s: ${loop}` });
  });

  it('stays good while an instance that has left waits for its terminating hook, for hours', async () => {
    const { bench, face, state } = await subject();
    await aDayOn(bench, state.turns);
    state.phase = 'leaving';
    state.etcd = null;
    await bench.clock.advance(HOUR_MS);
    for (const loop of ['housekeeping', 'leave']) state.turns.set(loop, bench.clock.now());
    expect(face.health().ok).toBe(true);
    await bench.clock.advance(91_000);
    state.turns.set('housekeeping', bench.clock.now());
    expect(face.health()).toEqual({ ok: false, reason: 'no turn for 90 s: leave' });
  });

  it('names the housekeeping that is stuck', async () => {
    const { bench, face, state, etcd } = await subject();
    state.etcd = etcd;
    await aDayOn(bench, state.turns);
    await bench.clock.advance(91_000);
    state.turns.set('member', bench.clock.now());
    expect(face.health()).toEqual({ ok: false, reason: 'no turn for 90 s: housekeeping' });
  });
});

describe('readiness', () => {
  const gauge = async (face: Face): Promise<string | undefined> =>
    /^etcd_appliance_ready (\d)$/m.exec((await face.metrics()).text)?.[1];

  it('is the same on the face and in the metrics, and over as soon as it leaves', async () => {
    const { face, state } = await subject();
    expect([face.ready(), await gauge(face)]).toEqual([{ ok: false, reason: 'it starts' }, '0']);
    Object.assign(state, { phase: 'running', notReady: null });
    expect([face.ready().ok, await gauge(face)]).toEqual([true, '1']);
    state.phase = 'leaving';
    expect([face.ready(), await gauge(face)]).toEqual([{ ok: false, reason: 'it leaves' }, '0']);
  });
});

describe('the claim in the metrics', () => {
  const NAME = namesOf('main.example.org').claim;
  const states = async (face: Face): Promise<readonly string[]> =>
    [...(await face.metrics()).text.matchAll(/^etcd_appliance_claim_state\{state="([a-z]+)"\} 1$/gm)].map(
      ([, state = '']) => state,
    );

  it.each([
    ['that nobody has read', null, []],
    ['that does not stand', [], ['none']],
    ['that is not understood', [{ name: NAME, type: 'TXT', ttl: 5, values: ['"v=99"'] }], []],
  ] as const)('is none only where none stands: %s', async (_what, records, shown) => {
    const { bench, face, register } = await subject();
    for (const record of records ?? [])
      await bench.host(0).ports.zone.change([{ action: 'CREATE', record }], NEVER);
    if (records !== null) expect((await register.read(0, NEVER)).known).toBe(true);
    expect(await states(face)).toEqual(shown);
  });
});
