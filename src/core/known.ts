/**
 * A remote fact: known, or unknown with a reason. Unknown is not empty (law 4): a planner acts
 * destructively on known facts only, and the type makes it look.
 */
export type Known<T> = { readonly known: true; readonly value: T } | Unknown;

/** A fact that could not be had, and why, as a clause that fits behind "because". */
export interface Unknown {
  readonly known: false;
  readonly reason: string;
  /** Who was asked answered, and does not let the one who asks in: it lives, and only an operator can change that. */
  readonly refused?: true;
}

/** Wraps a fact that was had. */
export function known<T>(value: T): Known<T> {
  return { known: true, value };
}

/** Says that a fact could not be had; `reason` is a clause, lower case, without a full stop. */
export function unknown(reason: string): Unknown {
  return { known: false, reason };
}

/** Says that a fact could not be had because who was asked lets nobody in who asks as this program does. */
export function refused(reason: string): Unknown {
  return { known: false, reason, refused: true };
}

/** Whether who was asked answered, and refused. */
export function isRefused(fact: Known<unknown>): fact is Unknown & { readonly refused: true } {
  return !fact.known && fact.refused === true;
}

/** The value where it is known, else `otherwise`. */
export function valueOr<T, U>(fact: Known<T>, otherwise: U): T | U {
  return fact.known ? fact.value : otherwise;
}
