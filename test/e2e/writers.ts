import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdAdmin } from '../../src/etcd/admin.ts';

const PREFIX = 'e2e/';
/**
 * Of each writer, from the end of one write to the next. A write costs some 4 ms of processor time, here and in three etcds
 * together: at twice the pace, the clients of four fleets take more of two cores than all that is tested.
 */
const PACE_MS = 50;
/** When no member took a write in turn: a refused call costs more than one that is done, and there may be nobody for long. */
const PAUSE_MS = 200;

/** How often an unanswered read of everything is tried. */
const READS = 5;

/** Clients that write all the time, each preferring another member, and remember what was acknowledged. */
export interface Writers {
  readonly acknowledged: () => number;
  /** Between two acknowledged writes of any writer, so far. */
  readonly longestGapMs: () => number;
  /** Forgets the gaps so far. */
  readonly resetGap: () => void;
  readonly stop: () => Promise<void>;
  /** Acknowledged keys that a linearizable read through this member does not give, or gives with another value. */
  readonly lostAt: (endpoint: string) => Promise<readonly string[]>;
}

/**
 * Starts `count` writers of numbered keys. Each stays with a member until that fails, then takes the next. A write
 * without an answer may have been made or not: it is never tried again, and nothing is expected of it.
 */
export function startWriters(admin: EtcdAdmin, endpoints: () => readonly string[], count = 3): Writers {
  const stopping = new AbortController();
  const written = new Map<string, string>();
  let lastMs: number | null = null;
  let longestMs = 0;

  const acknowledge = (key: string, value: string): void => {
    const now = performance.now();
    written.set(key, value);
    longestMs = Math.max(longestMs, now - (lastMs ?? now));
    lastMs = now;
  };

  const write = async (writer: number): Promise<void> => {
    let favourite = writer;
    let refusals = 0;
    for (let number = 1; !stopping.signal.aborted; number += 1) {
      const all = endpoints();
      const endpoint = all[favourite % Math.max(1, all.length)];
      const key = `${PREFIX}${writer}/${String(number).padStart(8, '0')}`;
      const value = `${number} of ${writer} at ${Math.round(performance.now())}`;
      const put =
        endpoint === undefined
          ? null
          : await admin.put(endpoint, key, value, {}, new AbortController().signal);
      if (put?.known && put.value) {
        acknowledge(key, value);
        refusals = 0;
      } else {
        favourite += 1;
        refusals += 1;
      }
      const pauseMs = refusals > all.length ? PAUSE_MS : PACE_MS;
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const writing = Promise.all(Array.from({ length: count }, (_, writer) => write(writer)));

  return {
    acknowledged: () => written.size,
    longestGapMs: () =>
      Math.round(lastMs === null ? longestMs : Math.max(longestMs, performance.now() - lastMs)),
    resetGap: () => {
      longestMs = 0;
      lastMs = lastMs === null ? null : performance.now();
    },
    stop: async () => {
      stopping.abort();
      await writing;
    },
    lostAt: async (endpoint) => {
      const expected = [...written];
      const read = () => admin.readPrefix(endpoint, PREFIX, new AbortController().signal);
      let answer = await read();
      // All keys at once are a lot for a busy machine.
      for (let again = 1; !answer.known && again < READS; again += 1) answer = await read();
      if (!answer.known) return [`nothing can be read through ${endpoint}: ${answer.reason}`];
      const found = new Map(answer.value.map(({ key, value }) => [key, value]));
      return expected.filter(([key, value]) => found.get(key) !== value).map(([key]) => key);
    },
  };
}
