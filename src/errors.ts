import { inspect } from 'node:util';

/**
 * What can go wrong, by code. Errors are for the unexpected: what a caller must expect (a lost compare-and-swap, a
 * fact that could not be had) is a value. A code that no one throws or handles does not belong here.
 */
export type ErrorDetails =
  /** The command line was wrong. */
  | { readonly code: 'usage' }
  /** The configuration was wrong; every problem at once. */
  | { readonly code: 'configuration'; readonly problems: readonly string[] }
  /** A service that is needed did not answer, or answered that it cannot now. */
  | { readonly code: 'unavailable'; readonly service: string }
  /** A service took too long. */
  | { readonly code: 'timeout'; readonly service: string; readonly limitMs: number }
  /** A service asks for fewer calls. */
  | { readonly code: 'throttled'; readonly service: string }
  /** Credentials are missing, or do not allow the call. */
  | { readonly code: 'denied'; readonly service: string; readonly action: string }
  /** A service answered what its protocol does not know. */
  | { readonly code: 'bad-answer'; readonly service: string }
  /** Something asked for by name is not there. */
  | { readonly code: 'not-found'; readonly what: string }
  /** A file or a directory cannot be written, for lack of rights or of room. */
  | { readonly code: 'cannot-write'; readonly path: string }
  /** Someone else holds or changed what this act needs unchanged. */
  | { readonly code: 'conflict'; readonly what: string }
  /** A process that was started ended, or did not do what it was started for. */
  | { readonly code: 'process-failed'; readonly command: string; readonly exitCode: number | null }
  /** The caller's AbortSignal ended the work. */
  | { readonly code: 'aborted' }
  /** An invariant of this program does not hold: a bug. */
  | { readonly code: 'internal' };

/** The code of an error. */
export type ErrorCode = ErrorDetails['code'];

/** Ends of the process, as sysexits names them (design.md section 7). */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 64,
  unavailable: 69,
  cannotWrite: 73,
  configuration: 78,
} as const;

/** An exit code that this program uses. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

interface Policy {
  /** Whether the same act may succeed if it is simply done again a little later. */
  readonly retry: boolean;
  readonly exit: ExitCode;
}

const POLICY: Readonly<Record<ErrorCode, Policy>> = {
  usage: { retry: false, exit: EXIT.usage },
  configuration: { retry: false, exit: EXIT.configuration },
  unavailable: { retry: true, exit: EXIT.unavailable },
  timeout: { retry: true, exit: EXIT.unavailable },
  throttled: { retry: true, exit: EXIT.unavailable },
  denied: { retry: false, exit: EXIT.unavailable },
  'bad-answer': { retry: true, exit: EXIT.unavailable },
  'not-found': { retry: false, exit: EXIT.failed },
  'cannot-write': { retry: false, exit: EXIT.cannotWrite },
  // What changed must be read again first, so the same act done again is wrong.
  conflict: { retry: false, exit: EXIT.failed },
  'process-failed': { retry: true, exit: EXIT.failed },
  aborted: { retry: false, exit: EXIT.failed },
  internal: { retry: false, exit: EXIT.failed },
};

/**
 * An error with a code and what belongs to that code. The message is lower case, names the offending value and says
 * what to change; the cause is kept.
 */
export class ApplianceError<D extends ErrorDetails = ErrorDetails> extends Error {
  override readonly name = 'ApplianceError';
  readonly details: D;

  constructor(details: D, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.details = details;
  }

  get code(): D['code'] {
    return this.details.code;
  }
}

/** Whether `error` is ours and has this code; narrows the details. */
export function hasCode<C extends ErrorCode>(
  error: unknown,
  code: C,
): error is ApplianceError<Extract<ErrorDetails, { readonly code: C }>> {
  return isOurs(error) && error.code === code;
}

/** `instanceof` narrows a generic class to `any`: this does not. */
function isOurs(error: unknown): error is ApplianceError {
  return error instanceof ApplianceError;
}

/** Whether the same act is worth doing again a little later. An error that is not ours is not understood: no. */
export function isRetryable(error: unknown): boolean {
  return isOurs(error) && POLICY[error.code].retry;
}

/** The exit code of a process that ends because of `error`. */
export function exitCodeOf(error: unknown): ExitCode {
  return isOurs(error) ? POLICY[error.code].exit : EXIT.failed;
}

const DEEPEST_CAUSE = 8;

/**
 * One line for a person: the message and those of its causes, each said once, the outermost first. Takes anything
 * that can be thrown.
 */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < DEEPEST_CAUSE && current !== undefined && current !== null; depth += 1) {
    const text = messageOf(current);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(': ').replaceAll(/\s*\n\s*/g, '; ') || 'unknown error';
}

/** The message of anything thrown. A connection tried at several addresses fails with an empty message and a list. */
function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.message === '') {
    return thrown.errors.map((inner) => messageOf(inner)).join(', ');
  }
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return typeof thrown === 'string' ? thrown : inspect(thrown, { depth: 1, breakLength: Infinity });
}
