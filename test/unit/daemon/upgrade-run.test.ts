import { beforeEach, describe, expect, it } from 'vitest';
import { UPGRADE_SETTLE_MS } from '../../../src/core/numbers.ts';
import { known, unknown } from '../../../src/core/known.ts';
import { watchSwap } from '../../../src/daemon/swap-etcd.ts';
import type { Held } from '../../../src/daemon/upgrade-acts.ts';
import { type Came, comeUp } from '../../../src/daemon/upgrade-run.ts';
import { type Bench, createBench, type Host } from '../../fakes/bench.ts';
import { holdUpgradeLock } from '../../fakes/bench-held.ts';

/** An etcd of 40 million keys opens no port until it has read them. */
const SLOW_START_MS = 150_000;
const LARGE_BYTES = 8e9;
const SMALL_BYTES = 20_480;

let bench: Bench;
let host: Host;

beforeEach(async () => {
  bench = createBench(3);
  host = bench.host(1);
});

/** The lock of a step whose members' databases are so large; the own etcd answers once its slow start is over. */
async function stepping(dbSizeBytes: number): Promise<Held> {
  const cluster = await bench.form();
  await bench.clock.advance(5_000);
  const held = await holdUpgradeLock(bench, host, cluster);
  const { admin } = host.ports;
  const { status } = admin;
  const until = bench.clock.now() + SLOW_START_MS;
  admin.status = async (endpoint, signal) =>
    endpoint === host.url && bench.clock.now() < until
      ? await Promise.resolve(unknown('it does not answer'))
      : await status(endpoint, signal);
  const members = held.members.map((it) =>
    it.status.known ? { ...it, status: known({ ...it.status.value, dbSizeBytes }) } : it,
  );
  return { ...held, members };
}

/** What becomes of the new etcd, and after how long; ms. */
async function comingUp(held: Held): Promise<{ readonly came: Came; readonly tookMs: number }> {
  const began = bench.clock.now();
  const swap = watchSwap(
    held.context,
    { version: '3.5.35', snapshotCount: null, step: null },
    { memberId: null },
  );
  const came = await bench.soon(comeUp(held, swap));
  return { came, tookMs: bench.clock.now() - began };
}

describe('a member that comes up', () => {
  /** What its leader has taken since the step began, and it has not yet: so many entries, fewer by 1,000 each second. */
  async function catchingUp(entries: number, leaderTells: () => boolean): Promise<Held> {
    const cluster = await bench.form();
    await bench.clock.advance(5_000);
    cluster.lead(cluster.members[0]?.id ?? '');
    await bench.clock.advance(1_000);
    const held = await holdUpgradeLock(bench, host, cluster);
    const { admin } = host.ports;
    const { status } = admin;
    const leader = bench.host(0).url;
    const began = bench.clock.now();
    admin.status = async (endpoint, signal) => {
      if (endpoint === leader && !leaderTells()) return unknown('it does not answer');
      const said = await status(endpoint, signal);
      if (!said.known) return said;
      const behind =
        endpoint === leader
          ? 0
          : Math.max(0, entries - Math.floor((bench.clock.now() - began) / 1_000) * 1_000);
      const index = said.value.raftAppliedIndex + entries - behind;
      return known({ ...said.value, raftIndex: index, raftAppliedIndex: index });
    };
    return held;
  }

  it('is well once it is where the leader is by now, not where that was before the step', async () => {
    const { came, tookMs } = await comingUp(await catchingUp(30_000, () => true));
    expect(came).toEqual({ kind: 'well' });
    expect(tookMs).toBeGreaterThanOrEqual(29_000 + UPGRADE_SETTLE_MS - 1_000);
    expect(tookMs).toBeLessThan(35_000);
  });

  it('is well as compared with before the step, where the leader does not say: nobody takes a step back for that', async () => {
    const { came, tookMs } = await comingUp(await catchingUp(30_000, () => false));
    expect(came).toEqual({ kind: 'well' });
    expect(tookMs).toBeLessThan(5_000);
  });
});

describe('an etcd that needs two and a half minutes to open its port', () => {
  it('is well where the database is large', async () => {
    const { came, tookMs } = await comingUp(await stepping(LARGE_BYTES));
    expect(came).toEqual({ kind: 'well' });
    expect(tookMs).toBeGreaterThanOrEqual(SLOW_START_MS);
  });

  it('has failed after two where it is small', async () => {
    const { came, tookMs } = await comingUp(await stepping(SMALL_BYTES));
    expect(came).toMatchObject({
      kind: 'failed',
      why: 'etcd 3.5.35 is not well within 120 s: it does not answer',
    });
    expect(tookMs).toBeGreaterThanOrEqual(120_000);
    expect(tookMs).toBeLessThan(125_000);
  });

  it.each([
    { does: 'restores', fromMs: 110_000, toMs: 125_000, kind: 'well', leastMs: SLOW_START_MS },
    { does: 'defragments', fromMs: 110_000, toMs: 125_000, kind: 'well', leastMs: SLOW_START_MS },
    { does: 'restores', fromMs: 60_000, toMs: 100_000, kind: 'failed', leastMs: 129_000 },
    { does: 'restores', fromMs: 60_000, toMs: 70_000, kind: 'failed', leastMs: 120_000 },
  ] as const)('$does from $fromMs to $toMs, and so: $kind', async ({ does, fromMs, toMs, kind, leastMs }) => {
    const held = await stepping(SMALL_BYTES);
    const { state } = held.context;
    const began = bench.clock.now();
    const isAtIt = (): boolean => {
      const atMs = bench.clock.now() - began;
      return atMs >= fromMs && atMs < toMs;
    };
    if (state.etcd === null) throw new Error('no etcd');
    state.etcd = { ...state.etcd, [does]: isAtIt };
    const { came, tookMs } = await comingUp(held);
    expect(came.kind).toBe(kind);
    expect(tookMs).toBeGreaterThanOrEqual(leastMs);
    expect(tookMs).toBeLessThan(leastMs + 5_000);
  });

  it.each([
    ['is well where nobody tells how large it is, and the disk has a large one', known(LARGE_BYTES), 'well'],
    ['has failed where the disk has a small one', known(SMALL_BYTES), 'failed'],
    ['has failed where the disk does not tell', unknown('it hangs'), 'failed'],
  ])('%s', async (_, databaseBytes, kind) => {
    const held = await stepping(SMALL_BYTES);
    host.ports.inspect.databaseBytes = async () => await Promise.resolve(databaseBytes);
    const { came } = await comingUp({ ...held, members: [] });
    expect(came.kind).toBe(kind);
  });
});
