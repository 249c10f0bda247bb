/** Time limits and tries of calls to AWS (design.md section 7), all in milliseconds. */
export interface Limits {
  /** Absolute: credentials, every try and every pause between tries together. */
  readonly callDeadlineMs: number;
  readonly connectMs: number;
  /** One try, from sending to the head of the answer; so that a try that hangs leaves time for another. */
  readonly tryMs: number;
  readonly tries: number;
  /** One request to the metadata service, which is on the same machine. */
  readonly metadataRequestMs: number;
  /** Idle connections are closed by us, well before AWS closes them: a request never meets a closing connection. */
  readonly idleConnectionMs: number;
}

export const LIMITS: Limits = {
  callDeadlineMs: 5_000,
  connectMs: 1_000,
  tryMs: 2_000,
  tries: 3,
  metadataRequestMs: 2_000,
  idleConnectionMs: 3_000,
};
