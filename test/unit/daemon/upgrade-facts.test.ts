import { beforeEach, describe, expect, it } from 'vitest';
import type { UpgradeObservation } from '../../../src/core/upgrade.ts';
import { UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import { encodePublished, PUBLISHED_KEY } from '../../../src/daemon/published.ts';
import { freshUpgradeMemory, observeUpgrade } from '../../../src/daemon/upgrade-facts.ts';
import { type Bench, createBench, NEVER } from '../../fakes/bench.ts';
import { seatVoter } from '../../fakes/bench-voter.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';

const PUBLISHED = {
  format: 1,
  by: 'i-01',
  at: '',
  claim: null,
  fleet: null,
  fleetAt: null,
  named: [],
  leaving: [],
} as const;

let bench: Bench;
let cluster: EtcdCluster;
let look: () => Promise<UpgradeObservation['misnamed']>;

function publish(...named: readonly string[]): void {
  cluster.put(PUBLISHED_KEY, encodePublished({ ...PUBLISHED, named }), null);
}

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  const host = bench.host(0);
  await seatVoter(bench, host, host.context, cluster);
  const memory = freshUpgradeMemory();
  look = async () => {
    const seen = await bench.soon(observeUpgrade(host.context, memory, { acts: false }, NEVER));
    if (!seen.known) throw new Error(seen.reason);
    return seen.value.misnamed;
  };
});

describe('where clients are sent wrongly', () => {
  it('is nowhere where nothing is published, and where all members are named', async () => {
    expect(await look()).toBe(null);
    publish('i-01', 'i-02', 'i-03');
    expect(await look()).toBe(null);
  });

  it('is told for as long as that lasts', async () => {
    publish('i-02');
    expect(await look()).toEqual({ unnamed: ['i-01', 'i-03'], gone: [], forMs: 0 });
    await bench.clock.advance(5_000);
    const later = await look();
    expect(later?.forMs).toBeGreaterThanOrEqual(5_000);
    publish('i-01', 'i-02', 'i-03');
    expect(await look()).toBe(null);
  });

  it('tells who is named and is no member any more', async () => {
    publish('i-01', 'i-02', 'i-03', 'i-09');
    expect(await look()).toEqual({ unnamed: [], gone: ['i-09'], forMs: 0 });
  });

  it('counts anew after another has stepped, during which nobody could be named', async () => {
    publish('i-02');
    await look();
    cluster.put(UPGRADE_LOCK_KEY, 'i-02', null);
    await bench.clock.advance(100_000);
    expect(await look()).toBe(null);
    cluster.put(UPGRADE_LOCK_KEY, '', null);
    await bench.soon(bench.host(0).ports.admin.put(bench.host(0).url, UPGRADE_LOCK_KEY, 'i-01', {}, NEVER));
    expect(await look()).toEqual({ unnamed: ['i-01', 'i-03'], gone: [], forMs: 0 });
  });
});
