import { apply, type Call, effectOf } from './history.ts';

/**
 * The same question as the checker's, answered by trying every order of every choice of calls without an answer. For a
 * handful of calls alone: it is what the checker is judged by.
 */
export function canBeTold(calls: readonly Call[]): boolean {
  const open = calls.filter(({ returnedMs }) => returnedMs === null);
  const answered = calls.filter(({ returnedMs }) => returnedMs !== null);
  return subsets(open).some((chosen) =>
    permutations([...answered, ...chosen]).some((order) => keepsTime(order) && isPossible(order)),
  );
}

/** Nobody comes after a call that began only when it had ended. */
function keepsTime(order: readonly Call[]): boolean {
  return order.every((call, index) =>
    order.slice(index + 1).every(({ returnedMs }) => returnedMs === null || returnedMs >= call.calledMs),
  );
}

function isPossible(order: readonly Call[]): boolean {
  let register: string | null = null;
  for (const call of order) {
    const after = apply(register, effectOf(call));
    if (after === 'impossible') return false;
    register = after.holds;
  }
  return true;
}

function subsets<T>(items: readonly T[]): readonly (readonly T[])[] {
  return items.reduce<readonly (readonly T[])[]>(
    (all, item) => [...all, ...all.map((chosen) => [...chosen, item])],
    [[]],
  );
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  );
}
