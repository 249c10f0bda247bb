import { beforeEach, describe, expect, it } from 'vitest';
import { known } from '../../../src/core/known.ts';
import type { Departure } from '../../../src/core/plan-leave.ts';
import {
  LEAVING_PREFIX,
  readLeaving,
  RESTARTING_PREFIX,
  sayLeaving,
  takeLeavingBack,
} from '../../../src/daemon/leaving-word.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';
import type { Bench, Host } from '../../fakes/bench.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';

let bench: Bench;
let cluster: EtcdCluster;
let one: Host;
let two: Host;

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  [one, two] = [bench.host(0), bench.host(1)];
});

async function say(host: Host, kind: Departure['kind'] = 'going'): Promise<void> {
  const lease = await bench.soon(host.ports.admin.grantLease(host.url, 60, NEVER));
  if (!lease.known) throw new Error(lease.reason);
  expect(await bench.soon(sayLeaving(host.context, kind, lease.value, NEVER))).toBe(true);
}

const leaving = (kind: Departure['kind'] = 'going') =>
  bench.soon(readLeaving(one.context, kind, one.url, NEVER));

describe('the word of an instance that leaves', () => {
  it('is heard by all, and ends with its lease', async () => {
    expect(await leaving()).toEqual(known(new Set()));
    await say(two);
    expect(await leaving()).toEqual(known(new Set(['i-02'])));
    await bench.clock.advance(61_000);
    expect(await leaving()).toEqual(known(new Set()));
  });

  it('is taken back by its own instance alone, which is here to stay', async () => {
    await say(two);
    await bench.soon(takeLeavingBack(one.context, NEVER));
    expect(await leaving()).toEqual(known(new Set(['i-02'])));
    await bench.soon(takeLeavingBack(two.context, NEVER));
    expect(await leaving()).toEqual(known(new Set()));
    // It is said again by the next departure.
    await say(two);
    expect(await leaving()).toEqual(known(new Set(['i-02'])));
  });

  it('is another where only its etcd restarts, and taken back as well', async () => {
    await say(two, 'restart');
    expect(await leaving()).toEqual(known(new Set()));
    expect(await leaving('restart')).toEqual(known(new Set(['i-02'])));
    await bench.soon(takeLeavingBack(two.context, NEVER));
    expect(await leaving('restart')).toEqual(known(new Set()));
  });

  it.each(['going', 'restart'] as const)('leaves no key behind once it is taken back (%s)', async (kind) => {
    await say(two, kind);
    await bench.soon(takeLeavingBack(two.context, NEVER));
    await bench.clock.advance(10_000);
    expect([...cluster.readPrefix(LEAVING_PREFIX), ...cluster.readPrefix(RESTARTING_PREFIX)]).toEqual([]);
  });

  it('stands while its instance leaves', async () => {
    await say(two);
    two.context.state.phase = 'leaving';
    await bench.soon(takeLeavingBack(two.context, NEVER));
    expect(await leaving()).toEqual(known(new Set(['i-02'])));
  });

  it('is not written about where nobody said it', async () => {
    const before = cluster.revision;
    await bench.soon(takeLeavingBack(one.context, NEVER));
    expect(cluster.revision).toBe(before);
  });
});
