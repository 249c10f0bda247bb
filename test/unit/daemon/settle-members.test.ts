import { beforeEach, describe, expect, it } from 'vitest';
import type { MemberList } from '../../../src/core/members.ts';
import { settledMembers } from '../../../src/daemon/settle-members.ts';
import { type Bench, createBench, NEVER } from '../../fakes/bench.ts';

let bench: Bench;
let list: MemberList;

beforeEach(async () => {
  bench = createBench(4);
  const cluster = await bench.form();
  await bench.clock.advance(5_000);
  list = { clusterId: cluster.id, answeredBy: '', members: cluster.members };
});

/** The list that the first host would start with, as its member. */
async function settled(): Promise<{ readonly found: MemberList | null; readonly tookMs: number }> {
  const { context } = bench.host(0);
  const memberId = list.members.find(({ name }) => name === context.ports.self.id)?.id ?? '';
  const began = bench.clock.now();
  const found = await settledMembers(context, list, memberId, NEVER);
  return { found, tookMs: bench.clock.now() - began };
}

const freeze = (index: number, frozen: boolean): void =>
  bench.etcd.freeze(bench.host(index).self.address, frozen);

describe('the members that a joiner starts with', () => {
  it('are known at once where all answer', async () => {
    const { found, tookMs } = await bench.soon(settled());
    expect(found?.members).toHaveLength(4);
    expect(tookMs).toBeLessThan(1_000);
  });

  it('are known as soon as one that was silent answers', async () => {
    freeze(3, true);
    const work = settled();
    await bench.clock.advance(10_000);
    freeze(3, false);
    const { found, tookMs } = await bench.soon(work);
    expect(found?.members).toHaveLength(4);
    expect(tookMs).toBeLessThan(14_000);
    expect(bench.log.some((line) => line.includes('members-silent'))).toBe(true);
  });

  it('are not waited for longer than one that hangs is left alone', async () => {
    freeze(3, true);
    const work = settled();
    await bench.clock.advance(29_000);
    const { found, tookMs } = await bench.soon(work);
    expect(found?.members).toHaveLength(4);
    expect(tookMs).toBeGreaterThanOrEqual(30_000);
    expect(tookMs).toBeLessThan(36_000);
  });

  it('are not waited for by one that leaves', async () => {
    freeze(3, true);
    const work = settled();
    await bench.clock.advance(1_000);
    bench.host(0).context.state.phase = 'leaving';
    expect((await bench.soon(work)).found).toBe(null);
  });
});
