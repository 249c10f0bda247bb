import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { known, unknown } from '../../../src/core/known.ts';
import type { Known } from '../../../src/core/known.ts';
import type { UpgradeAnswer } from '../../../src/core/upgrade.ts';
import { UPGRADE_KEYS } from '../../../src/core/upgrade-record.ts';
import { createContext } from '../../../src/daemon/context.ts';
import type { Context } from '../../../src/daemon/context.ts';
import { keepUpgraded } from '../../../src/daemon/upgrade.ts';
import { type Bench, createBench, type Host, NEVER } from '../../fakes/bench.ts';
import { seatVoter } from '../../fakes/bench-voter.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import { wordOf } from '../../fixtures/core/upgrade.ts';

const IMAGE = ['3.5.35', '3.6.16'];

let bench: Bench;
let cluster: EtcdCluster;
let over: AbortController;
let host: Host;
let context: Context;
/** What each other appliance says; who has said nothing yet has the image. */
let words: Map<string, Known<UpgradeAnswer>>;
/** How often the first of the others was asked; who was told to look anew; how often alarms were listed. */
let looks: number;
let told: string[];
let listed: number;

/** One appliance of three, which aims at 3.6; the others are what they say. */
beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  over = new AbortController();
  [looks, told, listed, words] = [0, [], 0, new Map()];
  host = bench.host(1);
  const { ports, context: plain } = host;
  context = createContext(plain.options, {
    ...ports,
    process: {
      ...ports.process,
      binaries: async () =>
        await Promise.resolve(IMAGE.map((version) => ({ version, minor: version.slice(0, 3) }))),
    },
    admin: {
      ...ports.admin,
      alarms: async (...given) => {
        listed += 1;
        return await ports.admin.alarms(...given);
      },
    },
    peers: {
      ...ports.peers,
      askUpgrade: async (address, { fresh }) => {
        const { id } = bench.hosts.find(({ self }) => self.address === address)?.self ?? { id: address };
        if (fresh) told.push(id);
        else if (id === 'i-01') looks += 1;
        return await Promise.resolve(words.get(id) ?? known(wordOf(id, { installed: IMAGE })));
      },
    },
  });
  await seatVoter(bench, host, context, cluster);
  context.state.phase = 'running';
});
afterEach(() => over.abort());

function start(): void {
  keepUpgraded(context, over.signal).catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });
}

/** How often it looks at all members in so many ms. */
async function looksIn(ms: number): Promise<number> {
  const before = looks;
  await bench.clock.advance(ms);
  return looks - before;
}

async function write(part: 'paused' | 'to', value: { readonly at: string } | string | null): Promise<void> {
  const text = value === null ? '' : JSON.stringify(value);
  await bench.soon(host.ports.admin.put(host.url, UPGRADE_KEYS[part], text, {}, NEVER));
}

const lead = (index: number): void => cluster.lead(bench.host(index).disk.etcd?.memberId ?? '');
const plan = (): string | undefined => context.state.upgrade?.action.reason.code;
const PAUSED = { at: '2026-11-21T12:00:00Z' };

describe('an upgrade that stands still', () => {
  beforeEach(async () => {
    await write('paused', PAUSED);
    start();
    await bench.clock.advance(3_000);
    expect(plan()).toBe('upgrade-paused');
  });

  it('is looked at every second for a minute, and every 30 s after that', async () => {
    expect(await looksIn(30_000)).toBeGreaterThan(25);
    await bench.clock.advance(30_000);
    expect(await looksIn(120_000)).toBeLessThanOrEqual(4);
  });

  it('lists no alarms: that makes an entry in the log of etcd', async () => {
    await bench.clock.advance(200_000);
    expect(listed).toBe(0);
  });

  it('is looked at at once when somebody rings', async () => {
    await bench.clock.advance(65_000);
    await bench.clock.advance(5_000);
    context.upgradeBell.ring();
    expect(await looksIn(500)).toBe(1);
  });

  it('is looked at soon when what etcd keeps of it changes, whether anybody rings or not', async () => {
    await bench.clock.advance(100_000);
    await write('paused', { at: '2026-11-21T13:00:00Z' });
    expect(await looksIn(2_500)).toBe(1);
    expect(await looksIn(20_000)).toBe(0);
  });

  it('is looked at soon when a member comes', async () => {
    await bench.clock.advance(100_000);
    await bench.soon(host.ports.admin.addLearner(host.url, 'http://10.0.0.9:2380', NEVER));
    expect(await looksIn(2_500)).toBeGreaterThan(0);
  });

  it('is looked at every second again once something else is in its way', async () => {
    await bench.clock.advance(100_000);
    await write('paused', null);
    words.set('i-03', known(wordOf('i-03', { installed: ['3.5.35'] })));
    await bench.clock.advance(2_500);
    expect(plan()).toBe('upgrade-lacks');
    expect(await looksIn(10_000)).toBeGreaterThan(8);
  });
});

describe('an upgrade that waits for what goes by itself', () => {
  it('is looked at every second for as long as it lasts', async () => {
    words.set('i-03', unknown('connection refused'));
    start();
    await bench.clock.advance(100_000);
    expect(plan()).toBe('upgrade-silent');
    expect(await looksIn(30_000)).toBeGreaterThan(25);
  });
});

describe('a step', () => {
  it('has the alarms listed right before it, under the lock: etcd may have raised one just now', async () => {
    for (const id of ['i-01', 'i-03']) words.set(id, known(wordOf(id, { installed: IMAGE, wanted: '3.5' })));
    start();
    await bench.clock.advance(2_000);
    expect(plan()).toBe('upgrade-step');
    expect(cluster.read(UPGRADE_KEYS.step)?.value).toContain('i-02');
    expect(listed).toBe(1);
  });
});

describe('whose turn it is', () => {
  it('is told by an appliance that has just begun: its image may be what was waited for', async () => {
    lead(1);
    start();
    await bench.clock.advance(2_000);
    expect(plan()).toBe('upgrade-step');
    const who = [...told];
    expect(who).toHaveLength(1);
    await bench.clock.advance(20_000);
    expect(told).toEqual(who);
  });

  it('is not told by one that has run for longer: all hear of that together', async () => {
    lead(1);
    await write('to', '3.5');
    start();
    await bench.clock.advance(2_000);
    expect(plan()).toBe('upgrade-done');
    await write('to', null);
    context.upgradeBell.ring();
    await bench.clock.advance(2_000);
    expect(plan()).toBe('upgrade-step');
    expect(told).toEqual([]);
  });
});
