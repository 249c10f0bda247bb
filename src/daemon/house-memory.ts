import type { Fleet } from '../core/fleet.ts';
import type { Known } from '../core/known.ts';
import { AWS_BACKOFF_MAX_MS, BUSY_AWS_INTERVAL_MS } from '../core/numbers.ts';

/** What is remembered from tick to tick; safety rests on none of it. */
export interface HouseMemory {
  /** Learners: their applied index, and since when it stands still. */
  readonly progress: Map<string, { readonly index: number; readonly since: number }>;
  /** Ids of members that were healthy in the last look. */
  healthy: ReadonlySet<string>;
  /** Learners whose removal is held off, because they may be promoted: since when. */
  readonly heldSince: Map<string, number>;
  /** Who was a member at the last tick that asked AWS. */
  membersKey: string;
  /** The last tick left something to do. */
  unfinished: boolean;
  /** While AWS does not answer, it is asked less and less often. */
  awsBackoffMs: number;
  /** Batches in a row that did not make the records right. */
  writeFailures: number;
  /** Monotonic time before which no batch is sent; ms. */
  writeAfter: number;
  /** Looks at the security groups in a row that left something open. */
  rulesFailures: number;
  /** Monotonic time from which the house is kept without a break; ms. */
  keptSince: number;
  published: string;
  /** Monotonic time at which who does not keep house last looked at what it shows; ms. */
  shownAt: number;
}

/** What a housekeeper knows before its first turn. */
export function freshMemory(): HouseMemory {
  return {
    progress: new Map(),
    healthy: new Set(),
    heldSince: new Map(),
    membersKey: '',
    unfinished: true,
    awsBackoffMs: BUSY_AWS_INTERVAL_MS,
    writeFailures: 0,
    writeAfter: Number.NEGATIVE_INFINITY,
    rulesFailures: 0,
    keptSince: Number.NEGATIVE_INFINITY,
    published: '',
    shownAt: Number.NEGATIVE_INFINITY,
  };
}

/** Before the house is kept again, from `now` on: the next turn asks for fleet and records, which another may have changed since. */
export function lookAnew(memory: HouseMemory, now: number): void {
  memory.keptSince = now;
  memory.unfinished = true;
  memory.rulesFailures = 0;
  memory.membersKey = '';
  memory.healthy = new Set();
  // What another published since stands there, however much the same this one has to say: who leaves goes by it.
  memory.published = '';
}

/** While AWS does not answer, it is asked less and less often: throttling is shared by the whole account. */
export function backOff(memory: HouseMemory, fleet: Known<Fleet>): void {
  memory.awsBackoffMs = fleet.known
    ? BUSY_AWS_INTERVAL_MS
    : Math.min(AWS_BACKOFF_MAX_MS, memory.awsBackoffMs * 2);
}
