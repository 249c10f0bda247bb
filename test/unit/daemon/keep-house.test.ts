import { beforeEach, describe, expect, it } from 'vitest';
import { claimRecord, claimWithVoter, readClaim } from '../../../src/core/claim.ts';
import { known, unknown } from '../../../src/core/known.ts';
import { namesOf } from '../../../src/core/names.ts';
import type { RecordSet } from '../../../src/core/records.ts';
import { swap } from '../../../src/core/records.ts';
import { UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import { peerUrl } from '../../../src/core/urls.ts';
import type { Context } from '../../../src/daemon/context.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { freshMemory } from '../../../src/daemon/house-memory.ts';
import { keepHouse } from '../../../src/daemon/keep-house.ts';
import { createMaintenanceLock, LOCK_KEY } from '../../../src/daemon/maintenance-lock.ts';
import { LEAVING_PREFIX } from '../../../src/daemon/leaving-word.ts';
import type { AdminPort, FleetPort } from '../../../src/daemon/ports.ts';
import { decodePublished, PUBLISHED_KEY } from '../../../src/daemon/published.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import type { Bench, Host } from '../../fakes/bench.ts';
import { createBench, NAME, NEVER, TOKEN } from '../../fakes/bench.ts';
import { claimFormed } from '../../fakes/bench-voter.ts';

let bench: Bench;
let cluster: EtcdCluster;
let keeper: Host;
/** Member lists that were asked for in this turn. */
let lists: number;
let looksAtAws: number;

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  // etcd changes members only once all are connected for a while.
  await bench.clock.advance(5_000);
  lists = 0;
  looksAtAws = 0;
  keeper = bench.host(0);
  await claimFormed(bench, cluster);
});

/** The etcd of the third host dies, and the others have a leader again. */
async function lose(): Promise<string> {
  bench.etcd.kill('10.0.0.3');
  await bench.clock.advance(3_000);
  return cluster.members[2]?.id ?? '';
}

/** A housekeeper that holds the lock, with these calls to etcd made differently. */
async function keeping(
  admin: Partial<AdminPort> = {},
): Promise<{ readonly context: Context; readonly tick: () => Promise<void> }> {
  const { fleet } = keeper.ports;
  const observe: FleetPort['observe'] = async (signal) => {
    looksAtAws += 1;
    return await fleet.observe(signal);
  };
  const ports = {
    ...keeper.ports,
    fleet: { ...fleet, observe },
    admin: { ...keeper.ports.admin, ...admin },
  };
  const context = createContext(keeper.context.options, ports);
  const lock = createMaintenanceLock(context);
  if (cluster.read(LOCK_KEY) !== null) await bench.clock.advance(6_000);
  expect(await bench.soon(lock.take(NEVER))).toBe(true);
  const memory = freshMemory();
  const tick = async (): Promise<void> => {
    // As the housekeeper does: it keeps the lock's lease alive.
    await bench.soon(lock.look(NEVER));
    await bench.soon(keepHouse(context, lock, memory, NEVER));
  };
  return { context, tick };
}

/** One turn of it. */
async function turn(admin: Partial<AdminPort> = {}): Promise<Context> {
  const { context, tick } = await keeping(admin);
  await tick();
  return context;
}

/** A learner that has not started, at an address that an instance on standby has, or nobody in the group. */
function addStranger(of: 'standby' | 'nobody' = 'standby'): string {
  if (of === 'standby') bench.aws.add({ id: 'i-04', address: '10.0.9.9', lifecycle: 'Standby' });
  const learner = cluster.addLearner(peerUrl('10.0.9.9'));
  if ('code' in learner) throw new Error(learner.message);
  return learner.id;
}

const ids = (): readonly string[] => cluster.members.map((it) => it.id);

