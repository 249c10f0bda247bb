import { setTimeout as delay } from 'node:timers/promises';
import type { EtcdAdmin } from '../src/etcd/admin.ts';
import { watchGaps } from '../test/gap-watch.ts';
import { PULSE_MS } from './measures.ts';

const KEY = 'bench/pulse';

/** Writes at a steady pace, and the moments at which they were acknowledged. */
export interface Pulse {
  readonly acknowledged: () => number;
  /** Between two acknowledged writes, and from the last one until now; ms. */
  readonly longestGapMs: () => number;
  /** Forgets the gaps so far. */
  readonly resetGap: () => void;
  readonly stop: () => Promise<void>;
}

/**
 * Writes through every member that is there, at a pace, until it is stopped. No write waits for those before: one that a
 * follower passed on to a leader that is dead is answered late or never, and a client that waits for it would be measured
 * instead of the cluster. So is bare etcd's election (`untilWritten`).
 */
export function startPulse(admin: EtcdAdmin, endpoints: () => readonly string[]): Pulse {
  const stopping = new AbortController();
  const { signal } = stopping;
  let acknowledged = 0;
  const gaps = watchGaps();
  const write = async (endpoint: string, value: string): Promise<void> => {
    const put = await admin.put(endpoint, KEY, value, {}, signal);
    if (!put.known || !put.value) return;
    acknowledged += 1;
    gaps.note();
  };
  const beat = async (): Promise<void> => {
    for (let number = 1; !signal.aborted; number += 1) {
      // Only the end throws, and it is nobody's answer then.
      for (const endpoint of endpoints()) void write(endpoint, String(number)).catch(() => undefined);
      await delay(PULSE_MS, undefined, { signal }).catch(() => undefined);
    }
  };
  const beating = beat();
  return {
    acknowledged: () => acknowledged,
    longestGapMs: gaps.longestMs,
    resetGap: gaps.reset,
    stop: async () => {
      stopping.abort();
      await beating;
    },
  };
}
