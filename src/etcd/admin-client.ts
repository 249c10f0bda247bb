import { Etcd3, GRPCDeadlineExceededError, type IOptions } from 'etcd3';

/** Options of one call. */
export interface CallOptions {
  /** Absolute, in ms of the wall clock: etcd3 has no deadline of its own, and a relative one counts anew per attempt. */
  readonly deadline: number;
}

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** An event that never fires. */
const never = () => ({ dispose: () => undefined });

/**
 * No retry and no circuit breaker: etcd3's own would repeat calls that must not be repeated (a member added twice), and
 * would refuse calls to an etcd that is back.
 */
const once: Omit<Policy, '_altReturn'> = {
  onSuccess: never,
  onFailure: never,
  execute: async (call, signal) => call({ signal: signal ?? new AbortController().signal }),
};

/** A call that had no answer in time. Of its own error etcd3 would close every connection to the host, with all calls on them. */
class LateError extends Error {
  override name = 'LateError';
}

/** The same; when a connection is closed of which a call was late, says the pool. */
const onceOrLate: typeof once = {
  ...once,
  execute: async (call, signal) => {
    try {
      return await once.execute(call, signal);
    } catch (error) {
      if (error instanceof GRPCDeadlineExceededError) throw new LateError(error.message, { cause: error });
      throw error;
    }
  },
};

/** A client of one endpoint, without retries. */
export function createClient(endpoint: string): Etcd3 {
  return new Etcd3({
    hosts: endpoint,
    faultHandling: { global: once as Policy, host: () => onceOrLate as Policy },
    grpcOptions: {
      // Members are asked directly, whatever proxy the environment names.
      'grpc.enable_http_proxy': 0,
      // What is not used is not paid for in each call: no retries, no record of calls, no configuration by DNS.
      'grpc.enable_retries': 0,
      'grpc.enable_channelz': 0,
      'grpc.service_config_disable_resolution': 1,
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

/** Clients by endpoint, each made when it is first needed and closed when it was not used for a while. */
export interface ClientPool extends Disposable {
  get(endpoint: string): Etcd3;
  /** Closes the client of an endpoint that failed; the next call makes a new one. */
  drop(endpoint: string): void;
  /** A call had its answer. */
  answered(endpoint: string): void;
  /**
   * A call that began then (ms of `performance`) had no answer in time. Its connection is given another call: over a slow link
   * it takes much of a call's time to be made, and one that is closed each time would never be of use. The second one in a row
   * that is late drops it: nobody may be at its other end any more.
   */
  late(endpoint: string, beganMs: number): void;
}

/** Members come and go, their clients with them: unused for this long, a client is closed. */
const IDLE_LIMIT_MS = 60_000;

interface Entry {
  readonly client: Etcd3;
  readonly idle: NodeJS.Timeout;
  /** Since when no call had an answer in time; null: the last one had. */
  lateSinceMs: number | null;
}

/** Makes an empty pool. */
export function createClientPool(): ClientPool {
  const entries = new Map<string, Entry>();
  const drop = (endpoint: string): void => {
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
      entries.set(endpoint, { client, idle, lateSinceMs: null });
      return client;
    },
    drop,
    answered(endpoint) {
      const entry = entries.get(endpoint);
      if (entry !== undefined) entry.lateSinceMs = null;
    },
    late(endpoint, beganMs) {
      const entry = entries.get(endpoint);
      if (entry === undefined) return;
      // Calls at the same time are late together.
      if (entry.lateSinceMs !== null && beganMs >= entry.lateSinceMs) drop(endpoint);
      else entry.lateSinceMs ??= performance.now();
    },
    [Symbol.dispose]: () => [...entries.keys()].forEach(drop),
  };
}
