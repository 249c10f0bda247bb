/*
 * What clients did to one register, which is a key of etcd, and what they saw. A register begins as null: the key does
 * not exist.
 */

/** What was asked, and what it gave. */
export type Operation =
  | { readonly kind: 'read'; readonly value: string | null }
  | { readonly kind: 'write'; readonly value: string }
  /** Compare and swap. `saw` is what the register held: where that is `from`, it became `to`. */
  | {
      readonly kind: 'swap';
      readonly from: string | null;
      readonly to: string;
      readonly saw: string | null;
    };

/** One operation of one client. */
export interface Call {
  readonly client: string;
  readonly operation: Operation;
  /** When it was asked, on the one monotonic clock of all clients. */
  readonly calledMs: number;
  /**
   * When the answer was there. Null: no answer ever came, so it took effect at some moment since, or will, or never does;
   * what it says that it gave is then nothing that anybody saw.
   */
  readonly returnedMs: number | null;
}

/** What a register holds after an operation, or `impossible` where the operation cannot have given what it gave. */
export function apply(
  register: string | null,
  operation: Operation,
): { readonly holds: string | null } | 'impossible' {
  switch (operation.kind) {
    case 'read':
      return operation.value === register ? { holds: register } : 'impossible';
    case 'write':
      return { holds: operation.value };
    case 'swap':
      if (operation.saw !== register) return 'impossible';
      return { holds: operation.saw === operation.from ? operation.to : register };
  }
}

/** What a call did if it did anything: of a swap that nobody saw the answer of, that is the swap. */
export function effectOf({ operation, returnedMs }: Call): Operation {
  return operation.kind === 'swap' && returnedMs === null ? { ...operation, saw: operation.from } : operation;
}

/** One line about a call, for whoever reads a history that cannot be. */
export function tellCall({ client, operation, calledMs, returnedMs }: Call): string {
  const until = returnedMs === null ? 'no answer' : returnedMs.toFixed(1);
  return `${calledMs.toFixed(1)} to ${until}: ${client} ${tellOperation(operation)}`;
}

function tellOperation(operation: Operation): string {
  switch (operation.kind) {
    case 'read':
      return `read ${operation.value ?? 'nothing'}`;
    case 'write':
      return `wrote ${operation.value}`;
    case 'swap':
      return `swapped ${operation.from ?? 'nothing'} for ${operation.to}, and it held ${operation.saw ?? 'nothing'}`;
  }
}
