import { beforeEach, describe, expect, it } from 'vitest';
import { known } from '../../../src/core/known.ts';
import { conclude } from '../../../src/daemon/upgrade-way-back.ts';
import { type Bench, createBench, type Host } from '../../fakes/bench.ts';
import { holdUpgradeLock } from '../../fakes/bench-held.ts';
import type { EtcdCluster } from '../../fakes/etcd/cluster.ts';

/** What the bench's etcd runs all along, and what it is said to have run before. */
const TO = '3.5.35';
const FROM = '3.4.45';

let bench: Bench;
let cluster: EtcdCluster;
let host: Host;

beforeEach(async () => {
  bench = createBench(3);
  cluster = await bench.form();
  await bench.clock.advance(5_000);
  host = bench.host(1);
});

/** Its new etcd has not come up in time; `onStop` is what the cluster's version becomes until that etcd has ended. */
async function goingBack(onStop: string): Promise<{ readonly work: Promise<void> }> {
  let version = '3.4.0';
  const tell = async () =>
    await Promise.resolve(known({ server: TO, cluster: version, storage: null, downgradeTarget: null }));
  Object.assign(host.ports.admin, { versions: tell });
  const held = await holdUpgradeLock(bench, host, cluster, () => {
    version = onStop;
  });
  const way = { from: FROM, to: TO };
  return { work: conclude(held, way, { kind: 'failed', why: 'it is slow', tooOld: false }) };
}

const says = (code: string): boolean => bench.log.some((line) => line.includes(code));

describe('a step that is taken back', () => {
  it('runs the old etcd where the version has not moved', async () => {
    const { work } = await goingBack('3.4.0');
    work.catch(() => undefined);
    await bench.clock.until(() => host.context.state.swap !== null, 1_000);
    await bench.clock.advance(1_000);
    expect(host.context.state.swap).toMatchObject({ version: FROM, step: { why: 'it is slow' } });
  });

  it('runs the new one again where the version moved before that had ended, and the step is over when it is well', async () => {
    const { work } = await goingBack('3.5.0');
    await bench.clock.until(() => host.context.state.swap?.version === TO, 1_000);
    expect(host.context.state.swap).toMatchObject({ version: TO, step: { why: null } });
    await bench.soon(work);
    expect([says('upgrade-stepped'), says('upgrade-taken-back')]).toEqual([true, false]);
  });
});
