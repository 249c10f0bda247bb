import { describe, expect, test } from 'vitest';
import { ApplianceError, describeError, EXIT, exitCodeOf, hasCode, isRetryable } from '../../src/errors.ts';
import type { ErrorDetails } from '../../src/errors.ts';

const CASES: readonly { details: ErrorDetails; exit: number; retry: boolean }[] = [
  { details: { code: 'usage' }, exit: 64, retry: false },
  { details: { code: 'configuration', problems: ['STATUS_PORT'] }, exit: 78, retry: false },
  { details: { code: 'unavailable', service: 'route53' }, exit: 69, retry: true },
  { details: { code: 'timeout', service: 'etcd', limitMs: 2000 }, exit: 69, retry: true },
  { details: { code: 'throttled', service: 'ec2' }, exit: 69, retry: true },
  { details: { code: 'denied', service: 'ec2', action: 'DescribeInstances' }, exit: 69, retry: false },
  { details: { code: 'bad-answer', service: 'peer' }, exit: 69, retry: true },
  { details: { code: 'not-found', what: 'etcd 3.9' }, exit: 1, retry: false },
  { details: { code: 'cannot-write', path: '/data' }, exit: 73, retry: false },
  { details: { code: 'conflict', what: 'the claim' }, exit: 1, retry: false },
  { details: { code: 'process-failed', command: 'etcd', exitCode: 2 }, exit: 1, retry: true },
  { details: { code: 'aborted' }, exit: 1, retry: false },
  { details: { code: 'internal' }, exit: 1, retry: false },
];

describe('ApplianceError', () => {
  test.each(CASES)('$details.code ends with $exit', ({ details, exit, retry }) => {
    const error = new ApplianceError(details, 'it went wrong');
    expect(error.code).toBe(details.code);
    expect(exitCodeOf(error)).toBe(exit);
    expect(isRetryable(error)).toBe(retry);
  });

  test('keeps its cause, and narrows by code', () => {
    const cause = new Error('connect ECONNREFUSED');
    const error: unknown = new ApplianceError({ code: 'unavailable', service: 'etcd' }, 'no answer', {
      cause,
    });
    expect(hasCode(error, 'timeout')).toBe(false);
    expect(hasCode(error, 'unavailable') && error.details.service).toBe('etcd');
    expect((error as Error).cause).toBe(cause);
  });

  test('what is not ours fails without a retry', () => {
    expect(exitCodeOf(new TypeError('x is not a function'))).toBe(EXIT.failed);
    expect(isRetryable(new TypeError('x is not a function'))).toBe(false);
    expect(exitCodeOf(undefined)).toBe(EXIT.failed);
  });
});

describe('describeError', () => {
  test('says each message once, outermost first, in one line', () => {
    const root = new Error('connect ECONNREFUSED 127.0.0.1:2379');
    const middle = new Error('connect ECONNREFUSED 127.0.0.1:2379', { cause: root });
    const top = new ApplianceError({ code: 'unavailable', service: 'etcd' }, 'etcd does not\nanswer', {
      cause: middle,
    });
    expect(describeError(top)).toBe('etcd does not; answer: connect ECONNREFUSED 127.0.0.1:2379');
  });

  test.each([
    { thrown: 'text', said: 'text' },
    { thrown: { a: 1 }, said: '{ a: 1 }' },
    { thrown: undefined, said: 'unknown error' },
    { thrown: new AggregateError([new Error('a'), new Error('b')]), said: 'a, b' },
    { thrown: new Error(''), said: 'Error' },
  ])('takes anything thrown: $said', ({ thrown, said }) => {
    expect(describeError(thrown)).toBe(said);
  });

  test('ends on a cause that is its own cause', () => {
    const loop = new Error('loop');
    loop.cause = loop;
    expect(describeError(loop)).toBe('loop');
  });
});
