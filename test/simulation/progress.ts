/** One line of a terminal that says how far something is, and lines that stay above it. */
export interface Progress {
  show(text: string): void;
  /** A line that stays. */
  say(text: string): void;
  clear(): void;
}

/** A terminal is not painted more often; ms. */
const PAINT_MS = 200;

/** On the terminal where there is one; without one only what stays is written. */
export function createProgress(out: NodeJS.WriteStream = process.stderr): Progress {
  let paintedAt = -Infinity;
  const clear = (): void => {
    if (out.isTTY) out.write('\r\u001B[K');
  };
  return {
    clear,
    show(text) {
      const now = performance.now();
      if (!out.isTTY || now - paintedAt < PAINT_MS) return;
      paintedAt = now;
      clear();
      out.write(text.slice(0, out.columns - 1));
    },
    say(text) {
      clear();
      paintedAt = -Infinity;
      out.write(`${text}\n`);
    },
  };
}
