import type { Known } from './known.ts';
import type { MemberStatus } from './members.ts';
import { CLOSE_ENTRIES } from './numbers.ts';

/** Whether a member is well at one moment: what readiness and the client records rest on. */
export interface HealthObservation {
  readonly status: Known<MemberStatus>;
  /** The id under which it is asked. */
  readonly memberId: string;
  /** The highest raft index that any member reported in this look. */
  readonly highestIndex: number;
}

/** Null where the voter serves; else why it does not, as a clause. */
export function whyUnhealthy(seen: HealthObservation): string | null {
  const { status } = seen;
  if (!status.known) return `it does not answer: ${status.reason}`;
  if (status.value.memberId !== seen.memberId) return `member ${status.value.memberId} answers in its place`;
  if (status.value.learner) return 'it is a learner';
  if (status.value.leader === null) return 'it has no leader';
  const behind = seen.highestIndex - status.value.raftAppliedIndex;
  if (behind > CLOSE_ENTRIES) return `it is ${behind} entries behind`;
  return null;
}
