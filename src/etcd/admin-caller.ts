import type { Etcd3 } from 'etcd3';
import type { Known } from '../core/known.ts';
import type { CallOptions } from './admin-client.ts';
import type { AdminOutcome } from './refusals.ts';

/** One call to one endpoint, within the deadline, ended by the signal, never repeated. */
export interface Caller {
  /** A question: what fails is unknown. */
  ask<T>(
    endpoint: string,
    signal: AbortSignal,
    act: (client: Etcd3, options: CallOptions) => Promise<T>,
  ): Promise<Known<T>>;
  /** A change: what fails is a refusal, by its meaning. */
  change<T>(
    endpoint: string,
    signal: AbortSignal,
    act: (client: Etcd3, options: CallOptions) => Promise<T>,
  ): Promise<AdminOutcome<T>>;
}
