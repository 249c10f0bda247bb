import type { EtcdExit } from '../../src/core/local-data.ts';
import { UPGRADE_LOCK_KEY } from '../../src/core/upgrade-record.ts';
import { createLeasedLock } from '../../src/daemon/leased-lock.ts';
import { look } from '../../src/daemon/look.ts';
import type { Held } from '../../src/daemon/upgrade-acts.ts';
import { type Bench, type Host, NEVER } from './bench.ts';
import { seatVoter } from './bench-voter.ts';
import type { EtcdCluster } from './etcd/cluster.ts';

const ENDED: EtcdExit = {
  code: 0,
  signal: null,
  saysDamaged: null,
  saysRemoved: false,
  saysOtherMembers: false,
  lastWords: '',
};

/**
 * A voter that holds the upgrade lock, and has looked at the others. Its etcd is the same all along: a stop is told to
 * `onStop`, and is over at once.
 */
export async function holdUpgradeLock(
  bench: Bench,
  host: Host,
  cluster: EtcdCluster,
  onStop: () => void = () => undefined,
): Promise<Held> {
  const { context, ports, url } = host;
  await seatVoter(bench, host, context, cluster);
  context.state.phase = 'running';
  const { etcd } = context.state;
  if (etcd === null) throw new Error('no etcd runs');
  context.state.etcd = {
    ...etcd,
    stop: async () => {
      onStop();
      return await Promise.resolve(ENDED);
    },
  };
  const lock = createLeasedLock(
    { key: UPGRADE_LOCK_KEY, ttlSeconds: 60, endpoints: () => [url], inherits: true },
    ports,
  );
  if (!(await bench.soon(lock.take(NEVER)))) throw new Error('the upgrade lock is taken');
  const seen = await bench.soon(look(context, url, NEVER));
  if (!seen.known) throw new Error(seen.reason);
  return { context, lock, members: seen.value.members, signal: NEVER };
}
