/** Where log lines end up. */
export interface LogOutput {
  write(line: string): void;
  /** Resolves when all is written, or cannot be, at most `limitMs` later. Never rejects. */
  flush(limitMs: number): Promise<void>;
}

const MAX_BACKLOG_BYTES = 16 * 1024 * 1024;

/**
 * A stream, standard output above all, as a log's output that can do the daemon no harm: a reader that stalls does not
 * stall it (lines wait in memory, and beyond 16 MiB are dropped and counted), and one that goes away does not end it.
 * (pino's own destination waits for ever when it is flushed to a reader that has gone.)
 */
export function createStreamOutput(stream: NodeJS.WriteStream): LogOutput {
  let dropped = 0;
  stream.on('error', () => undefined);
  return {
    write: (line) => {
      if (stream.writableLength > MAX_BACKLOG_BYTES) {
        dropped += 1;
        return;
      }
      if (dropped > 0) {
        const msg = 'log lines were dropped: their reader stalled';
        stream.write(`${JSON.stringify({ level: 'warn', time: new Date().toISOString(), dropped, msg })}\n`);
        dropped = 0;
      }
      stream.write(line);
    },
    flush: async (limitMs) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, limitMs);
      stream.write('', () => resolve());
      await promise;
      clearTimeout(timer);
    },
  };
}
