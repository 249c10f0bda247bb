import type { BirthAnswer } from '../core/birth.ts';
import { isWordOf } from '../core/birth.ts';
import type { Known } from '../core/known.ts';

/**
 * Who stood in the way of a birth as long as this appliance runs. AWS may leave an instance out of an answer that is whole by
 * all signs; what once answered is asked on, and counts for as long as it answers as before: another may have its address by
 * then. Lost with the appliance, as a restart is no worse than never having met them.
 */
export interface Met {
  /** Cluster ids of the etcds that answered, by address; null: it did not tell. */
  readonly etcds: Map<string, string | null>;
  /** Addresses of the instances whose appliances said that they hold something of a cluster, by id. */
  readonly holders: Map<string, string>;
}

/** Of an appliance that has met nobody yet. */
export function createMet(): Met {
  return { etcds: new Map(), holders: new Map() };
}

/** Keeps what answers as etcd at an address; whether it counts. `isListed`: an instance of the fleet has this address. */
export function noteEtcd(
  { etcds }: Met,
  {
    address,
    clusterId,
    isListed,
  }: { readonly address: string; readonly clusterId: string | null; readonly isListed: boolean },
): boolean {
  if (!isListed && etcds.get(address) !== clusterId) return false;
  etcds.set(address, clusterId);
  return true;
}

/** Keeps who holds anything; a silent one stays what it was. */
export function noteBirth(
  { holders }: Met,
  { id, address }: { readonly id: string; readonly address: string },
  answer: Known<BirthAnswer>,
  stack: string,
): void {
  if (!answer.known) return;
  const { data, mark, aside } = answer.value;
  const holds = data !== null || mark?.started === true || aside.length > 0;
  if (holds && isWordOf(answer.value, { id }, stack)) holders.set(id, address);
  else holders.delete(id);
}
