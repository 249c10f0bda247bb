import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchGaps } from '../gap-watch.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('the longest gap is between two moments, or since the last, and can be forgotten', () => {
  const gaps = watchGaps();
  vi.advanceTimersByTime(900);
  expect(gaps.longestMs()).toBe(0);
  gaps.note();
  vi.advanceTimersByTime(300);
  gaps.note();
  vi.advanceTimersByTime(100);
  gaps.note();
  expect(gaps.longestMs()).toBe(300);
  vi.advanceTimersByTime(400);
  expect(gaps.longestMs()).toBe(400);
  gaps.reset();
  vi.advanceTimersByTime(50);
  gaps.note();
  expect(gaps.longestMs()).toBe(50);
});
