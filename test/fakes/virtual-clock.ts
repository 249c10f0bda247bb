import type { Clock } from '../../src/daemon/ports.ts';
import { reasonOf, unwatch, watch } from './abort.ts';

/** Time that stands still while anything can run, and then jumps to what is due next. */
export interface VirtualClock extends Clock {
  /** Runs `run` after `ms`, and what it sets off before any later time; gives the way to cancel it. */
  after(ms: number, run: () => void): () => void;
  /** Lets everything run that waits for no time. */
  settle(): Promise<void>;
  /**
   * Jumps from one thing that is due to the next, each of which runs alone, until this says that it is enough. It is asked
   * before each jump, when nothing is left to run. False: it never was, and nothing is due.
   */
  run(enough: () => boolean): Promise<boolean>;
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

const NOTHING = Promise.resolve();

/** A clock at 0. Only what runs on it, and promises, may be under way: a real timer would be waited for in vain. */
export function createVirtualClock(): VirtualClock {
  const heap: Timer[] = [];
  let nowMs = 0;
  let order = 0;
  let turns = 0;
  let settled = 0;

  /** Runs it when no promise is left to run. */
  const whenSettled = (run: () => void): void => {
    // What is due at the next tick runs then, and costs far less than a turn of the event loop; that turns now and then all
    // the same, for whoever waits outside.
    settled += 1;
    if (settled % TURN_EVERY === 0) setImmediate(run);
    else process.nextTick(run);
  };
  const settle = (): Promise<void> => new Promise<void>(whenSettled);
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
  // By hand, and not by async functions: a history has tens of thousands of jumps.
  const run = (enough: () => boolean): Promise<boolean> =>
    new Promise<boolean>((resolve, reject) => {
      const jump = (): void => {
        try {
          const isEnough = enough();
          const timer = isEnough ? undefined : next();
          if (timer === undefined) {
            resolve(isEnough);
            return;
          }
          pop(heap);
          nowMs = timer.at;
          turns += 1;
          timer.run?.();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        void NOTHING.then(jumpWhenSettled);
      };
      // Asked for at a tick itself, the next tick comes before all promises.
      const jumpWhenSettled = (): void => whenSettled(jump);
      jump();
    });
  const comesBy = (end: number): boolean => (next()?.at ?? Number.POSITIVE_INFINITY) <= end;

  return {
    now: () => nowMs,
    wallTime: () => wallTimeAt(nowMs),
    turns: () => turns,
    after,
    settle,
    sleep: (ms, signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal.aborted) {
          reject(reasonOf(signal));
          return;
        }
        const onAbort = (): void => {
          cancel();
          reject(reasonOf(signal));
        };
        const cancel = after(ms, () => {
          unwatch(signal, onAbort);
          resolve();
        });
        watch(signal, onAbort);
      }),
    run,
    async advance(ms) {
      const end = nowMs + ms;
      await settle();
      await run(() => !comesBy(end));
      nowMs = end;
    },
    async until(condition, limitMs) {
      const end = nowMs + limitMs;
      await settle();
      let holds = false;
      await run(() => {
        holds = condition();
        return holds || !comesBy(end);
      });
      if (holds) return true;
      nowMs = end;
      return condition();
    },
  };
}

const BEGAN_AT = Date.UTC(2026, 0, 1);
const DAY_MS = 86_400_000;

/** ISO 8601. By hand on the first day: it is asked for with each write of each client. */
function wallTimeAt(nowMs: number): string {
  if (nowMs >= DAY_MS) return new Date(BEGAN_AT + nowMs).toISOString();
  const ms = Math.floor(nowMs);
  const part = (of: number, digits: number): string => String(Math.floor(of)).padStart(digits, '0');
  const time = [ms / 3_600_000, (ms / 60_000) % 60, (ms / 1_000) % 60].map((it) => part(it, 2)).join(':');
  return `2026-01-01T${time}.${part(ms % 1_000, 3)}Z`;
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