describe('keeping house', () => {
  it('writes the names, and publishes what it saw', async () => {
    await turn();
    const addresses = bench.zone.records().find((it) => it.name === NAME && it.type === 'A');
    expect(addresses?.values).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    expect(decodePublished(cluster.read(PUBLISHED_KEY)?.value ?? '')).toMatchObject({
      by: 'i-01',
      claim: { token: TOKEN, epoch: 1 },
      named: ['i-01', 'i-02', 'i-03'],
    });
  });

  it('publishes whom clients are sent to, and not whom it would have written: who leaves goes by that', async () => {
    const { context, tick } = await keeping();
    await tick();
    cluster.put(`${LEAVING_PREFIX}i-03`, bench.clock.wallTime(), null);
    const named = (): readonly string[] | undefined =>
      decodePublished(cluster.read(PUBLISHED_KEY)?.value ?? '')?.named;
    // No name is taken away while the fleet is unknown.
    bench.aws.breakDown('throttled');
    await bench.soon(context.fleetView.fleet(0, NEVER));
    await tick();
    expect(named()).toContain('i-03');
    expect(decodePublished(cluster.read(PUBLISHED_KEY)?.value ?? '')?.leaving).toEqual(['i-03']);
  });

  it('reads the records anew after a step to another etcd: who steps changes them, too', async () => {
    const { tick } = await keeping();
    await tick();
    const addresses = (): RecordSet | undefined =>
      bench.zone.records().find((it) => it.name === NAME && it.type === 'A');
    const before = addresses();
    if (before === undefined) throw new Error('nobody is named');
    const { admin } = keeper.ports;
    const lease = await bench.soon(admin.grantLease(keeper.url, 60, NEVER));
    if (!lease.known) throw new Error(lease.reason);
    await bench.soon(admin.createKey(keeper.url, UPGRADE_LOCK_KEY, 'i-03', lease.value, NEVER));
    await tick();
    const without = { ...before, values: before.values.filter((it) => it !== '10.0.0.3') };
    await bench.soon(bench.zone.port(NAME).change(swap(before, without), NEVER));
    await bench.soon(admin.revokeLease(keeper.url, lease.value, NEVER));
    await tick();
    expect(addresses()).toEqual(before);
  });

  it('keeps who answers one look late among the names, and takes out who is silent in two', async () => {
    const { admin } = keeper.ports;
    let late = false;
    const { tick } = await keeping({
      status: async (endpoint, signal) =>
        late && endpoint.includes('10.0.0.3')
          ? unknown('no answer in 2000 ms')
          : await admin.status(endpoint, signal),
    });
    const named = (): readonly string[] =>
      bench.zone.records().find((it) => it.name === NAME && it.type === 'A')?.values ?? [];
    await tick();
    late = true;
    const before = bench.zone.taken.length;
    await tick();
    late = false;
    await tick();
    expect(bench.zone.taken).toHaveLength(before);
    late = true;
    await tick();
    expect(named()).toContain('10.0.0.3');
    await tick();
    expect(named()).not.toContain('10.0.0.3');
    expect(decodePublished(cluster.read(PUBLISHED_KEY)?.value ?? '')?.named).toEqual(['i-01', 'i-02']);
  });

  it('keeps the claim right though an alias of somebody else stands at a name, and says so', async () => {
    const lost = await lose();
    bench.aws.terminate('i-03');
    await turn();
    expect(ids()).not.toContain(lost);
    bench.zone.occupy(NAME);
    const { state } = await turn();
    const text =
      bench.zone
        .records()
        .find((it) => it.name === namesOf(NAME).claim)
        ?.values.join() ?? '';
    expect(text).toContain('i-02');
    expect(text).not.toContain('i-03');
    expect(state.events).toContainEqual(
      expect.objectContaining({ code: 'names-refused', sentence: expect.stringContaining(NAME) }),
    );
  });

  it('asks Route 53 and AWS less and less often while the names are refused', async () => {
    bench.zone.occupy(NAME);
    const { context, tick } = await keeping();
    const calls = bench.zone.calls();
    const keepFor = async (seconds: number): Promise<void> => {
      for (let turns = 0; turns < seconds; turns += 1) {
        await tick();
        await bench.clock.advance(1_000);
      }
    };
    await keepFor(100);
    // A batch and a read for each of 2, 4, 8, 16, 30 and 30 s, and the one that is tried again at once.
    expect(bench.zone.calls() - calls).toBeLessThan(20);
    expect(looksAtAws).toBeLessThan(5);
    expect(context.state.events.filter((it) => it.code === 'names-refused')).toHaveLength(2);
    bench.zone.occupy(null);
    await keepFor(35);
    expect(bench.zone.records().some((it) => it.name === NAME && it.type === 'A')).toBe(true);
  });

  it('removes a learner whose instance is not to carry a member', async () => {
    const stranger = addStranger();
    await turn();
    expect(ids()).not.toContain(stranger);
  });

  it('removes a learner that is on no instance, once AWS would show a new one', async () => {
    const stranger = addStranger('nobody');
    const { tick } = await keeping();
    for (let waited = 0; waited < 28; waited += 2) {
      await tick();
      await bench.clock.advance(2_000);
    }
    expect(ids()).toContain(stranger);
    await bench.clock.advance(2_000);
    await tick();
    expect(ids()).not.toContain(stranger);
  });

  it('does not remove a learner that became a voter after it was looked at', async () => {
    const stranger = addStranger();
    const { admin } = keeper.ports;
    await turn({
      // The plan is made on the second list; the removal is not sent yet.
      memberList: async (...call) => {
        const list = await admin.memberList(...call);
        const looks = (lists += 1);
        if (looks === 2) cluster.promote(stranger);
        return list;
      },
    });
    expect(ids()).toContain(stranger);
  });

  it('does not remove a learner that became a voter while the lock was looked at', async () => {
    const stranger = addStranger();
    const { admin } = keeper.ports;
    let promoted = false;
    await turn({
      memberList: async (...call) => {
        lists += 1;
        return await admin.memberList(...call);
      },
      keepAlive: async (...call) => {
        if (lists >= 2 && !promoted) {
          promoted = true;
          cluster.promote(stranger);
        }
        return await admin.keepAlive(...call);
      },
    });
    expect(promoted).toBe(true);
    expect(ids()).toContain(stranger);
  });

  it('does not remove a member whose list came only after a thaw, when the lock may be another’s', async () => {
    const stranger = addStranger();
    const { admin } = keeper.ports;
    let thawed = 0;
    await turn({
      memberList: async (...call) => {
        const list = await admin.memberList(...call);
        lists += 1;
        // Two to plan by; the third right before the removal, and after the lock was looked at.
        if (lists === 3) {
          await bench.clock.sleep(5_001, NEVER);
          thawed += 1;
        }
        return list;
      },
    });
    expect(thawed).toBe(1);
    expect(ids()).toContain(stranger);
  });

  it('leaves a learner alone that has said in the claim that it becomes a voter, and answers', async () => {
    const stranger = addStranger();
    const { admin } = keeper.ports;
    const status: AdminPort['status'] = async (endpoint, signal) => {
      const answer = await admin.status(endpoint.replace('10.0.9.9', '10.0.0.1'), signal);
      return endpoint.includes('10.0.9.9') && answer.known
        ? known({ ...answer.value, memberId: stranger })
        : answer;
    };
    const name = namesOf(NAME).claim;
    const standing = readClaim(name, bench.zone.records());
    if (standing.kind !== 'claim') throw new Error('no claim stands');
    const voter = {
      memberId: stranger,
      instanceId: 'i-04',
      region: 'eu-central-1',
      address: '10.0.9.9',
    };
    const entered = claimRecord(name, claimWithVoter(standing.claim, voter));
    await bench.soon(bench.zone.port(NAME).change(swap(standing.record, entered), NEVER));
    const { tick } = await keeping({ status });
    await tick();
    expect(ids()).toContain(stranger);
    // Whoever means to be promoted is, by now; who leaves must not hold the slot.
    for (let waited = 0; waited < 16; waited += 1) {
      await bench.clock.advance(1_000);
      await tick();
    }
    expect(ids()).not.toContain(stranger);
  });

  it('evicts a voter that is silent and terminated for certain, and no other', async () => {
    const silent = await lose();
    await turn();
    expect(ids()).toContain(silent);
    bench.aws.terminate('i-03');
    await turn();
    expect(ids()).not.toContain(silent);
    expect(ids()).toHaveLength(2);
  });

  it('does not evict who is gone where another left while the silent one was waited for', async () => {
    const { admin } = keeper.ports;
    const third = cluster.members[2];
    bench.aws.terminated('i-03');
    const leaving = { asked: 0 };
    const { tick } = await keeping({
      // Its etcd votes for as long as its machine runs on, and says nothing to clients: it puts a snapshot in place.
      status: async (endpoint, signal) => {
        if (endpoint === third?.clientUrls[0]) return unknown('no answer');
        const status = await admin.status(endpoint, signal);
        if (endpoint === cluster.members[1]?.clientUrls[0] && (leaving.asked += 1) === 2)
          bench.etcd.kill('10.0.0.2');
        return status;
      },
    });
    await tick();
    expect(leaving.asked).toBe(3);
    expect(ids()).toHaveLength(3);
    expect(bench.log.join('\n')).toContain('quorum-short');
  });

  it('removes nobody while the fleet is unknown', async () => {
    addStranger();
    await lose();
    bench.aws.terminate('i-03');
    bench.aws.breakDown('throttled');
    await turn();
    expect(ids()).toHaveLength(4);
  });

  it('keeps its hands off while an upgrade holds its lock', async () => {
    const stranger = addStranger();
    cluster.put('_upgrade_lock', 'i-02', null);
    await turn();
    expect(ids()).toContain(stranger);
    expect(bench.zone.records().some((it) => it.type === 'A')).toBe(false);
  });

  it('goes on from the records that it has while Route 53 cannot be read, and says from when they are, and why', async () => {
    const { context, tick } = await keeping();
    const codes = (): readonly string[] =>
      (context.state.plans.get('records') ?? []).map((it) => it.code).toSorted();
    const turns = async (ms: number): Promise<void> => {
      for (const end = bench.clock.now() + ms; bench.clock.now() < end;) {
        await tick();
        await bench.clock.advance(2_000);
      }
    };
    await turns(10_000);
    bench.zone.breakDown('AccessDenied: route53');
    await turns(200_000);
    expect(codes()).toEqual(['claim-right', 'dns-right']);
    await turns(100_000);
    expect(codes()).toEqual(['claim-right', 'dns-right', 'records-unknown']);
    const said = context.state.plans.get('records')?.find((it) => it.code === 'records-unknown')?.sentence;
    expect(said).toMatch(/^the records are as they were read [45] min ago, .*: AccessDenied: route53$/);

    bench.zone.breakDown(null);
    await turns(32_000);
    expect(codes()).toEqual(['claim-right', 'dns-right']);
  });

  it("says in Route 53's own words why it never read the records", async () => {
    bench.zone.breakDown('AccessDenied: route53');
    const { state } = await turn();
    expect(state.plans.get('records')).toEqual([
      { code: 'records-unknown', sentence: 'the records are unknown: AccessDenied: route53' },
    ]);
  });

  it.each(['remove a member', 'write records'])('does not %s once a step has begun since', async (what) => {
    const stranger = what === 'remove a member' ? addStranger() : null;
    const { admin } = keeper.ports;
    await turn({
      // While AWS was asked.
      memberList: async (...call) => {
        const list = await admin.memberList(...call);
        lists += 1;
        if (lists === 2) cluster.put('_upgrade_lock', 'i-02', null);
        return list;
      },
    });
    if (stranger !== null) expect(ids()).toContain(stranger);
    expect(bench.zone.records().some((it) => it.type === 'A')).toBe(false);
  });

  it.each(['remove a member', 'write records'])('does not %s once the lock is gone', async (what) => {
    const stranger = what === 'remove a member' ? addStranger() : null;
    const { admin } = keeper.ports;
    await turn({
      keepAlive: async (...call) => {
        // The holder was frozen: when it asks for its lease again, another has the lock.
        await bench.clock.sleep(5_001, NEVER);
        cluster.read(LOCK_KEY);
        cluster.put(LOCK_KEY, 'i-02', null);
        return await admin.keepAlive(...call);
      },
    });
    if (stranger !== null) expect(ids()).toContain(stranger);
    expect(bench.zone.records().some((it) => it.type === 'A')).toBe(false);
    expect(cluster.read(PUBLISHED_KEY)).toBe(null);
  });
});
