/**
 * A remote fact: known, or unknown with a reason. Unknown is not empty (law 4): a planner acts
 * destructively on known facts only, and the type makes it look.
 */
export type Known<T> = { readonly known: true; readonly value: T } | Unknown;

/** A fact that could not be had, and why, as a clause that fits behind "because". */
export interface Unknown {
  readonly known: false;
  readonly reason: string;
}

/** Wraps a fact that was had. */
export function known<T>(value: T): Known<T> {
  return { known: true, value };
}

/** Says that a fact could not be had; `reason` is a clause, lower case, without a full stop. */
export function unknown(reason: string): Unknown {
  return { known: false, reason };
}

/** The value where it is known, else `otherwise`. */
export function valueOr<T, U>(fact: Known<T>, otherwise: U): T | U {
  return fact.known ? fact.value : otherwise;
}
