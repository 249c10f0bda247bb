import type { Clock } from '../../src/sandbox/model.ts';

export interface ManualClock extends Clock {
  /** Lets so much time pass; what is due runs in order, and what that schedules, too. */
  readonly advance: (ms: number) => Promise<void>;
}

/** Lets promises that are already settled run on: a turn of the event loop for each. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A clock that stands still until a test moves it. */
export function createManualClock(startMs = Date.UTC(2026, 0, 1)): ManualClock {
  let nowMs = startMs;
  let timers: { readonly atMs: number; readonly run: () => void }[] = [];
  return {
    now: () => nowMs,
    after(delayMs, run) {
      const timer = { atMs: nowMs + Math.max(0, delayMs), run };
      timers.push(timer);
      return () => {
        timers = timers.filter((it) => it !== timer);
      };
    },
    async advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        await settle();
        const due = timers.filter((it) => it.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (due === undefined) break;
        timers = timers.filter((it) => it !== due);
        nowMs = Math.max(nowMs, due.atMs);
        due.run();
      }
      nowMs = endMs;
    },
  };
}
