import { describe, expect, it } from 'vitest';
import { createBell } from '../../../src/daemon/bell.ts';
import { NEVER } from '../../fakes/bench.ts';
import { createVirtualClock } from '../../fakes/virtual-clock.ts';

function bench() {
  const clock = createVirtualClock();
  const bell = createBell(clock);
  const endings: number[] = [];
  const wait = (ms: number, signal = NEVER): Promise<void> =>
    bell.wait(ms, signal).then(() => {
      endings.push(clock.now());
    });
  return { clock, bell, endings, wait };
}

describe('a bell', () => {
  it('lets a waiter go when its time is over', async () => {
    const { clock, endings, wait } = bench();
    void wait(2_000);
    await clock.advance(1_999);
    expect(endings).toEqual([]);
    await clock.advance(1);
    expect(endings).toEqual([2_000]);
  });

  it('wakes a waiter at once', async () => {
    const { clock, bell, endings, wait } = bench();
    void wait(2_000);
    await clock.advance(300);
    bell.ring();
    await clock.settle();
    expect(endings).toEqual([300]);
  });

  it('remembers that it rang while nobody waited, once', async () => {
    const { clock, bell, endings, wait } = bench();
    bell.ring();
    bell.ring();
    await wait(2_000);
    expect(endings).toEqual([0]);
    void wait(2_000);
    await clock.advance(1_000);
    expect(endings).toEqual([0]);
    await clock.advance(1_000);
    expect(endings).toEqual([0, 2_000]);
  });

  it('tells a waiter whether it was woken', async () => {
    const { clock, bell } = bench();
    const woken = bell.wait(2_000, NEVER);
    bell.ring();
    expect(await woken).toBe(true);
    const late = bell.wait(2_000, NEVER);
    await clock.advance(2_000);
    expect(await late).toBe(false);
  });

  it('does not wake the next waiter for a ring that woke this one', async () => {
    const { clock, bell, endings, wait } = bench();
    void wait(2_000);
    await clock.advance(100);
    bell.ring();
    await clock.settle();
    void wait(2_000);
    await clock.advance(500);
    expect(endings).toEqual([100]);
  });

  it('rejects a waiter whose signal comes, with its reason', async () => {
    const { clock, wait } = bench();
    const stop = new AbortController();
    const waiting = wait(2_000, stop.signal);
    await clock.advance(10);
    stop.abort(new Error('over'));
    await expect(waiting).rejects.toThrow('over');
    await expect(wait(1, stop.signal)).rejects.toThrow('over');
  });
});
