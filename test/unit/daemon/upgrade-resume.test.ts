import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeptStep } from '../../../src/core/local-data.ts';
import { known } from '../../../src/core/known.ts';
import {
  decodeRecord,
  UPGRADE_KEYS,
  UPGRADE_LOCK_KEY,
  UPGRADE_PREFIX,
} from '../../../src/core/upgrade-record.ts';
import { peerUrl } from '../../../src/core/urls.ts';
import type { Context } from '../../../src/daemon/context.ts';
import { createContext } from '../../../src/daemon/context.ts';
import type { AdminPort } from '../../../src/daemon/ports.ts';
import { noteEnd } from '../../../src/daemon/swap-etcd.ts';
import { keepUpgraded } from '../../../src/daemon/upgrade.ts';
import { type Bench, createBench, type Host, NAME, NEVER } from '../../fakes/bench.ts';
import { claimFormed, seatVoter, voterIdentity } from '../../fakes/bench-voter.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';

/*
 * The next life of an appliance that died in the middle of a step: it begins with nothing but its disk, and the world.
 */

const TO = '3.5.35';
const FROM = '3.5.34';
const BEGUN: KeptStep = { from: FROM, to: TO, why: null };
const FAILED: KeptStep = { from: TO, to: '3.6.16', why: 'it ends at its start' };

let bench: Bench;
let cluster: EtcdCluster;
let host: Host;
let over: AbortController;

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  await bench.clock.advance(5_000);
  host = bench.host(1);
  cluster.lead(cluster.members[0]?.id ?? '');
  await claimFormed(bench, cluster);
  over = new AbortController();
});
afterEach(() => over.abort());

/** The appliance comes back to what its disk says of a step, and to an etcd that runs; these calls of its own are others. */
async function comeBack(step: KeptStep, admin: Partial<AdminPort> = {}): Promise<Context> {
  const { ports } = host;
  const context = createContext(host.context.options, { ...ports, admin: { ...ports.admin, ...admin } });
  await seatVoter(bench, host, context, cluster);
  const memberId = cluster.members.find((it) => it.name === host.self.id)?.id ?? null;
  host.disk.identity = voterIdentity(host, { clusterId: cluster.id, memberId, step });
  context.state.identity = host.disk.identity;
  context.state.phase = 'running';
  keepUpgraded(context, over.signal).catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });
  return context;
}

/** Another instance has the lock. */
async function lockedByAnother(): Promise<string> {
  const { url, ports, self } = bench.host(2);
  const lease = await bench.soon(ports.admin.grantLease(url, 600, NEVER));
  if (!lease.known) throw new Error(lease.reason);
  await bench.soon(ports.admin.createKey(url, UPGRADE_LOCK_KEY, self.id, lease.value, NEVER));
  return lease.value;
}

/** Another stack's cluster, of one member and a newer minor, where a voter was that is gone. */
async function foundInPlaceOf({ self: { address }, disk, ports }: Host): Promise<EtcdCluster> {
  disk.wipe();
  const token = 'another-token';
  const member = { name: 'i-0f', peerUrl: peerUrl(address) };
  const initial = { state: 'new' as const, cluster: [member], token };
  await ports.process.start({ version: '3.6.16', name: member.name, address, initial }, NEVER);
  await bench.clock.until(() => bench.etcd.processAt(address)?.serving === true, 10_000);
  const founded = bench.etcd.clusters.get(ports.ids.clusterId([member.peerUrl], token));
  if (founded === undefined) throw new Error('no cluster was founded');
  return founded;
}

/** A voter whose etcd had ended is back. */
async function runAgain({ self, ports }: Host): Promise<void> {
  await ports.process.start({ version: TO, name: self.id, address: self.address, initial: null }, NEVER);
}

/** What members say of themselves in a cluster of many entries, of which the own one has yet so many to come. */
function lagging(entries: () => number): AdminPort['status'] {
  return async (...call) => {
    const said = await host.ports.admin.status(...call);
    if (!said.known) return said;
    const behind = call[0] === host.url ? entries() : 0;
    const index = said.value.raftAppliedIndex + 100_000 - behind;
    return known({ ...said.value, raftIndex: index, raftAppliedIndex: index });
  };
}

const keptStep = (): KeptStep | null => host.disk.identity?.step ?? null;

function failure(): string {
  const record = decodeRecord(cluster.readPrefix(UPGRADE_PREFIX));
  return record.known ? (record.value.failed?.why ?? '') : record.reason;
}

function isNamed(): boolean {
  return bench.zone
    .records()
    .some((it) => it.name === NAME && it.type === 'A' && it.values.includes(host.self.address));
}

