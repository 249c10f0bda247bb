/** One figure: what it is, and in what. Times run from the act to the first look that found it done. */
export interface Measure {
  readonly title: string;
  readonly unit: 'ms' | 'MB' | 'calls' | '%';
  readonly target?: Target;
}

/** What the median must not be above. */
export interface Target {
  readonly text: string;
  /** `bare` gives what bare etcd took in the same run; null: that was not measured, and nothing is judged. */
  readonly limit: (bare: (name: string) => Floor | null) => number | null;
}

/** What bare etcd took, in the unit of the measure. */
interface Floor {
  readonly median: number;
  readonly max: number;
}

/** A target that does not depend on the run. */
export const atMost = (limit: number): Target => ({ text: 'by itself', limit: () => limit });
/** So many times what bare etcd took, and so much more. */
export const beyondBare = (name: string, times: number, moreMs: number, text: string): Target => ({
  text,
  limit: (bare) => {
    const floor = bare(name);
    return floor === null ? null : floor.median * times + moreMs;
  },
});
