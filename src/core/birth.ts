import type { Instance } from './fleet.ts';

/** What of etcd an instance has, and what it is to be born with. */
export interface EtcdAtHand {
  /** Versions that are installed. */
  readonly installed: readonly string[];
  /** `ETCD_VERSION`: a version or a minor; null: the newest that is installed. */
  readonly wanted: string | null;
}

/** What `GET /birth` answers: all that another appliance must know of this one before it claims a name. */
export interface BirthAnswer {
  readonly instanceId: string;
  readonly stack: string;
  /** Data in use (started, or to be started). Null where there are none. */
  readonly data: {
    readonly token: string | null;
    readonly clusterId: string | null;
    readonly formed: boolean;
  } | null;
  /** Data set aside of epochs that were formed; those of epochs that never formed do not count. */
  readonly aside: readonly {
    readonly token: string | null;
    readonly clusterId: string | null;
    readonly formed: boolean;
  }[];
  /** Of the mark on disk; null where there is none, or it is of no epoch yet. */
  readonly mark: { readonly token: string; readonly started: boolean } | null;
  /** Of the mark that this instance would make: who claims makes it for it. Null: it makes its own. */
  readonly nonce: string | null;
  /** Null: an older appliance, which does not say. */
  readonly etcd: EtcdAtHand | null;
  /** Epoch of the claim last seen by this appliance; 0 for none. */
  readonly epoch: number;
}

/** Whether an answer is that instance's: its address may be another's by now, and what that one holds says nothing of this one. */
export function isWordOf(
  answer: Pick<BirthAnswer, 'instanceId' | 'stack'>,
  { id }: Pick<Instance, 'id'>,
  stack: string,
): boolean {
  return answer.instanceId === id && answer.stack === stack;
}
