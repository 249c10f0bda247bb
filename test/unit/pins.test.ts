import { expect, test } from 'vitest';
import { createPins } from '../e2e/pins.ts';

/** Where each of so many clients is. */
function spread(pins: ReturnType<typeof createPins>, count: number): readonly (string | null)[] {
  return Array.from({ length: count }, (_, client) => pins.of(client));
}

test('as many clients as members are each at another', () => {
  const pins = createPins(() => ['a', 'b', 'c']);
  expect(spread(pins, 4)).toEqual(['a', 'b', 'c', 'a']);
  expect(spread(pins, 4)).toEqual(['a', 'b', 'c', 'a']);
});

test('a client stays while its member is there, whoever comes and in whatever order they are', () => {
  let all = ['a', 'b', 'c'];
  const pins = createPins(() => all);
  spread(pins, 3);
  all = ['d', 'c', 'b', 'a'];
  expect(spread(pins, 3)).toEqual(['a', 'b', 'c']);
});

test('a client whose member is gone gets the one that has nobody', () => {
  let all = ['a', 'b', 'c'];
  const pins = createPins(() => all);
  spread(pins, 3);
  all = ['a', 'c', 'd'];
  expect(spread(pins, 3)).toEqual(['a', 'd', 'c']);
});

test('where members are fewer than clients, they are shared; a newcomer gets one of those that share', () => {
  let all = ['a'];
  const pins = createPins(() => all);
  expect(spread(pins, 3)).toEqual(['a', 'a', 'a']);
  all = ['a', 'b', 'c'];
  expect(spread(pins, 3).toSorted()).toEqual(['a', 'b', 'c']);
});

test('where there is nobody, a client is nowhere, and comes back', () => {
  let all: readonly string[] = [];
  const pins = createPins(() => all);
  expect(spread(pins, 2)).toEqual([null, null]);
  all = ['a', 'b'];
  expect(spread(pins, 2)).toEqual(['a', 'b']);
});
