import { describe, expect, test } from 'vitest';
import { createRandom } from '../../../src/sandbox/random.ts';
import { canBeTold } from '../../linearizability/brute-force.ts';
import { checkRegister } from '../../linearizability/checker.ts';
import { apply, type Call, effectOf, type Operation } from '../../linearizability/history.ts';

const read = (value: string | null): Operation => ({ kind: 'read', value });
const write = (value: string): Operation => ({ kind: 'write', value });
const swap = (from: string | null, to: string, saw = from): Operation => ({ kind: 'swap', from, to, saw });

let calls = 0;
/** A call from one moment to another; null: no answer. */
const call = (operation: Operation, calledMs: number, returnedMs: number | null): Call => {
  calls += 1;
  return { client: `c${calls}`, operation, calledMs, returnedMs };
};

describe('by hand', () => {
  test.for<{ readonly name: string; readonly history: readonly Call[]; readonly linearizable: boolean }>([
    { name: 'nothing happened', history: [], linearizable: true },
    { name: 'a key that nobody wrote is not there', history: [call(read(null), 0, 1)], linearizable: true },
    { name: 'a value out of nowhere', history: [call(read('a'), 0, 1)], linearizable: false },
    {
      name: 'a lost write: acknowledged, then not there',
      history: [call(write('a'), 0, 1), call(read(null), 2, 3)],
      linearizable: false,
    },
    {
      name: 'a stale read: the old value after the new one was acknowledged',
      history: [call(write('a'), 0, 1), call(write('b'), 2, 3), call(read('a'), 4, 5)],
      linearizable: false,
    },
    {
      name: 'a read beside a write gives the old or the new',
      history: [call(write('a'), 0, 1), call(write('b'), 2, 9), call(read('a'), 3, 4), call(read('b'), 5, 6)],
      linearizable: true,
    },
    {
      name: 'time runs back: new, then old, beside the write',
      history: [call(write('a'), 0, 1), call(write('b'), 2, 9), call(read('b'), 3, 4), call(read('a'), 5, 6)],
      linearizable: false,
    },
    {
      name: 'two readers saw two writes in two orders',
      history: [call(write('a'), 0, 1), call(write('b'), 0, 1), call(read('a'), 2, 3), call(read('b'), 4, 5)],
      linearizable: false,
    },
    {
      name: 'both of two swaps from one value were done',
      history: [call(write('a'), 0, 1), call(swap('a', 'b'), 2, 5), call(swap('a', 'c'), 2, 5)],
      linearizable: false,
    },
    {
      name: 'one of two swaps was done, the other not',
      history: [call(write('a'), 0, 1), call(swap('a', 'b'), 2, 5), call(swap('a', 'c', 'b'), 2, 5)],
      linearizable: true,
    },
    {
      name: 'a swap in vain though the value was there all the time',
      history: [call(write('a'), 0, 1), call(swap('a', 'b', 'x'), 2, 3)],
      linearizable: false,
    },
    {
      name: 'a write without an answer took effect much later',
      history: [call(write('a'), 0, null), call(read(null), 5, 6), call(read('a'), 7, 8)],
      linearizable: true,
    },
    {
      name: 'a write without an answer never took effect',
      history: [call(write('a'), 0, null), call(read(null), 5, 6)],
      linearizable: true,
    },
    {
      name: 'a write without an answer took effect twice',
      history: [
        call(write('a'), 0, null),
        call(read('a'), 1, 2),
        call(write('b'), 3, 4),
        call(read('a'), 5, 6),
      ],
      linearizable: false,
    },
    {
      name: 'a write without an answer took effect before it was asked',
      history: [call(read('a'), 0, 1), call(write('a'), 2, null)],
      linearizable: false,
    },
    {
      name: 'a swap in vain is explained by a write without an answer alone',
      history: [call(write('a'), 0, 1), call(write('b'), 0, null), call(swap('a', 'c', 'b'), 2, 3)],
      linearizable: true,
    },
    {
      name: 'a swap without an answer from what never stood',
      history: [call(write('a'), 0, 1), call(swap('x', 'b'), 2, null), call(read('b'), 3, 4)],
      linearizable: false,
    },
    {
      name: 'the answer of one and the call of another fall into one moment',
      history: [call(write('a'), 0, 1), call(read(null), 1, 2)],
      linearizable: true,
    },
  ])('$name', ({ history, linearizable }) => {
    expect(checkRegister(history).kind).toBe(linearizable ? 'linearizable' : 'impossible');
    expect(canBeTold(history)).toBe(linearizable);
  });

  test('says how far it came, and where it stuck', () => {
    const first = call(write('a'), 0, 1);
    const stale = call(read(null), 2, 3);
    expect(checkRegister([first, stale])).toEqual({ kind: 'impossible', longest: [first], stuckAt: stale });
  });

  test('says so where it takes too long', () => {
    const writes = Array.from({ length: 8 }, (_, index) => call(write(String(index)), 0, 9));
    expect(checkRegister([...writes, call(read('none of these'), 1, 2)], 1_000)).toEqual({
      kind: 'undecided',
      steps: 1_000,
    });
  });
});

