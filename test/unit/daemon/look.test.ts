import { beforeEach, expect, it } from 'vitest';
import { lookThrough } from '../../../src/daemon/look.ts';
import { type Bench, createBench, NEVER } from '../../fakes/bench.ts';
import { voterIdentity } from '../../fakes/bench-voter.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';

let bench: Bench;
let cluster: EtcdCluster;

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
});

// Where a voter was, EC2 may have put an instance of another stack by now, and its cluster answers there.
it.each([
  ['looks through the first that answers', (): string => cluster.id, true],
  ['looks through nobody of another cluster', (): string => 'ab'.repeat(8), false],
])('%s', async (_name, own, known) => {
  const host = bench.host(0);
  host.context.state.identity = voterIdentity(host, { clusterId: own() });
  const seen = await bench.soon(lookThrough(host.context, [bench.host(1).url], NEVER));
  expect(seen.known).toBe(known);
});
