import { beforeEach, expect, it } from 'vitest';
import { claimRecord, foundingClaim } from '../../../src/core/claim.ts';
import { refused } from '../../../src/core/known.ts';
import { namesOf } from '../../../src/core/names.ts';
import { FORMING_LIMIT_MS } from '../../../src/core/numbers.ts';
import { createContext } from '../../../src/daemon/context.ts';
import { decide } from '../../../src/daemon/starter.ts';
import { type Bench, createBench, type Host, NAME, NEVER, TOKEN } from '../../fakes/bench.ts';
import { voterIdentity } from '../../fakes/bench-voter.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import { createEtcdFiles } from '../../fakes/etcd/files.ts';
import { claimFormed } from '../../fakes/bench-voter.ts';

let bench: Bench;
let host: Host;
let cluster: EtcdCluster;

/** Beside it a cluster lives at the addresses of the two others; whose they are, the fleet says. */
beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  host = bench.host(0);
  bench.etcd.kill(host.self.address);
  host.disk.etcd = null;
  bench.aws.setDesired(1);
  await bench.clock.advance(10_000);
});

/** A claim that never was formed, by founders at these addresses that are gone by now. */
async function claimOf(...addresses: readonly string[]): Promise<void> {
  const founders = addresses.map((address, index) => ({
    instanceId: `i-9${index}`,
    region: host.self.region,
    address,
  }));
  const claim = foundingClaim({
    stack: host.self.stack,
    token: `not ${TOKEN}`,
    groups: ['g'],
    founders,
    before: null,
  });
  const record = claimRecord(namesOf(NAME).claim, claim);
  await bench.soon(host.ports.zone.change([{ action: 'CREATE', record }], NEVER));
}

async function plan({ context } = host): Promise<string> {
  const clocks = { waitedMs: 0, standing: { code: '', forMs: 0 } };
  const mode = { afterCrash: false, damagedStarts: 0 };
  const { action } = await bench.soon(decide(context, mode, clocks, NEVER));
  return action.reason.code;
}

/** Its data are back, and what it noted of them is older than the claim's end: the claim is gone for longer than is waited. */
async function backWithUnformedData(): Promise<void> {
  const files = createEtcdFiles(cluster.id, cluster.members.find((it) => it.name === host.self.id)?.id ?? '');
  const identity = voterIdentity(host);
  host.disk.etcd = files;
  host.disk.identity = {
    ...identity,
    clusterId: cluster.id,
    memberId: files.memberId,
    formed: false,
  };
  await plan();
  await bench.clock.advance(FORMING_LIMIT_MS);
}

it('asks the fleet whether its cluster serves before it takes unformed data without a claim for never born', async () => {
  await backWithUnformedData();
  expect(await plan()).toBe('own-data');
});

it('waits while the fleet is unknown: then nobody knows whom to ask', async () => {
  await backWithUnformedData();
  bench.aws.breakDown('AWS does not answer');
  await bench.clock.advance(10_000);
  expect(await plan()).toBe('own-data-no-claim');
  for (const index of [1, 2]) {
    bench.etcd.kill(bench.host(index).self.address);
    bench.aws.terminated(bench.host(index).self.id);
  }
  bench.aws.breakDown(null);
  await bench.clock.advance(10_000);
  expect(await plan()).toBe('never-born');
});

// EC2 gives the address of an instance that is gone to the next that is launched, whose cluster that may be.
it('takes no cluster for its own that answers at the address of a founder who is gone', async () => {
  for (const index of [1, 2]) bench.aws.unlist(bench.host(index).self.id, 'running');
  await claimOf(bench.host(1).self.address, bench.host(2).self.address);
  expect(await plan()).toBe('forming-replaced');
});

it('adopts one that answers in its own fleet as well', async () => {
  bench.aws.unlist(bench.host(1).self.id, 'running');
  await claimOf(bench.host(1).self.address);
  expect(await plan()).toBe('cluster-without-claim');
});

/** The same instance, where authentication is on in every etcd that it asks. */
function notLetIn(): Host {
  const refuses = () => Promise.resolve(refused('authentication is on'));
  const admin = { ...host.ports.admin, read: refuses, memberList: refuses, status: refuses };
  return { ...host, context: createContext(host.context.options, { ...host.ports, admin }) };
}

it('replaces no claim whose founders let no appliance in: they have a quorum', async () => {
  await claimOf(bench.host(1).self.address, bench.host(2).self.address);
  expect(await plan(notLetIn())).toBe('start-refused');
});

it('hears no refusal from where no instance of the fleet is', async () => {
  for (const index of [1, 2]) bench.aws.unlist(bench.host(index).self.id, 'running');
  await claimOf(bench.host(1).self.address, bench.host(2).self.address);
  expect(await plan(notLetIn())).toBe('forming-replaced');
});

it.each([
  ['one of the fleet', 'start-refused', false],
  ['one that was of the fleet', 'quorum-lost', true],
])('says of a formed claim whose voter refuses, %s: %s', async (_who, code, gone) => {
  const cluster = [...bench.etcd.clusters.values()][0];
  if (cluster === undefined) throw new Error('no cluster');
  await bench.soon(claimFormed(bench, cluster));
  for (const index of gone ? [1, 2] : []) bench.aws.unlist(bench.host(index).self.id, 'running');
  expect(await plan(notLetIn())).toBe(code);
});
