import type { ClusterUpgrade } from '../app-upgrade.ts';
import type { UpgradeRecord } from '../core/upgrade.ts';
import { ApplianceError } from '../errors.ts';
import type { Order } from './upgrade-wish.ts';

/** What is to be written. */
export interface Written {
  readonly orders: readonly Order[];
  /** The record as it was seen; null: it cannot be read. */
  readonly before: UpgradeRecord | null;
}

/**
 * Writes the orders, each with one put, and tells the appliances. `words`: the cluster, as it is named on a command line. Throws
 * `unavailable`: whether one was taken is not known, and calling again mends it; `conflict`: what was to be cleared is not what
 * was seen any more.
 */
export async function writeOrders(
  upgrade: Pick<ClusterUpgrade, 'write' | 'empty' | 'ring'>,
  { orders, before }: Written,
  words: string,
  signal: AbortSignal,
): Promise<void> {
  for (const { part, value, sentence } of orders) {
    const put =
      value === null
        ? await upgrade.empty(part, before?.[part] ?? null, signal)
        : await upgrade.write(part, value, signal);
    if (!put.known)
      throw new ApplianceError(
        { code: 'unavailable', service: 'etcd' },
        `whether it was written is not known (${sentence}): ${put.reason}; call it again`,
      );
    if (put.value) continue;
    // What was written before it stands.
    await upgrade.ring(signal);
    const again = part === 'to' ? '--abort' : '--resume';
    throw new ApplianceError(
      { code: 'conflict', what: 'upgrade' },
      `not written, as it has become another meanwhile (${sentence}): look at it with etcd-appliance upgrade ${words}, and call ${again} again`,
    );
  }
  if (orders.length > 0) await upgrade.ring(signal);
}
