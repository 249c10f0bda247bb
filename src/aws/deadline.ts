/**
 * Runs `work` with a signal that aborts after `limitMs` or with `signal`, and ends then even if `work` does not mind
 * the signal. Rejects with an error named TimeoutError at the limit, with the caller's reason where the caller aborts.
 */
export async function withDeadline<T>(
  limitMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const controller = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    // The caller's promise is settled first, so that it sees the reason and not what the work makes of the abort.
    reject(reason);
    controller.abort(reason);
  };
  const timer = setTimeout(() => {
    end(new DOMException(`no answer within ${limitMs} ms`, 'TimeoutError'));
  }, limitMs);
  const onAbort = (): void => {
    end(signal.reason);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([ended, work(controller.signal)]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
