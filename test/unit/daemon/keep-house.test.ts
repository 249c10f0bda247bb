import { beforeEach, describe, expect, it } from 'vitest';
import { claimRecord, formedClaim, foundingClaim } from '../../../src/core/claim.ts';
import { namesOf } from '../../../src/core/names.ts';
import { peerUrl } from '../../../src/core/urls.ts';
import type { Context } from '../../../src/daemon/context.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { freshMemory, keepHouse } from '../../../src/daemon/keep-house.ts';
import { createMaintenanceLock, LOCK_KEY } from '../../../src/daemon/maintenance-lock.ts';
import type { AdminPort } from '../../../src/daemon/ports.ts';
import { decodePublished, PUBLISHED_KEY } from '../../../src/daemon/published.ts';
import type { EtcdCluster } from '../../fakes/etcd-cluster.ts';
import type { Bench, Host } from '../../fakes/bench.ts';
import { createBench, NAME, NEVER, TOKEN } from '../../fakes/bench.ts';

let bench: Bench;
let cluster: EtcdCluster;
let keeper: Host;
/** Member lists that were asked for in this turn. */
let lists: number;

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  // etcd changes members only once all are connected for a while.
  await bench.clock.advance(5_000);
  lists = 0;
  keeper = bench.host(0);
  await claim();
});

/** The claim as the birth of this cluster leaves it. */
async function claim(): Promise<void> {
  const voters = bench.hosts.map(({ self }, index) => ({
    memberId: cluster.members[index]?.id ?? '',
    instanceId: self.id,
    region: self.region,
    address: self.address,
  }));
  const { arn } = bench.aws.fleet().groups[0] ?? { arn: '' };
  const birth = { stack: keeper.self.stack, token: TOKEN, groups: [arn], founders: [], before: null };
  const record = claimRecord(namesOf(NAME).claim, formedClaim(foundingClaim(birth), cluster.id, voters));
  await keeper.ports.zone.change([{ action: 'CREATE', record }], NEVER);
}

/** The etcd of the third host dies, and the others have a leader again. */
async function lose(): Promise<string> {
  bench.etcd.kill('10.0.0.3');
  await bench.clock.advance(3_000);
  return cluster.members[2]?.id ?? '';
}

/** One turn of a housekeeper that holds the lock, with these calls to etcd made differently. */
async function turn(admin: Partial<AdminPort> = {}): Promise<Context> {
  const ports = { ...keeper.ports, admin: { ...keeper.ports.admin, ...admin } };
  const context = createContext(keeper.context.options, ports);
  const lock = createMaintenanceLock(context);
  if (cluster.read(LOCK_KEY) !== null) await bench.clock.advance(6_000);
  expect(await bench.soon(lock.take(keeper.url, NEVER))).toBe(true);
  await bench.soon(keepHouse(context, lock, freshMemory(), NEVER));
  return context;
}

/** A learner at an address that no instance of the group has. */
function addStranger(): string {
  const learner = cluster.addLearner(peerUrl('10.0.9.9'));
  if ('code' in learner) throw new Error(learner.message);
  learner.caughtUp = true;
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

  it('removes a learner that is on no instance', async () => {
    const stranger = addStranger();
    await turn();
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

  it('evicts a voter that is silent and terminated for certain, and no other', async () => {
    const silent = await lose();
    await turn();
    expect(ids()).toContain(silent);
    bench.aws.terminate('i-03');
    await turn();
    expect(ids()).not.toContain(silent);
    expect(ids()).toHaveLength(2);
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