describe('a step that an earlier life began', () => {
  it('is over when the member has caught up with the others, not before', async () => {
    let behind = 50_000;
    await comeBack(BEGUN, { status: lagging(() => behind) });
    await bench.clock.advance(20_000);
    expect([keptStep(), isNamed()]).toEqual([BEGUN, false]);
    behind = 0;
    await bench.clock.advance(10_000);
    expect([keptStep(), isNamed()]).toEqual([null, true]);
  });

  it('waits for the others, where nobody could be asked at first', async () => {
    let behind = 50_000;
    bench.zone.breakDown('no answer');
    const [first, , third] = bench.hosts;
    const memberList: AdminPort['memberList'] = async (...call) => {
      if (call[0] !== host.url && (call[0] === first.url || call[0] === third?.url))
        return { known: false, reason: 'nobody answers there' };
      return await host.ports.admin.memberList(...call);
    };
    await comeBack(BEGUN, { status: lagging(() => behind), memberList });
    await bench.clock.advance(20_000);
    expect(keptStep()).toEqual(BEGUN);
    behind = 0;
    await bench.clock.advance(10_000);
    expect(keptStep()).toBe(null);
  });

  describe('on an etcd that does not come up', () => {
    /** The version that is to run next. */
    const next = ({ state }: Context): string | undefined => state.swap?.version;

    /** Its etcd has ended, and ends at each start. */
    async function failing(): Promise<Context> {
      bench.etcd.kill(host.self.address);
      const context = await comeBack(BEGUN);
      context.state.etcd = null;
      await bench.clock.until(() => context.state.swap !== null, 30_000);
      for (const lastWords of ['it ends', 'it ends again']) noteEnd(context.state, { lastWords });
      return context;
    }

    it('is taken back under the lock alone: others could give it, and one has it', async () => {
      const lease = await lockedByAnother();
      const context = await failing();
      await bench.clock.advance(30_000);
      expect(next(context)).toBe(TO);
      await bench.soon(bench.host(2).ports.admin.revokeLease(bench.host(2).url, lease, NEVER));
      await bench.clock.until(() => next(context) === FROM, 20_000);
      expect(next(context)).toBe(FROM);
    });

    it('is taken back where only a stranger answers, which could grant nothing', async () => {
      for (const { self } of [bench.host(0), bench.host(2)]) bench.etcd.kill(self.address);
      await foundInPlaceOf(bench.host(0));
      const context = await failing();
      await bench.clock.until(() => next(context) === FROM, 60_000);
      expect([next(context), context.state.noWayBack]).toEqual([FROM, null]);
    });

    it('is not taken back while nobody knows who could be asked', async () => {
      bench.zone.breakDown('no answer');
      const context = await failing();
      await bench.clock.advance(30_000);
      expect(next(context)).toBe(TO);
      bench.zone.breakDown(null);
      await bench.clock.until(() => next(context) === FROM, 60_000);
      expect(next(context)).toBe(FROM);
    });
  });
});

describe('a step that an earlier life took back', () => {
  it('is recorded, forgotten, and the member is named again', async () => {
    await comeBack(FAILED);
    await bench.clock.advance(5_000);
    expect([failure(), keptStep(), isNamed()]).toEqual([
      expect.stringContaining('it ends at its start'),
      null,
      true,
    ]);
  });

  it('is recorded again until that is taken, and said once', async () => {
    let refusals = 3;
    const put: AdminPort['put'] = async (...call) => {
      if (call[1] === UPGRADE_KEYS.failed && refusals > 0) {
        refusals -= 1;
        return { known: false, reason: 'the leader has changed' };
      }
      return await host.ports.admin.put(...call);
    };
    await comeBack(FAILED, { put });
    await bench.clock.advance(20_000);
    expect(failure()).toContain('it ends at its start');
    expect(keptStep()).toBe(null);
    expect(bench.log.filter((line) => line.includes('upgrade-taken-back'))).toHaveLength(1);
  });

  it('does not keep the house from being kept while etcd takes no word', async () => {
    const put: AdminPort['put'] = async (...call) =>
      call[1] === UPGRADE_KEYS.failed
        ? { known: false, reason: 'no space' }
        : await host.ports.admin.put(...call);
    await comeBack(FAILED, { put });
    let free = 0;
    for (let second = 0; second < 20; second += 1) {
      await bench.clock.advance(1_000);
      if (cluster.read(UPGRADE_LOCK_KEY) === null) free += 1;
    }
    expect(free).toBeGreaterThan(10);
    expect(keptStep()).toEqual(FAILED);
  });

  it('leaves a member that is behind out of the client names', async () => {
    await comeBack(FAILED, { status: lagging(() => 50_000) });
    await bench.clock.advance(20_000);
    expect([failure(), isNamed()]).toEqual([expect.stringContaining('it ends at its start'), false]);
  });

  // Where a voter was, EC2 may have put an instance of another stack by now, and its cluster answers there.
  it.each([['which it is known to be'], ['of which nothing but the disk tells yet']])(
    'is recorded in the own cluster alone, %s',
    async (which) => {
      const [gone, , away] = [bench.host(0), host, bench.host(2)];
      for (const { self } of [gone, away]) bench.etcd.kill(self.address);
      const stranger = await foundInPlaceOf(gone);
      const context = await comeBack(FAILED);
      if (which.startsWith('of which')) context.state.identity = null;
      await bench.clock.advance(60_000);
      const { readPrefix, state } = stranger;
      expect([readPrefix(UPGRADE_PREFIX), readPrefix(UPGRADE_LOCK_KEY), state.leases.size]).toEqual([
        [],
        [],
        0,
      ]);
      expect(keptStep()).toEqual(FAILED);
      await runAgain(away);
      await bench.clock.advance(30_000);
      expect([failure(), keptStep()]).toEqual([expect.stringContaining('it ends at its start'), null]);
    },
  );

  it('is forgotten though etcd has not been started yet', async () => {
    const context = await comeBack(FAILED);
    context.state.identity = null;
    await bench.clock.advance(5_000);
    expect([failure(), keptStep()]).toEqual([expect.stringContaining('it ends at its start'), null]);
  });
});
