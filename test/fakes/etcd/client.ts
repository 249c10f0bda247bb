import type { Known } from '../../../src/core/known.ts';
import { known, unknown } from '../../../src/core/known.ts';
import { hostOf } from '../../../src/core/urls.ts';
import type { KeyValue } from '../../../src/daemon/ports.ts';
import type { Attempt } from './calls.ts';
import type { EtcdWorld } from './world.ts';

/** A client of etcd, of those for whom it is all done. */
export interface EtcdClient {
  /** Known: acknowledged. Unknown: it may have been written, or may yet be. */
  put(endpoint: string, key: string, value: string): Promise<Known<true>>;
  get(
    endpoint: string,
    key: string,
    options: { readonly serializable: boolean },
  ): Promise<Known<KeyValue | null>>;
}

/** A client at an address. */
export function createEtcdClient(etcd: EtcdWorld, from: string): EtcdClient {
  const calls = etcd.calls('');
  const ask = async <T>(endpoint: string, attempt: Attempt<T>): Promise<Known<T>> => {
    const answer = await etcd.send(from, hostOf(endpoint), attempt);
    return 'value' in answer ? known(answer.value) : unknown(answer.failed.message);
  };
  return {
    async put(endpoint, key, value) {
      const put = await ask(endpoint, calls.put(key, value, null, null));
      return put.known ? known(true) : put;
    },
    get: async (endpoint, key, { serializable }) => await ask(endpoint, calls.read(key, serializable)),
  };
}
