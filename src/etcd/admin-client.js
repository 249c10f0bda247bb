import { Etcd3 } from 'etcd3';
/** An event that never fires. */
const never = () => ({ dispose: () => undefined });
/**
 * No retry and no circuit breaker: etcd3's own would repeat calls that must not be repeated (a member added twice), and
 * would refuse calls to an etcd that is back.
 */
const once = {
  _altReturn: undefined,
  onSuccess: never,
  onFailure: never,
  execute: async (call, signal) => call({ signal: signal ?? new AbortController().signal }),
};
/** A client of one endpoint, without retries. */
export function createClient(endpoint) {
  return new Etcd3({
    hosts: endpoint,
    faultHandling: { global: once, host: () => once },
    grpcOptions: {
      // Members are asked directly, whatever proxy the environment names.
      'grpc.enable_http_proxy': 0,
      // A subchannel shared between clients would keep its backoff after the client is closed.
      'grpc.use_local_subchannel_pool': 1,
      // An etcd that comes back is seen in the next look at it.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 500,
      // etcd allows a ping every 5 s.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 3_000,
    },
  });
}
/** Members come and go, their clients with them: unused for this long, a client is closed. */
const IDLE_LIMIT_MS = 60_000;
/** Makes an empty pool. */
export function createClientPool() {
  const entries = new Map();
  const drop = (endpoint) => {
    const entry = entries.get(endpoint);
    if (entry === undefined) return;
    entries.delete(endpoint);
    clearTimeout(entry.idle);
    entry.client.close();
  };
  return {
    get(endpoint) {
      const there = entries.get(endpoint);
      if (there !== undefined) {
        there.idle.refresh();
        return there.client;
      }
      const client = createClient(endpoint);
      const idle = setTimeout(() => drop(endpoint), IDLE_LIMIT_MS).unref();
      entries.set(endpoint, { client, idle });
      return client;
    },
    drop,
    [Symbol.dispose]: () => [...entries.keys()].forEach(drop),
  };
}
