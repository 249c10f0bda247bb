import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdAdmin } from '../etcd/admin.ts';

const PREFIX = 'demo/';
/** A write in so many ms, so that a long demo does not fill the cluster. */
const PACE_MS = 10;

/** What became of the writes. */
export interface WriteReport {
  readonly acknowledged: number;
  /** Tried after the first one that was acknowledged, and refused, or nobody knows. */
  readonly unanswered: number;
  /** The longest time between two acknowledged writes. */
  readonly longestGapMs: number;
}

/** Writes numbered keys, one after the other, until it is stopped, through whichever member takes them. */
export interface Writer {
  readonly stop: () => Promise<WriteReport>;
  /** Acknowledged keys that are missing or other than written, read linearizably through a member. */
  readonly lostAt: (endpoint: string) => Promise<readonly string[]>;
}

/** Starts writing. `endpoints` is asked before each write; a member that fails is left for the next. */
export function startWriter(admin: EtcdAdmin, endpoints: () => readonly string[]): Writer {
  const stopping = new AbortController();
  const written = new Map<string, string>();
  let unanswered = 0;
  let longestGapMs = 0;
  /** Of the last acknowledged write; before the first there is no gap. */
  let lastMs: number | null = null;

  const write = async (): Promise<void> => {
    let favourite = 0;
    for (let number = 1; !stopping.signal.aborted; number += 1) {
      const all = endpoints();
      const endpoint = all[favourite % Math.max(1, all.length)];
      const key = `${PREFIX}${String(number).padStart(8, '0')}`;
      const value = `${number} ${performance.now()}`;
      const put =
        endpoint === undefined
          ? null
          : await admin.put(endpoint, key, value, {}, new AbortController().signal);
      if (put?.known && put.value) {
        written.set(key, value);
        longestGapMs = Math.max(longestGapMs, performance.now() - (lastMs ?? performance.now()));
        lastMs = performance.now();
      } else {
        if (lastMs !== null) unanswered += 1;
        favourite += 1;
      }
      await delay(PACE_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const writing = write();

  return {
    stop: async () => {
      stopping.abort();
      await writing;
      return { acknowledged: written.size, unanswered, longestGapMs: Math.round(longestGapMs) };
    },
    lostAt: async (endpoint) => {
      const answer = await admin.readPrefix(endpoint, PREFIX, new AbortController().signal);
      if (!answer.known) throw new Error(`cannot read the writes back through ${endpoint}: ${answer.reason}`);
      const found = new Map(answer.value.map(({ key, value }) => [key, value]));
      return [...written].filter(([key, value]) => found.get(key) !== value).map(([key]) => key);
    },
  };
}
