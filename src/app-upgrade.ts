import { isDeepStrictEqual } from 'node:util';
import type { Known } from './core/known.ts';
import { known, unknown } from './core/known.ts';
import type { UpgradeObservation, UpgradeRecord } from './core/upgrade.ts';
import { decodeRecord, encodePart, UPGRADE_KEYS } from './core/upgrade-record.ts';
import { clientUrl } from './core/urls.ts';
import { strangersCluster } from './daemon/own-cluster.ts';
import type { OrphanMemory } from './daemon/upgrade-look.ts';
import { lookAtUpgrade } from './daemon/upgrade-look.ts';
import type { EtcdAdmin } from './etcd/admin.ts';
import { createAdmin } from './etcd/admin.ts';
import { createPeers } from './http/peers.ts';
import type { Peers } from './http/peers.ts';

/** A cluster's upgrade, seen and ordered from anywhere that reaches its members. Dispose it to close its connections. */
export interface ClusterUpgrade extends Disposable {
  /** Everything that a plan rests on, through the first member that answers; no instance's own view, so nobody's turn. */
  look(signal: AbortSignal): Promise<Known<UpgradeObservation>>;
  /** Writes one of the operator's keys with one put, through the first member that takes it. */
  write(
    part: OperatorsPart,
    value: NonNullable<UpgradeRecord[OperatorsPart]>,
    signal: AbortSignal,
  ): Promise<Known<true>>;
  /** Empties one of them, where it still says what the caller saw, or nothing by now; false: it says something else, and stays. */
  empty(part: OperatorsPart, was: UpgradeRecord[OperatorsPart], signal: AbortSignal): Promise<Known<boolean>>;
  /** Tells the appliances that there is something new. One that does not hear it sees it in its next look. */
  ring(signal: AbortSignal): Promise<void>;
  /** More addresses at which members may be: of the claim, where none of those answers that were known before. */
  know(addresses: readonly string[]): void;
}

/** The keys that an operator writes. */
type OperatorsPart = 'to' | 'paused' | 'failed';

/** As whom the appliances are asked. */
const OPERATOR = 'operator';

/**
 * Opens the cluster whose members are at these addresses; `statusPort` is that of all its appliances. `clusterId`: nobody of
 * another cluster is shown or written to, as EC2 gives an address to others once its instance is gone; null: whoever is there.
 */
export function openClusterUpgrade(options: {
  readonly addresses: readonly string[];
  readonly statusPort: number;
  readonly clusterId: string | null;
}): ClusterUpgrade {
  const admin = createAdmin();
  const peers = createPeers({ port: options.statusPort });
  const memory: Memory = { addresses: options.addresses, clusterId: options.clusterId, orphan: null };
  return {
    look: async (signal) => await lookThrough(admin, peers, memory, signal),
    write: async (part, value, signal) =>
      await throughFirst(admin, memory, signal, async (endpoint) => {
        const put = await admin.put(endpoint, UPGRADE_KEYS[part], encodePart(value), {}, signal);
        return put.known ? known(true) : put;
      }),
    empty: async (part, was, signal) =>
      await throughFirst(admin, memory, signal, async (endpoint) => {
        const key = UPGRADE_KEYS[part];
        const now = await admin.read(endpoint, key, { serializable: false }, signal);
        if (!now.known) return now;
        // Another member may have taken it, and its answer be lost.
        if (now.value === null || now.value.value === '') return known(true);
        const record = decodeRecord([now.value]);
        if (!record.known || !isDeepStrictEqual(record.value[part], was)) return known(false);
        const { modRevision } = now.value;
        return await admin.put(endpoint, key, encodePart(null), { modRevision }, signal);
      }),
    ring: async (signal) => {
      await Promise.all(
        memory.addresses.map((address) =>
          peers.askUpgrade(address, { from: OPERATOR, fresh: true }, signal).catch(() => undefined),
        ),
      );
    },
    know: (addresses) => void (memory.addresses = [...new Set([...memory.addresses, ...addresses])]),
    [Symbol.dispose]: () => admin[Symbol.dispose](),
  };
}

interface Memory extends OrphanMemory {
  /** Where members are, or may be. */
  addresses: readonly string[];
  readonly clusterId: string | null;
}

/** What the first answers that is of the cluster, or why the last does not. */
async function throughFirst<T>(
  admin: EtcdAdmin,
  { addresses, clusterId }: Memory,
  signal: AbortSignal,
  ask: (endpoint: string, address: string) => Promise<Known<T>>,
): Promise<Known<T>> {
  let last: Known<T> = unknown('no address of a member is known');
  for (const address of addresses) {
    const endpoint = clientUrl(address);
    const stranger = await strangersCluster(admin, endpoint, clusterId, signal);
    last =
      stranger === null
        ? await ask(endpoint, address)
        : unknown(
            `at ${address} is a member of cluster ${stranger} by now, and not of ${clusterId}, which the claim names`,
          );
    if (last.known) return last;
  }
  return last;
}

async function lookThrough(
  admin: EtcdAdmin,
  peers: Peers,
  memory: Memory,
  signal: AbortSignal,
): Promise<Known<UpgradeObservation>> {
  const clock = { now: () => performance.now() };
  const ask = async (address: string, cut: AbortSignal) =>
    await peers.askUpgrade(address, { from: OPERATOR, fresh: false }, cut);
  return await throughFirst(admin, memory, signal, async (endpoint, address) => {
    const seen = await lookAtUpgrade({ admin, clock, endpoint, ask, self: '', acts: false }, memory, signal);
    if (!seen.known) return seen;
    // Who answered is asked first again.
    const found = seen.value.members.map((it) => it.address).filter((it) => it !== '');
    memory.addresses = [...new Set([address, ...found])];
    return known(seen.value.observation);
  });
}
