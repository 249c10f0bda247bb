import { beforeEach, describe, expect, it } from 'vitest';
import { known, unknown } from '../../../src/core/known.ts';
import type { RunningEtcd } from '../../../src/daemon/ports.ts';
import type { UpgradeWord } from '../../../src/daemon/upgrade-word.ts';
import { createUpgradeWord } from '../../../src/daemon/upgrade-word.ts';
import type { Bench } from '../../fakes/bench.ts';
import { createBench, NEVER } from '../../fakes/bench.ts';
import { createFakeInspect } from '../../fakes/fake-inspect.ts';

let bench: Bench;
let word: UpgradeWord;
let reads: string[];
/** For how long the data are read. */
let readMs: number;

/** The etcd that runs on the instance, as far as its word rests on it. */
function run(version: string, pid = 1): void {
  const never = Promise.withResolvers<never>().promise;
  const no = (): boolean => false;
  const etcd: RunningEtcd = {
    pid,
    version,
    exited: never,
    seeded: no,
    defragments: no,
    restores: no,
    stop: () => never,
  };
  bench.host(0).context.state.etcd = etcd;
}

beforeEach(() => {
  bench = createBench();
  reads = [];
  readMs = 0;
  const { ports, options, state } = bench.host(0).context;
  const inspect = createFakeInspect({
    v2Content: async (signal) => {
      reads.push('v2');
      if (readMs > 0) await ports.clock.sleep(readMs, signal);
      return known('wal-requests');
    },
    logReplay: async () => {
      reads.push('log');
      return await Promise.resolve(known({ snapshotIndex: 1, lastIndex: 9, lastV2Index: 4 }));
    },
  });
  word = createUpgradeWord({ ports: { ...ports, inspect }, options, state });
});

describe('what an instance says of itself', () => {
  it('names what is installed, and what it aims at', async () => {
    run('3.7.3');
    const { ports, options } = bench.host(0).context;
    const installed = (await ports.process.binaries(NEVER)).map((it) => it.version);
    expect(await word.tell(NEVER)).toMatchObject({
      instanceId: 'i-01',
      installed,
      wanted: options.etcdVersion,
      freeBytes: known(50e9),
    });
  });

  it.each([
    ['3.4.23', []],
    ['3.5.35', ['v2']],
    ['3.6.16', ['log']],
    ['3.7.3', []],
  ])('looks into the data of %s only for what the next minor minds', async (version, looked) => {
    run(version);
    const { v2, replay } = await word.tell(NEVER);
    expect(reads).toEqual(looked);
    expect(v2).toEqual(known(looked.includes('v2') ? 'wal-requests' : 'clean'));
    expect(replay.known && replay.value.lastV2Index).toBe(looked.includes('log') ? 4 : null);
  });

  it('keeps the answer for a while, and no longer than the etcd that it is about', async () => {
    run('3.5.35');
    await word.tell(NEVER);
    await word.tell(NEVER);
    expect(reads).toHaveLength(1);
    run('3.5.35', 2);
    await word.tell(NEVER);
    expect(reads).toHaveLength(2);
    word.forget();
    await word.tell(NEVER);
    expect(reads).toHaveLength(3);
    await bench.clock.advance(10_000);
    await word.tell(NEVER);
    expect(reads).toHaveLength(4);
  });

  // A log of a gigabyte on a disk of 125 MB/s; who asks is given 5 s by the face, and asks again a second later.
  it('tells what takes longer to read than anybody waits for it, and reads it once', async () => {
    run('3.5.35');
    readMs = 12_000;
    let told = 0;
    for (const waitMs of [6_000, 6_000, 1_000]) {
      void word.tell(NEVER).then(() => (told += 1));
      await bench.clock.advance(waitMs);
    }
    expect({ told, reads }).toEqual({ told: 3, reads: ['v2'] });
  });

  it('says nothing of data while etcd does not run', async () => {
    const { v2, replay } = await word.tell(NEVER);
    expect([v2, replay]).toEqual([unknown('etcd does not run'), unknown('etcd does not run')]);
    expect(reads).toEqual([]);
  });
});
