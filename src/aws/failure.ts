import { describeError } from '../errors.ts';
import { known, unknown } from '../core/known.ts';
import type { Known } from '../core/known.ts';

/** What an error of the SDK, of a socket or of a time limit tells. */
export interface Failure {
  /** The error's code as AWS gives it (Throttling), or its name (TimeoutError, ECONNREFUSED). */
  readonly name: string;
  readonly message: string;
  /** HTTP status of the answer; null where none came. */
  readonly status: number | null;
  /** Whether the request certainly never left: no connection, no address, no credentials. */
  readonly notSent: boolean;
  /** How many times it was tried; 1 where that is not told. */
  readonly tries: number;
}

/** Reads anything that a call to AWS may throw. */
export function failureOf(thrown: unknown): Failure {
  const error = typeof thrown === 'object' && thrown !== null ? thrown : {};
  const code = textAt(error, 'code');
  const name = textAt(error, 'name') ?? 'Error';
  const metadata: object = objectAt(error, '$metadata') ?? {};
  const refused = refusedBatch(error);
  return {
    // A socket's error is named just "Error"; its code is what tells.
    name:
      refused === null
        ? name === 'Error' || name === 'AggregateError'
          ? (code ?? name)
          : name
        : 'InvalidChangeBatch',
    message: shortened(refused ?? describeError(thrown)),
    status: numberAt(metadata, 'httpStatusCode'),
    notSent: wasNotSent(error, name),
    tries: numberAt(metadata, 'attempts') ?? 1,
  };
}

const LONGEST_MESSAGE = 500;

/** One line of bounded length, without the SDK's hint to programmers on how to see more. */
function shortened(message: string): string {
  const line = message
    .replace(/[\s;]*Deserialization error: to see the raw response.*$/, '')
    .replaceAll(/\s+/g, ' ');
  return line.length > LONGEST_MESSAGE ? `${line.slice(0, LONGEST_MESSAGE - 3)}...` : line;
}

/**
 * Route 53 has two ways to refuse a batch: the usual ErrorResponse, and an InvalidChangeBatch element with a list of
 * messages, which the SDK does not know and hands on as an Unknown error with that list.
 */
function refusedBatch(error: object): string | null {
  const messages = objectAt(error, 'Messages');
  if (messages === null) return null;
  const listed: unknown = Reflect.get(messages, 'Message');
  return [listed].flat().map(String).join('; ');
}

const BEFORE_SENDING: ReadonlySet<string> = new Set(['connect', 'getaddrinfo', 'queryA', 'queryAaaa']);

/**
 * An error code such as EHOSTUNREACH can come from a connection in use as well: only the system call that failed tells
 * for certain that nothing was sent. A connection tried at several addresses fails with a list of errors.
 */
function wasNotSent(error: object, name: string): boolean {
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError') return true;
  if (textAt(error, 'message')?.includes('did not establish a connection') === true) return true;
  if (error instanceof AggregateError) {
    return error.errors.length > 0 && error.errors.every((inner) => isBeforeSending(inner));
  }
  return isBeforeSending(error);
}

function isBeforeSending(error: unknown): boolean {
  return typeof error === 'object' && error !== null && BEFORE_SENDING.has(textAt(error, 'syscall') ?? '');
}

function textAt(from: object, key: string): string | undefined {
  const value: unknown = Reflect.get(from, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function numberAt(from: object, key: string): number | null {
  const value: unknown = Reflect.get(from, key);
  return typeof value === 'number' ? value : null;
}

function objectAt(from: object, key: string): object | null {
  const value: unknown = Reflect.get(from, key);
  return typeof value === 'object' && value !== null ? value : null;
}

/**
 * Asks AWS. A failure is a fact that could not be had; `what` names the question in its reason. Throws only the
 * caller's abort.
 */
export async function ask<T>(
  what: string,
  signal: AbortSignal,
  question: () => Promise<T>,
): Promise<Known<T>> {
  try {
    return known(await question());
  } catch (thrown) {
    signal.throwIfAborted();
    return unknown(`${what} ${clauseOf(failureOf(thrown))}`);
  }
}

/** Names of errors that the SDK throws over an answer, and no code of AWS's. */
const OF_THE_READER: ReadonlySet<string> = new Set(['Error', 'TypeError', 'RangeError', 'SyntaxError']);

/** A failure as a clause: "answered Throttling (Rate exceeded)", "did not answer (connect ECONNREFUSED ...)". */
export function clauseOf(failure: Failure): string {
  const answered = OF_THE_READER.has(failure.name) ? 'what cannot be read' : failure.name.slice(0, 100);
  const verb = failure.status === null ? 'did not answer' : `answered ${answered}`;
  return `${verb} (${failure.message})`;
}
