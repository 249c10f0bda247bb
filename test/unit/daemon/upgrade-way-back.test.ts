import { beforeEach, describe, expect, it } from 'vitest';
import { known } from '../../../src/core/known.ts';
import { UPGRADE_LOCK_KEY } from '../../../src/core/upgrade-record.ts';
import { createLeasedLock } from '../../../src/daemon/leased-lock.ts';
import { look } from '../../../src/daemon/look.ts';
import { conclude } from '../../../src/daemon/upgrade-way-back.ts';
import { type Bench, createBench, type Host, NEVER } from '../../fakes/bench.ts';
import { seatVoter } from '../../fakes/bench-voter.ts';
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
  const { context, ports, url } = host;
  await seatVoter(bench, host, context, cluster);
  context.state.phase = 'running';
  let version = '3.4.0';
  const { etcd } = context.state;
  if (etcd === null) throw new Error('no etcd runs');
  context.state.etcd = {
    ...etcd,
    stop: async () => {
      version = onStop;
      return await Promise.resolve(ENDED);
    },
  };
  const tell = async () =>
    await Promise.resolve(known({ server: TO, cluster: version, storage: null, downgradeTarget: null }));
  Object.assign(ports.admin, { versions: tell });
  const lock = createLeasedLock(
    { key: UPGRADE_LOCK_KEY, ttlSeconds: 60, endpoints: () => [url], inherits: true },
    ports,
  );
  expect(await bench.soon(lock.take(NEVER))).toBe(true);
  const seen = await bench.soon(look(context, url, NEVER));
  if (!seen.known) throw new Error(seen.reason);
  const held = { context, lock, members: seen.value.members, signal: NEVER };
  const way = { from: FROM, to: TO };
  return { work: conclude(held, way, { kind: 'failed', why: 'it is slow', tooOld: false }) };
}

const ENDED = {
  code: 0,
  signal: null,
  saysDamaged: null,
  saysRemoved: false,
  saysOtherMembers: false,
  lastWords: '',
};

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
