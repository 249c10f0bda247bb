import type { Known } from '../core/known.ts';
import { known, unknown } from '../core/known.ts';
import type { Fence, KeyValue, Ports } from './ports.ts';
import { openScope } from './scope.ts';

/** A key that is bound to a lease: who made it holds the lock until the lease ends (law 8). */
export interface LeasedLock {
  holds(): boolean;
  /**
   * False: another holds it, or etcd does not answer. One that an earlier life of this instance left is taken over: there
   * is never more than one appliance on an instance, so its holder is dead.
   */
  take(signal: AbortSignal): Promise<boolean>;
  /** Renews the lease; the lock is lost where etcd says that the lease is gone. */
  renew(signal: AbortSignal): Promise<void>;
  /** What a write that carries a comparison compares; null: the lock is not held. */
  fence(): Fence | null;
  /**
   * Whether an act that cannot carry the comparison may be done now: a linearizable read says that the lock is still this
   * one, and the own deadline, half the TTL from before the last renewal was sent, is not over.
   */
  guard(signal: AbortSignal): Promise<boolean>;
  /** Whether the deadline of the last guard is still ahead: for an act that something else was looked at before, after the guard. */
  isTimely(): boolean;
  /** What a read of the key gave, which somebody else made: a lock that is another's by now is lost. */
  note(current: KeyValue | null): void;
  release(signal: AbortSignal): Promise<void>;
}

/**
 * Does something while the lock is renewed beside it, each time after `everyMs`: what waits for AWS, or for members that
 * answer nothing at all, outlasts a lease.
 */
export async function whileRenewed<T>(
  lock: Pick<LeasedLock, 'renew'>,
  everyMs: number,
  { clock, log }: Pick<Ports, 'clock' | 'log'>,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const scope = openScope(signal);
  const renewing = (async () => {
    for (;;) {
      await clock.sleep(everyMs, scope.signal);
      await lock.renew(scope.signal);
    }
  })().catch((error: unknown) => {
    if (!scope.signal.aborted) log.error({ error }, 'the lock is no longer renewed');
  });
  try {
    return await work();
  } finally {
    scope.end();
    await renewing;
  }
}

/** Where and what the lock is. */
export interface LeasedLockOptions {
  readonly key: string;
  readonly ttlSeconds: number;
  /** Whom to ask, the best first: a holder may stop its own etcd. All of the own cluster: the lock is made there. */
  readonly endpoints: (signal: AbortSignal) => Iterable<string> | AsyncIterable<string>;
  /** Whether a key that an earlier life of this appliance left behind is taken over, instead of waited for. */
  readonly inherits: boolean;
}

interface Held {
  readonly leaseId: string;
  readonly createRevision: string;
  readonly deadline: number;
}

/** A lock over the admin port, its value the own instance id. */
export function createLeasedLock(
  { key, ttlSeconds, endpoints, inherits }: LeasedLockOptions,
  { admin, clock, self }: Pick<Ports, 'admin' | 'clock' | 'self'>,
): LeasedLock {
  const halfTtlMs = (ttlSeconds * 1000) / 2;
  let held: Held | null = null;

  const anyOf = async <T>(
    signal: AbortSignal,
    ask: (endpoint: string) => Promise<Known<T>>,
  ): Promise<Known<T>> => {
    let last: Known<T> = unknown('no member is known');
    for await (const endpoint of endpoints(signal)) {
      last = await ask(endpoint);
      if (last.known) return last;
    }
    return last;
  };
  /** Binds the own key, of an earlier life, to this lease; null: it is not the own one. */
  const inherit = async (
    leaseId: string,
    signal: AbortSignal,
  ): Promise<Known<{ readonly createRevision: string } | null>> => {
    const left = await anyOf(signal, (endpoint) =>
      admin.read(endpoint, key, { serializable: false }, signal),
    );
    if (!left.known) return left;
    if (left.value?.value !== self.id) return known(null);
    const { createRevision } = left.value;
    const fence = { key, createRevision };
    const bound = await anyOf(signal, (endpoint) =>
      admin.put(endpoint, key, self.id, { leaseId, fence }, signal),
    );
    return bound.known ? known(bound.value ? { createRevision } : null) : bound;
  };
  const renew = async (signal: AbortSignal): Promise<void> => {
    const asked = held;
    if (asked === null) return;
    let sent = clock.now();
    const alive = await anyOf(signal, async (endpoint) => {
      sent = clock.now();
      return await admin.keepAlive(endpoint, asked.leaseId, signal);
    });
    // Let go, or taken anew, while it was asked: the answer is about another lease.
    if (!alive.known || held?.leaseId !== asked.leaseId) return;
    held = alive.value ? { ...held, deadline: Math.max(held.deadline, sent + halfTtlMs) } : null;
  };

  const isTimely = (): boolean => held !== null && clock.now() < held.deadline;
  const note = (current: KeyValue | null): void => {
    if (current?.createRevision !== held?.createRevision) held = null;
  };

  return {
    holds: () => held !== null,
    renew,
    async take(signal) {
      const sent = clock.now();
      const lease = await anyOf(signal, (endpoint) => admin.grantLease(endpoint, ttlSeconds, signal));
      if (!lease.known) return false;
      const created = await anyOf(signal, (endpoint) =>
        admin.createKey(endpoint, key, self.id, lease.value, signal),
      );
      const isThere = created.known && created.value === null;
      const made = isThere && inherits ? await inherit(lease.value, signal) : created;
      if (!made.known || made.value === null) {
        // The key may have been made and its answer lost: it goes with its lease.
        await anyOf(signal, (endpoint) => admin.revokeLease(endpoint, lease.value, signal));
        return false;
      }
      const { createRevision } = made.value;
      held = { leaseId: lease.value, createRevision, deadline: sent + halfTtlMs };
      return true;
    },
    fence: () => (held === null ? null : { key, createRevision: held.createRevision }),
    async guard(signal) {
      await renew(signal);
      if (held === null) return false;
      const current = await anyOf(signal, (endpoint) =>
        admin.read(endpoint, key, { serializable: false }, signal),
      );
      if (!current.known) return false;
      note(current.value);
      return isTimely();
    },
    isTimely,
    note,
    async release(signal) {
      const { leaseId } = held ?? { leaseId: null };
      held = null;
      if (leaseId !== null) await anyOf(signal, (endpoint) => admin.revokeLease(endpoint, leaseId, signal));
    },
  };
}