/** Few values, so that calls have to do with one another. */
const VALUES = ['a', 'b', 'c'] as const;

/** A history of any outcome: calls at any time that gave anything. */
function anyHistory(random: () => number): readonly Call[] {
  const upTo = (count: number): number => Math.floor(random() * count);
  const value = (): string => VALUES[upTo(VALUES.length)] ?? 'a';
  return Array.from({ length: 1 + upTo(6) }, () => {
    const operation = [
      read(random() < 0.2 ? null : value()),
      write(value()),
      swap(random() < 0.2 ? null : value(), value(), random() < 0.2 ? null : value()),
    ][upTo(3)];
    const calledMs = upTo(8);
    return call(operation ?? write('a'), calledMs, random() < 0.2 ? null : calledMs + upTo(6));
  });
}

/** A history that a register did make: each call takes effect at some moment between its beginning and its end. */
function realHistory(random: () => number, length: number): readonly Call[] {
  let register: string | null = null;
  const made: Call[] = [];
  for (let moment = 0; moment < length; moment += 1) {
    const calledMs = moment - random() * 4;
    const returnedMs = random() < 0.03 ? null : moment + random() * 4;
    const asked = [read(register), write(`v${moment}`), swap(random() < 0.5 ? register : 'x', `s${moment}`)];
    const operation: Operation = asked[Math.floor(random() * asked.length)] ?? read(register);
    const seen = operation.kind === 'swap' ? { ...operation, saw: register } : operation;
    const after = apply(register, seen);
    const happens = returnedMs !== null || random() < 0.5;
    if (happens && after !== 'impossible') register = after.holds;
    made.push(call(seen, calledMs, returnedMs));
  }
  return made;
}

describe('judged by trying everything', () => {
  test('2,000 small random histories have the same answer', () => {
    const random = createRandom(4);
    const answers = { linearizable: 0, impossible: 0 };
    for (let number = 0; number < 2_000; number += 1) {
      const history = anyHistory(random);
      const expected = canBeTold(history) ? 'linearizable' : 'impossible';
      expect(checkRegister(history).kind, JSON.stringify(history, null, 2)).toBe(expected);
      answers[expected] += 1;
    }
    // Of both there are enough, or nothing was compared.
    expect(Math.min(answers.linearizable, answers.impossible)).toBeGreaterThan(300);
  });

  test('the order that it gives is one', () => {
    const random = createRandom(5);
    for (let number = 0; number < 100; number += 1) {
      const history = realHistory(random, 30);
      const judgement = checkRegister(history);
      if (judgement.kind !== 'linearizable') throw new Error(JSON.stringify(judgement, null, 2));
      const { order } = judgement;
      expect(order).toEqual(expect.arrayContaining(history.filter(({ returnedMs }) => returnedMs !== null)));
      let register: string | null = null;
      for (const [index, it] of order.entries()) {
        const after = apply(register, effectOf(it));
        if (after === 'impossible') throw new Error(`the ${index}th cannot be`);
        register = after.holds;
        const rest = order.slice(index + 1);
        expect(rest.filter((later) => later.returnedMs !== null && later.returnedMs < it.calledMs)).toEqual(
          [],
        );
      }
    }
  });

  test('long histories are decided; with one read made stale they are refused', () => {
    const random = createRandom(6);
    for (let number = 0; number < 20; number += 1) {
      const history = realHistory(random, 400);
      expect(checkRegister(history).kind).toBe('linearizable');
      const reads = history.flatMap(({ operation, returnedMs }, index) =>
        operation.kind === 'read' && index > 200 && returnedMs !== null ? [index] : [],
      );
      const spoilt = reads[Math.floor(random() * reads.length)];
      const broken = history.map((it, index) => (index === spoilt ? { ...it, operation: read('v1') } : it));
      expect(checkRegister(broken).kind).toBe('impossible');
    }
  });
});
