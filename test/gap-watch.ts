/** The longest time between two moments that follow each other, such as acknowledgements of writes. */
export interface GapWatch {
  /** One of the moments: now. */
  readonly note: () => void;
  /** So far, the time since the last moment included; ms. */
  readonly longestMs: () => number;
  /** Forgets the gaps so far. */
  readonly reset: () => void;
}

/** A watch that has seen no moment yet. */
export function watchGaps(): GapWatch {
  let lastMs: number | null = null;
  let longestMs = 0;
  const sinceLastMs = (): number => (lastMs === null ? 0 : performance.now() - lastMs);
  return {
    note: () => {
      longestMs = Math.max(longestMs, sinceLastMs());
      lastMs = performance.now();
    },
    longestMs: () => Math.max(longestMs, sinceLastMs()),
    reset: () => {
      longestMs = 0;
      lastMs = lastMs === null ? null : performance.now();
    },
  };
}
