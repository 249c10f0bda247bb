import type { Clock } from '../../src/daemon/ports.ts';

/** Time that stands still while anything can run, and then jumps to what is due next. */
export interface VirtualClock extends Clock {
  /** Runs `run` after `ms`, and what it sets off before any later time; gives the way to cancel it. */
  after(ms: number, run: () => void): () => void;
  /** Lets everything run that waits for no time. */
  settle(): Promise<void>;
  /** One jump: to the next thing that is due, which runs alone. False: nothing is. */
  step(): Promise<boolean>;
  /** Lets so much time pass. */
  advance(ms: number): Promise<void>;
  /** Lets time pass until the condition holds, or so much has passed; whether it holds. */
  until(condition: () => boolean, limitMs: number): Promise<boolean>;
  /** Jumps so far: what happened at one moment and what later, where both have the same time. */
  turns(): number;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  run: (() => void) | null;
}

/** So many times does the clock settle before the event loop turns once. */
const TURN_EVERY = 1_000;

/** A clock at 0. Only what runs on it, and promises, may be under way: a real timer would be waited for in vain. */
export function createVirtualClock(): VirtualClock {
  const heap: Timer[] = [];
  let nowMs = 0;
  let order = 0;
  let turns = 0;
  let settled = 0;

  const settle = async (): Promise<void> => {
    // What is due at the next tick runs when no promise is left to run, and costs far less than a turn of the event loop;
    // that turns now and then all the same, for whoever waits outside.
    settled += 1;
    await new Promise<void>((resolve) => {
      if (settled % TURN_EVERY === 0) setImmediate(resolve);
      else process.nextTick(resolve);
    });
  };
  const next = (): Timer | undefined => {
    while (heap[0] !== undefined && heap[0].run === null) pop(heap);
    return heap[0];
  };
  const after = (ms: number, run: () => void): (() => void) => {
    const timer: Timer = { at: nowMs + Math.max(0, ms), order: (order += 1), run };
    push(heap, timer);
    return () => {
      timer.run = null;
    };
  };
  const fire = async (timer: Timer): Promise<void> => {
    pop(heap);
    nowMs = timer.at;
    turns += 1;
    timer.run?.();
    await settle();
  };

  return {
    now: () => nowMs,
    wallTime: () => new Date(Date.UTC(2026, 0, 1) + nowMs).toISOString(),
    turns: () => turns,
    after,
    settle,
    sleep: (ms, signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal.aborted) {
          reject(asError(signal.reason));
          return;
        }
        const onAbort = (): void => {
          cancel();
          reject(asError(signal.reason));
        };
        const cancel = after(ms, () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        });
        signal.addEventListener('abort', onAbort, { once: true });
      }),
    async step() {
      const timer = next();
      if (timer === undefined) return false;
      await fire(timer);
      return true;
    },
    async advance(ms) {
      const end = nowMs + ms;
      await settle();
      for (let timer = next(); timer !== undefined && timer.at <= end; timer = next()) await fire(timer);
      nowMs = end;
    },
    async until(condition, limitMs) {
      const end = nowMs + limitMs;
      await settle();
      while (!condition()) {
        const timer = next();
        if (timer === undefined || timer.at > end) {
          nowMs = end;
          return condition();
        }
        await fire(timer);
      }
      return true;
    },
  };
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}

function before(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Timer[], timer: Timer): void {
  let at = heap.length;
  heap.push(timer);
  while (at > 0) {
    const parentAt = (at - 1) >> 1;
    const parent = heap[parentAt];
    if (parent === undefined || before(parent, timer)) break;
    heap[at] = parent;
    at = parentAt;
  }
  heap[at] = timer;
}

function pop(heap: Timer[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
    if (left === undefined) break;
    const useRight = right !== undefined && before(right, left);
    const child = useRight ? right : left;
    if (before(last, child)) break;
    heap[at] = child;
    at = 2 * at + (useRight ? 2 : 1);
  }
  heap[at] = last;
}
