import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdAdmin } from '../../src/etcd/admin.ts';
import { watchGaps } from '../gap-watch.ts';
import { createPins } from './pins.ts';

const PREFIX = 'e2e/';
/**
 * Of each writer, from the end of one write to the next. A write costs some 4 ms of processor time, here and in three etcds
 * together: at twice the pace, the clients of four fleets take more of two cores than all that is tested.
 */
const PACE_MS = 50;
/** When a write was refused: that costs more than one that is done, and the member may be away for long. */
const PAUSE_MS = 200;

/** How often an unanswered read of everything is tried. */
const READS = 5;

/** Clients that write all the time, each at a member of its own while there are as many, and remember what was acknowledged. */
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
 * Starts `count` writers of numbered keys, each of which stays with its member whatever fails there. A write without an
 * answer may have been made or not: it is never tried again, and nothing is expected of it.
 */
export function startWriters(admin: EtcdAdmin, endpoints: () => readonly string[], count = 3): Writers {
  const stopping = new AbortController();
  const pins = createPins(endpoints);
  const written = new Map<string, string>();
  const gaps = watchGaps();

  const acknowledge = (key: string, value: string): void => {
    written.set(key, value);
    gaps.note();
  };

  const write = async (writer: number): Promise<void> => {
    for (let number = 1; !stopping.signal.aborted; number += 1) {
      const endpoint = pins.of(writer);
      const key = `${PREFIX}${writer}/${String(number).padStart(8, '0')}`;
      const value = `${number} of ${writer} at ${Math.round(performance.now())}`;
      const put =
        endpoint === null ? null : await admin.put(endpoint, key, value, {}, new AbortController().signal);
      const done = put?.known === true && put.value;
      if (done) acknowledge(key, value);
      const pauseMs = done ? PACE_MS : PAUSE_MS;
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const writing = Promise.all(Array.from({ length: count }, (_, writer) => write(writer)));

  return {
    acknowledged: () => written.size,
    longestGapMs: () => Math.round(gaps.longestMs()),
    resetGap: gaps.reset,
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
